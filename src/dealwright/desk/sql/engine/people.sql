-- People come and go: who gets a lead that somebody gives on, and who a customer that comes back.
--
-- The order of locks is that of the other functions: the lead, its booking, its assignment, then agents in the order of
-- their ids, then the queue's gate. Whoever gives on the leads of several agents in one transaction holds all writers
-- first (dealwright_engine.hold_writers).

-- returning customers ---------------------------------------------------------------------------------------------

create or replace function dealwright_engine.owner_of(l dealwright.lead, params jsonb)
returns bigint language plpgsql stable as $$
declare
    id bigint;
begin
    if params ->> 'owner' = 'ignore' then
        return null;
    end if;
    select s.agent_id into id
    from dealwright.lead as o
    join dealwright.assignment as s on s.lead_id = o.lead_id and s.status <> 'reassigned'
    where o.customer_id = l.customer_id and o.lead_id is distinct from l.lead_id
    order by s.assigned_at desc, s.assignment_id desc
    limit 1;
    return id;
end
$$;
comment on function dealwright_engine.owner_of(dealwright.lead, jsonb) is
    'Who has, or had, the latest other lead of the customer, unless the policy ignores that.';

create or replace function dealwright_engine.owner_first(rule dealwright_engine.rule, ask dealwright_engine.enquiry)
returns dealwright_engine.ranked language plpgsql as $$
declare
    result dealwright_engine.ranked;
begin
    perform from dealwright.agent as a
    where a.agent_id = ask.owner_agent_id
      and dealwright_engine.can_take(ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids,
            a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department);
    if found then
        -- what the owner scores is looked up among all
        select * into result from dealwright_engine.rank_by(rule.name, ask, rule.params, null, true) as r
        where r.agent_id = ask.owner_agent_id;
        result.tied := 1;
        result.open_limit := result.capacity;  -- stays the first as long as there is room
    end if;
    return result;
end
$$;
comment on function dealwright_engine.owner_first(dealwright_engine.rule, dealwright_engine.enquiry) is
    'Who had the customer before, if they can take the lead; null otherwise.';

-- giving on -------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.hand_on(id bigint, reason text, may_wait boolean,
    declined boolean default false)
returns text language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
    set plan_cache_mode = force_generic_plan as $$
declare
    old dealwright.assignment;
    l dealwright.lead;
    rule dealwright_engine.rule;
    ask dealwright_engine.enquiry;
    best dealwright_engine.ranked;
    refusing bigint[];
    holders bigint[];
    fresh bigint;
    seen_before bigint;
begin
    -- the lead before the booking, as who corrects or withdraws it does; the booking before the assignment, as who
    -- settles it does
    perform from dealwright.lead as d
    where d.lead_id = (select s.lead_id from dealwright.assignment as s where s.assignment_id = id) for no key update;
    perform from dealwright.booking as b where b.assignment_id = id for update;
    select * into old from dealwright.assignment as s where s.assignment_id = id for update;
    if not found then
        raise exception 'there is no assignment %', id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    elsif old.status <> 'open' then
        raise exception 'assignment % is %, not open', id, old.status using errcode = 'DW001',
            hint = 'only an open assignment can be given to somebody else';
    end if;
    perform dealwright_engine.before_several_agents();
    select * into l from dealwright.lead as d where d.lead_id = old.lead_id;
    rule := dealwright_engine.policy_for(l.policy);
    holders := old.held_by || old.agent_id;
    refusing := l.declined_by || case when declined then array[old.agent_id] end;
    ask := dealwright_engine.enquiry_of(l, refusing || holders, rule.seed);
    if l.customer_id is not null then
        ask.owner_agent_id := dealwright_engine.owner_of(l, rule.params);
        if ask.owner_agent_id = any (ask.excluded_agent_ids) then
            ask.owner_agent_id := null;
        end if;
    end if;
    loop
        if rule.by_channel then
            ask := dealwright_engine.leave_out_full(ask, null);
        end if;
        ask.excluded_agent_ids := refusing || holders || ask.full_agent_ids;
        best := dealwright_engine.first_agent(rule, ask, dealwright_engine.candidates_of(rule, l));
        if best.agent_id is null then
            -- of those who had it before, only the last one is left out
            ask.excluded_agent_ids := refusing || old.agent_id || ask.full_agent_ids;
            if old.held_by is not null then
                best := dealwright_engine.first_agent(rule, ask, dealwright_engine.candidates_of(rule, l));
            end if;
        end if;
        if best.agent_id is null and not may_wait then
            return null;
        end if;
        begin
            if best.agent_id is null then
                perform dealwright_engine.back_to_queue(l, old, ask, rule, reason, refusing);
                return 'waiting';
            end if;
            -- both rows in the order of their ids; the old agent's place is freed only after the new one is claimed
            perform from dealwright.agent as a where a.agent_id in (best.agent_id, old.agent_id)
                order by a.agent_id for no key update;
            perform from dealwright.agent as a
            where a.agent_id = best.agent_id and a.open = best.open and a.capacity = best.capacity and a.active;
            if not found then
                raise exception 'the agent has changed' using errcode = 'DW009';
            end if;
            seen_before := nextval('dealwright.event_position_seq');  -- the ranking did not see what follows
            perform dealwright_engine.close_reassigned(id, reason);
            fresh := (dealwright_engine.record_assignment(l, best, ask, rule, false,
                exists (select from dealwright.booking as b where b.assignment_id = id), seen_before)).assignment_id;
            perform dealwright_engine.pass_on(old, fresh);
            perform dealwright_engine.begin_own_writes();
            if declined then
                update dealwright.lead as d set declined_by = refusing where d.lead_id = l.lead_id;
            end if;
            perform dealwright_engine.end_own_writes();
            return 'assigned';
        exception when sqlstate 'DW009' then
            null;  -- undoing the block lets go of rows and gate before the next are waited for
        end;
    end loop;
