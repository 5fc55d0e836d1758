create or replace function dealwright_engine.settle(
    booking_id bigint, status text, base_revenue double precision, package_revenue double precision,
        total_revenue double precision
)
returns dealwright.settlement language plpgsql set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    -- an assignment evaluates a function; PERFORM would start a query for it
    done text := dealwright_engine.check_own_booking(settle.booking_id);
    former record;
    former_agent bigint;
    updated boolean := false;
    result dealwright.settlement;
begin
    if settle.status is null or settle.status not in ('pending', 'confirmed', 'cancelled') then
        raise exception 'unknown booking status %', coalesce(quote_literal(settle.status), 'null')
            using errcode = 'DW002',
            hint = 'use confirmed, cancelled, or pending to reopen';
    end if;
    if least(settle.base_revenue, settle.package_revenue, settle.total_revenue) < 0 then
        raise exception 'revenue cannot be negative' using errcode = 'DW002',
            hint = 'a booking that was lost is cancelled';
    elsif greatest(settle.base_revenue, settle.package_revenue, settle.total_revenue,
                   settle.base_revenue + settle.package_revenue) >= 1e12 then  -- NaN too
        raise exception 'a revenue must be a number below 1e12, not %', greatest(
                settle.base_revenue, settle.package_revenue, settle.total_revenue,
                settle.base_revenue + settle.package_revenue)
            using errcode = 'DW002', hint = 'look at the decimal sign, or leave it null when it is not known';
    end if;
    if settle.status = 'pending' then
        select s.agent_id into former_agent
        from dealwright.booking as b join dealwright.assignment as s using (assignment_id)
        where b.booking_id = settle.booking_id;
        -- the lead before the booking, as who gives it on does; who holds all writers must see this one before it
        -- locks a row
        lock table dealwright.lead in row exclusive mode;
        perform from dealwright.lead as l
        where l.lead_id = (select s.lead_id from dealwright.booking as b join dealwright.assignment as s
                           using (assignment_id) where b.booking_id = settle.booking_id) for no key update;
    else
        -- nearly always; what it was before need not be looked up
        update dealwright.booking as b set
            status = settle.status, base_revenue = settle.base_revenue, package_revenue = settle.package_revenue,
            total_revenue = settle.total_revenue
        where b.booking_id = settle.booking_id and b.status = 'pending'
          and num_nonnulls(b.base_revenue, b.package_revenue, b.total_revenue) = 0
        returning 'pending' as status, null::numeric as total_revenue into former;
        updated := found;
    end if;
    if not updated then
        update dealwright.booking as b set
            status = settle.status,
            base_revenue = coalesce(settle.base_revenue, b.base_revenue),
            package_revenue = coalesce(settle.package_revenue, b.package_revenue),
            total_revenue = coalesce(settle.total_revenue,
                case when settle.base_revenue is null and settle.package_revenue is null then b.total_revenue end)
        from dealwright.booking as o
        where b.booking_id = settle.booking_id and o.booking_id = b.booking_id
        returning o.status, o.total_revenue into former;
        updated := found;
        -- other parts beside the total that stood: to the row's trigger nobody gave a total, and the parts are added up
        update dealwright.booking as b set total_revenue = settle.total_revenue
        where b.booking_id = settle.booking_id and b.total_revenue <> round(settle.total_revenue::numeric, 2);
    end if;
    if not updated then
        raise exception 'there is no booking %', settle.booking_id using errcode = 'DW003',
            hint = 'dealwright agents and the assignment''s answer show the ids';
    end if;
    select b.booking_id, b.assignment_id, a.agent_id, b.status, b.total_revenue, a.open, a.capacity, a.name,
           coalesce(b.external_id, b.booking_id::text), coalesce(s.external_id, s.assignment_id::text),
           coalesce(a.external_id, a.agent_id::text)
    into result
    from dealwright.booking as b
    join dealwright.assignment as s using (assignment_id)
    join dealwright.agent as a using (agent_id)
    where b.booking_id = settle.booking_id;
    if (former.status, former.total_revenue) is distinct from (result.status, result.total_revenue) then
        done := dealwright_engine.note_change('settle', 'booking', settle.booking_id::text,
            jsonb_build_object('status', former.status, 'total_revenue', former.total_revenue),
            jsonb_build_object('status', result.status, 'total_revenue', result.total_revenue));
    end if;
    if not has_column_privilege(dealwright_engine.caller(), 'dealwright.booking', 'total_revenue', 'select') then
        result.total_revenue := null;
    end if;
    if former_agent is not null then
        result.notices := dealwright_engine.reopening_notices(result.assignment_id, former_agent);
    end if;
    return result;
end
$$;
comment on function dealwright_engine.settle(bigint, text, double precision, double precision, double precision) is
    'Settles a booking for whoever may, and records who did: what dealwright.settle_booking does.';

create or replace function dealwright_engine.booking_named(name text)
returns bigint language plpgsql stable as $$
declare
    -- Each by the index of its own: with two conditions in one WHERE the planner may look at all rows, or at all without
    -- an outside id.
    id constant bigint := coalesce(
        (select b.booking_id from dealwright.booking as b where b.external_id = name),
        (select case when b.external_id is null then b.booking_id end
         from dealwright.booking as b where b.booking_id = dealwright_engine.own_id(name)));
begin
    if id is null then
        raise exception 'there is no booking %', name using errcode = 'DW003',
            hint = 'the answer of `dealwright assign` shows the ids';
    end if;
    return id;
end
$$;
comment on function dealwright_engine.booking_named(text)
    is 'The booking with an outside id, else the one to which the desk gave the number.';
