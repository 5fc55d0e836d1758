-- Who is there, who reached the customer, who had the lead.

create or replace function dealwright.agent_named(name text)
returns bigint language plpgsql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id bigint;
begin
    -- Each by the index of its own: in one query the planner may look at all rows, or at all without an outside id.
    select a.agent_id into id from dealwright.agent as a where a.external_id = agent_named.name;
    if id is null then
        select case when a.external_id is null then a.agent_id end into id
        from dealwright.agent as a where a.agent_id = dealwright_engine.own_id(agent_named.name);
    end if;
    if id is null then
        raise exception 'there is no agent %', agent_named.name using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    return id;
end
$$;
comment on function dealwright.agent_named(text)
    is 'The agent with an outside id, else the one to whom the desk gave the number.';

create or replace function dealwright.activate_agent(agent_id bigint)
returns jsonb language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    before record;
    present record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_agent(activate_agent.agent_id);
    if exists (select from dealwright.pause as p where p.agent_id = activate_agent.agent_id) then
        raise exception 'the desk is paused for agent %', activate_agent.agent_id using errcode = 'DW001',
            hint = 'dealwright.resume_automation ends that';
    end if;
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    select a.active, a.open into before from dealwright.agent as a where a.agent_id = activate_agent.agent_id
    for no key update;
    if not found then
        raise exception 'there is no agent %', activate_agent.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    update dealwright.agent as a set active = true where a.agent_id = activate_agent.agent_id and not a.active;
    select a.name, a.open, a.capacity into present
    from dealwright.agent as a where a.agent_id = activate_agent.agent_id;
    if not before.active then
        perform dealwright_engine.note_change('activate', 'agent', activate_agent.agent_id::text,
            '{"active": false}', '{"active": true}');
    end if;
    return jsonb_build_object(
        'agent_id', activate_agent.agent_id, 'agent_name', present.name, 'active', true, 'was_active', before.active,
        'open', present.open, 'capacity', present.capacity, 'from_queue', present.open - before.open);
end
$$;
comment on function dealwright.activate_agent(bigint) is
    'The agent gets leads again, and at once those of the waiting ones that there is room for.';

create or replace function dealwright.deactivate_agent(agent_id bigint, hand_over boolean default false)
returns jsonb language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    before record;
    present record;
    taken record;
    handed_over jsonb := '[]';
    waiting jsonb := '[]';
    reason text;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_agent(deactivate_agent.agent_id);
    if hand_over and dealwright_engine.own_agent() is not null then
        raise exception 'an agent hands over no leads' using errcode = 'DW001',
            hint = 'decline them one by one, or ask a manager';
    end if;
    if hand_over then
        perform dealwright_engine.hold_writers();  -- rows of many agents, and of their leads
    end if;
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    select a.active into before from dealwright.agent as a where a.agent_id = deactivate_agent.agent_id
    for no key update;
    if not found then
        raise exception 'there is no agent %', deactivate_agent.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    update dealwright.agent as a set active = false where a.agent_id = deactivate_agent.agent_id and a.active;
    if hand_over then
        reason := dealwright_engine.agent_label(deactivate_agent.agent_id) || ' is not active';
        for taken in
            select s.assignment_id, l.lead_id, l.customer_name
            from dealwright.assignment as s
            join dealwright.lead as l using (lead_id)
            where s.agent_id = deactivate_agent.agent_id and s.status = 'open'
            order by l.priority desc, l.received_at, l.lead_id
        loop
            if dealwright_engine.hand_on(taken.assignment_id, reason, true) = 'assigned' then
                handed_over := handed_over || (
                    select jsonb_build_object('lead_id', p.lead_id, 'customer_name', taken.customer_name,
                        'assignment_id', p.assignment_id, 'agent_id', p.agent_id, 'agent_name', p.agent_name)
                    from dealwright.placement_of(taken.lead_id) as p);
            else
                waiting := waiting
                    || jsonb_build_object('lead_id', taken.lead_id, 'customer_name', taken.customer_name);
            end if;
        end loop;
    end if;
    select a.name, a.open, a.capacity into present
    from dealwright.agent as a where a.agent_id = deactivate_agent.agent_id;
    if before.active or hand_over then
        perform dealwright_engine.note_change('deactivate', 'agent', deactivate_agent.agent_id::text,
            jsonb_build_object('active', before.active),
            jsonb_build_object('active', false, 'handed_over', jsonb_array_length(handed_over),
                'waiting', jsonb_array_length(waiting)));
    end if;
    return jsonb_build_object(
        'agent_id', deactivate_agent.agent_id, 'agent_name', present.name, 'active', false,
        'was_active', before.active, 'open', present.open, 'capacity', present.capacity,
        'handed_over', handed_over, 'waiting', waiting);
