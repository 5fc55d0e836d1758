-- Who may call the HTTP service. Private: the functions of api/keys.sql read and write it.

create table dealwright_engine.api_key (
    key_id text primary key,
    name text not null,
    scopes text[] not null,
    -- whose work a key of scope agent is about
    agent_id bigint references dealwright.agent on delete cascade,
    hash text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    replaces text,
    constraint api_key_texts check (
        key_id ~ '^[0-9a-f]{12}$' and name <> '' and length(name) <= 500 and name !~ '[\x01-\x1f\x7f-\x9f]'),
    constraint api_key_scopes check (
        scopes <> '{}' and scopes <@ '{ingest,agent,planner,manager,admin}'::text[]
        and ('agent' = any (scopes)) = (agent_id is not null)),
    constraint api_key_times check (
        expires_at >= '1970-01-01 00:00:00+00' and expires_at < '2200-01-01 00:00:00+00')
);
comment on table dealwright_engine.api_key is
    'The keys of the HTTP service. Of the secret there is an Argon2 hash, here and in a backup, and nothing else.';

-- Who is signed in with a browser. Of the cookie there is a digest: a copy of the table signs nobody in.
create table dealwright_engine.web_session (
    digest bytea primary key,
    -- who it is: the key they signed in with, or the person as the OpenID provider calls them
    key_id text references dealwright_engine.api_key on delete cascade,
    issuer text,
    subject text,
    name text not null,
    scopes text[] not null,
    agent_id bigint references dealwright.agent on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    constraint web_session_digest check (length(digest) = 32),
    constraint web_session_whose check (
        (key_id is null) = (subject is not null) and (issuer is null) = (subject is null)),
    constraint web_session_texts check (
        name <> '' and length(name) <= 500 and name !~ '[\x01-\x1f\x7f-\x9f]'
        and length(issuer) <= 2000 and length(subject) <= 500),
    constraint web_session_scopes check (
        scopes <> '{}' and scopes <@ '{ingest,agent,planner,manager,admin}'::text[]
        and ('agent' = any (scopes)) = (agent_id is not null)),
    constraint web_session_times check (expires_at > created_at and expires_at <= created_at + interval '31 days')
);
create index web_session_expires on dealwright_engine.web_session (expires_at);
comment on table dealwright_engine.web_session is
    'People who are signed in with a browser; a row goes when they sign out, and after it has expired.';

-- Who receives events by a call of their own. What signs a call is derived from the salt and a key that is not here.
create table dealwright_engine.webhook (
    webhook_id bigint generated always as identity primary key,
    url text not null,
    kinds text[],
    salt bytea not null,
    -- tells the key that the secret was derived from from any other
    key_mark text not null,
    -- until then the secret before it signs as well
    former_salt bytea,
    former_until timestamptz,
    -- the last event that was delivered or given up
    xid xid8 not null,
    position bigint not null,
    created_at timestamptz not null default now(),
    disabled_at timestamptz,
    paused_at timestamptz,
    failures integer not null default 0,
    -- since when it has taken nothing
    failing_since timestamptz,
    retry_at timestamptz,
    last_error text,
    constraint webhook_secrets check (
        length(salt) = 16 and length(former_salt) = 16 and (former_salt is null) = (former_until is null)
        and length(key_mark) <= 64),
    constraint webhook_texts check (
        url ~ '^https?://' and length(url) <= 2000 and url !~ '[\x01-\x20\x7f-\x9f]'
        and (kinds is null or kinds <> '{}') and length(last_error) <= 2000)
);
comment on table dealwright_engine.webhook is
    'Addresses that receive events in their order; each has its place in the outbox, and waits by itself.';

create table dealwright_engine.dead_letter (
    webhook_id bigint not null references dealwright_engine.webhook on delete cascade,
    xid xid8 not null,
    position bigint not null,
    kind text not null,
    given_up_at timestamptz not null default now(),
    error text not null,
    primary key (webhook_id, xid, position)
);
comment on table dealwright_engine.dead_letter is 'Events that an address refused again and again.';

-- For which version `dealwright roles` has granted what is needed.
alter table dealwright.schema_functions add column roles text not null default '';

-- Who did what. Of a customer it holds ids alone, so that it need not change when one is erased.
create table dealwright.change (
    change_id bigint generated always as identity primary key,
    changed_at timestamptz not null default clock_timestamp(),
    actor text not null,
    actor_name text not null,
    action text not null,
    object text not null,
    object_id text not null,
    before jsonb,
    after jsonb,
    reason text,
    request_id text
);
create index change_actor on dealwright.change (actor, change_id);
create index change_object on dealwright.change (object, object_id, change_id);
comment on table dealwright.change is
    'What people, and programs with a key, have changed: one row for each deed, written with it. Nobody changes it.';
comment on column dealwright.change.actor is
    'A key ("key 3f9ac21b04de"), a person ("person 17 of https://login.example.com") or a database user ("user anna").';

-- Human oversight: who gets nothing from the desk for now, and which outcomes their agents do not accept.
create table dealwright.pause (
    agent_id bigint primary key references dealwright.agent on delete cascade,
    paused_at timestamptz not null default clock_timestamp(),
    was_active boolean not null,
    reason text not null
);
comment on table dealwright.pause is 'Agents to whom the desk gives no leads until somebody resumes it.';

create table dealwright.contest (
    assignment_id bigint primary key references dealwright.assignment on delete cascade,
    contested_at timestamptz not null default clock_timestamp(),
    reason text not null,
    resolved_at timestamptz
);
comment on table dealwright.contest is
    'Outcomes that their agents contest: training leaves them out until they are resolved. Decisions stay as they are.';

-- What was taken out of the record, and what seals that.
create table dealwright.decision_erasure (
    erasure_id bigint generated always as identity primary key,
    block_id bigint not null references dealwright.decision_block,
    decision_ids bigint[] not null,
    content_hash text not null,
    erased_at timestamptz not null default clock_timestamp(),
    sealing_block_id bigint not null unique references dealwright.decision_block
);
create index decision_erasure_block on dealwright.decision_erasure (block_id, erasure_id);
comment on table dealwright.decision_erasure is
    'Blocks from which a customer''s words were taken: what their content hashes to since, sealed by a block of its own.';

-- Changes of a model or a policy that wait for a second person, and what became of them.
create table dealwright.proposal (
    proposal_id bigint generated always as identity primary key,
    asked_at timestamptz not null default clock_timestamp(),
    asked_by text not null,
    asked_by_name text not null,
    kind text not null,
    object_id text not null,
    -- what was in force when it was asked for: it takes effect only while that still is
    before jsonb not null,
    after jsonb not null,
    reason text not null,
    status text not null default 'waiting',
    decided_at timestamptz,
    decided_by text,
    decided_by_name text,
    decided_reason text,
    constraint proposal_words check (
        kind in ('model', 'policy', 'second_person')
        and status in ('waiting', 'agreed', 'refused', 'withdrawn')
        and (decided_at is null) = (status = 'waiting') and (decided_by is null) = (status = 'waiting'))
);
create index proposal_waiting on dealwright.proposal (proposal_id) where status = 'waiting';
comment on table dealwright.proposal is
    'Changes of a model or a policy that somebody asked for: each takes effect when another person agrees.';

create table dealwright_engine.duty (
    only_row boolean primary key default true check (only_row),
    second_person boolean not null default false
);
insert into dealwright_engine.duty default values;
comment on table dealwright_engine.duty is 'What this desk asks of its people: whether a second person has to agree.';
