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
