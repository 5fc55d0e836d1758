create or replace function dealwright.rank_agents(lead jsonb, policy text default null, k integer default null)
returns table (
    rank integer, agent_id bigint, agent_name text, match_score double precision, win_probability double precision,
    expected_value double precision, open integer, capacity integer, eligible boolean, reasons jsonb,
    win_low double precision, win_high double precision
) language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    l dealwright.lead := dealwright_engine.lead_from_json(lead, policy);
    rule dealwright_engine.rule;
    ask dealwright_engine.enquiry;
    common dealwright_engine.reason_context;
    flat record;
    owner bigint;
    owner_reason constant jsonb := '[{"reason": "had this customer before: gets the lead if able to"}]';
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if k is not null and k < 1 then
        raise exception 'k must be at least 1, not %', k using errcode = 'DW002';
    end if;
    perform dealwright_engine.check_attributes(l.attributes, false);
    rule := dealwright_engine.policy_for(l.policy);
    ask.slots := dealwright_engine.slots_of(l.attributes);
    ask.requirements := l.requirements;
    ask.skills := coalesce(l.required_skills, dealwright_engine.required(l.requirements, 'skill'));
    ask.department := coalesce(l.required_department,
        (select d[1] from dealwright_engine.required(l.requirements, 'department') as d where cardinality(d) = 1));
    ask.draw_seed := hashtextextended(lead::text, rule.seed);
    ask.asked_at := clock_timestamp();
    if rule.by_channel then
        ask := dealwright_engine.leave_out_full(ask, null);
    end if;
    if rule.name = 'classic' then
        -- computed once, for the scores and for the reasons
        select array_agg(f.agent_id order by f.agent_id) as ids,
            array_agg(f.feature order by f.agent_id) as features into flat
        from dealwright_engine.classic_features(ask.slots) as f;
        ask.feature_agent_ids := flat.ids;
        ask.features := array(select x from unnest(flat.features) with ordinality as u (x, o) order by o);
    end if;
    common := dealwright_engine.reason_context_of(rule.name, ask);
    if l.customer_id is not null then
        owner := dealwright_engine.owner_of(l, rule.params);
    end if;
    if rule.name = 'value' then
        return query
        select r.ordinality::integer, r.agent_id, a.name, r.match_score, r.win_probability, r.expected_value, r.open,
            r.capacity, r.eligible,
               case when r.agent_id = owner
                   then owner_reason || dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask)
                   else dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask) end, r.win_low, r.win_high
        from dealwright_engine.rank_value(ask, rule.params, k, false) with ordinality as r
        join dealwright.agent as a using (agent_id)
        order by r.ordinality;
        return;
    end if;
    return query
    select coalesce(r.rank, r.ordinality::integer), r.agent_id, a.name, r.match_score, v.win_probability,
        v.expected_value,
           r.open, r.capacity, r.eligible,
           case when r.agent_id = owner
               then owner_reason || dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask)
               else dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask) end, v.win_low, v.win_high
    from dealwright_engine.rank_by(rule.name, ask, rule.params, k, false) with ordinality as r
    join dealwright.agent as a using (agent_id)
    -- what the match model says is worth seeing under any policy
    left join dealwright_engine.rank_value(ask, '{}', null, false) as v on v.agent_id = r.agent_id
    order by r.ordinality;
end
$$;
comment on function dealwright.rank_agents(jsonb, text, integer) is
    'Ranks the agents for a lead (the JSON shape of DESIGN section 9; attributes may be left out) under a policy; the '
    'first k.';
