-- Secrets of webhooks that the database does not hold; addresses that are paused or given up. Never edited again once
-- released.

-- A secret that was stored in plain text is forgotten. Its webhook keeps its place and waits for a new one
-- (dealwright webhook rotate).
alter table dealwright_engine.webhook
    drop column secret,
    add column salt bytea not null default uuid_send(gen_random_uuid()),
    add column key_mark text not null default '',
    add column former_salt bytea,
    add column former_until timestamptz,
    add column paused_at timestamptz,
    add column failing_since timestamptz,
    add constraint webhook_secrets check (
        length(salt) = 16 and length(former_salt) = 16 and (former_salt is null) = (former_until is null)
        and length(key_mark) <= 64);
alter table dealwright_engine.webhook
    alter column salt drop default,
    alter column key_mark drop default;

-- what these take and return has changed
drop function if exists dealwright.create_webhook(text, text[], text), dealwright.list_webhooks(),
    dealwright.webhook_done(bigint, xid8, bigint, text, text), dealwright.webhook_failed(bigint, text, interval, boolean),
    dealwright.webhook_again(bigint), dealwright.monitor();

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
