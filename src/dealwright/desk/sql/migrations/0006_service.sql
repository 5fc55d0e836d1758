-- The keys of the HTTP service.

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
