create or replace function dealwright.prepare_months(ahead integer default 3)
returns integer language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set timezone = 'UTC' as $$
declare
    last constant timestamptz := date_trunc('month', now()) + make_interval(months => ahead);
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if (select count(distinct m.parent) = 2 from dealwright_engine.months() as m where m.to_time > last) then
        if not exists (select from dealwright_engine.decision_default)
                and not exists (select from dealwright_engine.event_default) then
            return 0;
        end if;
    end if;
    begin
        return dealwright_engine.make_months(last);
    exception when lock_not_available then
        return 0;  -- who is at work goes first: there is time
    end;
end
$$;
comment on function dealwright.prepare_months(integer) is
    'Makes the partitions of decision and event for this month and some ahead, where they are missing; returns how '
    'many. The worker does it.';

create or replace function dealwright.closed_months(before timestamptz)
returns table (kind text, partition text, from_time timestamptz, to_time timestamptz, unsealed bigint)
language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    for kind, partition, from_time, to_time in
        select m.parent, m.partition, nullif(m.from_time, '-infinity'), m.to_time
        from dealwright_engine.months() as m
        -- a transaction that began before its end may still be under way
        where m.to_time <= least(before, now() - interval '1 day')
        -- events come last: which of them are still needed, the decisions say that stay
        order by m.to_time, m.parent
    loop
        unsealed := 0;
        if kind = 'decision' then
            execute format('select count(*) from dealwright_engine.%I as d where not exists '
                           '(select from dealwright.decision_seal as s where s.decision_id = d.decision_id)', partition)
            into unsealed;
        end if;
        return next;
    end loop;
end
$$;
comment on function dealwright.closed_months(timestamptz) is
    'The partitions of decision and event that ended before a time, and at least a day ago.';

create or replace function dealwright.archived_digest(partition text)
returns table (rows bigint, digest numeric) language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set timezone = 'UTC'
set datestyle = 'ISO' set extra_float_digits = 1 as $$
declare
    place text := 'dealwright_engine';
begin
    if partition in ('archived_decision', 'archived_event_row') then
        perform dealwright_engine.check_filled(array[partition], 'dealwright.open_archive()');
        place := 'pg_temp';
    elsif not exists (select from dealwright_engine.months() as m where m.partition = archived_digest.partition) then
        raise exception 'there is no month % of the record', partition using errcode = 'DW003',
            hint = 'dealwright.closed_months() names them';
    end if;
    return query execute format('select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) '
                                'from %I.%I as t', place, partition);
end
$$;
comment on function dealwright.archived_digest(text) is
    'How many rows a partition of the record has, and a sum over their texts: what was read back from the archive '
    'has the same.';

create or replace function dealwright.release_month(kind text, partition text, files jsonb)
returns bigint language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set timezone = 'UTC'
set lock_timeout = '500ms' as $$
declare
    part record;
    begun boolean;
    last_xid xid8;
    present bigint;
    written bigint := (select coalesce(sum((f ->> 'rows')::bigint), 0) from jsonb_array_elements(files) as f);
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select nullif(m.from_time, '-infinity') as from_time, m.to_time into part
    from dealwright_engine.months() as m
    where m.parent = release_month.kind and m.partition = release_month.partition
      and m.to_time <= now() - interval '1 day';
    if not found then
        raise exception 'there is no closed month % of %', partition, kind using errcode = 'DW003',
            hint = 'dealwright.closed_months() names them';
    end if;
    execute format('lock table dealwright_engine.%I in share mode', partition);
    execute format('select count(*) from dealwright_engine.%I', partition) into present;
    if present <> written then
        raise exception '% has % rows, and % of them were archived', partition, present, written
            using errcode = 'DW001', hint = 'archive it again: something was written meanwhile';
    end if;
    begun := dealwright_engine.join_own_writes();
    if kind = 'event' then
        perform dealwright_engine.keep_needed_events(partition);
    elsif exists (select from dealwright.closed_months(part.to_time) as c
                  where c.partition = release_month.partition and c.unsealed > 0) then
        raise exception '% has decisions that are not sealed', partition using errcode = 'DW001',
            hint = 'seal them first: select dealwright.seal_decisions()';
    end if;
    execute format('select max(%s) from dealwright_engine.%I as p',
        case kind when 'event' then 'p.xid' else 'greatest(p.xid, pg_snapshot_xmax(p.snapshot))' end, partition)
    into last_xid;
    insert into dealwright.archive_file (file, kind, partition, from_time, to_time, rows, first_id, last_id, last_xid,
        sha256)
    select f ->> 'file', release_month.kind, release_month.partition, part.from_time, part.to_time,
           (f ->> 'rows')::bigint, (f ->> 'first_id')::bigint, (f ->> 'last_id')::bigint, last_xid, f ->> 'sha256'
    from jsonb_array_elements(files) as f;
    perform dealwright_engine.leave_own_writes(begun);
    -- last, because placements wait from here to the end of the transaction
    execute format('alter table dealwright.%I detach partition dealwright_engine.%I', kind, partition);
    execute format('drop table dealwright_engine.%I', partition);
    return present;
