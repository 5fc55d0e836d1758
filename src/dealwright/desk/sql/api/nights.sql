-- Nights: runs of the plan that somebody or the clock asks for, and that the leading worker carries out one by one.

-- Says what happened, to whoever follows the events.
create or replace function dealwright_engine.night_event(kind text, night_id bigint)
returns void language plpgsql
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    payload jsonb;
begin
    select jsonb_strip_nulls(jsonb_build_object(
               'night_id', n.night_id, 'status', n.status, 'stage', n.stage, 'share', n.share, 'due_at', n.due_at,
               'attempts', n.attempts, 'error', n.error))
    into payload
    from dealwright_engine.night as n
    where n.night_id = night_event.night_id;
    perform dealwright_engine.write_event(night_event.kind, payload);
end
$$;

create or replace function dealwright.request_night(key text, requested_by text, options jsonb,
    due_at timestamptz default null, begin_at timestamptz default clock_timestamp(), request_id text default null)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    night dealwright_engine.night;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    insert into dealwright_engine.night as n (key, requested_by, options, due_at, begin_at, request_id)
    values (request_night.key, request_night.requested_by, request_night.options, request_night.due_at,
            request_night.begin_at, request_night.request_id)
    on conflict on constraint night_key do nothing
    returning * into night;
    if found then
        perform dealwright_engine.night_event('night_queued', night.night_id);
        if request_night.due_at is null then  -- not the clock: somebody
            perform dealwright_engine.note_change('request_run', 'run', night.night_id::text, null, night.options);
        end if;
        return night.night_id;
    end if;
    select * into night from dealwright_engine.night as n where n.key = request_night.key;
    if night.options <> request_night.options then
        raise exception 'another night was asked for under the key %', request_night.key using errcode = 'DW001',
            hint = 'use a new key for a new request';
    end if;
    return night.night_id;
end
$$;
comment on function dealwright.request_night(text, text, jsonb, timestamptz, timestamptz, text) is
    'Asks for a run of the plan; the same key twice is the same night. due_at: the moment of the schedule.';

create or replace function dealwright.miss_night(key text, due_at timestamptz)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    night dealwright_engine.night;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    insert into dealwright_engine.night (key, requested_by, options, due_at, begin_at, status, ended_at, error)
    values (miss_night.key, 'schedule', '{}', miss_night.due_at, miss_night.due_at, 'missed', clock_timestamp(),
            'no worker was there when it was due, or soon enough after it')
    on conflict on constraint night_key do nothing
    returning * into night;
    if not found then
        return null;
    end if;
    perform dealwright_engine.night_event('night_missed', night.night_id);
    return night.night_id;
end
$$;
comment on function dealwright.miss_night(text, timestamptz) is
    'Records that nobody carried out a night that was due; null: it has been recorded, or carried out.';

create or replace function dealwright.keep_schedule(schedule text, now timestamptz)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    begins timestamptz;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    insert into dealwright_engine.night_schedule as s (schedule, since)
    values (keep_schedule.schedule, keep_schedule.now)
    on conflict (only_row) do update
    set since = case when s.schedule = excluded.schedule then s.since else excluded.since end,
        schedule = excluded.schedule
    returning s.since into begins;
    return begins;
end
$$;
comment on function dealwright.keep_schedule(text, timestamptz) is
    'Says by which schedule nights are due; returns since when that holds.';

create or replace function dealwright.begin_night(worker text, now timestamptz default clock_timestamp())
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    night dealwright_engine.night;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.night as n
    set status = 'running', attempts = n.attempts + 1, worker = begin_night.worker, begun_at = clock_timestamp(),
        stage = null, share = 0, error = null
    where n.night_id = (
        select q.night_id from dealwright_engine.night as q
        where q.status = 'queued' and q.begin_at <= begin_night.now
          and not exists (select from dealwright_engine.night as r where r.status = 'running')
        order by q.night_id
        limit 1
        for update)
    returning * into night;
    if found then
        perform dealwright_engine.night_event('night_begun', night.night_id);
    end if;
    return night.night_id;
end
$$;
comment on function dealwright.begin_night(text, timestamptz) is
    'Takes the next night of the queue to be carried out; null: there is none, or one is under way.';

