-- Who comes first, without a look at everybody. What an agent is worth to a kind of lead is
--     standing x psi(free places),   standing = revenue x sigmoid(log-odds),   psi <= 1,
-- and the standing does not move with the workload: only with the agent's profile. dealwright.standing keeps, for each kind of
-- lead that came (the same attributes), what the model makes of it and the agents of highest standing. Going down that list, the search may stop where the next standing is
-- below the worth of the best agent so far. Agents whose profile has changed since the list was made are looked at besides: profile_xid,
-- the transaction of the change, tells them apart whatever commits when, for a change that the list's snapshot could not see is of a
-- transaction not below its xmin. So the answer is exact, and the list is only ever a matter of speed
-- (docs/decisions/0066-standings.md has the measurement).

-- 256 agents of 16 bytes fit on one page beside the rest of the row.
create or replace function dealwright.standing_length()
returns integer language sql immutable parallel safe as $$ select 256 $$;

create type dealwright.candidate as (
    agent_id bigint,
    open integer,
    capacity integer,
    worth double precision,
    -- what the best of the others is worth, or can be; null when there are none
    next_worth double precision,
    win_logit double precision,
    revenue double precision,
    -- what was seen: that of the function's caller may be a later one
    snapshot pg_snapshot
);

-- What a lead asks, as plain values: a field of a row value is looked up anew for every agent.
create type dealwright.terms as (
    query vector,
    lead_logit double precision,
    base double precision,
    package double precision,
    sharpness double precision
);

create or replace function dealwright.standing_for(rule dealwright.rule, attributes jsonb)
returns dealwright.standing language plpgsql stable as $$
declare
    list dealwright.standing;
begin
    if rule.by_worth then
        select * into list from dealwright.standing as s where s.model_id = rule.model_id and s.attributes = standing_for.attributes;
    end if;
    return list;
end
$$;
comment on function dealwright.standing_for(dealwright.rule, jsonb) is 'The list for a kind of lead, where there is one and the policy can use it.';

-- Both functions below spell out what dealwright.valued_agents says in general: the same numbers, from the same operations in the same
-- order, with as few steps per agent as will do. They are stable, so that their two looks see one moment.

create or replace function dealwright.first_of_listed(listed bigint[], made_xmin xid8, ask dealwright.enquiry, t dealwright.terms)
returns dealwright.candidate language plpgsql stable
-- the planner cannot know that few profiles have changed
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
    wanted_skills text[] := ask.skills;
    wanted_department text := ask.department;
    moment timestamptz := ask.asked_at;
    excluded bigint := ask.excluded_agent_id;
    seed bigint := ask.draw_seed;
    query vector := t.query;
    lead_logit double precision := t.lead_logit;
    base double precision := t.base;
    package double precision := t.package;
    sharpness double precision := t.sharpness;
    result dealwright.candidate;
