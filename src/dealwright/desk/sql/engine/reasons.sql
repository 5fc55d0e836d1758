create or replace function dealwright_engine.reason_context_of(policy text, ask dealwright_engine.enquiry)
returns dealwright_engine.reason_context language plpgsql stable as $$
declare
    result dealwright_engine.reason_context;
    q dealwright_engine.lead_query;
    classic_weights jsonb;
begin
    result.policy := policy;
    if policy = 'value' then
        q := dealwright_engine.query_of(ask.slots, ask.model_id);
        result.model_id := q.model_id;
        result.agents_differ := coalesce(q.agents_differ, false);
        if result.agents_differ then
            select array_agg(e.place order by e.place), array_agg(e.label order by e.place),
                array_agg(q.slope * e.weight order by e.place)
            into result.places, result.labels, result.weights
            from (
                select u.place, u.weight, coalesce(t.label, 'overall record') as label
                from unnest(q.query::real[]) with ordinality as u (weight, place)
                left join (
                    select n.place, replace(n.name, '_', ' ') as label
                    from unnest((dealwright_engine.match_model(ask.model_id)).trait_name) with ordinality as n (name,
                        place)
                    union all
                    select cardinality((dealwright_engine.match_model(ask.model_id)).trait_name) + v.slot,
                        d.name || ' = ' || v.value
                    from dealwright.dimension_value as v
                    join dealwright.dimension as d using (dimension_id)
                    where v.slot = any (ask.slots)
                ) as t using (place)
                where u.weight <> 0
            ) as e;
        end if;
    elsif policy = 'classic' then
        classic_weights := (dealwright_engine.classic_weights(ask.model_id)).weights;
        select array_agg(s.agent_id order by s.agent_id),
               (select array_agg(x order by o)
                   from unnest(array_agg(s.contribution order by s.agent_id)) with ordinality as u (x, o))
        into result.agent_ids, result.parts
        from dealwright_engine.classic_scores(ask.feature_agent_ids, ask.features,
                coalesce(ask.requirements ilike '%luxury%', false), classic_weights) as s;
    elsif policy = 'fair' then
        result.received := (dealwright_engine.fair_level_at(ask.asked_at, true)).received;
    end if;
    return result;
end
$$;

create or replace function dealwright_engine.reasons_for(common dealwright_engine.reason_context, id bigint,
    eligible boolean, ask dealwright_engine.enquiry)
returns jsonb language plpgsql stable as $$
declare
    reasons jsonb;
    elements real[];
    start integer;
    a record;
begin
    select g.open, g.capacity, g.years_of_service, g.rating, g.fair_count, g.fair_compensation, g.fair_until, g.weight,
        g.active,
        g.department,
           g.shifts, g.skills, g.profile
    into a from agent as g where g.agent_id = id;
    if common.policy = 'value' then
        elements := a.profile::real[];
        -- element k of the profile contributes profile[k] * query[k] to the log-odds of a win
        select jsonb_agg(jsonb_build_object('reason', e.label, 'contribution', round(e.part::numeric, 4))
            order by abs(e.part) desc)
        into reasons
        from (
            select u.label, elements[u.place] * u.weight as part
            from unnest(common.places, common.labels, common.weights) as u (place, label, weight)
        ) as e
        where abs(e.part) >= 0.00005;
        reasons := coalesce(reasons, '[]')
            || case when common.model_id is null
                then '[{"reason": "no match model yet: free places, then the fair share"}]'::jsonb
                    when not common.agents_differ
                        then '[{"reason": "no evidence that agents differ: free places, then the fair share"}]'::jsonb
                    else '[]'::jsonb end
            || jsonb_build_array(
                jsonb_build_object('reason', 'free places', 'value', greatest(a.capacity - a.open, 0)));
    elsif common.policy = 'classic' then
        start := 9 * (array_position(common.agent_ids, id) - 1);
        select jsonb_agg(jsonb_build_object('reason', n.name, 'contribution', round(n.part::numeric, 4))
            order by abs(n.part) desc)
        into reasons
        from unnest(
            array['rating', 'years of service', 'revenue', 'destination share', 'rate in this lead source',
                'rate by this communication method',
                  'luxury requirement', 'recent bookings', 'availability'],
                      common.parts[start + 1 : start + 9]) as n (name, part);
    elsif common.policy = 'workload' then
        reasons := jsonb_build_array(
            jsonb_build_object('reason', 'open assignments', 'value', a.open),
            jsonb_build_object('reason', 'years of service', 'value', a.years_of_service),
            jsonb_build_object('reason', 'rating', 'value', a.rating));
    else
        reasons := jsonb_build_array(
            jsonb_build_object('reason', 'leads owed', 'value', round(dealwright_engine.fair_shortfall(
                common.received, a.weight, a.fair_count, a.fair_compensation,
                coalesce(a.fair_until <= ask.asked_at, true))::numeric, 2)),
            jsonb_build_object('reason', 'leads received in the window', 'value', a.fair_count),
            jsonb_build_object('reason', 'weight', 'value', a.weight));
    end if;
    if not eligible then
        reasons := jsonb_build_array(jsonb_build_object('reason', case
            when not a.active then 'not eligible: not active'
            when a.open >= a.capacity then 'not eligible: no free place'
            when id = any (ask.full_agent_ids)
                then 'not eligible: no free place' || coalesce(' for ' || dealwright_engine.channel_words(ask.slots), '')
            when a.shifts is not null and not a.shifts @> ask.asked_at then 'not eligible: off shift'
            when ask.skills is not null and not a.skills @> ask.skills then
                'not eligible: lacks '
                    || array_to_string(array(select unnest(ask.skills) except select unnest(a.skills)), ', ')
            when ask.department is not null and a.department is distinct from ask.department
                then 'not eligible: not in ' || ask.department
            else 'not eligible: excluded'
        end)) || reasons;
    end if;
    return reasons;
end
$$;
comment on function dealwright_engine.reasons_for(dealwright_engine.reason_context, bigint, boolean,
    dealwright_engine.enquiry) is
    'Why an agent stands where it stands: log-odds contributions, weighted percentile ranks or plain counts, by '
    'policy.';
