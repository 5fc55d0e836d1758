create or replace function dealwright_engine.can_take(
    required_skills text[], required_department text, asked_at timestamptz, excluded_agent_ids bigint[],
    agent_id bigint, active boolean, open integer, capacity integer, shifts tstzmultirange, skills text[],
        department text
)
returns boolean language sql immutable parallel safe as $$
    select active and open < capacity
        and (shifts is null or shifts @> asked_at)
        and (required_skills is null or skills @> required_skills)
        and (required_department is null or department = required_department)
        and (excluded_agent_ids is null or agent_id <> all (excluded_agent_ids))
$$;
comment on function dealwright_engine.can_take(text[], text, timestamptz, bigint[], bigint, boolean, integer, integer,
    tstzmultirange, text[], text) is
    'Whether an agent may get the lead: active, with room, on shift, with the skills and department that are required.';

create or replace function dealwright_engine.query_for(slots integer[], model dealwright_engine.compiled_model)
returns dealwright_engine.lead_query language plpgsql immutable as $$
declare
    result dealwright_engine.lead_query;
    weights real[];
    traits integer := cardinality(model.trait_name);
    slot integer;
begin
    if model.model_id is null then
        return null;
    end if;
    weights := array_fill(0::real, array[traits + cardinality(model.lead_weight)]);
    if model.agents_differ then
        for k in 1 .. traits loop
            weights[k] := model.trait_weight[k];
        end loop;
        foreach slot in array slots loop
            if slot <= cardinality(model.lead_weight) then  -- else a value that came after the model
                weights[traits + slot] := model.affinity_weight[slot];
            end if;
        end loop;
    end if;
    result.model_id := model.model_id;
    result.agents_differ := model.agents_differ;
    result.query := weights::vector;
    result.lead_logit := model.lead_bias + dealwright_engine.sum_at(model.lead_weight, slots);
    result.slope := model.slope;
    result.intercept := model.intercept;
    result.logit_variance := model.logit_variance;
    result.base := dealwright_engine.expected_cents(model.base_bias, model.base_weight, slots) / 100.0;
    result.package := dealwright_engine.expected_cents(model.package_bias, model.package_weight, slots) / 100.0;
    return result;
end
$$;
comment on function dealwright_engine.query_for(integer[], dealwright_engine.compiled_model) is
    'The query vector and the lead-only numbers of a lead under a model; null without one.';

create or replace function dealwright_engine.query_of(slots integer[], past_model_id bigint default null)
returns dealwright_engine.lead_query language sql stable as $$
    select dealwright_engine.query_for(slots, dealwright_engine.match_model(past_model_id))
$$;
comment on function dealwright_engine.query_of(integer[], bigint)
    is 'The query vector and the lead-only numbers of a lead under a model (default: the promoted one); null without '
        'one.';

create or replace function dealwright_engine.scaled(v vector, factor double precision)
returns vector language sql immutable parallel safe as $$
    select v * array_fill(factor::real, array[vector_dims(v)])::vector
$$;

