-- What came of it: a booking is settled, or a follow-up time is over.

create or replace function dealwright.settle_booking(
    booking_id bigint, status text, base_revenue double precision default null,
        package_revenue double precision default null,
    total_revenue double precision default null
)
returns dealwright.settlement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    -- see desk/upgrade.py; an assignment evaluates a function, PERFORM would start a query for it
    done text := pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);
begin
    return dealwright_engine.settle(booking_id, status, base_revenue, package_revenue, total_revenue);
end
$$;
comment on function dealwright.settle_booking(bigint, text, double precision, double precision, double precision) is
    'Settles a booking (confirmed, cancelled) or reopens it (pending); workload, counters and rankings follow at once.';

create or replace function dealwright.settle_booking(
    booking text, status text, base_revenue double precision default null,
        package_revenue double precision default null,
    total_revenue double precision default null
)
returns dealwright.settlement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    -- see desk/upgrade.py; an assignment evaluates a function, PERFORM would start a query for it
    done text := pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);
begin
    return dealwright_engine.settle(
        dealwright_engine.booking_named(booking), status, base_revenue, package_revenue, total_revenue);
end
$$;
comment on function dealwright.settle_booking(text, text, double precision, double precision, double precision) is
    'The same for the booking that your own tables call so, or whose number this is.';

create or replace procedure dealwright.settle(
    inout booking_id bigint,
    inout status text,
    base_revenue double precision default null,
    package_revenue double precision default null,
    inout total_revenue double precision default null,
    inout assignment_id bigint default null,
    inout agent_id bigint default null,
    inout open integer default null,
    inout capacity integer default null,
    inout agent_name text default null,
    inout own_booking_id text default null,
    inout own_assignment_id text default null,
    inout own_agent_id text default null,
    inout notices text[] default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
    answer dealwright.settlement;
begin
    answer := dealwright.settle_booking(booking_id, status, base_revenue, package_revenue, total_revenue);
    commit;
    -- see dealwright.assign
    done := pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
    booking_id := answer.booking_id;
    status := answer.status;
    total_revenue := answer.total_revenue;
    assignment_id := answer.assignment_id;
    agent_id := answer.agent_id;
    open := answer.open;
    capacity := answer.capacity;
    agent_name := answer.agent_name;
    own_booking_id := answer.own_booking_id;
    own_assignment_id := answer.own_assignment_id;
    own_agent_id := answer.own_agent_id;
    notices := answer.notices;
end
$$;
comment on procedure dealwright.settle(
    bigint, text, double precision, double precision, double precision, bigint, bigint, integer, integer, text, text,
        text, text, text[]) is
    'dealwright.settle_booking as a command that commits by itself. Not for use inside a transaction.';

create or replace procedure dealwright.settle(
    inout booking text,
    inout status text,
    base_revenue double precision default null,
    package_revenue double precision default null,
    inout total_revenue double precision default null,
    inout assignment_id bigint default null,
    inout agent_id bigint default null,
    inout open integer default null,
    inout capacity integer default null,
    inout agent_name text default null,
    inout own_booking_id text default null,
    inout own_assignment_id text default null,
    inout own_agent_id text default null,
    inout notices text[] default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
    answer dealwright.settlement;
begin
    answer := dealwright.settle_booking(booking, status, base_revenue, package_revenue, total_revenue);
    commit;
    -- see dealwright.assign
    done := pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
    booking := answer.booking_id;
    status := answer.status;
    total_revenue := answer.total_revenue;
    assignment_id := answer.assignment_id;
    agent_id := answer.agent_id;
    open := answer.open;
    capacity := answer.capacity;
    agent_name := answer.agent_name;
    own_booking_id := answer.own_booking_id;
    own_assignment_id := answer.own_assignment_id;
    own_agent_id := answer.own_agent_id;
    notices := answer.notices;
end
$$;
comment on procedure dealwright.settle(
    text, text, double precision, double precision, double precision, bigint, bigint, integer, integer, text, text,
        text, text, text[]) is
    'The same for the booking that your own tables call so, or whose number this is.';

create or replace function dealwright.lapse_follow_ups(as_of timestamptz default null)
returns integer language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    days double precision;
    data_end timestamptz;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select s.follow_up_days into days from dealwright_engine.setting as s;
    if days is null then
        return 0;
    end if;
    -- data may lie ahead of the clock; what was assigned here does not
    select max((e.payload ->> 'as_of')::timestamptz) into data_end
    from dealwright_engine.known_event as e where e.agent_id is null and e.kind = 'imported';
    return dealwright_engine.lapse_overdue(
        least(as_of, greatest(now(), data_end)), make_interval(secs => days * 86400), least(as_of, now()));
end
$$;
comment on function dealwright.lapse_follow_ups(timestamptz) is
    'Ends assignments without a booking whose follow-up time, as the last import said it, is over now or was at a '
    'moment. Returns how many.';