end
$$;
comment on function dealwright.deactivate_agent(bigint, boolean) is
    'The agent gets no more leads. With hand_over the open ones go to others by the same ranking, most urgent first, '
    'or back to the queue where nobody has room; without, they stay.';

create or replace function dealwright.set_availability(agent_id bigint, capacity integer default null,
    shifts tstzmultirange default null, always boolean default false)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    before record;
    present record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    select a.capacity, a.shifts into before from dealwright.agent as a where a.agent_id = set_availability.agent_id
    for no key update;
    update dealwright.agent as a
    set capacity = coalesce(set_availability.capacity, a.capacity),
        shifts = case when set_availability.always then null else coalesce(set_availability.shifts, a.shifts) end
    where a.agent_id = set_availability.agent_id
    returning a.capacity, a.shifts into present;
    if not found then
        raise exception 'there is no agent %', set_availability.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    if before is distinct from present then
        perform dealwright_engine.note_change('set_availability', 'agent', set_availability.agent_id::text,
            to_jsonb(before), to_jsonb(present));
    end if;
end
$$;
comment on function dealwright.set_availability(bigint, integer, tstzmultirange, boolean) is
    'How many open leads an agent may have, and when they work; null changes nothing, always takes the shifts away. '
    'Room that opens goes to those who wait.';

create or replace function dealwright.accept(assignment_id bigint)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    s dealwright.assignment;
    wanted_policy text;
    respond_within interval;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_work(accept.assignment_id);
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    -- the timer before the assignment, as the worker does: one of the two comes second, and sees what the first did
    perform from dealwright_engine.response_due as r where r.assignment_id = accept.assignment_id for update;
    select * into s from dealwright.assignment as a where a.assignment_id = accept.assignment_id for update;
    if not found then
        raise exception 'there is no assignment %', accept.assignment_id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    elsif s.accepted_at is not null then
        return s.accepted_at;  -- said twice
    elsif s.status <> 'open' then
        raise exception 'the offer of assignment % is over: it is %', s.assignment_id, s.status
            using errcode = 'DW001', hint = 'dealwright.holders_of(lead_id) shows who has the lead now';
    elsif s.offered_until is null then
        raise exception 'assignment % is no offer: its agent has it already', s.assignment_id using errcode = 'DW001',
            hint = 'the policy parameter accept_within_min makes the desk offer leads first';
    end if;
    begun := dealwright_engine.join_own_writes();
    update dealwright.assignment as a set accepted_at = clock_timestamp()
    where a.assignment_id = s.assignment_id
    returning a.accepted_at into s.accepted_at;
    perform dealwright_engine.leave_own_writes(begun);
    perform dealwright_engine.write_offer_event('accepted', s, jsonb_build_object('accepted_at', s.accepted_at));
    -- from now on the agent has the time that the policy gives to reach the customer
    select l.policy into wanted_policy from dealwright.lead as l where l.lead_id = s.lead_id;
    respond_within := (dealwright_engine.policy_for(wanted_policy)).respond_within;
    if respond_within is null then
        delete from dealwright_engine.response_due as r where r.assignment_id = s.assignment_id;
    else
        update dealwright_engine.response_due as r set due_at = s.accepted_at + respond_within
        where r.assignment_id = s.assignment_id;
    end if;
    return s.accepted_at;
end
$$;
comment on function dealwright.accept(bigint) is
    'The agent takes a lead that was offered (accept_within_min of its policy), also late while nobody else has it; '
    'returns since when. Saying it twice changes nothing.';

