-- Rankings. Inside these functions the tables agent, agent_profile, agent_stat, agent_day and assignment are named
-- without their schema on purpose: dealwright.replay puts the state of an earlier moment in front of them as temporary
-- tables, so that a decision is recomputed by the very code that took it. Their callers set the search path.

create type dealwright.ranked as (
    rank integer,
    agent_id bigint,
    match_score double precision,
    win_probability double precision,
    win_low double precision,
    win_high double precision,
    expected_value double precision,
    open integer,
    capacity integer,
    eligible boolean,
    tied integer,
    fairness_price double precision,
    snapshot pg_snapshot,
    feature_agent_ids bigint[],
    features double precision[]
);

-- What a lead asks of the ranking.
create type dealwright.enquiry as (
    slots integer[],
    requirements text,
    skills text[],
    department text,
    draw_seed bigint,
    asked_at timestamptz,
    excluded_agent_id bigint,
    -- set in a replay: the model of that time (null: the promoted one) and the classic features as they were recorded
    model_id bigint,
    feature_agent_ids bigint[],
    features double precision[]
);

create or replace function dealwright.can_take(
    ask dealwright.enquiry, agent_id bigint, active boolean, open integer, capacity integer, shifts tstzmultirange, skills text[], department text
)
returns boolean language sql immutable parallel safe as $$
    select active and open < capacity
        and (shifts is null or shifts @> (ask).asked_at)
        and ((ask).skills is null or skills @> (ask).skills)
        and ((ask).department is null or department = (ask).department)
        and ((ask).excluded_agent_id is null or agent_id <> (ask).excluded_agent_id)
$$;
comment on function dealwright.can_take(dealwright.enquiry, bigint, boolean, integer, integer, tstzmultirange, text[], text) is
    'Whether an agent may get the lead: active, with room, on shift, with the skills and department that are required.';

create or replace function dealwright.psi(free_share double precision)
returns double precision language sql immutable parallel safe as $$
    -- Golrezaei, Nazerzadeh & Rusmevichientong (2014), "Real-time optimization of personalized assortments", eq. (4):
    -- the exponential inventory-balancing penalty
    select (1 - exp(-free_share)) / (1 - exp(-1::double precision))
$$;

create or replace function dealwright.free_share(open integer, capacity integer)
returns double precision language sql immutable parallel safe as $$
    select case when capacity > open then 1 - open::double precision / capacity else 0 end
$$;

-- The lead's half of the inner product.
create type dealwright.lead_query as (
    model_id bigint,
    agents_differ boolean,
    query vector,
    query_squared vector,
    lead_logit double precision,
    slope double precision,
    intercept double precision,
    logit_variance double precision,
    base double precision,
    package double precision
);

create or replace function dealwright.query_of(slots integer[], past_model_id bigint default null)
returns dealwright.lead_query language plpgsql stable as $$
declare
    model dealwright.compiled_model := dealwright.match_model(past_model_id);
    result dealwright.lead_query;
    weights real[];
    traits integer;
    slot integer;
begin
    if model.model_id is null then
        return null;
    end if;
    traits := cardinality(model.trait_name);
    weights := array_fill(0::real, array[traits + cardinality(model.lead_weight)]);
    if model.agents_differ then
        for k in 1 .. traits loop
            weights[k] := model.trait_weight[k];
        end loop;
        foreach slot in array slots loop
            weights[traits + slot] := model.affinity_weight[slot];
        end loop;
    end if;
    result.model_id := model.model_id;
    result.agents_differ := model.agents_differ;
    result.query := weights::vector;
    result.query_squared := (weights::vector) * (weights::vector);
    result.lead_logit := model.lead_bias + dealwright.sum_at(model.lead_weight, slots);
    result.slope := model.slope;
    result.intercept := model.intercept;
    result.logit_variance := model.logit_variance;
    result.base := dealwright.expected_cents(model.base_bias, model.base_weight, slots) / 100.0;
    result.package := dealwright.expected_cents(model.package_bias, model.package_weight, slots) / 100.0;
    return result;
end
$$;
comment on function dealwright.query_of(integer[], bigint) is 'The query vector and the lead-only numbers of a lead under a model (default: the promoted one); null without one.';

create or replace function dealwright.rank_value(ask dealwright.enquiry, params jsonb, k integer, eligible_only boolean)
returns setof dealwright.ranked language plpgsql stable as $$
declare
    q dealwright.lead_query := dealwright.query_of(ask.slots, ask.model_id);
    by_revenue boolean := coalesce(params ->> 'objective', 'revenue') = 'revenue' and q.model_id is not null;
    fairness double precision := coalesce((params ->> 'fairness')::double precision, 0);
    terms boolean := coalesce(q.agents_differ, false);  -- agents get terms of their own
    fairly boolean := fairness > 0 or not coalesce(q.agents_differ, false);
    share_per_weight double precision := 0;
