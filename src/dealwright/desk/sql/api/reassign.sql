create or replace function dealwright.reassign(assignment_id bigint, reason text)
returns setof dealwright.placement language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    old dealwright.assignment;
    l dealwright.lead;
    rule dealwright_engine.rule;
    ask dealwright_engine.enquiry;
    best dealwright_engine.ranked;
    fresh bigint;
    seen_before bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
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
    rule := dealwright_engine.policy_for(l.policy);
    ask := dealwright_engine.enquiry_of(l, old.agent_id, rule.seed);
    loop
        best := dealwright_engine.first_agent(rule, ask, dealwright_engine.standing_of(rule, l));
        if best.agent_id is null then
            raise exception 'nobody else eligible has a free place: assignment % stays with agent %',
                reassign.assignment_id, old.agent_id
                using errcode = 'DW001', hint = 'raise a capacity or settle a booking first';
        end if;
        begin
            -- both rows in the order of their ids; the old agent's place is freed only after the new one is claimed
            perform from dealwright.agent as a where a.agent_id in (best.agent_id, old.agent_id)
                order by a.agent_id for no key update;
            perform from dealwright.agent as a
            where a.agent_id = best.agent_id and a.open = best.open and a.capacity = best.capacity and a.active;
            if not found then
                raise exception 'the agent has changed' using errcode = 'DW009';
            end if;
            seen_before := nextval('dealwright.event_position_seq');  -- the ranking did not see what follows
            perform dealwright_engine.allow('reassigning', old.assignment_id);
            update dealwright.assignment as s set status = 'reassigned',
                end_reason = reassign.reason where s.assignment_id = old.assignment_id;
            perform dealwright_engine.end_allowance('reassigning');
            fresh := (dealwright_engine.record_assignment(l, best, ask, rule, false,
                exists (select from dealwright.booking as b where b.assignment_id = old.assignment_id),
                    seen_before)).assignment_id;
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
    'Gives an open assignment''s lead to the best other agent with room; the booking goes along. DW001 when there is '
    'none.';

create or replace function dealwright.assignment_named(name text)
returns bigint language plpgsql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id bigint;
begin
    -- Each by the index of its own: in one query the planner may look at all rows, or at all without an outside id.
    select s.assignment_id into id from dealwright.assignment as s where s.external_id = name;
    if id is null then
        select case when s.external_id is null then s.assignment_id end into id
        from dealwright.assignment as s where s.assignment_id = dealwright_engine.own_id(name);
    end if;
    if id is null then
        raise exception 'there is no assignment %', name using errcode = 'DW003',
            hint = 'the answer of `dealwright assign` shows the ids';
    end if;
    return id;
end
$$;
comment on function dealwright.assignment_named(text)
    is 'The assignment with an outside id, else the one to which the desk gave the number.';