end
$$;
comment on function dealwright_engine.hand_on(bigint, text, boolean, boolean) is
    'Gives an open assignment''s lead to the best other agent with room: to those who had it before only where nobody '
    'else can take it. Where nobody can, the lead waits in the queue (waiting) or stays (null).';

create or replace function dealwright_engine.close_reassigned(id bigint, reason text)
returns void language plpgsql as $$
begin
    perform dealwright_engine.allow('reassigning', id);
    update dealwright.assignment as s set status = 'reassigned', end_reason = reason where s.assignment_id = id;
    perform dealwright_engine.end_allowance('reassigning');
end
$$;

create or replace function dealwright_engine.pass_on(old dealwright.assignment, fresh bigint)
returns void language plpgsql as $$
begin
    update dealwright.booking as b set assignment_id = fresh where b.assignment_id = old.assignment_id;
    perform dealwright_engine.begin_own_writes();
    update dealwright.assignment as s set held_by = old.held_by || old.agent_id where s.assignment_id = fresh;
    perform dealwright_engine.end_own_writes();
end
$$;
comment on function dealwright_engine.pass_on(dealwright.assignment, bigint) is
    'Hands the booking and the history of an assignment on to the next one of its lead.';

create or replace function dealwright_engine.back_to_queue(
    l dealwright.lead, old dealwright.assignment, ask dealwright_engine.enquiry, rule dealwright_engine.rule,
    reason text, refusing bigint[]
)
returns void language plpgsql as $$
begin
    -- The agent's row and then the gate, as whoever frees a place; and the gate for this one alone: it both frees a
    -- place and lets a lead wait.
    perform from dealwright.agent as a where a.agent_id = old.agent_id for no key update;
    lock table dealwright_engine.queue_gate in share row exclusive mode;
    if rule.by_channel then
        ask := dealwright_engine.leave_out_full(ask, refusing || old.agent_id);
    end if;
    perform from dealwright_engine.rank_by(rule.name, ask, rule.params, 1, true);
    if found then
        raise exception 'a place was freed' using errcode = 'DW009';
    end if;
    perform dealwright_engine.close_reassigned(old.assignment_id, reason);
    perform dealwright_engine.begin_own_writes();
    update dealwright.lead as d
    set status = 'waiting', last_assignment_id = old.assignment_id, declined_by = refusing
    where d.lead_id = l.lead_id;
    perform dealwright_engine.end_own_writes();
    perform dealwright_engine.write_event('waiting', lead_id => l.lead_id);
end
$$;
comment on function dealwright_engine.back_to_queue(dealwright.lead, dealwright.assignment, dealwright_engine.enquiry,
    dealwright_engine.rule, text, bigint[]) is
    'Lets a lead wait that was taken from its agent; its pending booking waits with it. DW009, to be undone, when '
    'somebody has room after all.';

create or replace function dealwright_engine.booking_waits(l dealwright.lead)
returns boolean language sql stable as $$
    select exists (select from dealwright.booking as b
                   where b.assignment_id = (l).last_assignment_id and b.status = 'pending')
$$;