create or replace function dealwright.assign_to(
    lead_id bigint, agent_id bigint, reason text, override boolean default false, named_by text default null
)
returns setof dealwright.placement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    if exists (select from dealwright.lead as l where l.lead_id = assign_to.lead_id and l.status = 'withdrawn') then
        raise exception 'lead % is withdrawn', assign_to.lead_id using errcode = 'DW001',
            hint = 'set its status to new first: then it is assigned, or waits, at once';
    end if;
    perform dealwright_engine.give_to(assign_to.lead_id, assign_to.agent_id, assign_to.reason,
        coalesce(assign_to.override, false), assign_to.named_by);
    return query select * from dealwright.placement_of(assign_to.lead_id);
end
$$;
comment on function dealwright.assign_to(bigint, bigint, text, boolean, text) is
    'Gives a lead, waiting or with somebody else, to the agent you name, with your reason. Capacity, shift, skills, '
    'department and what the agent declined hold as for every assignment (DW001 names what stands in the way), unless '
    'overridden: the decision and its event record that.';

create or replace function dealwright.assign_to(
    lead jsonb, agent_id bigint, reason text, override boolean default false, named_by text default null,
    policy text default null
)
returns setof dealwright.placement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    l dealwright.lead;
    id bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    l := dealwright_engine.lead_from_json(assign_to.lead, assign_to.policy);
    perform dealwright_engine.check_lead_words(l);
    perform dealwright_engine.check_attributes(l.attributes, true);
    if l.idempotency_key is not null then
        id := dealwright_engine.lead_with_key(l);
    end if;
    if id is null then
        -- as one that nobody has yet and that does not wait: so the ranking does not give it away first
        insert into dealwright.lead (customer_name, attributes, requirements, priority, idempotency_key, external_id,
            customer_id, received_at, policy, required_skills, required_department, status)
        values (l.customer_name, l.attributes, l.requirements, l.priority, l.idempotency_key, l.external_id,
            l.customer_id, l.received_at, l.policy, l.required_skills, l.required_department, 'withdrawn')
        on conflict (idempotency_key) where idempotency_key is not null do nothing
        returning dealwright.lead.lead_id into id;
        if id is null then
            id := dealwright_engine.lead_with_key(l);
        else
            perform dealwright_engine.give_to(id, assign_to.agent_id, assign_to.reason,
                coalesce(assign_to.override, false), assign_to.named_by);
        end if;
    end if;
    return query select * from dealwright.placement_of(id);
end
$$;
comment on function dealwright.assign_to(jsonb, bigint, text, boolean, text, text) is
    'Records a lead (the JSON shape of dealwright.assign_lead) and gives it to the agent you name, with your reason, '
    'within the same limits. The same idempotency_key gives the same answer.';

create or replace function dealwright.contact(assignment_id bigint, at timestamptz default null)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    s record;
    was_offer boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_work(contact.assignment_id);
    -- who holds all writers must see this one before it locks a row
    lock table dealwright.assignment in row exclusive mode;
    select dealwright_engine.is_offer(a) into was_offer
    from dealwright.assignment as a where a.assignment_id = contact.assignment_id for update;
    if contact.at > clock_timestamp() then
        raise exception 'the contact at % lies in the future', contact.at using errcode = 'DW002',
            hint = 'give the time at which the customer was reached, or leave it out: now';
    end if;
    update dealwright.assignment as a
    set first_contact_at = least(a.first_contact_at, coalesce(contact.at, clock_timestamp()))
    where a.assignment_id = contact.assignment_id and a.status <> 'reassigned'
    returning a.lead_id, a.agent_id, a.first_contact_at into s;
    if not found then
        if exists (select from dealwright.assignment as a where a.assignment_id = contact.assignment_id) then
            raise exception 'assignment % was given to somebody else', contact.assignment_id using errcode = 'DW001',
                hint = 'name the lead''s present assignment: dealwright.holders_of(lead_id) shows it';
        end if;
        raise exception 'there is no assignment %', contact.assignment_id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    end if;
    perform dealwright_engine.begin_own_writes();
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, payload)
    values ('contacted', s.agent_id, s.lead_id, contact.assignment_id,
            jsonb_build_object('first_contact_at', s.first_contact_at));
    perform dealwright_engine.end_own_writes();
    if was_offer then
        perform dealwright_engine.write_offer_event('accepted', a,
            jsonb_build_object('accepted_at', a.accepted_at))
        from dealwright.assignment as a where a.assignment_id = contact.assignment_id;
    end if;
    perform dealwright_engine.note_change('contact', 'assignment', contact.assignment_id::text, null,
        jsonb_build_object('first_contact_at', s.first_contact_at));
    return s.first_contact_at;
