-- Addresses that receive events: whoever delivers reads them and says how it went.

create or replace function dealwright.create_webhook(url text, kinds text[], salt bytea, key_mark text)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id bigint;
    begins record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into begins from dealwright.last_event();
    insert into dealwright_engine.webhook (url, kinds, salt, key_mark, xid, position)
    values (create_webhook.url, create_webhook.kinds, create_webhook.salt, create_webhook.key_mark, begins.xid,
            begins.position)
    returning webhook_id into id;
    perform dealwright_engine.note_change('create_webhook', 'webhook', id::text, null,
        jsonb_build_object('url', create_webhook.url, 'kinds', create_webhook.kinds));
    return id;
end
$$;
comment on function dealwright.create_webhook(text, text[], bytea, text) is
    'Registers an address that receives events from now on (kinds: only of these). Its secret is derived from the salt '
    'and a key that the database does not know, but by its mark.';

create or replace function dealwright.rotate_webhook(webhook_id bigint, salt bytea, key_mark text, keep interval)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set salt = rotate_webhook.salt, key_mark = rotate_webhook.key_mark, retry_at = null,
        -- what another key made cannot be made again
        former_salt = case when f.signs then w.salt end,
        former_until = case when f.signs then clock_timestamp() + rotate_webhook.keep end
    from (select o.webhook_id, o.key_mark = rotate_webhook.key_mark and rotate_webhook.keep > interval '0' as signs
          from dealwright_engine.webhook as o where o.webhook_id = rotate_webhook.webhook_id) as f
    where w.webhook_id = f.webhook_id;
    if not found then
        raise exception 'there is no webhook %', rotate_webhook.webhook_id using errcode = 'DW003',
            hint = 'the list of webhooks shows the ids';
    end if;
    perform dealwright_engine.note_change('rotate_webhook', 'webhook', rotate_webhook.webhook_id::text);
end
$$;
comment on function dealwright.rotate_webhook(bigint, bytea, text, interval) is
    'Gives an address a new secret; the one before it signs as well for a while.';

