-- The promoted model, unfolded by slot, and the profiles that follow the counters.

create or replace function dealwright_engine.weights_by_slot(weights jsonb, width integer)
returns double precision[] language sql stable as $$
    select array[0::double precision]
        || coalesce(array_agg(coalesce((weights -> d.name ->> v.value)::double precision, 0) order by v.slot), '{}')
    from dealwright.dimension_value as v
    join dealwright.dimension as d using (dimension_id)
    where v.slot <= width
$$;
comment on function dealwright_engine.weights_by_slot(jsonb, integer) is
    'A model''s {dimension: {value: weight}} as an array by slot, up to a width; slot 1 is 0.';

create or replace function dealwright_engine.compile_model(id bigint)
returns void language plpgsql as $$
declare
    p jsonb;
    width integer := dealwright_engine.slot_count();  -- of values that come while this runs, all arrays know nothing
    by_slot_strength double precision[];
    by_slot_share double precision[];
    by_slot_dimension integer[];
    by_slot_affinity double precision[];
begin
    select m.parameters into strict p from dealwright.model as m where m.model_id = id;
    -- The model numbers its slots by its own list of dimensions; here they are looked up by name, so that a desk
    -- whose dimensions came in another order, or have grown since, reads it right. A value the model never saw
    -- gets an infinite prior (no affinity) and no weight.
    with model_slot as (
        select d.key as dimension, v.value, row_number() over (order by d.place, v.place) as place
        from jsonb_array_elements_text(p -> 'dimension_order') with ordinality as d (key, place)
        cross join lateral jsonb_array_elements_text(p -> 'dimensions' -> d.key) with ordinality as v (value, place)
    )
    select
        array[coalesce((p -> 'prior_strength' ->> 0)::double precision, 1e9)]
            || coalesce(
                array_agg(coalesce((p -> 'prior_strength' ->> s.place::integer)::double precision, 1e9)
                    order by own.slot), '{}'),
        array[coalesce((p -> 'value_share' ->> 0)::double precision, 1)]
            || coalesce(
                array_agg(coalesce((p -> 'value_share' ->> s.place::integer)::double precision, 0) order by own.slot),
                    '{}'),
        array[coalesce((p -> 'affinity_weight' ->> 0)::double precision, 0)]
            || coalesce(
                array_agg(coalesce((p -> 'affinity_weight' ->> s.place::integer)::double precision, 0)
                    order by own.slot), '{}'),
        array[0] || coalesce(array_agg(d.position order by own.slot), '{}')
    into by_slot_strength, by_slot_share, by_slot_affinity, by_slot_dimension
    from dealwright.dimension_value as own
    join dealwright.dimension as d using (dimension_id)
    left join model_slot as s on s.dimension = d.name and s.value = own.value
    where own.slot <= width;

    insert into dealwright_engine.compiled_model as c values (
        id,
        (p ->> 'agents_differ')::boolean,
        (p ->> 'lead_bias')::double precision,
        (p -> 'calibration' ->> 'slope')::double precision,
        (p -> 'calibration' ->> 'intercept')::double precision,
        coalesce((p -> 'calibration' ->> 'logit_variance')::double precision, 0),
        coalesce((p -> 'revenue' -> 'base' ->> 'bias')::double precision, 0),
        coalesce((p -> 'revenue' -> 'package' ->> 'bias')::double precision, 0),
        coalesce((p -> 'revenue' ->> 'base_prior_strength')::double precision, 1e18),
        coalesce((p -> 'revenue' ->> 'package_prior_strength')::double precision, 1e18),
        dealwright_engine.weights_by_slot(p -> 'lead_weights', width),
        dealwright_engine.weights_by_slot(p -> 'revenue' -> 'base' -> 'weights', width),
        dealwright_engine.weights_by_slot(p -> 'revenue' -> 'package' -> 'weights', width),
        by_slot_strength,
        by_slot_share,
        by_slot_dimension,
        by_slot_affinity,
        coalesce((select array_agg(t ->> 'name' order by o)
            from jsonb_array_elements(p -> 'traits') with ordinality as x (t, o)), '{}'),
        coalesce((select array_agg((t ->> 'mean')::double precision order by o)
            from jsonb_array_elements(p -> 'traits') with ordinality as x (t, o)), '{}'),
        coalesce((select array_agg((t ->> 'sd')::double precision order by o)
            from jsonb_array_elements(p -> 'traits') with ordinality as x (t, o)), '{}'),
        coalesce((select array_agg((t ->> 'weight')::double precision order by o)
            from jsonb_array_elements(p -> 'traits') with ordinality as x (t, o)), '{}')
    )
    -- what a slot weighs stays, also when its bin got another name: decisions were taken by it
    on conflict (model_id) do update set
        lead_weight = c.lead_weight || excluded.lead_weight[cardinality(c.lead_weight) + 1:],
        base_weight = c.base_weight || excluded.base_weight[cardinality(c.lead_weight) + 1:],
        package_weight = c.package_weight || excluded.package_weight[cardinality(c.lead_weight) + 1:],
        prior_strength = c.prior_strength || excluded.prior_strength[cardinality(c.lead_weight) + 1:],
        value_share = c.value_share || excluded.value_share[cardinality(c.lead_weight) + 1:],
        dimension_of = c.dimension_of || excluded.dimension_of[cardinality(c.lead_weight) + 1:],
        affinity_weight = c.affinity_weight || excluded.affinity_weight[cardinality(c.lead_weight) + 1:];
