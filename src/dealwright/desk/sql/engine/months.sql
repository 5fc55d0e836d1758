-- The record by months. decision and event are partitioned by time, so that what is old can be archived without a
-- table of years being searched and vacuumed (docs/decisions/record.md#the-record-by-months). Partitions are in this
-- schema, where nobody else may reach them, and are guarded like the tables they belong to: a trigger of a statement
-- is looked for at the table that the statement names. Months are those of UTC.
--
-- They are made ahead, by the worker. A row that finds none goes to the default partition: nothing is ever refused.

create or replace function dealwright_engine.months()
returns table (parent text, partition text, from_time timestamptz, to_time timestamptz)
language sql stable set timezone = 'UTC' set datestyle = 'ISO' as $$
    select p.relname, c.relname,
           case when b.bound[1] = 'MINVALUE' then '-infinity' else btrim(b.bound[1], '''') end::timestamptz,
           btrim(b.bound[2], '''')::timestamptz
    from pg_inherits as i
    join pg_class as p on p.oid = i.inhparent
    join pg_class as c on c.oid = i.inhrelid
    cross join lateral (
        select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \((.*)\) TO \((.*)\)') as bound
    ) as b
    where i.inhparent in ('dealwright.decision'::regclass, 'dealwright.event'::regclass) and b.bound is not null
    order by 4, 1
$$;
comment on function dealwright_engine.months() is 'The partitions of decision and event, but for the default ones.';

create or replace function dealwright_engine.guard_partition(parent text, partition text)
returns void language plpgsql as $$
begin
    execute format(
        'create or replace trigger append_only before update or delete or truncate on dealwright_engine.%I '
        'for each statement execute function dealwright_engine.refuse_change()', partition);
    execute format(
        'create or replace trigger written_by_engine before insert on dealwright_engine.%I '
        'for each statement execute function dealwright_engine.written_by_engine(%L)',
        partition, 'it is a part of ' || parent || ', which the desk writes');
end
$$;
comment on function dealwright_engine.guard_partition(text, text) is
    'Nobody changes a partition, and only the engine writes to it, also where it is named itself.';

create or replace function dealwright_engine.make_partition(parent text, partition text, bound text)
returns void language plpgsql as $$
begin
    -- to be attached takes a lighter lock than to be created in place
    execute format('create table dealwright_engine.%I (like dealwright.%I including defaults including constraints)',
        partition, parent);
    if parent = 'event' then
        execute format('alter table dealwright_engine.%I add primary key (xid, position)', partition);
    else
        execute format('alter table dealwright_engine.%I add primary key (decision_id), add unique (assignment_id)',
            partition);
    end if;
    execute format('alter table dealwright.%I attach partition dealwright_engine.%I %s', parent, partition, bound);
    perform dealwright_engine.guard_partition(parent, partition);
end
$$;

create or replace function dealwright_engine.time_of(parent text)
returns text language sql immutable as $$ select case parent when 'event' then 'at' else 'decided_at' end $$;

create or replace function dealwright_engine.turn_default_into_months(parent text)
returns boolean language plpgsql set timezone = 'UTC' as $$
declare
    fallback constant text := parent || '_default';
    part text;
    first timestamptz;
    last timestamptz;
begin
    execute format('lock table dealwright_engine.%I in access exclusive mode', fallback);
    execute format('select date_trunc(''month'', min(%1$I)), date_trunc(''month'', max(%1$I)) + interval ''1 month'' '
                   'from dealwright_engine.%2$I', dealwright_engine.time_of(parent), fallback) into first, last;
    if first is null then
        return true;
    elsif exists (select from dealwright_engine.months() as m
                  where m.parent = turn_default_into_months.parent and m.from_time < last and m.to_time > first) then
        return false;  -- on both sides of months that are there, such as by a clock that was wrong: they stay
    end if;
    part := format('%s_%s', parent, to_char(first, 'YYYY_MM'));
    execute format('alter table dealwright.%I detach partition dealwright_engine.%I', parent, fallback);
    execute format('alter table dealwright_engine.%I rename to %I', fallback, part);
    execute format('alter table dealwright.%I attach partition dealwright_engine.%I for values from (%L) to (%L)',
        parent, part, first, last);
    perform dealwright_engine.make_partition(parent, fallback, 'default');
    return true;
end
$$;
comment on function dealwright_engine.turn_default_into_months(text) is
    'Makes a partition of what the default one holds, as it is, and a new default one; false where it can not.';

create or replace function dealwright_engine.make_months(last timestamptz)
returns integer language plpgsql set timezone = 'UTC' set lock_timeout = '500ms' as $$
declare
    whole text;
    month timestamptz;
    made integer := 0;
begin
    perform pg_advisory_xact_lock(hashtextextended('dealwright.make_months', 0));  -- one at a time
    foreach whole in array '{decision,event}'::text[] loop
        if to_regclass(format('dealwright_engine.%I', whole || '_default')) is null then
            perform dealwright_engine.make_partition(whole, whole || '_default', 'default');
        elsif not dealwright_engine.turn_default_into_months(whole) then
            continue;
        end if;
        for month in select generate_series(date_trunc('month', now()), last, interval '1 month') loop
            if not exists (select from dealwright_engine.months() as m
                           where m.parent = whole and m.from_time <= month and m.to_time > month) then
                perform dealwright_engine.make_partition(whole, format('%s_%s', whole, to_char(month, 'YYYY_MM')),
                    format('for values from (%L) to (%L)', month, month + interval '1 month'));
                made := made + 1;
            end if;
        end loop;
    end loop;
    return made;
end
$$;

create or replace function dealwright_engine.keep_needed_events(partition text)
returns void language plpgsql as $$
declare
    -- what was before this, every decision that stays could see
    seen_by_all xid8 := (select least(min(pg_snapshot_xmin(d.snapshot)), dealwright_engine.snapshot_xmin())
                         from dealwright.decision as d);
begin
    execute format($kept$
        with part as (
            select e.xid, e.position, e.kind, e.agent_id, e.open, e.capacity, e.fair_count, e.fair_compensation,
                   e.payload, e.fair_until, e.last_assigned_at
            from dealwright_engine.%I as e
            where e.open is not null or e.kind in ('agent_added', 'agent_changed', 'agent_deleted', 'imported')
        ), state as (
            select distinct on (p.agent_id) p.*
            from part as p
            where p.xid < $1 and (p.open is not null or p.kind = 'agent_deleted')
            order by p.agent_id, p.position desc
        ), traits as (
            select distinct on (p.agent_id) p.*
            from part as p
            where p.xid < $1 and p.kind in ('agent_added', 'agent_changed')
            order by p.agent_id, p.position desc
        )
        insert into dealwright_engine.event_kept
        select p.* from part as p where p.xid >= $1 or p.kind = 'imported'
        union select s.* from state as s
        union select t.* from traits as t
    $kept$, partition) using seen_by_all;
    -- of an agent the last state and the last traits are enough
    delete from dealwright_engine.event_kept as k
    where k.xid < seen_by_all and k.agent_id is not null
      and (k.open is null and k.kind <> 'agent_deleted'
           or exists (select from dealwright_engine.event_kept as n
                      where n.agent_id = k.agent_id and n.position > k.position and n.xid < seen_by_all
                        and (n.open is not null or n.kind = 'agent_deleted')))
      and (k.kind not in ('agent_added', 'agent_changed')
           or exists (select from dealwright_engine.event_kept as n
                      where n.agent_id = k.agent_id and n.position > k.position and n.xid < seen_by_all
                        and n.kind in ('agent_added', 'agent_changed')));
end
$$;
comment on function dealwright_engine.keep_needed_events(text) is
    'Of a month that goes to the archive, keeps what the decisions that stay have to be recomputed from.';
