-- What a monitor asks of the desk beside its tables: who works, what is late, what holds others up.

create or replace function dealwright.monitor()
returns table (
    worker_leads integer, courier_leads integer, night_worker_leads integer, nights_queued bigint,
    nights_running bigint, night_share double precision, nights_failed_in_a_row bigint,
    last_night_done_age_s double precision, oldest_undelivered_event_s double precision, dead_letters bigint,
    webhooks_disabled bigint
) language sql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    with at_work as (
        -- who leads holds a lock: of pg_locks' columns, these are the two keys of it
        select l.classid from pg_locks as l
        where l.locktype = 'advisory' and l.granted and l.objid = 0 and l.objsubid = 2
          and l.database = (select d.oid from pg_database as d where d.datname = current_database())
    ),
    done as (
        select max(n.ended_at) as at from dealwright_engine.night as n where n.status = 'done'
    )
    select (select count(*)::integer from at_work where classid = hashtext('dealwright worker')::oid),
           (select count(*)::integer from at_work where classid = hashtext('dealwright courier')::oid),
           (select count(*)::integer from at_work where classid = hashtext('dealwright nights')::oid),
           (select count(*) from dealwright_engine.night where status = 'queued'),
           (select count(*) from dealwright_engine.night where status = 'running'),
           coalesce((select max(share) from dealwright_engine.night where status = 'running'), 0),
           (select count(*) from dealwright_engine.night as n
            where n.status in ('failed', 'missed')
              and n.ended_at > coalesce((select d.at from done as d), '-infinity')),
           (select extract(epoch from clock_timestamp() - d.at) from done as d)::double precision,
           coalesce((
               select max(extract(epoch from clock_timestamp() - e.at))
               from dealwright_engine.webhook as w
               cross join lateral (
                   select v.at from dealwright.event as v
                   where (v.xid, v.position) > (w.xid, w.position) and (w.kinds is null or v.kind = any (w.kinds))
                   order by v.xid, v.position
                   limit 1
               ) as e
               where w.disabled_at is null and w.paused_at is null), 0)::double precision,
           (select count(*) from dealwright_engine.dead_letter),
           (select count(*) from dealwright_engine.webhook where disabled_at is not null)
$$;
comment on function dealwright.monitor() is
    'Who leads the workers, nights that wait and failed, the oldest event that a webhook has not got.';
