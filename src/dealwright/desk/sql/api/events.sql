create or replace function dealwright.read_events(after_xid xid8 default '0', after_position bigint default 0,
    most integer default 1000)
returns setof dealwright.event language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
begin
    return query
    -- Only below the oldest running transaction: nothing can still appear before what was read.
    select e.* from dealwright.event as e
    where (e.xid, e.position) > (after_xid, after_position) and e.xid < dealwright_engine.snapshot_xmin()
    order by e.xid, e.position
    limit most;
    -- What was seen may not be on the disk yet (dealwright.assign), and after a power cut its numbers would be given
    -- out again. So the reader writes something as well, and when its transaction is over, all it has read is there to
    -- stay.
    if not current_setting('transaction_read_only')::boolean then
        if pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() then
            perform pg_logical_emit_message(true, 'dealwright', '');
        end if;
    end if;
end
$$;
comment on function dealwright.read_events(xid8, bigint, integer) is
    'The outbox after a position (the xid and position of the last event read), never missing a late commit. '
    'What was read is there to stay when the reading transaction is over (not where that may only read).';

create or replace function dealwright.last_event()
returns table (xid xid8, "position" bigint)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select coalesce(l.xid, '0'), coalesce(l.position, 0)
    from (values (1)) as always (n)
    left join lateral (
        select e.xid, e.position from dealwright.event as e
        where e.xid < dealwright_engine.snapshot_xmin()
        order by e.xid desc, e.position desc
        limit 1
    ) as l on true
$$;
comment on function dealwright.last_event() is
    'The position of the last event that read_events would give at this moment: where who listens from now on begins.';
