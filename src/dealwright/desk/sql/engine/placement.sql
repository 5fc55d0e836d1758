-- From a lead to an agent. The order of locks, and why nobody is lost or waits in vain:
--
-- A lead ranks the agents, locks the best one's row and looks again: would the row, as it is now, no longer come
-- first, it lets go and ranks anew. So each lead gets the best agent as of the moment it holds the lock. A row lock
-- waits; it never skips to a worse agent.
--
-- A lead that finds no place must not overlook a place that is being freed, and who frees a place must not overlook a
-- lead that is about to wait. Both pass the queue_gate: leads in ROW EXCLUSIVE, freed places in SHARE mode. Each mode
-- goes with itself but not with the other, so leads do not hinder leads, nor settlements settlements, and whichever of
-- the two sides comes second sees what the first has committed. A lead that holds the gate waits for no other lock
-- (it lets go of the gate first), so the two can never wait for each other.

create or replace function dealwright_engine.enquiry_of(l dealwright.lead, excluded bigint[], seed bigint)
returns dealwright_engine.enquiry language sql as $$
    select row (l.slots, l.requirements, l.required_skills, l.required_department,
                hashint8extended(l.lead_id, seed), clock_timestamp(), excluded, null, null,
                    null, null, null)::dealwright_engine.enquiry
$$;

create or replace function dealwright_engine.policy_for(wanted text)
returns dealwright_engine.rule language plpgsql stable as $$
declare
    result dealwright_engine.rule;
begin
    select * into result from dealwright_engine.rule as r where r.wanted = coalesce(policy_for.wanted, '');
    return result;
end
$$;
comment on function dealwright_engine.policy_for(text)
    is 'The policy of that name, or the default one, with what a placement goes by; its name is null when there is '
        'none.';

create or replace function dealwright_engine.claim_place(best dealwright_engine.ranked, fair_window_start timestamptz)
returns dealwright_engine.claimed language plpgsql as $$
declare
    claim dealwright_engine.claimed;
begin
    update dealwright.agent as a
    set open = a.open + 1, fair_count = a.fair_count + (now() >= claim_place.fair_window_start)::integer,
        last_assigned_at = clock_timestamp()
    where a.agent_id = best.agent_id and a.active and a.open < a.capacity
      -- would it, as it is now, still come first?
      and a.open <= best.open_limit and a.capacity = best.capacity
    returning a.name, coalesce(a.external_id, a.agent_id::text), a.open, a.capacity, a.fair_count,
        a.fair_compensation, a.fair_until, a.last_assigned_at, a.variance into claim;
    if not found then
        raise exception 'agent % has changed', best.agent_id using errcode = 'DW009', hint = 'try again';
    end if;
    return claim;
end
$$;
comment on function dealwright_engine.claim_place(dealwright_engine.ranked, timestamptz) is
    'Takes a free place of the agent; DW009, to be undone, when the agent no longer comes first.';

create or replace function dealwright_engine.claim_past_limits(
    best dealwright_engine.ranked, fair_window_start timestamptz
)
returns dealwright_engine.claimed language plpgsql as $$
declare
    claim dealwright_engine.claimed;
begin
    update dealwright.agent as a
    set open = a.open + 1, fair_count = a.fair_count + (now() >= claim_past_limits.fair_window_start)::integer,
        last_assigned_at = clock_timestamp()
    where a.agent_id = best.agent_id
    returning a.name, coalesce(a.external_id, a.agent_id::text), a.open, a.capacity, a.fair_count,
        a.fair_compensation, a.fair_until, a.last_assigned_at, a.variance into claim;
    return claim;
end
$$;
comment on function dealwright_engine.claim_past_limits(dealwright_engine.ranked, timestamptz) is
    'Gives the agent one lead more, also past capacity: for an override (engine/naming.sql), which holds the row.';

create or replace function dealwright_engine.record_assignment(
    l dealwright.lead, best dealwright_engine.ranked, ask dealwright_engine.enquiry, rule dealwright_engine.rule,
        queued boolean, booking_moves boolean default false,
    seen_before bigint default null,
    -- plain values: a field of a row value costs more
    named_by text default null, named_reason text default null, overridden text[] default null
)
returns dealwright_engine.recorded language plpgsql as $$
#variable_conflict use_variable
declare
    result dealwright_engine.recorded;
    kind text := 'assigned';
    offered_until timestamptz;
    payload jsonb;
    -- an assignment evaluates a function; PERFORM would start a query for it
    done text := dealwright_engine.begin_own_writes();
