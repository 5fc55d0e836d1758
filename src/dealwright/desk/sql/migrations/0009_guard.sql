-- Who is signed in, and what people did.

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