begin
    if fairly then
        select (sum(a.fair_count) + sum(a.fair_compensation)) / nullif(sum(a.weight), 0) into share_per_weight
        from agent as a where a.active;
    end if;
    return query
    with candidate as (
        select a.agent_id, a.open, a.capacity, p.variance,
               q.intercept + q.slope * (q.lead_logit - case when terms then coalesce(p.profile <#> q.query, 0) else 0 end) as win_logit,
               case when terms then q.base * coalesce(p.base_ratio, 1) + q.package * coalesce(p.package_ratio, 1)
                    else q.base + q.package end as revenue,
               case when fairly then coalesce(share_per_weight, 0) * a.weight - a.fair_count - a.fair_compensation else 0 end as shortfall,
               dealwright.can_take(ask, a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
        from agent as a
        left join agent_profile as p using (agent_id)
    ), valued as (
        select c.*,
               coalesce(dealwright.sigmoid(c.win_logit), 1) * case when by_revenue then c.revenue else 1 end
                   * dealwright.psi(dealwright.free_share(c.open, c.capacity)) as worth
        from candidate as c
        where c.eligible or not eligible_only
    ), weighed as (
        -- the dial: 0 orders by worth, 1 by shortfall, both brought to 0..1
        select v.*,
               case when fairness > 0 then
                   (1 - fairness) * coalesce(v.worth / nullif(max(v.worth) over (), 0), 0)
                   + fairness * coalesce((v.shortfall - min(v.shortfall) over ())
                                         / nullif(max(v.shortfall) over () - min(v.shortfall) over (), 0), 0)
               else v.worth end as weight,
               case when fairness > 0 then max(v.worth) over () - v.worth end as price
        from valued as v
    ), top as (
        select w.* from weighed as w
        order by w.eligible desc, w.weight desc, w.shortfall desc, hashint8extended(w.agent_id, ask.draw_seed), w.agent_id
        limit k
    )
    select (row_number() over (order by t.eligible desc, t.weight desc, t.shortfall desc,
                                        hashint8extended(t.agent_id, ask.draw_seed), t.agent_id))::integer,
           t.agent_id,
           round((100 * dealwright.sigmoid(t.win_logit))::numeric, 1)::double precision,
           dealwright.sigmoid(t.win_logit),
           dealwright.sigmoid(t.win_logit - 1.6448536269514722 * s.sd),
           dealwright.sigmoid(t.win_logit + 1.6448536269514722 * s.sd),
           dealwright.sigmoid(t.win_logit) * t.revenue,
           t.open, t.capacity, t.eligible,
           (count(*) over (partition by t.eligible, t.weight, t.shortfall))::integer,
           t.price,
           pg_current_snapshot(),
           null::bigint[], null::double precision[]
    from top as t
    cross join lateral (
        select sqrt(q.logit_variance + case when terms then q.slope ^ 2 * coalesce(-(t.variance <#> q.query_squared), 0) else 0 end) as sd
    ) as s
    order by 1;
end
$$;
comment on function dealwright.rank_value(dealwright.enquiry, jsonb, integer, boolean) is
    'win_probability x expected_revenue x psi(free share); ties to the fair share, then to a seeded draw.';

create or replace function dealwright.rank_workload(ask dealwright.enquiry, k integer, eligible_only boolean)
returns setof dealwright.ranked language plpgsql stable as $$
declare
    agents bigint;
begin
    select count(*) into agents from agent;
    return query
    with candidate as (
        select a.agent_id, a.open, a.capacity,
               coalesce(a.years_of_service, '-infinity') as years, coalesce(a.rating, '-infinity') as rating,
               dealwright.can_take(ask, a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
        from agent as a
    ), top as (
        select c.* from candidate as c
        where c.eligible or not eligible_only
        order by c.eligible desc, c.open, c.years desc, c.rating desc, c.agent_id
        limit k
    ), placed as (
        select t.*, rank() over (order by t.eligible desc, t.open, t.years desc, t.rating desc) as place from top as t
    )
    select p.place::integer, p.agent_id,
           round((100 * (1 - (p.place - 1) / nullif(agents - 1, 0)::numeric)), 1)::double precision,
           null::double precision, null::double precision, null::double precision, null::double precision,
           p.open, p.capacity, p.eligible, 1, null::double precision, pg_current_snapshot(),
           null::bigint[], null::double precision[]
    from placed as p
    order by p.place, p.agent_id;
end
$$;
comment on function dealwright.rank_workload(dealwright.enquiry, integer, boolean) is
    'Fewest open, then most years of service, then highest rating; ties share a rank, the lowest agent id goes first.';

create or replace function dealwright.rank_fair(ask dealwright.enquiry, k integer, eligible_only boolean)
returns setof dealwright.ranked language plpgsql stable as $$
declare
    share_per_weight double precision;
    agents bigint;
begin
    select (sum(a.fair_count) + sum(a.fair_compensation)) / nullif(sum(a.weight), 0) into share_per_weight
    from agent as a where a.active;
    select count(*) into agents from agent;
    return query
    with candidate as (
        select a.agent_id, a.open, a.capacity,
               -- shortfall_i = (N + sum c) w_i / sum w - (n_i + c_i)
               coalesce(share_per_weight, 0) * a.weight - a.fair_count - a.fair_compensation as shortfall,
               dealwright.can_take(ask, a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
        from agent as a
    ), top as (
        select c.*, count(*) over (partition by c.eligible, c.shortfall) as tied from candidate as c
        where c.eligible or not eligible_only
        order by c.eligible desc, c.shortfall desc, hashint8extended(c.agent_id, ask.draw_seed), c.agent_id
        limit k
    ), placed as (
        select t.*, row_number() over (order by t.eligible desc, t.shortfall desc, hashint8extended(t.agent_id, ask.draw_seed), t.agent_id) as place
        from top as t
    )
    select p.place::integer, p.agent_id,
           round((100 * (1 - (p.place - 1) / nullif(agents - 1, 0)::numeric)), 1)::double precision,
           null::double precision, null::double precision, null::double precision, null::double precision,
           p.open, p.capacity, p.eligible, p.tied::integer, null::double precision, pg_current_snapshot(),
           null::bigint[], null::double precision[]
    from placed as p
    order by p.place;
end
$$;
comment on function dealwright.rank_fair(dealwright.enquiry, integer, boolean) is 'Largest shortfall against the weighted share first; ties by a seeded draw.';