begin
    -- first, so that little has to be undone where it fails
    if rule.by_channel then
        perform dealwright_engine.claim_channel(best.agent_id, l.slots, overridden is not null);
    end if;
    if overridden is null then
        result.claim := dealwright_engine.claim_place(best, rule.fair_window_start);
    else
        result.claim := dealwright_engine.claim_past_limits(best, rule.fair_window_start);
    end if;
    if named_by is not null then
        payload := jsonb_build_object('named_by', named_by, 'reason', named_reason, 'overridden', overridden);
    elsif rule.accept_within is not null then
        kind := 'offered';
        offered_until := clock_timestamp() + rule.accept_within;
        payload := jsonb_build_object('offered_until', offered_until);
        result.offered_until := offered_until;
    end if;
    insert into dealwright.assignment (lead_id, agent_id, slots, match_score, policy, model_id, propensity,
        offered_until)
    values (l.lead_id, best.agent_id, l.slots, best.match_score, rule.name, rule.model_id, 1.0 / best.tied,
        offered_until)
    returning assignment_id into result.assignment_id;
    insert into dealwright.decision (
        decided_at, lead_id, assignment_id, agent_id, from_queue, policy, policy_params, model_id, snapshot,
            event_position,
        slots, requirements, required_skills, required_department, excluded_agent_ids, owner_agent_id, draw_seed,
        feature_agent_ids, features, match_score, win_probability, expected_value, fairness_price, propensity,
        named_by, named_reason, overridden)
    values (ask.asked_at, l.lead_id, result.assignment_id, best.agent_id, queued, rule.name, rule.params, rule.model_id,
        best.snapshot,
            -- of this transaction's own events, the ranking saw those before here
            coalesce(seen_before, nextval('dealwright.event_position_seq')),
            l.slots, l.requirements, l.required_skills, l.required_department, ask.excluded_agent_ids,
            ask.owner_agent_id, ask.draw_seed,
            best.feature_agent_ids, best.features, best.match_score, best.win_probability, best.expected_value,
                best.fairness_price,
            1.0 / best.tied, named_by, named_reason, overridden);
    if offered_until is not null or rule.respond_within is not null then
        insert into dealwright_engine.response_due (assignment_id, due_at)
        values (result.assignment_id, coalesce(offered_until, clock_timestamp() + rule.respond_within));
    end if;
    if not booking_moves then
        insert into dealwright.booking (assignment_id) values (
            result.assignment_id) returning booking_id into result.booking_id;
    end if;
    update dealwright.agent_stat as s set assigned = dealwright_engine.add_at(s.assigned, l.slots, 1)
        where s.agent_id = best.agent_id;
    -- the agent's row is locked, so its events stand in the order of its states
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, open, capacity, fair_count, fair_compensation,
        fair_until, last_assigned_at, payload)
    values (kind, best.agent_id, l.lead_id, result.assignment_id,
            (result.claim).open, (result.claim).capacity, (result.claim).fair_count, (result.claim).fair_compensation,
            (result.claim).fair_until, (result.claim).last_assigned_at, payload);
    done := dealwright_engine.end_own_writes();
    return result;
end
$$;
comment on function dealwright_engine.record_assignment(dealwright.lead, dealwright_engine.ranked,
    dealwright_engine.enquiry, dealwright_engine.rule, boolean, boolean,
    bigint, text, text, text[]) is
    'Records assignment, decision and booking, claims the place and records the event; DW009, to be undone, when the '
    'agent no longer comes first. An offer where the policy asks for one, unless somebody named the agent.';

create or replace function dealwright_engine.mark_assigned(id bigint)
returns void language plpgsql as $$
declare
    done text := dealwright_engine.begin_own_writes();
begin
    update dealwright.lead as d set status = 'assigned',
        is_waiting = false where d.lead_id = id and d.status <> 'assigned';
    done := dealwright_engine.end_own_writes();
end
$$;
comment on function dealwright_engine.mark_assigned(bigint)
    is 'Notes on a lead that was there before its placement that somebody has it.';

create or replace function dealwright_engine.place_lead(l dealwright.lead)
returns bigint language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
    set plan_cache_mode = force_generic_plan as $$
declare
    rule dealwright_engine.rule := dealwright_engine.policy_for(l.policy);
    ask dealwright_engine.enquiry := dealwright_engine.enquiry_of(l, l.declined_by, rule.seed);
    best dealwright_engine.ranked;
    id bigint;
