-- Who comes first, without a look at everybody. What an agent is worth to a kind of lead is
--     unloaded worth x psi(free places),   unloaded worth = revenue x sigmoid(log-odds),   psi <= 1,
-- and the unloaded worth does not move with the workload: only with the agent's profile. The table candidate_list
-- keeps, for each kind of lead that came (the same attributes), what the model makes of it and the agents of highest
-- unloaded worth among those with room. Going down that list, the search may stop where the next one's unloaded worth
-- is below the worth of the best agent so far. Agents whose profile has changed since the list was made, or who were
-- full and have room again, are looked at besides: profile_xid, the transaction of the change, tells them apart
-- whatever commits when, for a change that the list's snapshot could not see is of a transaction not below its xmin.
-- So the answer is exact, and the list is only ever a matter of speed
-- (docs/decisions/engine.md#what-a-ranking-reads has the measurement).

-- 256 agents of 16 bytes fit on one page beside the rest of the row.
create or replace function dealwright_engine.candidate_list_length()
returns integer language sql immutable parallel safe as $$ select 256 $$;

create or replace function dealwright_engine.candidates_for(rule dealwright_engine.rule, attributes jsonb)
returns dealwright_engine.candidate_list language plpgsql stable as $$
declare
    list dealwright_engine.candidate_list;
begin
    if rule.by_worth and rule.agents_differ then
        -- the first of the list, and what the next is worth: rarely is more asked for
        select s.model_id, s.attributes, s.slots, s.query, s.lead_logit, s.base, s.package, s.made_xmin, s.agents,
            s.agent_ids[:8], s.unloaded_worths[:9]
        into list from dealwright_engine.candidate_list as s where s.model_id = rule.model_id
            and s.attributes = candidates_for.attributes;
    end if;
    return list;
end
$$;
comment on function dealwright_engine.candidates_for(dealwright_engine.rule, jsonb) is
    'The head of the list for a kind of lead, where there is one and the policy can use it.';

create or replace function dealwright_engine.candidates_of(rule dealwright_engine.rule, l dealwright.lead)
returns dealwright_engine.candidate_list language plpgsql stable as $$
declare
    -- nearly always a lead says just what was understood of it
    list dealwright_engine.candidate_list := dealwright_engine.candidates_for(rule, l.attributes);
begin
    if rule.by_worth and rule.agents_differ and list.slots is distinct from l.slots then
        list := dealwright_engine.candidates_for(rule, dealwright_engine.kind_of(l.slots));
    end if;
    return list;
end
$$;
comment on function dealwright_engine.candidates_of(dealwright_engine.rule, dealwright.lead) is
    'The head of the list for the kind of a lead that has been read.';

-- The parameters of both functions below are plain values: a field of a row value is looked up anew for every agent.

create or replace function dealwright_engine.first_of_listed(
    listed bigint[], made_xmin xid8, query vector, lead_logit double precision, base double precision,
    package double precision, sharpness double precision, skills text[], department text, moment timestamptz,
        excluded bigint[], seed bigint
)
returns dealwright_engine.look language plpgsql stable
-- the planner cannot know that few agents are looked at
set enable_seqscan = off set enable_bitmapscan = off as $$
declare
    result dealwright_engine.look;
begin
    select c.agent_id, c.open, c.capacity, c.worth, lead(c.worth) over (), c.win_logit, c.revenue,
        dealwright_engine.snapshot() into result
    from (
        select a.agent_id, a.open, a.capacity, lead_logit - coalesce(a.profile <#> query, 0) as win_logit,
               dealwright_engine.expected_revenue(base, a.base_ratio, package, a.package_ratio) as revenue,
               dealwright_engine.worth(dealwright_engine.expected_revenue(base, a.base_ratio, package, a.package_ratio),
                   a.open, a.capacity, sharpness, lead_logit - coalesce(a.profile <#> query, 0)) as worth
        from (
            select l.* from dealwright.agent as l where l.agent_id = any (listed)
            union all
            select g.* from dealwright.agent as g where g.profile_xid >= made_xmin and g.agent_id <> all (listed)
        ) as a
        where dealwright_engine.can_take(first_of_listed.skills, first_of_listed.department, moment, excluded,
                a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department)
        order by worth desc, hashint8extended(a.agent_id, seed), a.agent_id
        limit 2
    ) as c
    limit 1;
    return result;
end
$$;
comment on function dealwright_engine.first_of_listed(bigint[], xid8, vector, double precision, double precision,
    double precision,
    double precision, text[], text, timestamptz, bigint[], bigint) is
    'The best eligible agent with room among those listed and those whose profile has changed since.';

create or replace function dealwright_engine.first_of_all(
    query vector, lead_logit double precision, base double precision, package double precision,
        sharpness double precision,
    wanted_skills text[], wanted_department text, moment timestamptz, excluded bigint[], seed bigint
)
returns dealwright_engine.look language plpgsql stable as $$
declare
    plain boolean := wanted_skills is null and wanted_department is null and excluded is null;
    result dealwright_engine.look;
begin
    select c.agent_id, c.open, c.capacity, c.worth, lead(c.worth) over () into result
    from (
        select a.agent_id, a.open, a.capacity,
               dealwright_engine.worth(dealwright_engine.expected_revenue(base, a.base_ratio, package, a.package_ratio),
                   a.open, a.capacity, sharpness, lead_logit - coalesce(a.profile <#> query, 0)) as worth
        from dealwright.agent as a
        where a.active and a.open < a.capacity and (a.shifts is null or a.shifts @> moment)
          and (plain or dealwright_engine.can_take(wanted_skills, wanted_department, moment, excluded,
                  a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department))
        order by worth desc, hashint8extended(a.agent_id, seed), a.agent_id
        limit 2
    ) as c
    limit 1;
    -- not carried through the sort: only the first one's are asked for
    select lead_logit - coalesce(a.profile <#> query, 0),
        dealwright_engine.expected_revenue(base, a.base_ratio, package, a.package_ratio)
    into result.win_logit, result.revenue
    from dealwright.agent as a where a.agent_id = result.agent_id;
    result.snapshot := dealwright_engine.snapshot();
    return result;
end
$$;
comment on function dealwright_engine.first_of_all(vector, double precision, double precision, double precision,
    double precision,
    text[], text, timestamptz, bigint[], bigint) is
    'The best eligible agent with room, by a look at everybody.';

create or replace function dealwright_engine.unlisted_candidates(slots integer[])
returns dealwright_engine.candidate_list language plpgsql stable as $$
declare
    q dealwright_engine.lead_query := dealwright_engine.query_of(slots);
begin
    return row (q.model_id, dealwright_engine.kind_of(slots), slots, dealwright_engine.scaled(q.query, q.slope),
                q.intercept + q.slope * q.lead_logit, q.base, q.package, null, null, null,
                    null)::dealwright_engine.candidate_list;
end
$$;
comment on function dealwright_engine.unlisted_candidates(integer[]) is
    'A kind of lead and what the model makes of it; whose names go on its list, list_candidates finds.';

create or replace function dealwright_engine.list_candidates(list dealwright_engine.candidate_list)
returns void language plpgsql as $$
declare
    query vector := list.query;
    lead_logit double precision := list.lead_logit;
    base double precision := list.base;
    package double precision := list.package;
begin
    -- nobody waits for another to make the same list
    if not pg_try_advisory_xact_lock(
            hashtext('candidates ' || list.model_id), hashtext(list.attributes::text)) then
        return;
    end if;
    insert into dealwright_engine.candidate_list as s (
        model_id, attributes, slots, query, lead_logit, base, package, made_xmin, agents, agent_ids, unloaded_worths)
    select list.model_id, list.attributes, list.slots, list.query, list.lead_logit, list.base, list.package,
           dealwright_engine.snapshot_xmin(), coalesce(max(l.agents), 0),
           coalesce(array_agg(l.agent_id order by l.unloaded_worth desc, l.agent_id), '{}'),
           coalesce(array_agg(l.unloaded_worth order by l.unloaded_worth desc, l.agent_id), '{}')
    from (
        select a.agent_id, count(*) over () as agents,
               dealwright_engine.unloaded_worth(
                   dealwright_engine.expected_revenue(base, a.base_ratio, package, a.package_ratio),
                   lead_logit - coalesce(a.profile <#> query, 0)) as unloaded_worth
        from dealwright.agent as a
        where a.active and a.open < a.capacity
        order by unloaded_worth desc, a.agent_id
        limit dealwright_engine.candidate_list_length() + 1
    ) as l
    on conflict on constraint candidate_list_pkey do update
    set made_xmin = excluded.made_xmin, agents = excluded.agents, agent_ids = excluded.agent_ids,
        unloaded_worths = excluded.unloaded_worths;
end
$$;
comment on function dealwright_engine.list_candidates(dealwright_engine.candidate_list) is
    'Notes the agents with room of highest unloaded worth for a kind of lead, given with what the model makes of it.';

create or replace function dealwright_engine.ranking_of(first dealwright_engine.look, sharpness double precision)
returns dealwright_engine.ranked language plpgsql immutable as $$
declare
    win_probability constant double precision := 1 / (1 + exp(-first.win_logit));
begin
    -- as one row: setting its fields one by one costs more
    return case when first.agent_id is not null then
        row (null, first.agent_id, round((100 * win_probability)::numeric, 1), win_probability, null, null,
             first.revenue * win_probability, first.open, first.capacity, true, 1, null,
             -- the runner-up says how far the first may fill up
             dealwright_engine.open_limit(first.open, first.capacity, first.worth, first.next_worth, sharpness),
             first.snapshot, null, null)::dealwright_engine.ranked end;
end
$$;
comment on function dealwright_engine.ranking_of(dealwright_engine.look, double precision)
    is 'What a ranking says of the first; null without one.';

create or replace function dealwright_engine.with_interval(
    best dealwright_engine.ranked, query vector, rule dealwright_engine.rule, variance vector
)
returns dealwright_engine.ranked language plpgsql immutable as $$
declare
    win_logit constant double precision := dealwright_engine.logit(best.win_probability);
    -- 5 % and 95 % of the normal distribution on the logit scale
    margin constant double precision := 1.6448536269514722
        * sqrt(rule.logit_variance - coalesce(variance <#> (query * query), 0));
begin
    best.win_low := dealwright_engine.sigmoid(win_logit - margin);
    best.win_high := dealwright_engine.sigmoid(win_logit + margin);
    return best;
end
$$;
comment on function dealwright_engine.with_interval(dealwright_engine.ranked, vector, dealwright_engine.rule, vector) is
    'The interval of the win probability, from the variance of the profile at the claim.';

create or replace function dealwright_engine.look_further(list dealwright_engine.candidate_list,
    ask dealwright_engine.enquiry, sharpness double precision, so_far double precision)
returns dealwright_engine.look language plpgsql as $$
declare
    ids bigint[];
    many integer;
    bound double precision;
    first dealwright_engine.look;
begin
    select s.agent_ids, s.unloaded_worths into ids, list.unloaded_worths
    from dealwright_engine.candidate_list as s where s.model_id = list.model_id and s.attributes = list.attributes;
    -- the best is worth at least what the best so far is: whose unloaded worth is below that need not be looked at
    select least(count(*), dealwright_engine.candidate_list_length()) into many
    from unnest(list.unloaded_worths) as u (unloaded_worth)
    where so_far is null or u.unloaded_worth * (1 - exp(-sharpness)) * (1 + 1e-9) >= so_far;
    -- an agent costs less in a look at all than in one at the list; no list: it was forgotten just now
    if ids is not null and 2 * many < list.agents then
        bound := list.unloaded_worths[many + 1] * (1 - exp(-sharpness));
        first := dealwright_engine.first_of_listed(
            ids[:many], list.made_xmin, list.query, list.lead_logit, list.base, list.package, sharpness,
            ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids, ask.draw_seed);
        if bound is null or first.worth > bound * (1 + 1e-9) then
            first.next_worth := greatest(first.next_worth, bound);
            return first;
        end if;
    end if;
    -- where nearly all of the list are full, the next lead of the kind should find others on it
    if ids is not null and (select count(*) from dealwright.agent as a
                            where a.agent_id = any (ids) and a.active and a.open < a.capacity) < 32 then
        perform dealwright_engine.list_candidates(list);
    end if;
    return dealwright_engine.first_of_all(
        list.query, list.lead_logit, list.base, list.package, sharpness,
        ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids, ask.draw_seed);
end
$$;
comment on function dealwright_engine.look_further(dealwright_engine.candidate_list, dealwright_engine.enquiry,
    double precision, double precision) is
    'The best eligible agent with room where the head of the list does not tell: among as many of it as are needed, '
    'or among all.';

create or replace function dealwright_engine.first_agent(rule dealwright_engine.rule, ask dealwright_engine.enquiry,
    list dealwright_engine.candidate_list)
returns dealwright_engine.ranked language plpgsql as $$
declare
    -- what those of the list that are not looked at can be worth
    bound double precision;
    first dealwright_engine.look;
    result dealwright_engine.ranked;
begin
    if ask.owner_agent_id is not null then
        result := dealwright_engine.owner_first(rule, ask);
        if result.agent_id is not null then
            return result;
        end if;
    end if;
    if list.model_id is not null then
        bound := list.unloaded_worths[cardinality(list.agent_ids) + 1] * (1 - exp(-rule.sharpness));
        first := dealwright_engine.first_of_listed(
            list.agent_ids, list.made_xmin, list.query, list.lead_logit, list.base, list.package, rule.sharpness,
            ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids, ask.draw_seed);
        -- without a bound the list has everybody, and nobody was overlooked
        if bound is null or first.worth > bound * (1 + 1e-9) then
            first.next_worth := greatest(first.next_worth, bound);
        else
            first := dealwright_engine.look_further(list, ask, rule.sharpness, first.worth);
        end if;
        -- counting costs as much as looking at a few agents: one lead in sixteen does it
        if ask.draw_seed % 16 = 0 then
            if (select count(*) from dealwright.agent as a where a.profile_xid >= list.made_xmin) > 64 then
                perform dealwright_engine.list_candidates(list);
            end if;
        end if;
        return dealwright_engine.ranking_of(first, rule.sharpness);
    end if;
    if rule.by_worth and rule.agents_differ then
        list := dealwright_engine.unlisted_candidates(ask.slots);
        -- whoever finds the list is not read any more: it must not stand for what a new lead may not leave out
        if not exists (select from dealwright.dimension as d
                       where d.required and not exists (select from dealwright.dimension_value as v
                                                        where v.dimension_id = d.dimension_id
                                                            and v.slot = any (ask.slots))) then
            perform dealwright_engine.list_candidates(list);
        end if;
        return dealwright_engine.ranking_of(
            dealwright_engine.first_of_all(list.query, list.lead_logit, list.base, list.package, rule.sharpness,
                                    ask.skills, ask.department, ask.asked_at, ask.excluded_agent_ids, ask.draw_seed),
            rule.sharpness);
    end if;
    if rule.name in ('fair', 'value') then
        perform dealwright_engine.begin_shifts(ask.asked_at);
    end if;
    select * into result from dealwright_engine.rank_by(rule.name, ask, rule.params, 1, true);
    return result;
end
$$;
comment on function dealwright_engine.first_agent(dealwright_engine.rule, dealwright_engine.enquiry,
    dealwright_engine.candidate_list) is
    'Whom a policy gives the lead to: who had the customer before, else the first eligible agent with room of its '
    'ranking; null when there is none.';

-- A list stands for what its kind of lead was read as, and is as wide as the profiles; a new value of an open
-- dimension moves neither.
create or replace function dealwright_engine.forget_candidates()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    delete from dealwright_engine.candidate_list;
    return null;
end
$$;