end
$$;
comment on function dealwright.contact(bigint, timestamptz) is
    'Says that the agent reached the customer, now or at a time before; returns when that was first.';

create or replace function dealwright.decline(assignment_id bigint, reason text)
returns setof dealwright.placement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    id bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_work(decline.assignment_id);
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    perform dealwright_engine.hand_on(decline.assignment_id, concat_ws(': ', 'declined', decline.reason), true, true);
    select s.lead_id into id from dealwright.assignment as s where s.assignment_id = decline.assignment_id;
    perform dealwright_engine.note_change('decline', 'assignment', decline.assignment_id::text, null,
        jsonb_build_object('lead_id', id), decline.reason);
    return query select * from dealwright.placement_of(id);
end
$$;
comment on function dealwright.decline(bigint, text) is
    'The agent does not take the lead: it goes to the next one by the same ranking, or back to the queue, and not to '
    'this agent again.';

create or replace function dealwright.return_unanswered()
returns integer language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    due record;
    s record;
    a dealwright.assignment;
    rule dealwright_engine.rule;
    is_offer boolean;
    reason text;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    for due in
        select r.assignment_id from dealwright_engine.response_due as r
        where r.due_at <= clock_timestamp()
        order by r.due_at, r.assignment_id
        for update skip locked
    loop
        -- locked in the order of dealwright_engine.hand_on, so that a contact of this moment counts
        select x.lead_id into s from dealwright.assignment as x where x.assignment_id = due.assignment_id;
        if found then
            perform from dealwright.lead as l where l.lead_id = s.lead_id for no key update skip locked;
            continue when not found;  -- somebody is at it
            perform from dealwright.booking as b where b.assignment_id = due.assignment_id for update;
        end if;
        select * into a from dealwright.assignment as x where x.assignment_id = due.assignment_id for update;
        select g.active, l.policy into s
        from dealwright.lead as l cross join dealwright.agent as g
        where l.lead_id = a.lead_id and g.agent_id = a.agent_id;
        rule := dealwright_engine.policy_for(s.policy);
        is_offer := dealwright_engine.is_offer(a);
        reason := case when is_offer then format('not accepted within %s minutes',
                round(extract(epoch from a.offered_until - a.assigned_at) / 60, 2)::double precision)
            else format('no contact within %s minutes',
                round(extract(epoch from rule.respond_within) / 60, 2)::double precision) end;
        if a.status is distinct from 'open'
                or not is_offer and (a.first_contact_at is not null or rule.respond_within is null) then
            delete from dealwright_engine.response_due as r where r.assignment_id = due.assignment_id;
        elsif dealwright_engine.hand_on(due.assignment_id, reason, not s.active) is null then
            -- nobody else has room: it stays, and is looked at again
            update dealwright_engine.response_due as r set due_at = clock_timestamp() + interval '1 minute'
            where r.assignment_id = due.assignment_id;
        else
            delete from dealwright_engine.response_due as r where r.assignment_id = due.assignment_id;
            if is_offer then
                perform dealwright_engine.write_offer_event('offer_expired', a,
                    jsonb_build_object('offered_until', a.offered_until));
            end if;
            return 1;
        end if;
    end loop;
    return 0;
end
$$;
comment on function dealwright.return_unanswered() is
    'Gives a lead whose agent did not accept the offer (accept_within_min of its policy) or did not reach the customer '
    '(respond_within_min) in time to the next one; where nobody else can take it, it stays and is looked at again. '
    'One at a time, so that a transaction locks few rows: call it until it returns 0.';