create or replace function dealwright.night_progress(night_id bigint, stage text, share double precision)
returns boolean language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    before text;
    night dealwright_engine.night;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select n.stage into before from dealwright_engine.night as n where n.night_id = night_progress.night_id;
    update dealwright_engine.night as n
    set stage = night_progress.stage, share = night_progress.share
    where n.night_id = night_progress.night_id and n.status = 'running'
    returning * into night;
    if not found then
        return false;
    end if;
    if before is distinct from night_progress.stage then
        perform dealwright_engine.night_event('night_stage', night.night_id);
    end if;
    return night.cancelled_by is null;
end
$$;
comment on function dealwright.night_progress(bigint, text, double precision) is
    'Notes how far a night has come; returns whether it is to go on.';

create or replace function dealwright.end_night(night_id bigint, status text, folder text default null,
    result jsonb default null, error text default null, begin_at timestamptz default null, counts boolean default true)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    night dealwright_engine.night;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.night as n
    set status = case when end_night.status = 'queued' and n.cancelled_by is not null then 'cancelled'
                      else end_night.status end,
        folder = end_night.folder, result = end_night.result, error = left(end_night.error, 10000),
        begin_at = coalesce(end_night.begin_at, n.begin_at),
        attempts = n.attempts - (not end_night.counts)::integer,
        share = case when end_night.status = 'done' then 1 else n.share end,
        ended_at = case when end_night.status = 'queued' and n.cancelled_by is null then null
                        else clock_timestamp() end
    where n.night_id = end_night.night_id and n.status = 'running'
    returning * into night;
    if found then
        perform dealwright_engine.night_event(
            case night.status when 'queued' then 'night_postponed' else 'night_' || night.status end, night.night_id);
    end if;
end
$$;
comment on function dealwright.end_night(bigint, text, text, jsonb, text, timestamptz, boolean) is
    'Records how a night ended: done (with its folder), failed, cancelled, or queued again from begin_at on.';

create or replace function dealwright.cancel_night(night_id bigint, cancelled_by text)
returns text language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    before text;
    night dealwright_engine.night;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select n.status into before from dealwright_engine.night as n where n.night_id = cancel_night.night_id for update;
    update dealwright_engine.night as n
    set cancelled_by = cancel_night.cancelled_by,
        status = case n.status when 'queued' then 'cancelled' else n.status end,
        ended_at = case n.status when 'queued' then clock_timestamp() end
    where n.night_id = cancel_night.night_id and n.status in ('queued', 'running') and n.cancelled_by is null
    returning * into night;
    if found then
        if night.status = 'cancelled' then
            perform dealwright_engine.night_event('night_cancelled', night.night_id);
        end if;
        perform dealwright_engine.note_change('cancel_run', 'run', night.night_id::text,
            jsonb_build_object('status', before), jsonb_build_object('status', night.status));
        return night.status;
    end if;
    select * into night from dealwright_engine.night as n where n.night_id = cancel_night.night_id;
    if not found then
        raise exception 'there is no night %', cancel_night.night_id using errcode = 'DW003',
            hint = 'the list of nights shows the ids';
    end if;
    if night.cancelled_by is null then
        raise exception 'night % is over: it is %', night.night_id, night.status using errcode = 'DW001',
            hint = 'ask for another one';
    end if;
    return night.status;
end
$$;
comment on function dealwright.cancel_night(bigint, text) is
    'Calls off a night: one that waits at once, one that is under way as soon as its worker sees it.';

create or replace function dealwright.nights(night_id bigint default null, status text default null,
    before bigint default null, k integer default 100)
returns table (
    night_id bigint, key text, requested_by text, request_id text, requested_at timestamptz, due_at timestamptz,
    options jsonb, status text, begin_at timestamptz, attempts integer, worker text, begun_at timestamptz, ended_at timestamptz,
    stage text, share double precision, cancelled_by text, folder text, result jsonb, error text
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select n.night_id, n.key, n.requested_by, n.request_id, n.requested_at, n.due_at, n.options, n.status, n.begin_at,
           n.attempts, n.worker, n.begun_at, n.ended_at, n.stage, n.share, n.cancelled_by, n.folder, n.result, n.error
    from dealwright_engine.night as n
    where (nights.night_id is null or n.night_id = nights.night_id)
      and (nights.status is null or n.status = nights.status)
      and (nights.before is null or n.night_id < nights.before)
    order by n.night_id desc
    limit nights.k
$$;
comment on function dealwright.nights(bigint, text, bigint, integer) is
    'Runs of the plan that were asked for, newest first: a page, or one of them.';