end
$$;
comment on function dealwright.release_month(text, text, jsonb) is
    'Drops a closed month of decision or event that was written to files, and notes which. For the owner of the desk '
    'alone: `dealwright archive` has the files verified before.';

create or replace function dealwright.open_archive()
returns void language sql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    create temporary table archived_decision (like dealwright.decision) on commit drop;
    create temporary table archived_event_row (like dealwright.event) on commit drop;
    create temporary table archived_event (like dealwright_engine.event_kept) on commit drop;
    create index on archived_event (agent_id, position);
    -- of this session: nobody else reaches them
    grant select, insert, truncate on archived_decision, archived_event_row, archived_event to public;
$$;
comment on function dealwright.open_archive() is
    'Creates temporary tables for this transaction: rows of the archive are copied into archived_decision and '
    'archived_event, and explain and replay read them there.';

create or replace function dealwright.join_archived_events()
returns void language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_filled('{archived_decision,archived_event}', 'dealwright.open_archive()');
    insert into pg_temp.archived_event
    select e.xid, e.position, e.kind, e.agent_id, e.open, e.capacity, e.fair_count, e.fair_compensation, e.payload,
           e.fair_until, e.last_assigned_at
    from dealwright.event as e
    where e.xid <= (select max(greatest(d.xid, pg_snapshot_xmax(d.snapshot))) from pg_temp.archived_decision as d);
    analyze archived_event;
end
$$;
comment on function dealwright.join_archived_events() is
    'Adds to archived_event what an archived decision could see of the events that are not in the archive.';

create or replace function dealwright.verify_archived(first_block bigint, last_block bigint)
returns table (block_id bigint, decisions integer, intact boolean)
language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set timezone = 'UTC'
set datestyle = 'ISO' set extra_float_digits = 1 as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_filled('{archived_decision}', 'dealwright.open_archive()');
    return query
    with line as (
        select s.block_id, d.decision_id, dealwright_engine.decision_text(d) as line
        from dealwright.decision_seal as s
        join dealwright.decision as d using (decision_id)
        where s.block_id between first_block and last_block
        union all
        select s.block_id, a.decision_id, dealwright_engine.decision_text(row (a.*)::dealwright.decision)
        from dealwright.decision_seal as s
        join pg_temp.archived_decision as a using (decision_id)
        where s.block_id between first_block and last_block
    ), block as (
        select l.block_id, count(*) as decisions, string_agg(l.line, E'\n' order by l.decision_id) as lines
        from line as l
        group by l.block_id
    )
    select b.block_id, b.decisions,
           b.decisions = coalesce(c.decisions, 0)
           and case when e.erasure_id is not null
                   then b.hash = dealwright_engine.block_hash(b.previous_hash, dealwright_engine.erasure_text(e))
               else dealwright_engine.content_hash(b)
                   = dealwright_engine.block_hash(b.previous_hash, coalesce(c.lines, '')) end
           and b.previous_hash = coalesce((select p.hash from dealwright.decision_block as p
                                           where p.block_id < b.block_id order by p.block_id desc limit 1),
                                          repeat('0', 64))
    from dealwright.decision_block as b
    left join block as c using (block_id)
    left join dealwright.decision_erasure as e on e.sealing_block_id = b.block_id
    where b.block_id between first_block and last_block
    order by b.block_id;
end
$$;
comment on function dealwright.verify_archived(bigint, bigint) is
    'Checks blocks with what was copied into archived_decision (dealwright.open_archive).';
