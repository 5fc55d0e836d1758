-- Webhooks: addresses that receive events.

-- Who receives events by a call of their own. The secret signs each call, so it cannot be a hash.
create table dealwright_engine.webhook (
    webhook_id bigint generated always as identity primary key,
    url text not null,
    kinds text[],
    secret text not null,
    -- the last event that was delivered or given up
    xid xid8 not null,
    position bigint not null,
    created_at timestamptz not null default now(),
    disabled_at timestamptz,
    failures integer not null default 0,
    retry_at timestamptz,
    last_error text,
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
