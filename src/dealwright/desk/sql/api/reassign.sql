create or replace function dealwright.reassign(assignment_id bigint, reason text)
returns setof dealwright.placement language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    old record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    select s.lead_id, a.active, s.agent_id into old
    from dealwright.assignment as s join dealwright.agent as a using (agent_id)
    where s.assignment_id = reassign.assignment_id;
    -- with somebody who has left the lead does not stay
    if dealwright_engine.hand_on(reassign.assignment_id, reassign.reason, not old.active) is null then
        raise exception 'nobody else eligible has a free place: assignment % stays with agent %',
            reassign.assignment_id, old.agent_id
            using errcode = 'DW001', hint = 'raise a capacity or settle a booking first';
    end if;
    perform dealwright_engine.note_change('reassign', 'assignment', reassign.assignment_id::text,
        jsonb_build_object('agent_id', old.agent_id),
        (select jsonb_build_object('agent_id', max(s.agent_id)) from dealwright.assignment as s
         where s.lead_id = old.lead_id and s.status <> 'reassigned'),
        reassign.reason);
    return query select * from dealwright.placement_of(old.lead_id);
end
$$;
comment on function dealwright.reassign(bigint, text) is
    'Gives an open assignment''s lead to the best other agent with room, and to those who had it before only where '
    'nobody else can take it; the booking goes along. Where nobody can: DW001, or back to the queue if its agent is '
    'not active.';

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