begin
    if l.customer_id is not null then
        ask.owner_agent_id := dealwright_engine.owner_of(l, rule.params);
    end if;
    if exists (select from dealwright.lead as w where w.is_waiting) then
        perform dealwright_engine.begin_shifts(ask.asked_at);
    end if;
    loop
        if rule.by_channel then
            ask := dealwright_engine.leave_out_full(ask, l.declined_by);
        end if;
        best := dealwright_engine.first_agent(rule, ask, dealwright_engine.candidates_of(rule, l));
        if best.agent_id is null then
            begin
                lock table dealwright_engine.queue_gate in row exclusive mode;
                if rule.by_channel then
                    ask := dealwright_engine.leave_out_full(ask, l.declined_by);
                end if;
                perform from dealwright_engine.rank_by(rule.name, ask, rule.params, 1, true);
                if not found then
                    return null;
                end if;
                raise exception 'a place was freed' using errcode = 'DW009';
            exception when sqlstate 'DW009' then
                continue;  -- undoing the block has let go of the gate; only then may a row lock be waited for
            end;
        end if;
        begin
            id := (dealwright_engine.record_assignment(l, best, ask, rule, false,
                l.last_assignment_id is not null and dealwright_engine.booking_waits(l))).assignment_id;
            perform dealwright_engine.mark_assigned(l.lead_id);
            if l.last_assignment_id is not null then
                perform dealwright_engine.leave_queue(l, id);
            end if;
            return id;
        exception when sqlstate 'DW009' then
            -- A row that no longer fits is locked all the same. Undoing the block lets go of it: whoever waits for an
            -- agent must hold none, or two leads could wait for each other.
            null;
        end;
    end loop;
end
$$;
comment on function dealwright_engine.place_lead(dealwright.lead) is
    'Gives the lead to the best eligible agent with room; null when nobody has room: the caller lets it wait, holding '
    'the gate.';

create or replace function dealwright_engine.fill_from_queue(id bigint)
returns integer language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
    set plan_cache_mode = force_generic_plan as $$
declare
    waiting dealwright.lead;
    placed integer := 0;
    rule dealwright_engine.rule;
    ask dealwright_engine.enquiry;
    best dealwright_engine.ranked;
    moment timestamptz;
    fresh bigint;
begin
    lock table dealwright_engine.queue_gate in share mode;
    loop
        moment := clock_timestamp();
        -- SKIP LOCKED is right here: a lead that another freed place is taking is no longer waiting
        select l.* into waiting
        from dealwright.lead as l
        join dealwright.agent as a on a.agent_id = id
        where l.is_waiting
          and dealwright_engine.can_take(l.required_skills, l.required_department, moment, l.declined_by,
                a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department)
          and dealwright_engine.has_room_for(id, l.slots)
        order by l.priority desc, l.received_at, l.lead_id
        limit 1
        for update of l skip locked;
        exit when not found;
        rule := dealwright_engine.policy_for(waiting.policy);
        ask := dealwright_engine.enquiry_of(waiting, waiting.declined_by, rule.seed);
        ask.asked_at := moment;  -- a shift that ends in between must not part the two looks
        if rule.by_channel then
            ask := dealwright_engine.leave_out_full(ask, waiting.declined_by);
        end if;
        -- the place is this agent's: what it scores is looked up among all
        select * into best from dealwright_engine.rank_by(rule.name, ask, rule.params, null, true) as r
            where r.agent_id = id;
        best.tied := 1;
        -- the agent's row is locked: the claim cannot fail
        fresh := (dealwright_engine.record_assignment(waiting, best, ask, rule, true,
            waiting.last_assignment_id is not null and dealwright_engine.booking_waits(waiting))).assignment_id;
        perform dealwright_engine.mark_assigned(waiting.lead_id);
        if waiting.last_assignment_id is not null then
            perform dealwright_engine.leave_queue(waiting, fresh);
        end if;
        placed := placed + 1;
    end loop;
    return placed;
end
$$;
comment on function dealwright_engine.fill_from_queue(bigint) is
    'Gives the agent''s free places to the most urgent waiting leads it is eligible for (priority, then age); returns '
    'how many.';

create or replace function dealwright_engine.lead_with_key(l dealwright.lead)
returns bigint language plpgsql as $$
declare
    given record;
begin
    select g.lead_id, g.customer_name, g.customer_id, g.attributes, g.requirements into given
    from dealwright.lead as g where g.idempotency_key = l.idempotency_key;
    if given.lead_id is not null and (
            given.customer_name <> l.customer_name or given.customer_id <> l.customer_id
            or given.requirements is distinct from l.requirements
            or jsonb_strip_nulls(given.attributes) <> jsonb_strip_nulls(l.attributes)) then
        raise exception 'idempotency_key % belongs to another enquiry, lead %: its % differs',
            quote_literal(left(l.idempotency_key, 100)),
            given.lead_id, case when given.customer_name <> l.customer_name or given.customer_id <> l.customer_id
                                    then 'customer'
                                when given.requirements is distinct from l.requirements then 'requirements text'
                                    else 'attributes' end
            using errcode = 'DW001',
                hint = 'send a key of its own with every enquiry; the same key repeats the same one';
    end if;
    return given.lead_id;
end
$$;
comment on function dealwright_engine.lead_with_key(dealwright.lead) is
    'The lead that came with this idempotency_key, if any; DW001 when its customer, attributes or requirements are '
    'others.';
