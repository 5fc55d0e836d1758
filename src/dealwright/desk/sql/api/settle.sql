create or replace function dealwright.settle_booking(
    booking_id bigint, status text, base_revenue numeric default null, package_revenue numeric default null, total_revenue numeric default null
)
returns setof dealwright.settlement language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if settle_booking.status is null or settle_booking.status not in ('pending', 'confirmed', 'cancelled') then
        raise exception 'unknown booking status %', coalesce(quote_literal(settle_booking.status), 'null') using errcode = 'DW002',
            hint = 'use confirmed, cancelled, or pending to reopen';
    end if;
    if least(settle_booking.base_revenue, settle_booking.package_revenue, settle_booking.total_revenue) < 0 then
        raise exception 'revenue cannot be negative' using errcode = 'DW002', hint = 'a booking that was lost is cancelled';
    elsif greatest(settle_booking.base_revenue, settle_booking.package_revenue, settle_booking.total_revenue,
                   settle_booking.base_revenue + settle_booking.package_revenue) >= 1e12 then  -- NaN too
        raise exception 'a revenue must be a number below 1e12, not %', greatest(
                settle_booking.base_revenue, settle_booking.package_revenue, settle_booking.total_revenue)
            using errcode = 'DW002', hint = 'look at the decimal sign, or leave it null when it is not known';
    end if;
    update dealwright.booking as b set
        status = settle_booking.status,
        base_revenue = coalesce(settle_booking.base_revenue, b.base_revenue),
        package_revenue = coalesce(settle_booking.package_revenue, b.package_revenue),
        total_revenue = coalesce(settle_booking.total_revenue,
            case when settle_booking.base_revenue is null and settle_booking.package_revenue is null then b.total_revenue end)
    where b.booking_id = settle_booking.booking_id;
    if not found then
        raise exception 'there is no booking %', settle_booking.booking_id using errcode = 'DW003',
            hint = 'dealwright agents and the assignment''s answer show the ids';
    end if;
    return query
    select b.booking_id, b.assignment_id, a.agent_id, b.status, b.total_revenue, a.open
    from dealwright.booking as b
    join dealwright.assignment as s using (assignment_id)
    join dealwright.agent as a using (agent_id)
    where b.booking_id = settle_booking.booking_id;
end
$$;
comment on function dealwright.settle_booking(bigint, text, numeric, numeric, numeric) is
    'Settles a booking (confirmed, cancelled) or reopens it (pending); workload, counters and rankings follow at once.';

create or replace function dealwright.lapse_follow_ups(as_of timestamptz default null)
returns integer language plpgsql as $$
declare
    days double precision;
    data_end timestamptz;
begin
    select s.follow_up_days into days from dealwright.setting as s;
    if days is null then
        return 0;
    end if;
    -- data may lie ahead of the clock; what was assigned here does not
    select max((e.payload ->> 'as_of')::timestamptz) into data_end
    from dealwright.event as e where e.agent_id is null and e.kind = 'imported';
    return dealwright_engine.lapse_overdue(
        least(as_of, greatest(now(), data_end)), make_interval(secs => days * 86400), least(as_of, now()));
end
$$;
comment on function dealwright.lapse_follow_ups(timestamptz) is
    'Ends assignments without a booking whose follow-up time, as the last import said it, is over now or was at a moment. Returns how many.';

create or replace procedure dealwright.settle(
    inout booking_id bigint,
    inout status text,
    base_revenue numeric default null,
    package_revenue numeric default null,
    inout total_revenue numeric default null,
    inout assignment_id bigint default null,
    inout agent_id bigint default null,
    inout open integer default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
begin
    select s.booking_id, s.status, s.total_revenue, s.assignment_id, s.agent_id, s.open
    into booking_id, status, total_revenue, assignment_id, agent_id, open
    from dealwright.settle_booking(booking_id, status, base_revenue, package_revenue, total_revenue) as s;
    commit;
    -- as above
    perform pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
end
$$;
comment on procedure dealwright.settle(bigint, text, numeric, numeric, numeric, bigint, bigint, integer) is
    'dealwright.settle_booking as a command that commits by itself. Not for use inside a transaction.';