create or replace function dealwright.pause_webhook(webhook_id bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set paused_at = coalesce(w.paused_at, clock_timestamp())
    where w.webhook_id = pause_webhook.webhook_id;
    if not found then
        raise exception 'there is no webhook %', pause_webhook.webhook_id using errcode = 'DW003',
            hint = 'the list of webhooks shows the ids';
    end if;
    perform dealwright_engine.note_change('pause_webhook', 'webhook', pause_webhook.webhook_id::text);
end
$$;
comment on function dealwright.pause_webhook(bigint) is
    'An address receives nothing until it is resumed; it keeps its place among the events.';

create or replace function dealwright.resume_webhook(webhook_id bigint)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    place record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set paused_at = null, disabled_at = null, failures = 0, failing_since = null, retry_at = null
    where w.webhook_id = resume_webhook.webhook_id
    returning w.xid into place;
    if not found then
        raise exception 'there is no webhook %', resume_webhook.webhook_id using errcode = 'DW003',
            hint = 'the list of webhooks shows the ids';
    end if;
    perform dealwright_engine.note_change('resume_webhook', 'webhook', resume_webhook.webhook_id::text);
    return dealwright_engine.events_archived_after(place.xid);
end
$$;
comment on function dealwright.resume_webhook(bigint) is
    'Puts an address that was paused or given up to work again, from where it stopped. Returns until when the events it '
    'has not got are in the archive, if any: these are not sent.';

create or replace function dealwright_engine.events_archived_after(place xid8)
returns timestamptz language sql stable as $$
    select max(f.to_time) from dealwright.archive_file as f where f.kind = 'event' and f.last_xid > place
$$;

create or replace function dealwright.webhooks_behind(partition text)
returns bigint[] language plpgsql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    found bigint[];
begin
    if not exists (select from dealwright_engine.months() as m
                   where m.parent = 'event' and m.partition = webhooks_behind.partition) then
        raise exception 'there is no month % of events', partition using errcode = 'DW003',
            hint = 'dealwright.closed_months() names them';
    end if;
    execute format('select coalesce(array_agg(w.webhook_id order by w.webhook_id), ''{}'') '
                   'from dealwright_engine.webhook as w where w.disabled_at is null and exists ('
                   'select from dealwright_engine.%I as e where (e.xid, e.position) > (w.xid, w.position) '
                   'and (w.kinds is null or e.kind = any (w.kinds)))', partition)
    into found;
    return found;
end
$$;
comment on function dealwright.webhooks_behind(text) is
    'The webhooks that have not got all events of a month yet; those that were given up do not count.';

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
    webhook_id bigint, url text, kinds text[], salt bytea, key_mark text, former_salt bytea, former_until timestamptz,
    xid xid8, "position" bigint, created_at timestamptz, disabled_at timestamptz, paused_at timestamptz,
    failures integer, failing_since timestamptz, retry_at timestamptz, last_error text, dead_letters bigint
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select w.webhook_id, w.url, w.kinds, w.salt, w.key_mark, w.former_salt, w.former_until, w.xid, w.position,
           w.created_at, w.disabled_at, w.paused_at, w.failures, w.failing_since, w.retry_at, w.last_error,
           (select count(*) from dealwright_engine.dead_letter as d where d.webhook_id = w.webhook_id)
    from dealwright_engine.webhook as w
    order by w.webhook_id
$$;
comment on function dealwright.list_webhooks() is
    'The addresses that receive events, with the salts of their secrets, how far each has heard, and what keeps it.';

create or replace function dealwright.dead_letters(webhook_id bigint)
returns table (xid xid8, "position" bigint, kind text, given_up_at timestamptz, error text)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select d.xid, d.position, d.kind, d.given_up_at, d.error
    from dealwright_engine.dead_letter as d
    where d.webhook_id = dead_letters.webhook_id
    order by d.xid, d.position
    limit 1000
$$;
comment on function dealwright.dead_letters(bigint) is 'The first thousand events that were put aside for an address.';

create or replace function dealwright.dead_letter_taken(webhook_id bigint, xid xid8, "position" bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    delete from dealwright_engine.dead_letter as d
    where d.webhook_id = dead_letter_taken.webhook_id and d.xid = dead_letter_taken.xid
        and d.position = dead_letter_taken.position;
    perform dealwright_engine.note_change('send_dead_letter', 'webhook', dead_letter_taken.webhook_id::text, null,
        jsonb_build_object('event', dead_letter_taken.xid || '-' || dead_letter_taken.position));
end
$$;
comment on function dealwright.dead_letter_taken(bigint, xid8, bigint) is
    'Forgets an event that was put aside, when the address has taken it after all; its place stays where it is.';

create or replace function dealwright.webhook_passed(webhook_id bigint, xid xid8, "position" bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set xid = webhook_passed.xid, position = webhook_passed.position
    where w.webhook_id = webhook_passed.webhook_id;
end
$$;
comment on function dealwright.webhook_passed(bigint, xid8, bigint) is
    'Moves the place of an address past events that do not concern it.';

create or replace function dealwright.webhook_done(webhook_id bigint, xid xid8, "position" bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set xid = webhook_done.xid, position = webhook_done.position, failures = 0, failing_since = null, retry_at = null,
        last_error = null
    where w.webhook_id = webhook_done.webhook_id;
end
$$;
comment on function dealwright.webhook_done(bigint, xid8, bigint) is
    'Moves the place of an address past an event that it took.';

create or replace function dealwright.webhook_gave_up(webhook_id bigint, xid xid8, "position" bigint, kind text,
    error text)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set xid = webhook_gave_up.xid, position = webhook_gave_up.position, failures = 0, retry_at = null,
        failing_since = coalesce(w.failing_since, clock_timestamp()), last_error = left(webhook_gave_up.error, 2000)
    where w.webhook_id = webhook_gave_up.webhook_id;
    if found then
        insert into dealwright_engine.dead_letter (webhook_id, xid, position, kind, error)
        values (webhook_gave_up.webhook_id, webhook_gave_up.xid, webhook_gave_up.position, webhook_gave_up.kind,
                left(webhook_gave_up.error, 2000))
        on conflict do nothing;
    end if;
end
$$;
comment on function dealwright.webhook_gave_up(bigint, xid8, bigint, text, text) is
    'Puts an event aside that an address did not take, as a dead letter, and moves its place past it.';

create or replace function dealwright.webhook_failed(webhook_id bigint, error text, wait interval, disable boolean)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.webhook as w
    set failures = w.failures + 1, last_error = left(webhook_failed.error, 2000),
        failing_since = coalesce(w.failing_since, clock_timestamp()),
        retry_at = clock_timestamp() + webhook_failed.wait,
        disabled_at = case when webhook_failed.disable then clock_timestamp() end
    where w.webhook_id = webhook_failed.webhook_id and w.disabled_at is null;
    if found and webhook_failed.disable then
        perform dealwright_engine.write_event('webhook_disabled', jsonb_build_object(
            'webhook_id', webhook_failed.webhook_id, 'error', left(webhook_failed.error, 2000)));
    end if;
end
$$;
comment on function dealwright.webhook_failed(bigint, text, interval, boolean) is
    'Notes that an address did not take an event and when to try again; disable: not before somebody resumes it.';

create or replace function dealwright.webhook_again(webhook_id bigint)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    first_refused record;
    place record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select d.xid, d.position into first_refused
    from dealwright_engine.dead_letter as d
    where d.webhook_id = webhook_again.webhook_id
    order by d.xid, d.position
    limit 1;
    update dealwright_engine.webhook as w
    set xid = coalesce(first_refused.xid, w.xid), position = coalesce(first_refused.position - 1, w.position),
        failures = 0, failing_since = null, retry_at = null, disabled_at = null, paused_at = null
    where w.webhook_id = webhook_again.webhook_id
    returning w.xid, w.position into place;
    if not found then
        raise exception 'there is no webhook %', webhook_again.webhook_id using errcode = 'DW003',
            hint = 'the list of webhooks shows the ids';
    end if;
    delete from dealwright_engine.dead_letter as d where d.webhook_id = webhook_again.webhook_id;
    perform dealwright_engine.note_change('retry_webhook', 'webhook', webhook_again.webhook_id::text);
    return dealwright_engine.events_archived_after(place.xid);
end
$$;
comment on function dealwright.webhook_again(bigint) is
    'Puts an address to work again, from the first event that it refused on: it hears once more of all since. Returns '
    'until when the events it has not got are in the archive, if any: these are not sent.';
