-- The SQL interface, continued: what becomes of a placement, and which policy rules.

create type dealwright.settlement as (
    booking_id bigint,
    assignment_id bigint,
    agent_id bigint,
    status text,
    total_revenue numeric,
    open integer
);

create or replace function dealwright.settle_booking(
    booking_id bigint, status text, base_revenue numeric default null, package_revenue numeric default null, total_revenue numeric default null
)
returns setof dealwright.settlement language plpgsql set search_path = dealwright, public, extensions, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
begin
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

create or replace function dealwright.reassign(assignment_id bigint, reason text)
returns setof dealwright.placement language plpgsql set search_path = dealwright, public, extensions, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    old dealwright.assignment;
    l dealwright.lead;
    rule dealwright.rule;
    ask dealwright.enquiry;
    best dealwright.ranked;
    fresh bigint;
    seen_before bigint;
begin
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    -- the booking first, as who settles it does
    perform from dealwright.booking as b where b.assignment_id = reassign.assignment_id for update;
    select * into old from dealwright.assignment as s where s.assignment_id = reassign.assignment_id for update;
    if not found then
        raise exception 'there is no assignment %', reassign.assignment_id using errcode = 'DW003';
    end if;
    if old.status <> 'open' then
        raise exception 'assignment % is %, not open', reassign.assignment_id, old.status using errcode = 'DW001',
            hint = 'only an open assignment can be given to somebody else';
    end if;
    select * into l from dealwright.lead as given where given.lead_id = old.lead_id;
    perform set_config('dealwright.reassigning', old.assignment_id::text, true);
    rule := dealwright.policy_for(l.policy);
    ask := dealwright.enquiry_of(l, old.agent_id, rule.seed);
    loop
        best := dealwright.first_agent(rule, ask, dealwright.standing_of(rule, l));
        if best.agent_id is null then
            raise exception 'nobody else eligible has a free place: assignment % stays with agent %', reassign.assignment_id, old.agent_id
                using errcode = 'DW001', hint = 'raise a capacity or settle a booking first';
        end if;
        begin
            -- both rows in the order of their ids; the old agent's place is freed only after the new one is claimed
            perform from dealwright.agent as a where a.agent_id in (best.agent_id, old.agent_id) order by a.agent_id for no key update;
            perform from dealwright.agent as a
            where a.agent_id = best.agent_id and a.open = best.open and a.capacity = best.capacity and a.active;
            if not found then
                raise exception 'the agent has changed' using errcode = 'DW009';
            end if;
            seen_before := nextval('dealwright.event_position_seq');  -- the ranking did not see what follows
            update dealwright.assignment as s set status = 'reassigned', end_reason = reassign.reason where s.assignment_id = old.assignment_id;
            fresh := (dealwright.record_assignment(l, best, ask, rule, false,
                exists (select from dealwright.booking as b where b.assignment_id = old.assignment_id), false, seen_before)).assignment_id;
            update dealwright.booking as b set assignment_id = fresh where b.assignment_id = old.assignment_id;
            exit;
        exception when sqlstate 'DW009' then
            null;  -- undoing the block lets go of both rows before the next are waited for
        end;
    end loop;
    return query select * from dealwright.placement_of(l.lead_id);
end
$$;
comment on function dealwright.reassign(bigint, text) is
    'Gives an open assignment''s lead to the best other agent with room; the booking goes along. DW001 when there is none.';

create or replace function dealwright.lapse_overdue(as_of timestamptz, follow_up interval, own_as_of timestamptz default null)
returns integer language plpgsql as $$
declare
    overdue bigint[];
begin
    for attempt in 1 .. 2 loop
        overdue := array(
            select a.assignment_id from dealwright.assignment as a
            where a.status = 'open'
              and a.assigned_at + follow_up <= case when a.external_id is null then coalesce(own_as_of, as_of) else as_of end
              and not exists (select from dealwright.booking as b where b.assignment_id = a.assignment_id));
        exit when overdue = '{}' or attempt = 2;
        -- many agents' rows in one transaction: alone, so as to wait for nobody who waits for one of them
        perform dealwright.hold_writers();
    end loop;
    update dealwright.assignment as a set status = 'lapsed', ended_at = a.assigned_at + follow_up
    where a.assignment_id = any (overdue);
    return cardinality(overdue);
end
$$;
comment on function dealwright.lapse_overdue(timestamptz, interval, timestamptz) is
    'Ends assignments without a booking whose follow-up time is over at a moment (another one for those made here): failed contacts. Returns how many.';

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
    return dealwright.lapse_overdue(
        least(as_of, greatest(now(), data_end)), make_interval(secs => days * 86400), least(as_of, now()));
end
$$;
comment on function dealwright.lapse_follow_ups(timestamptz) is
    'Ends assignments without a booking whose follow-up time, as the last import said it, is over now or was at a moment. Returns how many.';

create or replace function dealwright.set_default_policy(policy_name text, new_params jsonb default null)
returns void language plpgsql as $$
begin
    if not exists (select from dealwright.policy where name = policy_name) then
        raise exception 'unknown policy %', quote_literal(policy_name) using errcode = 'DW002', hint = 'use one of value, classic, workload, fair';
    end if;
    update dealwright.policy set is_default = false where is_default and name <> policy_name;
    update dealwright.policy set is_default = true, params = coalesce(new_params, params) where name = policy_name;
end
$$;
comment on function dealwright.set_default_policy(text, jsonb) is 'Chooses the policy that orders agents where none is named, and sets its parameters.';
