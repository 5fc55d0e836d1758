-- Addresses that receive events: whoever delivers reads them and says how it went.

create or replace function dealwright.create_webhook(url text, kinds text[], secret text)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id bigint;
    begins record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into begins from dealwright.last_event();
    insert into dealwright_engine.webhook (url, kinds, secret, xid, position)
    values (create_webhook.url, create_webhook.kinds, create_webhook.secret, begins.xid, begins.position)
    returning webhook_id into id;
    perform dealwright_engine.note_change('create_webhook', 'webhook', id::text, null,
        jsonb_build_object('url', create_webhook.url, 'kinds', create_webhook.kinds));
    return id;
end
$$;
comment on function dealwright.create_webhook(text, text[], text) is
    'Registers an address that receives events from now on (kinds: only of these).';

create or replace function dealwright.remove_webhook(webhook_id bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    delete from dealwright_engine.webhook as w where w.webhook_id = remove_webhook.webhook_id;
    if not found then
        raise exception 'there is no webhook %', remove_webhook.webhook_id using errcode = 'DW003',
            hint = 'the list of webhooks shows the ids';
    end if;
    perform dealwright_engine.note_change('remove_webhook', 'webhook', remove_webhook.webhook_id::text);
end
$$;
comment on function dealwright.remove_webhook(bigint) is 'Forgets an address, with what it refused.';

create or replace function dealwright.list_webhooks()
returns table (
    webhook_id bigint, url text, kinds text[], secret text, xid xid8, "position" bigint, created_at timestamptz,
    disabled_at timestamptz, failures integer, retry_at timestamptz, last_error text, dead_letters bigint
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select w.webhook_id, w.url, w.kinds, w.secret, w.xid, w.position, w.created_at, w.disabled_at, w.failures,
           w.retry_at, w.last_error,
           (select count(*) from dealwright_engine.dead_letter as d where d.webhook_id = w.webhook_id)
    from dealwright_engine.webhook as w
    order by w.webhook_id
$$;
comment on function dealwright.list_webhooks() is 'The addresses that receive events, with their secrets.';

create or replace function dealwright.dead_letters(webhook_id bigint)
returns table (xid xid8, "position" bigint, kind text, given_up_at timestamptz, error text)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select d.xid, d.position, d.kind, d.given_up_at, d.error
    from dealwright_engine.dead_letter as d
    where d.webhook_id = dead_letters.webhook_id
    order by d.xid, d.position
    limit 1000
$$;
comment on function dealwright.dead_letters(bigint) is 'The first thousand events that an address refused for good.';

create or replace function dealwright.webhook_done(webhook_id bigint, xid xid8, "position" bigint, kind text,
    error text default null)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set xid = webhook_done.xid, position = webhook_done.position, failures = 0, retry_at = null, last_error = null
    where w.webhook_id = webhook_done.webhook_id;
    if found and webhook_done.error is not null then
        insert into dealwright_engine.dead_letter (webhook_id, xid, position, kind, error)
        values (webhook_done.webhook_id, webhook_done.xid, webhook_done.position, webhook_done.kind,
                left(webhook_done.error, 2000))
        on conflict do nothing;
    end if;
end
$$;
comment on function dealwright.webhook_done(bigint, xid8, bigint, text, text) is
    'Moves the place of an address past an event that was delivered, or given up with an error.';

create or replace function dealwright.webhook_failed(webhook_id bigint, error text, wait interval, gone boolean)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set failures = w.failures + 1, last_error = left(webhook_failed.error, 2000),
        retry_at = clock_timestamp() + webhook_failed.wait,
        disabled_at = case when webhook_failed.gone then clock_timestamp() end
    where w.webhook_id = webhook_failed.webhook_id;
end
$$;
comment on function dealwright.webhook_failed(bigint, text, interval, boolean) is
    'Notes that an address did not take an event and when to try again; gone: never.';

create or replace function dealwright.webhook_again(webhook_id bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    first_refused record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select d.xid, d.position into first_refused
    from dealwright_engine.dead_letter as d
    where d.webhook_id = webhook_again.webhook_id
    order by d.xid, d.position
    limit 1;
    update dealwright_engine.webhook as w
    set xid = coalesce(first_refused.xid, w.xid), position = coalesce(first_refused.position - 1, w.position),
        failures = 0, retry_at = null, disabled_at = null
    where w.webhook_id = webhook_again.webhook_id;
    if not found then
        raise exception 'there is no webhook %', webhook_again.webhook_id using errcode = 'DW003',
            hint = 'the list of webhooks shows the ids';
    end if;
    delete from dealwright_engine.dead_letter as d where d.webhook_id = webhook_again.webhook_id;
end
$$;
comment on function dealwright.webhook_again(bigint) is
    'Puts an address to work again, from the first event that it refused on: it hears once more of all since.';