begin
    select c.agent_id, c.open, c.capacity, c.worth, lead(c.worth) over (), c.win_logit, c.revenue, pg_current_snapshot() into result
    from (
        select v.agent_id, v.open, v.capacity, v.win_logit, v.revenue,
               v.revenue * (1 - exp(sharpness * (v.open::double precision / v.capacity - 1))) / (1 + exp(-v.win_logit)) as worth
        from (
            select a.agent_id, a.open, a.capacity, lead_logit - coalesce(a.profile <#> query, 0) as win_logit,
                   base * a.base_ratio + package * a.package_ratio as revenue
            from unnest(listed) as u (agent_id)
            cross join lateral (
                select g.* from dealwright.agent as g where g.agent_id = u.agent_id and g.profile_xid < made_xmin offset 0
            ) as a
            where dealwright.can_take(wanted_skills, wanted_department, moment, excluded,
                a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department)
            union all
            select a.agent_id, a.open, a.capacity, lead_logit - coalesce(a.profile <#> query, 0),
                   base * a.base_ratio + package * a.package_ratio
            from dealwright.agent as a
            where a.profile_xid >= made_xmin and dealwright.can_take(wanted_skills, wanted_department, moment, excluded,
                a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department)
        ) as v
        order by worth desc, hashint8extended(v.agent_id, seed), v.agent_id
        limit 2
    ) as c
    limit 1;
    return result;
end
$$;
comment on function dealwright.first_of_listed(bigint[], xid8, dealwright.enquiry, dealwright.terms) is
    'The best eligible agent with room among those listed and those whose profile has changed since.';

create or replace function dealwright.first_of_all(ask dealwright.enquiry, t dealwright.terms)
returns dealwright.candidate language plpgsql stable as $$
declare
    plain boolean := ask.skills is null and ask.department is null and ask.excluded_agent_id is null;
    wanted_skills text[] := ask.skills;
    wanted_department text := ask.department;
    moment timestamptz := ask.asked_at;
    excluded bigint := ask.excluded_agent_id;
    seed bigint := ask.draw_seed;
    query vector := t.query;
    lead_logit double precision := t.lead_logit;
    base double precision := t.base;
    package double precision := t.package;
    sharpness double precision := t.sharpness;
    result dealwright.candidate;
begin
    select c.agent_id, c.open, c.capacity, c.worth, lead(c.worth) over () into result
    from (
        select a.agent_id, a.open, a.capacity,
               (base * a.base_ratio + package * a.package_ratio)
               * (1 - exp(sharpness * (a.open::double precision / a.capacity - 1)))
               / (1 + exp(coalesce(a.profile <#> query, 0) - lead_logit)) as worth
        from dealwright.agent as a
        where a.active and a.open < a.capacity and (a.shifts is null or a.shifts @> moment)
          and (plain or dealwright.can_take(wanted_skills, wanted_department, moment, excluded,
                  a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department))
        order by worth desc, hashint8extended(a.agent_id, seed), a.agent_id
        limit 2
    ) as c
    limit 1;
    -- not carried through the sort: only the first one's are asked for
    select lead_logit - coalesce(a.profile <#> query, 0), base * a.base_ratio + package * a.package_ratio
    into result.win_logit, result.revenue
    from dealwright.agent as a where a.agent_id = result.agent_id;
    result.snapshot := pg_current_snapshot();
    return result;
end
$$;
comment on function dealwright.first_of_all(dealwright.enquiry, dealwright.terms) is
    'The best eligible agent with room, by a look at everybody.';

create or replace function dealwright.make_standing(ask dealwright.enquiry, attributes jsonb, id bigint, t dealwright.terms)
returns void language plpgsql as $$
begin
    -- nobody waits for another to make the same list
    if not pg_try_advisory_xact_lock(hashtext('standing ' || id), hashtext(attributes::text)) then
        return;
    end if;
    insert into dealwright.standing as s (
        model_id, attributes, slots, query, lead_logit, base, package, made_xmin, agents, agent_ids, standings)
    select id, make_standing.attributes, ask.slots, t.query, t.lead_logit, t.base, t.package,
           pg_snapshot_xmin(pg_current_snapshot()), coalesce(max(l.agents), 0),
           coalesce(array_agg(l.agent_id order by l.standing desc, l.agent_id), '{}'),
           coalesce(array_agg(l.standing order by l.standing desc, l.agent_id), '{}')
    from (
        select a.agent_id, count(*) over () as agents,
               (t.base * a.base_ratio + t.package * a.package_ratio) / (1 + exp(coalesce(a.profile <#> t.query, 0) - t.lead_logit)) as standing
        from dealwright.agent as a
        where a.active
        order by standing desc, a.agent_id
        limit dealwright.standing_length() + 1
    ) as l
    on conflict on constraint standing_pkey do update
    set made_xmin = excluded.made_xmin, agents = excluded.agents, agent_ids = excluded.agent_ids, standings = excluded.standings;
end
$$;
comment on function dealwright.make_standing(dealwright.enquiry, jsonb, bigint, dealwright.terms) is 'Notes the agents of highest standing for a kind of lead.';

create or replace function dealwright.ranking_of(first dealwright.candidate, sharpness double precision)
returns dealwright.ranked language plpgsql immutable as $$
declare
    win_probability double precision := 1 / (1 + exp(-first.win_logit));
begin
    if first.agent_id is null then
        return null;
    end if;
    -- as one row: setting its fields one by one costs more
    return row (null, first.agent_id, round((100 * win_probability)::numeric, 1), win_probability, null, null,
                first.revenue * win_probability, first.open, first.capacity, true, 1, null,
                -- the runner-up says how far the first may fill up
                dealwright.open_limit(first.open, first.capacity, first.worth, first.next_worth, sharpness),
                first.snapshot, null, null)::dealwright.ranked;
end
$$;
comment on function dealwright.ranking_of(dealwright.candidate, double precision) is 'What a ranking says of the first; null without one.';

create or replace function dealwright.first_by_standing(ask dealwright.enquiry, list dealwright.standing, attributes jsonb, sharpness double precision)
returns dealwright.ranked language plpgsql as $$
declare
    t dealwright.terms := row (list.query, list.lead_logit, list.base, list.package, sharpness)::dealwright.terms;
    many integer := 16;
    bound double precision;
    first dealwright.candidate;
begin
    loop
        first := dealwright.first_of_listed(list.agent_ids[:many], list.made_xmin, ask, t);
        -- null when the list has everybody: then nobody was overlooked
        bound := list.standings[many + 1] * (1 - exp(-sharpness));
        exit when bound is null or first.worth > bound * (1 + 1e-9)
            -- a look at all of few agents costs less than one at many of the list
            or many = dealwright.standing_length() or list.agents < 10 * dealwright.standing_length();
        many := dealwright.standing_length();
    end loop;
    first.next_worth := greatest(first.next_worth, bound);
    -- counting costs as much as looking at a few agents: one lead in sixteen does it
    if ask.draw_seed % 16 = 0 and (select count(*) from dealwright.agent as a where a.profile_xid >= list.made_xmin) > 64 then
        perform dealwright.make_standing(ask, attributes, list.model_id, t);
    end if;
    if bound is not null and (first.worth > bound * (1 + 1e-9)) is not true then
        first := dealwright.first_of_all(ask, t);
    end if;
    return dealwright.ranking_of(first, sharpness);
end
$$;
comment on function dealwright.first_by_standing(dealwright.enquiry, dealwright.standing, jsonb, double precision) is
    'The eligible agent with room of greatest worth, and how far it may fill up before the runner-up is worth more; null without one.';

create or replace function dealwright.first_agent(rule dealwright.rule, ask dealwright.enquiry, list dealwright.standing, attributes jsonb)
returns dealwright.ranked language plpgsql as $$
declare
    q dealwright.lead_query;
    t dealwright.terms;
    result dealwright.ranked;
begin
    if list.model_id is not null then
        return dealwright.first_by_standing(ask, list, attributes, rule.sharpness);
    end if;
    if rule.by_worth then
        q := dealwright.query_of(ask.slots);
        if q.agents_differ then
            t := row (dealwright.scaled(q.query, q.slope), q.intercept + q.slope * q.lead_logit, q.base, q.package, rule.sharpness)::dealwright.terms;
            perform dealwright.make_standing(ask, attributes, q.model_id, t);
            return dealwright.ranking_of(dealwright.first_of_all(ask, t), rule.sharpness);
        end if;
    end if;
    select * into result from dealwright.rank_by(rule.name, ask, rule.params, 1, true);
    return result;
end
$$;
comment on function dealwright.first_agent(dealwright.rule, dealwright.enquiry, dealwright.standing, jsonb) is
    'Whom a policy gives the lead to: the first eligible agent with room of its ranking; null when there is none.';

-- A list stands for what its kind of lead was read as.
create or replace function dealwright.forget_standings()
returns trigger language plpgsql as $$
begin
    delete from dealwright.standing;
    return null;
end
$$;

drop trigger if exists forget_standings on dealwright.dimension;
create trigger forget_standings after insert or update or delete on dealwright.dimension
    for each statement execute function dealwright.forget_standings();
drop trigger if exists forget_standings on dealwright.dimension_value;
create trigger forget_standings after insert or update or delete on dealwright.dimension_value
    for each statement execute function dealwright.forget_standings();
