-- What the console asks for beside the tables, and the one thing it does that no policy does: override.

create or replace function dealwright.currency()
returns text language sql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select s.currency from dealwright_engine.setting as s
$$;
comment on function dealwright.currency() is 'What amounts are in, as the company writes it; null: nobody said.';

create or replace function dealwright.reasons_of(assignment_id bigint)
returns jsonb language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    d dealwright.decision;
    ask dealwright_engine.enquiry;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into d from dealwright.decision as x where x.assignment_id = reasons_of.assignment_id;
    if d.agent_id is null or not exists (select from dealwright.agent as a where a.agent_id = d.agent_id) then
        return null;
    end if;
    ask := dealwright_engine.past_enquiry(d);
    return dealwright_engine.reasons_for(dealwright_engine.reason_context_of(d.policy, ask), d.agent_id, true, ask);
end
$$;
comment on function dealwright.reasons_of(bigint) is
    'Why the agent of a decision stood where it stood, by the agents as they are now: quick enough for a list of the '
    'latest leads. dealwright.explain gives the reasons as they were; null where the desk did not decide.';

create or replace function dealwright.override_lead(lead_id bigint, agent_id bigint, reason text,
    by_whom text default null)
returns setof dealwright.placement language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    l dealwright.lead;
    old dealwright.assignment;
    wanted record;
    fresh bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    if coalesce(btrim(override_lead.reason), '') = '' then
        raise exception 'an override needs a reason' using errcode = 'DW002',
            hint = 'say why this agent gets the lead: the record keeps it';
    end if;
    -- the order of locks is that of dealwright_engine.hand_on: lead, booking, assignment, agents by their ids
    select * into l from dealwright.lead as d where d.lead_id = override_lead.lead_id for no key update;
    if not found then
        raise exception 'there is no lead %', override_lead.lead_id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    end if;
    perform from dealwright.booking as b
    where b.assignment_id = (select s.assignment_id from dealwright.assignment as s
                             where s.lead_id = l.lead_id and s.status <> 'reassigned') for update;
    select * into old from dealwright.assignment as s where s.lead_id = l.lead_id and s.status <> 'reassigned'
    for update;
    if found and old.status <> 'open' then
        raise exception 'lead % is %, not open', l.lead_id, old.status using errcode = 'DW001',
            hint = 'only a lead that waits or is being worked on can be given to somebody else';
    elsif not found and not l.is_waiting then
        raise exception 'lead % is %', l.lead_id, l.status using errcode = 'DW001',
            hint = 'only a lead that waits or is being worked on can be given to somebody else';
    end if;
    perform dealwright_engine.before_several_agents();
    perform from dealwright.agent as a where a.agent_id in (override_lead.agent_id, old.agent_id)
    order by a.agent_id for no key update;
    select a.name, a.active, a.open, a.capacity into wanted
    from dealwright.agent as a where a.agent_id = override_lead.agent_id;
    if not found then
        raise exception 'there is no agent %', override_lead.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    elsif override_lead.agent_id = old.agent_id then
        raise exception '% has lead % already', dealwright_engine.agent_label(old.agent_id), l.lead_id
            using errcode = 'DW001', hint = 'name somebody else';
    elsif not wanted.active then
        raise exception '% is not active', dealwright_engine.agent_label(override_lead.agent_id)
            using errcode = 'DW001', hint = 'activate the agent first, or name somebody else';
    elsif wanted.open >= wanted.capacity then
        raise exception '% has no free place: % of % are taken', dealwright_engine.agent_label(override_lead.agent_id),
            wanted.open, wanted.capacity
            using errcode = 'DW001', hint = 'raise the capacity or settle a booking first, or name somebody else';
    end if;
    if old.assignment_id is not null then
        perform dealwright_engine.close_reassigned(old.assignment_id, 'override: ' || btrim(override_lead.reason));
    end if;
    -- no decision is recorded: the desk did not take it, and the one it took stands
    insert into dealwright.assignment (lead_id, agent_id) values (l.lead_id, override_lead.agent_id)
    returning dealwright.assignment.assignment_id into fresh;
    if old.assignment_id is not null then
        update dealwright.booking as b set assignment_id = fresh where b.assignment_id = old.assignment_id;
        perform dealwright_engine.begin_own_writes();
        update dealwright.assignment as s set held_by = old.held_by || old.agent_id where s.assignment_id = fresh;
        perform dealwright_engine.end_own_writes();
    end if;
    insert into dealwright.booking (assignment_id)
    select fresh where not exists (select from dealwright.booking as b where b.assignment_id = fresh);
    perform dealwright_engine.begin_own_writes();
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, payload)
    values ('overridden', override_lead.agent_id, l.lead_id, fresh, jsonb_strip_nulls(jsonb_build_object(
        'reason', btrim(override_lead.reason), 'by', override_lead.by_whom, 'former_agent_id', old.agent_id)));
    perform dealwright_engine.end_own_writes();
    return query select * from dealwright.placement_of(l.lead_id);
end
$$;
comment on function dealwright.override_lead(bigint, bigint, text, text) is
    'Gives a lead that waits or is open to the agent a person names, past any policy, with the reason; the booking '
    'goes along. Never past the agent''s capacity, and not to somebody who is not active (DW001).';
