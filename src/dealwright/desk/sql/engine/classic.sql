-- The classic nine-feature Match Score.

create or replace function dealwright_engine.slot_in(slots integer[], dimension_name text)
returns integer language sql stable as $$
    select v.slot
    from dealwright.dimension_value as v
    join dealwright.dimension as d using (dimension_id)
    where d.name = dimension_name and v.slot = any (slots)
$$;

create or replace function dealwright_engine.classic_features(slots integer[])
returns table (agent_id bigint, feature double precision[]) language plpgsql stable as $$
#variable_conflict use_column
declare
    destination integer := dealwright_engine.slot_in(slots, 'destination');
    source integer := dealwright_engine.slot_in(slots, 'lead_source');
    method integer := dealwright_engine.slot_in(slots, 'communication_method');
    latest timestamptz;
    since timestamptz;
begin
    select max(a.completed_at) into latest from assignment as a where a.outcome = 'won';
    since := latest - interval '30 days';
    return query
    with recent as (
        -- whole days from the day counters, the day the window opens in from its own bookings
        select r.agent_id, sum(r.confirmed) as confirmed
        from (
            select d.agent_id, d.confirmed from agent_day as d where d.day > (since at time zone 'UTC')::date
            union all
            select a.agent_id, 1 from assignment as a
            where a.outcome = 'won' and a.completed_at >= since
              and a.completed_at < ((since at time zone 'UTC')::date + 1)::timestamp at time zone 'UTC'
        ) as r
        group by r.agent_id
    )
    select a.agent_id, array[
        coalesce(a.rating, '-infinity'),
        coalesce(a.years_of_service, '-infinity'),
        s.revenue_cents,
        coalesce(s.confirmed[destination]::double precision / nullif(s.confirmed[1], 0), 0),
        coalesce(s.confirmed[source]::double precision / nullif(s.assigned[source], 0), 0),
        coalesce(s.confirmed[method]::double precision / nullif(s.assigned[method], 0), 0),
        coalesce(r.confirmed::double precision / nullif(s.confirmed[1], 0), 0),
        coalesce(1 - a.open::double precision / nullif(a.capacity, 0), 1),
        coalesce(a.department = 'Luxury Voyages', false)::integer
    ]
    from agent as a
    join agent_stat as s using (agent_id)
    left join recent as r using (agent_id);
end
$$;
comment on function dealwright_engine.classic_features(integer[]) is
    'Rating, years, revenue, share to the destination, rate by source, rate by method, recency, availability, luxury '
    'department, per agent.';

create or replace function dealwright_engine.classic_scores(agent_ids bigint[], features double precision[],
    luxury_wanted boolean, weights jsonb)
returns table (agent_id bigint, raw double precision, match_score double precision, contribution double precision[])
    language sql stable as $$
    with weight as materialized (
        -- each read out of the document once, not once for every agent
        select (weights ->> 'rating_score')::double precision as rating,
            (weights ->> 'experience_score')::double precision as experience,
            (weights ->> 'revenue_score')::double precision as revenue,
            (weights ->> 'dest_expertise_score')::double precision as destination,
            (weights ->> 'lead_conversion_score')::double precision as conversion,
            (weights ->> 'communication_score')::double precision as communication,
            (weights ->> 'requirements_score')::double precision as requirements,
            (weights ->> 'recency_score')::double precision as recency,
            (weights ->> 'availability_score')::double precision as availability
    ), feature as (
        select id as agent_id,
               features[9 * place - 8] as rating, features[9 * place - 7] as experience,
                   features[9 * place - 6] as revenue,
               features[9 * place - 5] as destination, features[9 * place - 4] as conversion,
                   features[9 * place - 3] as communication,
               features[9 * place - 2] as recency, features[9 * place - 1] as availability,
                   features[9 * place] = 1 as is_luxury
        from unnest(agent_ids) with ordinality as l (id, place)
    ), weighted as (
        select f.agent_id, array[
            w.rating * percent_rank() over (order by f.rating),
            w.experience * percent_rank() over (order by f.experience),
            w.revenue * percent_rank() over (order by f.revenue),
            w.destination * percent_rank() over (order by f.destination),
            w.conversion * percent_rank() over (order by f.conversion),
            w.communication * percent_rank() over (order by f.communication),
            w.requirements * (luxury_wanted and f.is_luxury)::integer,
            w.recency * percent_rank() over (order by f.recency),
            w.availability * percent_rank() over (order by f.availability)
        ] as part
        from feature as f
        cross join weight as w
    ), scored as (
        select w.agent_id, w.part,
               w.part[1] + w.part[2] + w.part[3] + w.part[4] + w.part[5] + w.part[6] + w.part[7] + w.part[8]
                   + w.part[9] as raw
        from weighted as w
    )
    -- where all are equal there is nothing to tell apart: everybody is the best
    select s.agent_id, s.raw,
           coalesce(
               round((100 * (s.raw - min(s.raw) over ()) / nullif(max(s.raw) over () - min(s.raw) over (), 0))::numeric,
                   1), 100)::double precision,
           s.part
    from scored as s