create or replace function dealwright_engine.leave_queue(l dealwright.lead, fresh bigint)
returns void language plpgsql as $$
begin
    perform dealwright_engine.begin_own_writes();
    update dealwright.assignment as s set held_by = p.held_by || p.agent_id
    from dealwright.assignment as p
    where s.assignment_id = fresh and p.assignment_id = l.last_assignment_id;
    update dealwright.booking as b set assignment_id = fresh
    where b.assignment_id = l.last_assignment_id and b.status = 'pending'
      and exists (select from dealwright.assignment as s where s.assignment_id = fresh and s.status = 'open')
      and not exists (select from dealwright.booking as o where o.assignment_id = fresh);
    -- of an assignment that was written by hand as one that is over
    update dealwright.booking as b set status = 'cancelled', cancelled_at = clock_timestamp()
    where b.assignment_id = l.last_assignment_id and b.status = 'pending';
    update dealwright.lead as d set last_assignment_id = null where d.lead_id = l.lead_id;
    perform dealwright_engine.end_own_writes();
end
$$;
comment on function dealwright_engine.leave_queue(dealwright.lead, bigint) is
    'Of a lead that came back to the queue: hands booking and history on to its new assignment.';

create or replace function dealwright_engine.hand_over_reopened(id bigint)
returns void language plpgsql as $$
declare
    a record;
begin
    select g.agent_id, g.external_id, g.name, g.active into a
    from dealwright.assignment as s
    join dealwright.agent as g using (agent_id)
    where s.assignment_id = id and s.status = 'open'
      and (not g.active or g.open > g.capacity or dealwright_engine.is_over_channel(g.agent_id, s.slots));
    if found then
        perform dealwright_engine.hand_on(id, format('reopened, and %s (%s) %s', a.name,
            coalesce(a.external_id, a.agent_id::text),
            case when a.active then 'has no free place' else 'is not active' end), true);
    end if;
end
$$;
comment on function dealwright_engine.hand_over_reopened(bigint) is
    'A reopened booking of somebody who is not active or has no free place goes to somebody who can take it, or to '
    'the queue.';

-- in words --------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.agent_label(id bigint)
returns text language sql stable as $$
    select coalesce(
        (select format('%s (%s)', a.name, coalesce(a.external_id, a.agent_id::text))
         from dealwright.agent as a where a.agent_id = id),
        format('agent %s', id))
$$;

create or replace function dealwright_engine.reopening_notices(id bigint, former bigint)
returns text[] language plpgsql stable as $$
declare
    s dealwright.assignment;
    cause text;
begin
    select * into s from dealwright.assignment as x where x.assignment_id = id;
    select format('%s %s', dealwright_engine.agent_label(former),
        case when a.active then 'has no free place' else 'is not active' end)
    into cause from dealwright.agent as a where a.agent_id = former;
    return case
        when s.status = 'reassigned' then array[cause || ' and nobody else has room: the lead waits in the queue']
        when s.agent_id <> former then array[format(
            '%s: handed over to %s', cause, dealwright_engine.agent_label(s.agent_id))]
    end;
end
$$;

create or replace function dealwright_engine.placement_notices(l dealwright.lead, s dealwright.assignment,
    owner_agent_id bigint)
returns text[] language plpgsql stable as $$
declare
    notices text[];
    named text[];
    duplicate record;
    held_by bigint[] := s.held_by;
begin
    if owner_agent_id = s.agent_id then
        notices := array[format('%s had this customer before', dealwright_engine.agent_label(owner_agent_id))];
    elsif owner_agent_id is not null then
        notices := array[format('%s, who had this customer before, could not take the lead',
            dealwright_engine.agent_label(owner_agent_id))];
    end if;
    if s.status = 'open' and s.offered_until is not null and s.accepted_at is null then
        notices := notices || dealwright_engine.offer_notice(a.name, coalesce(a.external_id, a.agent_id::text),
            s.offered_until)
        from dealwright.agent as a where a.agent_id = s.agent_id;
    end if;
    select notices || dealwright_engine.naming_notice(d.named_by, d.named_reason, d.overridden) into named
    from dealwright.decision as d
    where d.assignment_id = s.assignment_id and d.named_reason is not null;
    notices := coalesce(named, notices);
    if s.assignment_id is null and l.last_assignment_id is not null then
        select x.held_by || x.agent_id into held_by
        from dealwright.assignment as x where x.assignment_id = l.last_assignment_id;
    end if;
    if held_by is not null then
        notices := notices || format('had the lead before: %s', array_to_string(array(
            select dealwright_engine.agent_label(h.agent_id)
            from unnest(held_by) with ordinality as h (agent_id, place) order by h.place), ', '));
    end if;
    if l.customer_id is not null then
        for duplicate in select d.* from dealwright.duplicates_of(l.lead_id) as d order by d.lead_id loop
            notices := notices || format('may be the same enquiry as lead %s (%s): %s', duplicate.lead_id,
                case when duplicate.agent_id is null then 'waiting'
                    else 'with ' || dealwright_engine.agent_label(duplicate.agent_id) end, duplicate.why);
        end loop;
    end if;
    return notices;
