-- Each formula once. The planner puts these functions into the query that calls them, so that one statement of a
-- formula is as fast as several.

create or replace function dealwright_engine.logit(p double precision)
returns double precision language sql immutable parallel safe as $$
    select ln(least(greatest(p, 1e-6), 1 - 1e-6) / (1 - least(greatest(p, 1e-6), 1 - 1e-6)))
$$;

create or replace function dealwright_engine.sigmoid(x double precision)
returns double precision language sql immutable parallel safe as $$
    -- exp() of a double raises an error beyond these bounds
    select case when x < -700 then 0 when x > 700 then 1 else 1 / (1 + exp(-x)) end
$$;

create or replace function dealwright_engine.sum_at(weights double precision[], slots integer[])
returns double precision language plpgsql immutable parallel safe as $$
declare
    slot integer;
    total double precision := 0;
begin
    foreach slot in array slots loop
        total := total + coalesce(weights[slot], 0);
    end loop;
    return total;
end
$$;
comment on function dealwright_engine.sum_at(double precision[], integer[])
    is 'Sum of the weights at the slots; a missing weight is 0.';

create or replace function dealwright_engine.psi(free_share double precision, sharpness double precision default 20)
returns double precision language sql immutable parallel safe as $$
    -- Golrezaei, Nazerzadeh & Rusmevichientong (2014), "Real-time optimization of personalized assortments", eq. (4):
    -- the exponential inventory-balancing penalty, with sharpness 1. Places come back when bookings settle, so only
    -- the last ones are worth guarding: docs/decisions/learning.md#the-last-places has the measurement behind 20.
    select (1 - exp(-sharpness * free_share)) / (1 - exp(-sharpness))
$$;

create or replace function dealwright_engine.expected_revenue(
    base double precision, base_ratio double precision, package double precision, package_ratio double precision
)
returns double precision
    language sql immutable parallel safe as $$ select base * base_ratio + package * package_ratio $$;
comment on function dealwright_engine.expected_revenue(double precision, double precision, double precision,
    double precision) is
    'What a win of an agent brings: the lead''s expectation times what the agent sells in relation to it.';

create or replace function dealwright_engine.unloaded_worth(revenue double precision, win_logit double precision)
returns double precision language sql immutable parallel safe as $$ select revenue / (1 + exp(-win_logit)) $$;
comment on function dealwright_engine.unloaded_worth(double precision, double precision) is
    'Expected value of a lead with an agent, whatever the workload: a bound of what the agent is worth.';

create or replace function dealwright_engine.worth(
    revenue double precision, open integer, capacity integer, sharpness double precision, win_logit double precision
)
returns double precision language sql immutable parallel safe as $$
    -- psi without its denominator, which is the same for all
    select revenue * (1 - exp(sharpness * (open::double precision / capacity - 1))) / (1 + exp(-win_logit))
$$;
comment on function dealwright_engine.worth(double precision, integer, integer, double precision, double precision) is
    'What the policy "value" orders by: expected revenue times the chance of a win times psi of the free places.';