$$;

create or replace function dealwright_engine.classic_weights(past_model_id bigint default null, out model_id bigint,
    out weights jsonb)
language sql stable as $$
    select m.model_id, m.parameters -> 'weights' from dealwright.model as m
    where m.kind = 'classic' and case when past_model_id is null then m.promoted else m.model_id = past_model_id end
$$;

create or replace function dealwright_engine.required_classic_weights(past_model_id bigint)
returns jsonb language plpgsql stable as $$
declare
    weights constant jsonb := (dealwright_engine.classic_weights(past_model_id)).weights;
begin
    if weights is null then
        raise exception 'the classic policy has no weights yet' using errcode = 'DW002',
            hint = 'dealwright train --classic learns them, dealwright model load FILE takes given ones';
    end if;
    return weights;
end
$$;
comment on function dealwright_engine.required_classic_weights(bigint) is
    'The weights of the classic policy, by default those at work; refused where there are none.';

create or replace function dealwright_engine.rank_classic(ask dealwright_engine.enquiry, k integer,
    eligible_only boolean)
returns setof dealwright_engine.ranked language plpgsql stable as $$
declare
    weights constant jsonb := dealwright_engine.required_classic_weights(ask.model_id);
    luxury_wanted boolean := coalesce(ask.requirements ilike '%luxury%', false);
begin
    return query
    with flat as (
        select ask.feature_agent_ids as agent_ids, ask.features as features
        where ask.feature_agent_ids is not null
        union all
        select array_agg(f.agent_id order by f.agent_id),
               (select array_agg(x order by o)
                   from unnest(array_agg(f.feature order by f.agent_id)) with ordinality as u (x, o))
        from dealwright_engine.classic_features(ask.slots) as f
        having ask.feature_agent_ids is null
    ), candidate as (
        select s.agent_id, s.raw, s.match_score, a.open, a.capacity,
               dealwright_engine.can_take(ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids,
                   a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
        from flat as f
        cross join lateral dealwright_engine.classic_scores(f.agent_ids, f.features, luxury_wanted, weights) as s
        join agent as a on a.agent_id = s.agent_id
    ), top as (
        select c.* from candidate as c
        where c.eligible or not eligible_only
        order by c.eligible desc, c.raw desc, c.agent_id
        limit k
    ), placed as (
        select t.*, rank() over (order by t.eligible desc, t.raw desc) as place from top as t
    )
    select p.place::integer, p.agent_id, p.match_score,
           null::double precision, null::double precision, null::double precision, null::double precision,
           p.open, p.capacity, p.eligible, 1, null::double precision, p.open, dealwright_engine.snapshot(),
           case when eligible_only then f.agent_ids end, case when eligible_only then f.features end
    from placed as p
    cross join flat as f
    order by p.place, p.agent_id;
end
$$;
comment on function dealwright_engine.rank_classic(dealwright_engine.enquiry, integer, boolean) is
    'Weighted sum of percentile ranks, brought to 0..100 over all agents. It contains an agent''s own outcome; not '
    'the default.';

create or replace function dealwright_engine.rank_by(policy text, ask dealwright_engine.enquiry, params jsonb,
    k integer, eligible_only boolean)
returns setof dealwright_engine.ranked language plpgsql stable as $$
begin
    case policy
        when 'value' then return query select * from dealwright_engine.rank_value(ask, params, k, eligible_only);
        when 'workload' then return query select * from dealwright_engine.rank_workload(ask, params, k, eligible_only);
        when 'fair' then return query select * from dealwright_engine.rank_fair(ask, params, k, eligible_only);
        when 'classic' then return query select * from dealwright_engine.rank_classic(ask, k, eligible_only);
        else raise exception 'unknown policy %', quote_literal(policy) using errcode = 'DW002',
            hint = 'use one of value, classic, workload, fair';
    end case;
end
$$;
comment on function dealwright_engine.rank_by(text, dealwright_engine.enquiry, jsonb, integer, boolean)
    is 'The ranking of one of the four policies.';