end
$$;

-- who asks --------------------------------------------------------------------------------------------------------

-- A service has one login and acts for many: as the role dealwright_agent itself, for the agent that it names. Nobody
-- else's word is taken for that.
create or replace function dealwright_engine.served_agent()
returns bigint language sql stable as $$
    select case when pg_has_role(session_user, 'dealwright_app', 'MEMBER')
                  or pg_has_role(session_user, 'dealwright_owner', 'MEMBER')
                then nullif(current_setting('dealwright.agent_id', true), '')::bigint end
$$;
comment on function dealwright_engine.served_agent() is
    'The agent for whom a service acts as dealwright_agent; null where whoever logged in may not say so.';

create or replace function dealwright_engine.own_agent()
returns bigint language plpgsql stable as $$
declare
    asking name;
begin
    if to_regrole('dealwright_agent') is null then
        return null;
    end if;
    asking := dealwright_engine.caller();
    if asking = 'dealwright_agent' then
        return coalesce(dealwright_engine.served_agent(), 0);
    elsif exists (
            select from pg_roles as r
            where r.rolname = asking and not r.rolsuper
              and pg_has_role(r.oid, to_regrole('dealwright_agent'), 'MEMBER')
              and not pg_has_role(r.oid, to_regrole('dealwright_app'), 'MEMBER')
              and not pg_has_role(r.oid, to_regrole('dealwright_owner'), 'MEMBER')) then
        return coalesce((select a.agent_id from dealwright.agent as a where a.database_role = asking), 0);
    end if;
    return null;
end
$$;
comment on function dealwright_engine.own_agent() is
    'Whose work alone the caller (dealwright_agent) may see and change; 0: nobody''s; null: everybody''s.';

-- A function sees all rows, whoever calls it: so it asks whose a row is.
create or replace function dealwright_engine.check_own(is_own boolean, kind text, id text)
returns void language plpgsql stable as $$
begin
    if is_own is not true then
        raise exception 'there is no % % of yours', kind, id using errcode = 'DW003',
            hint = format('select from dealwright.%s shows those that are yours', kind);
    end if;
end
$$;
comment on function dealwright_engine.check_own(boolean, text, text) is
    'Refuses what is somebody else''s, in the words for what does not exist.';

create or replace function dealwright_engine.check_own_work(id bigint)
returns void language plpgsql stable as $$
declare
    own constant bigint := dealwright_engine.own_agent();
begin
    if own is not null then
        perform dealwright_engine.check_own(
            exists (select from dealwright.assignment as s where s.assignment_id = id and s.agent_id = own),
            'assignment', id::text);
    end if;
end
$$;
comment on function dealwright_engine.check_own_work(bigint) is
    'Refuses an agent''s user (dealwright_agent) who names an assignment of somebody else.';

create or replace function dealwright_engine.check_own_booking(id bigint)
returns void language plpgsql stable as $$
declare
    own constant bigint := dealwright_engine.own_agent();
begin
    if own is not null then
        perform dealwright_engine.check_own(
            exists (select from dealwright.booking as b join dealwright.assignment as s using (assignment_id)
                    where b.booking_id = id and s.agent_id = own),
            'booking', id::text);
    end if;
end
$$;
comment on function dealwright_engine.check_own_booking(bigint) is 'The same for a booking.';

create or replace function dealwright_engine.check_own_task(id bigint, rep text default null)
returns void language plpgsql stable as $$
declare
    own constant bigint := dealwright_engine.own_agent();
begin
    if own is not null then
        perform dealwright_engine.check_own(
            exists (select from dealwright.task as t
                    join dealwright.agent as a on t.rep_id = coalesce(a.external_id, a.agent_id::text)
                    where t.task_id = id and a.agent_id = own
                      and (rep is null or rep = coalesce(a.external_id, a.agent_id::text))),
            'task', id::text);
    end if;
end
$$;
comment on function dealwright_engine.check_own_task(bigint, text) is
    'The same for a task, and for somebody else who is said to have done it.';

create or replace function dealwright_engine.check_own_agent(id bigint)
returns void language plpgsql stable as $$
declare
    own constant bigint := dealwright_engine.own_agent();
begin
    if own is not null then
        perform dealwright_engine.check_own(id = own, 'agent', id::text);
    end if;
end
$$;
comment on function dealwright_engine.check_own_agent(bigint) is 'The same for an agent.';