end
$$;
comment on function dealwright_engine.compile_model(bigint)
    is 'Unfolds a value model by slot; one that is unfolded gets an element for each new slot.';

create or replace function dealwright_engine.promoted_model()
returns dealwright_engine.compiled_model language sql stable as $$
    select c from dealwright_engine.compiled_model as c join dealwright.model as m using (model_id) where m.promoted
        and m.kind = 'value'
$$;

create or replace function dealwright_engine.match_model(past_model_id bigint)
returns dealwright_engine.compiled_model language plpgsql stable as $$
declare
    model dealwright_engine.compiled_model;
begin
    if past_model_id is null then
        return dealwright_engine.promoted_model();
    end if;
    select * into model from dealwright_engine.compiled_model as c where c.model_id = past_model_id;
    return model;
end
$$;
comment on function dealwright_engine.match_model(bigint) is 'A value model by its id; null: the promoted one.';

create or replace function dealwright_engine.lead_probability_ppm(model dealwright_engine.compiled_model,
    slots integer[])
returns bigint language sql stable as $$
    select round(
        1e6 * dealwright_engine.sigmoid((model).lead_bias + dealwright_engine.sum_at((model).lead_weight,
            slots)))::bigint
$$;
comment on function dealwright_engine.lead_probability_ppm(dealwright_engine.compiled_model, integer[]) is
    'Chance of a win from the lead alone, before calibration, in parts per million.';

create or replace function dealwright_engine.expected_cents(bias double precision, weights double precision[],
    slots integer[])
returns bigint language sql immutable as $$
    -- without a model there is no bias, and least() would read that as 30
    select case when bias is not null
        then round(100 * exp(least(bias + dealwright_engine.sum_at(weights, slots), 30)))::bigint end
$$;
comment on function dealwright_engine.expected_cents(double precision, double precision[], integer[]) is
    'Expected amount, given a win, in cents: exp(bias + weights).';

-- Empirical-Bayes profile of one agent from its counters (docs/decisions has the derivation; learn/profile.py is the
-- same in NumPy, and a contract test holds the two together). It is worked out anew with every outcome, so the loops
-- have few statements: each costs more than the arithmetic in it.
create or replace function dealwright_engine.profile_of(
    agent dealwright.agent, stat dealwright.agent_stat, model dealwright_engine.compiled_model
)
returns dealwright_engine.agent_profile_log language plpgsql stable
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    traits constant integer := cardinality(model.trait_name);
    width constant integer := cardinality(model.lead_weight);
    mix_prior constant double precision := 10;
    elements double precision[];
    variances double precision[];
    overall double precision := 0;
    -- by dimension: what was counted for leads whose value is not known
    known_without double precision[];
    won_without double precision[];
    expected_without double precision[];
    place integer;
    young record;
    share double precision;
    known double precision;
    mean double precision;
    strength double precision;
    trait double precision;
    result dealwright_engine.agent_profile_log;
