-- An agent whom a person names. The limits hold for the named as for all others (dealwright_engine.can_take); an
-- override says which of them do not hold for once, and why.

create or replace function dealwright_engine.obstacles_of(a dealwright.agent, ask dealwright_engine.enquiry)
returns text[] language sql stable as $$
    select nullif(array_remove(array[
        case when not (a).active then 'active' end,
        case when (a).open >= (a).capacity then 'capacity' end,
        -- found before: it needs a look at other tables (dealwright_engine.leave_out_full)
        case when (a).agent_id = any ((ask).full_agent_ids) then 'channel' end,
        case when not ((a).shifts is null or (a).shifts @> (ask).asked_at) then 'shift' end,
        case when not ((ask).skills is null or (a).skills @> (ask).skills) then 'skills' end,
        case when not ((ask).department is null or (a).department is not distinct from (ask).department)
            then 'department' end,
        case when (a).agent_id = any ((ask).excluded_agent_ids)
            and ((ask).full_agent_ids is null or (a).agent_id <> all ((ask).full_agent_ids)) then 'declined' end
    ], null), '{}')
$$;
comment on function dealwright_engine.obstacles_of(dealwright.agent, dealwright_engine.enquiry) is
    'The limits that keep an agent from a lead: the conditions of dealwright_engine.can_take by name; null: none.';

create or replace function dealwright_engine.obstacle_words(obstacle text, a dealwright.agent,
    ask dealwright_engine.enquiry)
returns text language sql stable as $$
    select case obstacle
        when 'active' then 'is not active'
        when 'capacity' then format('has no free place (%s of %s open)', (a).open, (a).capacity)
        when 'channel' then dealwright_engine.full_words((a).agent_id, (ask).slots)
        when 'shift' then 'is off shift'
        when 'skills' then 'lacks ' || array_to_string(
            array(select unnest((ask).skills) except select unnest((a).skills) order by 1), ', ')
        when 'department' then 'is not in ' || (ask).department
        when 'declined' then 'declined this lead' end
$$;

create or replace function dealwright_engine.naming_notice(by_whom text, reason text, overridden text[])
returns text language sql immutable as $$
    select format('named by %s: %s', by_whom, reason)
        || case when overridden is not null
            then format(' (overridden: %s)', array_to_string(overridden, ', ')) else '' end
$$;

create or replace function dealwright_engine.give_to(
    lead_id bigint, agent_id bigint, reason text, override boolean, named_by text
)
returns void language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
    set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    l dealwright.lead;
    old dealwright.assignment;
    a dealwright.agent;
    rule dealwright_engine.rule;
    ask dealwright_engine.enquiry;
    best dealwright_engine.ranked;
    by_whom text;
    why text;
    obstacles text[];
    words text;
    fresh bigint;
    seen_before bigint;
begin
    why := btrim(give_to.reason);
    by_whom := coalesce(nullif(btrim(give_to.named_by), ''), dealwright_engine.caller()::text);
    if coalesce(why, '') = '' or not dealwright_engine.is_prose(why)
            or not dealwright_engine.is_word(by_whom, 500) then
        raise exception 'naming an agent takes a reason in plain text' using errcode = 'DW002',
            hint = 'say why for the record, such as "asked for by the customer"';
    end if;
    -- the order of locks is that of dealwright_engine.hand_on
    select * into l from dealwright.lead as d where d.lead_id = give_to.lead_id for no key update;
    if not found then
        raise exception 'there is no lead %', give_to.lead_id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    end if;
    select s.assignment_id into old.assignment_id
    from dealwright.assignment as s where s.lead_id = l.lead_id and s.status <> 'reassigned';
    if found then
        perform from dealwright.booking as b where b.assignment_id = old.assignment_id for update;
        select * into old from dealwright.assignment as s where s.assignment_id = old.assignment_id for update;
        if old.status <> 'open' then
            raise exception 'assignment % of lead % is %, not open', old.assignment_id, l.lead_id, old.status
                using errcode = 'DW001', hint = 'only an open assignment can be given to somebody else';
        end if;
    end if;
    perform dealwright_engine.before_several_agents();
    perform from dealwright.agent as g where g.agent_id in (give_to.agent_id, old.agent_id)
        order by g.agent_id for no key update;
    select * into a from dealwright.agent as g where g.agent_id = give_to.agent_id;
    if not found then
        raise exception 'there is no agent %', give_to.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    elsif a.agent_id = old.agent_id then
        raise exception '% has lead % already', dealwright_engine.agent_label(a.agent_id), l.lead_id
            using errcode = 'DW001', hint = 'name somebody else';
    end if;
    rule := dealwright_engine.policy_for(l.policy);
    ask := dealwright_engine.enquiry_of(l, l.declined_by, rule.seed);
    if rule.by_channel then
        ask := dealwright_engine.leave_out_full(ask, l.declined_by);
    end if;
    obstacles := dealwright_engine.obstacles_of(a, ask);
    if obstacles is not null and (not give_to.override or 'active' = any (obstacles)) then
        select string_agg(dealwright_engine.obstacle_words(o.obstacle, a, ask), ', ' order by o.place) into words
        from unnest(obstacles) with ordinality as o (obstacle, place);
        raise exception '% %', dealwright_engine.agent_label(a.agent_id), words using errcode = 'DW001',
            hint = case when 'active' = any (obstacles)
                then 'name somebody else, or let the agent get leads again first (dealwright agents activate)'
                else 'name somebody else, or override it, which takes the right and a reason' end;
    end if;
    select * into best from dealwright_engine.rank_by(rule.name, ask, rule.params, null, obstacles is null) as r
    where r.agent_id = a.agent_id;
    best.tied := null;  -- nothing was drawn: the policy did not choose
    best.open_limit := best.capacity;
    seen_before := nextval('dealwright.event_position_seq');  -- the ranking did not see what follows
    if old.assignment_id is not null then
        perform dealwright_engine.close_reassigned(old.assignment_id, why);
    end if;
    fresh := (dealwright_engine.record_assignment(l, best, ask, rule, false,
        exists (select from dealwright.booking as b where b.assignment_id = old.assignment_id)
            or l.last_assignment_id is not null and dealwright_engine.booking_waits(l),
        seen_before, by_whom, why, obstacles)).assignment_id;
    perform dealwright_engine.mark_assigned(l.lead_id);
    if old.assignment_id is not null then
        perform dealwright_engine.pass_on(old, fresh);
    elsif l.last_assignment_id is not null then
        perform dealwright_engine.leave_queue(l, fresh);
    end if;
    perform dealwright_engine.note_change('assign_to', 'lead', l.lead_id::text,
        jsonb_build_object('agent_id', old.agent_id),
        jsonb_strip_nulls(jsonb_build_object('agent_id', a.agent_id, 'assignment_id', fresh, 'overridden', obstacles)),
        why);
end
$$;
comment on function dealwright_engine.give_to(bigint, bigint, text, boolean, text) is
    'Gives a lead to the agent whom somebody names, within the limits that hold for everybody: DW001 names those that '
    'stand in the way. With override they do not, except that the agent must be active; what was overridden is '
    'recorded.';