-- Every agent with its log-odds, its expected revenue and its worth. Plain SQL, so that the planner melts it into the
-- query around it. OFFSET 0 keeps it from computing the inner product once for every use of it, and its parameters are
-- scalars because taking a field out of a row value, once per agent and use, costs more than the inner product.
create or replace function dealwright_engine.valued_agents(
    required_skills text[], required_department text, asked_at timestamptz, excluded_agent_ids bigint[],
        eligible_only boolean,
    query vector, lead_logit double precision, base double precision, package double precision,
    with_terms boolean, by_revenue boolean, sharpness double precision,
    -- null: the shares are not asked for
    received double precision, total_weight double precision, least_owed double precision
)
returns table (
    agent_id bigint, open integer, capacity integer, eligible boolean, win_logit double precision,
        revenue double precision,
    worth double precision, shortfall double precision, urgency double precision
) language sql stable as $$
    select c.agent_id, c.open, c.capacity, c.eligible, c.win_logit, c.revenue,
           case when c.open < c.capacity then dealwright_engine.worth(
               case when by_revenue then c.revenue else 1 end, c.open, c.capacity, sharpness, c.win_logit) else 0 end,
           c.shortfall,
           case when received is not null
               then dealwright_engine.fair_urgency(c.shortfall, c.weight / total_weight, least_owed) else 0 end
    from (
        select a.agent_id, a.open, a.capacity, a.weight,
               case when received is not null
                   then dealwright_engine.fair_shortfall(received, a.weight, a.fair_count, a.fair_compensation,
                       total_weight is not null and coalesce(a.fair_until <= asked_at, true)) else 0 end as shortfall,
               case when with_terms then lead_logit - coalesce(a.profile <#> query, 0) else lead_logit end as win_logit,
               case when with_terms
                   then dealwright_engine.expected_revenue(base, a.base_ratio, package, a.package_ratio)
                    else base + package end as revenue,
               eligible_only
                   or dealwright_engine.can_take(required_skills, required_department, asked_at, excluded_agent_ids,
                   a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
        from agent as a
        where not eligible_only
            or dealwright_engine.can_take(required_skills, required_department, asked_at, excluded_agent_ids,
                   a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department)
        offset 0
    ) as c
$$;

create or replace function dealwright_engine.open_limit(
    open integer, capacity integer, worth double precision, next_worth double precision, sharpness double precision
)
returns integer language sql immutable parallel safe as $$
    -- worth is proportional to psi(1 - open / capacity); solved for the open at which it falls to the runner-up's
    select case when next_worth is null then capacity
                when worth > next_worth then greatest(open, floor(capacity * (1 + ln(1 - next_worth / worth
                    * (1 - exp(sharpness * (open::double precision / capacity - 1)))) / sharpness) - 1e-9)::integer)
                else open end
$$;
comment on function dealwright_engine.open_limit(integer, integer, double precision, double precision,
    double precision) is
    'Up to how many open assignments an agent is still worth more than the runner-up.';

-- What a ranking says of an agent; null where there is no model to say it. 5 % and 95 % are those of the normal
-- distribution on the logit scale.
create or replace function dealwright_engine.value_figures(
    id bigint, win_logit double precision, logit_variance double precision, query_squared vector,
        revenue double precision,
    open integer, capacity integer, eligible boolean, tied bigint, price double precision, open_limit integer
)
returns setof dealwright_engine.ranked language sql stable as $$
    select null::integer, id, round((100 * p.middle)::numeric, 1)::double precision, p.middle,
           dealwright_engine.sigmoid(win_logit - 1.6448536269514722 * p.sd),
               dealwright_engine.sigmoid(win_logit + 1.6448536269514722 * p.sd),
           p.middle * revenue, open, capacity, eligible, tied::integer, price, open_limit, dealwright_engine.snapshot(),
           null::bigint[], null::double precision[]
    from (
        select dealwright_engine.sigmoid(win_logit) as middle, sqrt(logit_variance - case when query_squared is not null
            then coalesce((select a.variance <#> query_squared from agent as a where a.agent_id = id), 0)
                else 0 end) as sd
        offset 0
    ) as p
$$;

create or replace function dealwright_engine.rank_value(ask dealwright_engine.enquiry, params jsonb, k integer,
    eligible_only boolean)
returns setof dealwright_engine.ranked language plpgsql stable as $$
declare
    q dealwright_engine.lead_query := dealwright_engine.query_of(ask.slots, ask.model_id);
    by_revenue boolean := params ->> 'objective' is distinct from 'booking';
    fairness double precision := coalesce((params ->> 'fairness')::double precision, 0);
    sharpness double precision := coalesce((params ->> 'sharpness')::double precision, 20);
    modelled boolean := q.model_id is not null;
    with_terms boolean := coalesce(q.agents_differ, false);
    query vector := case when with_terms then dealwright_engine.scaled(q.query, q.slope) end;
    query_squared vector := query * query;
    -- without a model every lead is as good as any other
    lead_logit double precision := coalesce(q.intercept + q.slope * q.lead_logit, 0);
    logit_variance double precision := q.logit_variance;
    base double precision := coalesce(q.base, 1);
    package double precision := coalesce(q.package, 0);
    level dealwright_engine.fair_level;
    received double precision;
    total_weight double precision;
    least_owed double precision;
    -- as plain variables: a field of a row variable is looked up anew for every agent
    wanted_skills text[] := ask.skills;
    wanted_department text := ask.department;
    moment timestamptz := ask.asked_at;
    excluded bigint[] := ask.excluded_agent_ids;
    seed bigint := ask.draw_seed;
begin
    if fairness = 0 and with_terms then
        return query
        select f.*
        from (
            select v.agent_id, v.open, v.capacity, v.eligible, v.win_logit, v.revenue, v.worth
            from dealwright_engine.valued_agents(wanted_skills, wanted_department, moment, excluded, eligible_only,
                query, lead_logit, base, package, true, by_revenue, sharpness, null, null, null) as v
            order by v.eligible desc, v.worth desc, hashint8extended(v.agent_id, seed), v.agent_id
            limit k
        ) as t
        cross join lateral dealwright_engine.value_figures(t.agent_id, t.win_logit, logit_variance, query_squared,
            t.revenue, t.open, t.capacity,
            t.eligible, 1, null, t.open) as f;
        return;
    end if;
    level := dealwright_engine.fair_level_at(moment, params ? 'share');
    received := level.received;
    total_weight := level.weight;
    least_owed := dealwright_engine.least_owed(level.agents);
    return query
    with valued as materialized (
        select v.*, max(v.worth) over () as most, min(v.shortfall) over () as low, max(v.shortfall) over () as high
        from dealwright_engine.valued_agents(wanted_skills, wanted_department, moment, excluded, eligible_only,
            query, lead_logit, base, package, with_terms, by_revenue, sharpness, received, total_weight,
            least_owed) as v
    ), mixed as materialized (
        -- the dial: 0 orders by worth, 1 by shortfall, both brought to 0..1
        select v.*, case when fairness > 0
            then (1 - fairness) * coalesce(v.worth / nullif(v.most, 0), 0)
                 + fairness * coalesce((v.shortfall - v.low) / nullif(v.high - v.low, 0), 0)
            else v.worth end as weight
        from valued as v
    )
    select f.*
    from (
        select m.* from mixed as m
        order by m.eligible desc, m.weight desc, m.urgency desc, hashint8extended(m.agent_id, seed), m.agent_id
        limit k
    ) as t
    cross join lateral dealwright_engine.value_figures(t.agent_id, case when modelled then t.win_logit end,
        logit_variance, query_squared,
        t.revenue, t.open, t.capacity, t.eligible,
        -- among how many the draw decided; it is the propensity's business only when a lead is placed
        case when eligible_only and k = 1
            then (select count(*) from mixed as m where m.weight = t.weight and m.urgency = t.urgency) else 1 end,
        case when fairness > 0 then (t.most - t.worth) / (1 - exp(-sharpness)) end, t.open) as f;
end
$$;
comment on function dealwright_engine.rank_value(dealwright_engine.enquiry, jsonb, integer, boolean) is
    'win_probability x expected_revenue x psi(free share); ties to the fair share, then to a seeded draw. Rows in '
    'order; rank is left to the caller.';

create or replace function dealwright_engine.rank_workload(ask dealwright_engine.enquiry, params jsonb, k integer,
    eligible_only boolean)
returns setof dealwright_engine.ranked language plpgsql stable as $$
declare
    by_idleness constant boolean := params ->> 'ties' is not distinct from 'longest_idle';
    agents bigint;
begin
    select count(*) into agents from agent;
    return query
    with candidate as (
        select a.agent_id, a.open, a.capacity,
               case when by_idleness then coalesce(a.last_assigned_at, '-infinity') end as busy_since,
               case when not by_idleness then coalesce(a.years_of_service, '-infinity') end as years,
               case when not by_idleness then coalesce(a.rating, '-infinity') end as rating,
               dealwright_engine.can_take(ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids,
                   a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
        from agent as a
    ), top as (
        select c.* from candidate as c
        where c.eligible or not eligible_only
        order by c.eligible desc, c.open, c.busy_since, c.years desc, c.rating desc, c.agent_id
        limit k
    ), placed as (
        select t.*, rank() over (
            order by t.eligible desc, t.open, t.busy_since, t.years desc, t.rating desc) as place from top as t
    )
    select p.place::integer, p.agent_id,
           round(100 * (1 - coalesce((p.place - 1) / nullif(agents - 1, 0)::numeric, 0)), 1)::double precision,
           null::double precision, null::double precision, null::double precision, null::double precision,
           p.open, p.capacity, p.eligible, 1, null::double precision, p.open, dealwright_engine.snapshot(),
           null::bigint[], null::double precision[]
    from placed as p
    order by p.place, p.agent_id;
end
$$;
comment on function dealwright_engine.rank_workload(dealwright_engine.enquiry, jsonb, integer, boolean) is
    'Fewest open, then most years of service, then highest rating (ties = longest_idle: then who has waited longest '
    'for '
    'a lead); ties share a rank, the lowest agent id goes first.';

-- What rank_agents and standing answer. Reasons are the dearest part: asked for one agent's, it computes only those.
create or replace function dealwright_engine.ranked_agents(lead jsonb, policy text, k integer, reasons_of bigint)
returns table (
    rank integer, agent_id bigint, agent_name text, match_score double precision, win_probability double precision,
    expected_value double precision, open integer, capacity integer, eligible boolean, reasons jsonb,
    win_low double precision, win_high double precision
) language plpgsql stable set plan_cache_mode = force_generic_plan as $$
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
        perform dealwright_engine.required_classic_weights(ask.model_id);  -- before anything is worked out
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
               case when reasons_of <> r.agent_id then null
                   when r.agent_id = owner
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
           case when reasons_of <> r.agent_id then null
               when r.agent_id = owner
               then owner_reason || dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask)
               else dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask) end, v.win_low, v.win_high
    from dealwright_engine.rank_by(rule.name, ask, rule.params, k, false) with ordinality as r
    join dealwright.agent as a using (agent_id)
    -- what the match model says is worth seeing under any policy
    left join dealwright_engine.rank_value(ask, '{}', null, false) as v on v.agent_id = r.agent_id
    order by r.ordinality;
end
$$;