begin
    for k in 1 .. traits loop
        trait := case model.trait_name[k]
            when 'rating' then agent.rating
            when 'years_of_service' then agent.years_of_service
            else (agent.traits ->> model.trait_name[k])::double precision
        end;
        elements[k] := coalesce((trait - model.trait_mean[k]) / nullif(model.trait_sd[k], 0), 0);
        variances[k] := 0;
    end loop;
    for slot in 2 .. width loop
        place := model.dimension_of[slot];
        known_without[place] := coalesce(known_without[place], stat.known[1]) - stat.known[slot];
        won_without[place] := coalesce(won_without[place], stat.confirmed[1]) - stat.confirmed[slot];
        expected_without[place] := coalesce(expected_without[place], stat.expected_ppm[1]) - stat.expected_ppm[slot];
    end loop;
    if cardinality(stat.known) > width then
        -- values that came after the model have no element yet, and yet their leads are not of an unknown value
        for young in
            select v.slot,
                d.position from dealwright.dimension_value as v join dealwright.dimension as d using (dimension_id)
            where v.slot > width and v.slot <= cardinality(stat.known)
        loop
            known_without[young.position] :=
                coalesce(known_without[young.position], stat.known[1]) - stat.known[young.slot];
            won_without[young.position] :=
                coalesce(won_without[young.position], stat.confirmed[1]) - stat.confirmed[young.slot];
            expected_without[young.position] :=
                coalesce(expected_without[young.position], stat.expected_ppm[1]) - stat.expected_ppm[young.slot];
        end loop;
    end if;
    known := stat.known[1];
    strength := model.prior_strength[1];
    if known > 0 then
        mean := least(greatest(stat.expected_ppm[1] / 1e6 / known, 1e-6), 1 - 1e-6);
        overall := dealwright_engine.logit((stat.confirmed[1] + strength * mean) / (known + strength))
            - dealwright_engine.logit(mean);
    else
        mean := least(greatest(dealwright_engine.sigmoid(model.lead_bias), 1e-6), 1 - 1e-6);
    end if;
    elements[traits + 1] := overall;
    variances[traits + 1] := 1 / ((known + strength) * mean * (1 - mean));
    for slot in 2 .. width loop
        place := model.dimension_of[slot];
        -- outcomes of leads without a value are spread over the dimension's slots by the agent's own mix of values,
        -- which is what it had plus a few outcomes of everybody's mix (MIX_PRIOR in learn/profile.py)
        share := (stat.known[slot] + mix_prior * model.value_share[slot])
            / (stat.known[1] - known_without[place] + mix_prior);
        strength := model.prior_strength[slot];
        known := stat.known[slot] + share * greatest(known_without[place], 0);
        if known > 0 then
            mean := least(greatest((stat.expected_ppm[slot] + share * greatest(expected_without[place], 0))
                / 1e6 / known, 1e-6), 1 - 1e-6);
            -- a value's affinity is what is left once the agent's overall level is known
            mean := least(greatest(dealwright_engine.sigmoid(dealwright_engine.logit(mean) + overall), 1e-6), 1 - 1e-6);
            elements[traits + slot] := dealwright_engine.logit(
                (stat.confirmed[slot] + share * greatest(won_without[place], 0) + strength * mean)
                / (known + strength)) - dealwright_engine.logit(mean);
        else
            mean := least(greatest(dealwright_engine.sigmoid(model.lead_bias), 1e-6), 1 - 1e-6);
            elements[traits + slot] := 0;
        end if;
        variances[traits + slot] := 1 / ((known + strength) * mean * (1 - mean));
    end loop;
    result.agent_id := stat.agent_id;
    result.model_id := model.model_id;
    result.profile := elements::real[]::vector;
    result.variance := variances::real[]::vector;
    -- with no prior strength and nothing sold, the ratio is the average agent's
    result.base_ratio := coalesce((stat.base_cents / 100.0 + model.base_prior_strength)
        / nullif(stat.base_expected_cents / 100.0 + model.base_prior_strength, 0), 1);
    result.package_ratio := coalesce((stat.package_cents / 100.0 + model.package_prior_strength)
        / nullif(stat.package_expected_cents / 100.0 + model.package_prior_strength, 0), 1);
    return result;
end
$$;
comment on function dealwright_engine.profile_of(dealwright.agent, dealwright.agent_stat,
    dealwright_engine.compiled_model) is
    'What is known of an agent from its counters and traits, under a model; not yet a row of the log.';

create or replace function dealwright_engine.refresh_profile(id bigint, model dealwright_engine.compiled_model)
returns void language plpgsql as $$
declare
    stat dealwright.agent_stat;
    agent dealwright.agent;
    fresh dealwright_engine.agent_profile_log;
    begun boolean;
begin
    if model.model_id is null then
        return;
    end if;
    -- the lock first: what changes the counters or the traits meanwhile waits, and sees what is written here
    select * into agent from dealwright.agent as a where a.agent_id = id for no key update;
    select * into stat from dealwright.agent_stat as s where s.agent_id = id;
    fresh := dealwright_engine.profile_of(agent, stat, model);
    begun := dealwright_engine.join_own_writes();
    update dealwright.agent as a set
        profile_model_id = fresh.model_id, profile = fresh.profile, variance = fresh.variance,
        base_ratio = fresh.base_ratio, package_ratio = fresh.package_ratio, profile_xid = dealwright_engine.xact_id()
    where a.agent_id = id;
    insert into dealwright_engine.agent_profile_log (agent_id, model_id, profile, variance, base_ratio, package_ratio)
    values (id, fresh.model_id, fresh.profile, fresh.variance, fresh.base_ratio, fresh.package_ratio);
    perform dealwright_engine.leave_own_writes(begun);
end
$$;
comment on function dealwright_engine.refresh_profile(bigint, dealwright_engine.compiled_model) is
    'Brings the profile of an agent up to its counters and a model, the promoted one.';