create or replace function dealwright.keep_timers(jumped interval, elapsed interval)
returns integer language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    moment timestamptz := clock_timestamp();
    moved integer;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.hold_writers();  -- rows of many assignments: alone, so as to wait for nobody
    begun := dealwright_engine.join_own_writes();
    with moving as (
        update dealwright_engine.response_due as r set due_at = r.due_at + jumped
        from dealwright.assignment as s
        where s.assignment_id = r.assignment_id
          -- who was asked since the jump has the right time
          and not coalesce(s.accepted_at, s.assigned_at) between moment - elapsed and moment
        returning r.assignment_id
    ), offer as (
        update dealwright.assignment as s set offered_until = s.offered_until + jumped
        from moving as m
        where s.assignment_id = m.assignment_id and dealwright_engine.is_offer(s)
    )
    select count(*) into moved from moving;
    perform dealwright_engine.leave_own_writes(begun);
    perform dealwright_engine.write_event('clock_jumped', jsonb_build_object(
        'jumped_s', extract(epoch from jumped), 'timers', moved));
    return moved;
end
$$;
comment on function dealwright.keep_timers(interval, interval) is
    'Moves the times by which agents must accept or answer along with a clock that jumped, except of those who were '
    'asked in the time that has elapsed since: everybody keeps the minutes that were left. Returns how many it moved.';

create or replace function dealwright.holders_of(lead_id bigint)
returns table (
    assignment_id bigint, agent_id bigint, agent_name text, assigned_at timestamptz, first_contact_at timestamptz,
    status text, ended_at timestamptz, end_reason text
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    with present as (
        select s.assignment_id, s.agent_id, s.held_by from dealwright.assignment as s
        where s.lead_id = holders_of.lead_id and s.status <> 'reassigned'
        union all
        -- in the queue
        select s.assignment_id, s.agent_id, s.held_by
        from dealwright.lead as l
        join dealwright.assignment as s on s.assignment_id = l.last_assignment_id
        where l.lead_id = holders_of.lead_id
    )
    select s.assignment_id, s.agent_id, a.name, s.assigned_at, s.first_contact_at, s.status, s.ended_at, s.end_reason
    from dealwright.assignment as s
    join dealwright.agent as a using (agent_id)
    where s.lead_id = holders_of.lead_id
      -- by the index of agents: there is none of leads that were given on
      and s.agent_id in (select p.agent_id from present as p
                         union select h.agent_id from present as p cross join unnest(p.held_by) as h (agent_id))
    order by s.assigned_at, s.assignment_id
$$;
comment on function dealwright.holders_of(bigint) is
    'Who had a lead, one after the other, since when, and why it went on.';

create or replace function dealwright.duplicates_of(lead_id bigint)
returns table (lead_id bigint, customer_name text, received_at timestamptz, agent_id bigint, agent_name text, why text)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select o.lead_id, o.customer_name, o.received_at, s.agent_id, a.name, o.why
    from dealwright.lead as l
    cross join lateral (
        select c.lead_id, c.customer_name, c.received_at, c.is_waiting, 'the same customer' as why
        from dealwright.lead as c
        where c.customer_id = l.customer_id
        union all
        -- the same form sent twice comes soon after: so a thousand leads around it are enough, and need no index
        select n.lead_id, n.customer_name, n.received_at, n.is_waiting, 'the same name and attributes'
        from dealwright.lead as n
        where n.lead_id between l.lead_id - 1000 and l.lead_id + 1000
          and lower(btrim(n.customer_name)) = lower(btrim(l.customer_name))
          and jsonb_strip_nulls(n.attributes) = jsonb_strip_nulls(l.attributes)
          -- of two customers whom the company tells apart neither is the other
          and (n.customer_id is null or l.customer_id is null)
    ) as o
    left join dealwright.assignment as s on s.lead_id = o.lead_id and s.status = 'open'
    left join dealwright.agent as a using (agent_id)
    where l.lead_id = duplicates_of.lead_id and o.lead_id <> l.lead_id
      and (o.is_waiting or s.assignment_id is not null)
    order by o.lead_id
$$;
comment on function dealwright.duplicates_of(bigint) is
    'Other open leads that may be the same enquiry: of the same customer_id, or with the same name and attributes '
    'among the thousand leads before and after.';
