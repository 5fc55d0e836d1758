-- The SQL interface: what any client may call. Rankings and placements; bookings and policies are in 17_bookings.sql.

create type dealwright.placement as (
    assignment_id bigint,
    booking_id bigint,
    agent_id bigint,
    agent_name text,
    match_score double precision,
    win_probability double precision,
    expected_value double precision,
    policy text,
    model_id bigint,
    lead_id bigint,
    status text
);

create or replace function dealwright.refuse_lead(lead jsonb, known text[])
returns void language plpgsql stable as $$
declare
    stranger text;
begin
    if jsonb_typeof(lead) is distinct from 'object' then
        raise exception 'a lead is a JSON object' using errcode = 'DW002',
            hint = 'for example {"customer_name": "Kate Nguyen", "attributes": {"destination": "Mars"}}';
    end if;
    select key into stranger from jsonb_object_keys(lead) as key where key <> all (known) limit 1;
    raise exception 'a lead has no key %', quote_literal(stranger) using errcode = 'DW002',
        hint = 'keys are ' || array_to_string(known, ', ') || '; dimensions go into attributes';
end
$$;

-- In few statements: each costs every lead a microsecond, whatever it does.
create or replace function dealwright.lead_from_json(lead jsonb, wanted_policy text)
returns dealwright.lead language plpgsql stable as $$
declare
    result dealwright.lead;
    known constant text[] := '{customer_name,attributes,requirements,priority,idempotency_key,received_at,policy,external_id,skills,department}';
begin
    if jsonb_typeof(lead) is distinct from 'object' or lead - known <> '{}' then
        perform dealwright.refuse_lead(lead, known);
    end if;
    result := row (null, lead ->> 'external_id', lead ->> 'customer_name', coalesce(nullif(lead -> 'attributes', 'null'), '{}'),
                   nullif(lead ->> 'requirements', ''), 0, nullif(lead ->> 'idempotency_key', ''), clock_timestamp(), 'new', false,
                   coalesce(wanted_policy, lead ->> 'policy'), null, null, lead ->> 'department')::dealwright.lead;
    if result.policy is not null and (dealwright.policy_for(result.policy)).name is null then
        raise exception 'unknown policy %', quote_literal(result.policy) using errcode = 'DW002',
            hint = 'use one of value, classic, workload, fair';
    end if;
    if lead ?| '{priority,received_at,skills}' then
        begin
            result.priority := coalesce((lead ->> 'priority')::integer, 0);
            result.received_at := coalesce((lead ->> 'received_at')::timestamptz, clock_timestamp());
        exception when data_exception then
            raise exception 'priority must be a whole number and received_at a time, not % and %', lead -> 'priority', lead -> 'received_at'
                using errcode = 'DW002';
        end;
        if jsonb_typeof(lead -> 'skills') = 'array' then
            result.required_skills := array(select lower(skill) from jsonb_array_elements_text(lead -> 'skills') as skill);
        elsif jsonb_typeof(lead -> 'skills') <> 'null' then
            raise exception 'skills must be a list, not %', lead -> 'skills' using errcode = 'DW002', hint = 'for example ["luxury", "french"]';
        end if;
    end if;
    return result;
end
$$;

-- What the reasons of all agents have in common, worked out once per ranking.
create type dealwright.reason_context as (
    policy text,
    model_id bigint,
    agents_differ boolean,
    -- value: the elements of the profile that the lead asks for, with their weights on the log-odds
    places integer[],
    labels text[],
    weights double precision[],
    -- classic: the contributions of the nine features, agent after agent
    agent_ids bigint[],
    parts double precision[]
);

create or replace function dealwright.reason_context_of(policy text, ask dealwright.enquiry)
returns dealwright.reason_context language plpgsql stable as $$
declare
    result dealwright.reason_context;
    q dealwright.lead_query;
begin
    result.policy := policy;
    if policy = 'value' then
        q := dealwright.query_of(ask.slots, ask.model_id);
        result.model_id := q.model_id;
        result.agents_differ := coalesce(q.agents_differ, false);
        if result.agents_differ then
            select array_agg(e.place order by e.place), array_agg(e.label order by e.place), array_agg(q.slope * e.weight order by e.place)
            into result.places, result.labels, result.weights
            from (
                select u.place, u.weight, coalesce(t.label, 'overall record') as label
                from unnest(q.query::real[]) with ordinality as u (weight, place)
                left join (
                    select n.place, replace(n.name, '_', ' ') as label
                    from unnest((dealwright.match_model(ask.model_id)).trait_name) with ordinality as n (name, place)
                    union all
                    select cardinality((dealwright.match_model(ask.model_id)).trait_name) + v.slot, d.name || ' = ' || v.value
                    from dealwright.dimension_value as v
                    join dealwright.dimension as d using (dimension_id)
                    where v.slot = any (ask.slots)
                ) as t using (place)
                where u.weight <> 0
            ) as e;
        end if;
    elsif policy = 'classic' then
        select array_agg(s.agent_id order by s.agent_id),
               (select array_agg(x order by o) from unnest(array_agg(s.contribution order by s.agent_id)) with ordinality as u (x, o))
        into result.agent_ids, result.parts
        from dealwright.classic_scores(ask.feature_agent_ids, ask.features,
                coalesce(ask.requirements ilike '%luxury%', false), (dealwright.classic_weights(ask.model_id)).weights) as s;
    end if;
    return result;
end
$$;

create or replace function dealwright.reasons_for(common dealwright.reason_context, id bigint, eligible boolean, ask dealwright.enquiry)
returns jsonb language plpgsql stable as $$
declare
    reasons jsonb;
    elements real[];
    start integer;
    a record;
begin
    select g.open, g.capacity, g.years_of_service, g.rating, g.fair_count, g.fair_compensation, g.weight, g.active, g.department,
           g.shifts, g.skills, g.profile
    into a from agent as g where g.agent_id = id;
    if common.policy = 'value' then
        elements := a.profile::real[];
        -- element k of the profile contributes profile[k] * query[k] to the log-odds of a win
        select jsonb_agg(jsonb_build_object('reason', e.label, 'contribution', round(e.part::numeric, 4)) order by abs(e.part) desc)
        into reasons
        from (
            select u.label, elements[u.place] * u.weight as part
            from unnest(common.places, common.labels, common.weights) as u (place, label, weight)
        ) as e
        where abs(e.part) >= 0.00005;
        reasons := coalesce(reasons, '[]')
            || case when common.model_id is null then '[{"reason": "no match model yet: free places, then the fair share"}]'::jsonb
                    when not common.agents_differ then '[{"reason": "no evidence that agents differ: free places, then the fair share"}]'::jsonb
                    else '[]'::jsonb end
            || jsonb_build_array(jsonb_build_object('reason', 'free places', 'value', greatest(a.capacity - a.open, 0)));
    elsif common.policy = 'classic' then
        start := 9 * (array_position(common.agent_ids, id) - 1);
        select jsonb_agg(jsonb_build_object('reason', n.name, 'contribution', round(n.part::numeric, 4)) order by abs(n.part) desc)
        into reasons
        from unnest(
            array['rating', 'years of service', 'revenue', 'destination share', 'rate in this lead source', 'rate by this communication method',
                  'luxury requirement', 'recent bookings', 'availability'], common.parts[start + 1 : start + 9]) as n (name, part);
    elsif common.policy = 'workload' then
        reasons := jsonb_build_array(
            jsonb_build_object('reason', 'open assignments', 'value', a.open),
            jsonb_build_object('reason', 'years of service', 'value', a.years_of_service),
            jsonb_build_object('reason', 'rating', 'value', a.rating));
    else
        reasons := jsonb_build_array(
            jsonb_build_object('reason', 'assignments in the window', 'value', a.fair_count),
            jsonb_build_object('reason', 'compensation', 'value', round(a.fair_compensation::numeric, 2)),
            jsonb_build_object('reason', 'weight', 'value', a.weight));
    end if;
    if not eligible then
        reasons := jsonb_build_array(jsonb_build_object('reason', case
            when not a.active then 'not eligible: not active'
            when a.open >= a.capacity then 'not eligible: no free place'
            when a.shifts is not null and not a.shifts @> ask.asked_at then 'not eligible: off shift'
            when ask.skills is not null and not a.skills @> ask.skills then
                'not eligible: lacks ' || array_to_string(array(select unnest(ask.skills) except select unnest(a.skills)), ', ')
            when ask.department is not null and a.department is distinct from ask.department then 'not eligible: not in ' || ask.department
            else 'not eligible: excluded'
        end)) || reasons;
    end if;
    return reasons;
end
$$;
comment on function dealwright.reasons_for(dealwright.reason_context, bigint, boolean, dealwright.enquiry) is
    'Why an agent stands where it stands: log-odds contributions, weighted percentile ranks or plain counts, by policy.';

create or replace function dealwright.rank_agents(lead jsonb, policy text default null, k integer default null)
returns table (
    rank integer, agent_id bigint, agent_name text, match_score double precision, win_probability double precision,
    expected_value double precision, open integer, capacity integer, eligible boolean, reasons jsonb,
    win_low double precision, win_high double precision
) language plpgsql stable set search_path = dealwright, public, extensions, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    l dealwright.lead := dealwright.lead_from_json(lead, policy);
    rule dealwright.rule;
    ask dealwright.enquiry;
    common dealwright.reason_context;
    flat record;
begin
    if k is not null and k < 1 then
        raise exception 'k must be at least 1, not %', k using errcode = 'DW002';
    end if;
    perform dealwright.check_attributes(l.attributes, false);
    rule := dealwright.policy_for(l.policy);
    ask.slots := dealwright.slots_of(l.attributes);
    ask.requirements := l.requirements;
    ask.skills := coalesce(l.required_skills, dealwright.required(l.requirements, 'skill'));
    ask.department := coalesce(l.required_department,
        (select d[1] from dealwright.required(l.requirements, 'department') as d where cardinality(d) = 1));
    ask.draw_seed := hashtextextended(lead::text, rule.seed);
    ask.asked_at := clock_timestamp();
    if rule.name = 'classic' then
        -- computed once, for the scores and for the reasons
        select array_agg(f.agent_id order by f.agent_id) as ids, array_agg(f.feature order by f.agent_id) as features into flat
        from dealwright.classic_features(ask.slots) as f;
        ask.feature_agent_ids := flat.ids;
        ask.features := array(select x from unnest(flat.features) with ordinality as u (x, o) order by o);
    end if;
    common := dealwright.reason_context_of(rule.name, ask);
    if rule.name = 'value' then
        return query
        select r.ordinality::integer, r.agent_id, a.name, r.match_score, r.win_probability, r.expected_value, r.open, r.capacity, r.eligible,
               dealwright.reasons_for(common, r.agent_id, r.eligible, ask), r.win_low, r.win_high
        from dealwright.rank_value(ask, rule.params, k, false) with ordinality as r
        join dealwright.agent as a using (agent_id)
        order by r.ordinality;
        return;
    end if;
    return query
    select coalesce(r.rank, r.ordinality::integer), r.agent_id, a.name, r.match_score, v.win_probability, v.expected_value,
           r.open, r.capacity, r.eligible, dealwright.reasons_for(common, r.agent_id, r.eligible, ask), v.win_low, v.win_high
    from dealwright.rank_by(rule.name, ask, rule.params, k, false) with ordinality as r
    join dealwright.agent as a using (agent_id)
    -- what the match model says is worth seeing under any policy
    left join dealwright.rank_value(ask, '{}', null, false) as v on v.agent_id = r.agent_id
    order by r.ordinality;
end
$$;
comment on function dealwright.rank_agents(jsonb, text, integer) is
    'Ranks the agents for a lead (the JSON shape of DESIGN section 9; attributes may be left out) under a policy; the first k.';

create or replace function dealwright.lead_with_key(l dealwright.lead)
returns bigint language plpgsql as $$
declare
    given record;
begin
    select g.lead_id, g.customer_name, g.attributes, g.requirements into given
    from dealwright.lead as g where g.idempotency_key = l.idempotency_key;
    if given.lead_id is not null and (
            given.customer_name <> l.customer_name or given.requirements is distinct from l.requirements
            or jsonb_strip_nulls(given.attributes) <> jsonb_strip_nulls(l.attributes)) then
        raise exception 'idempotency_key % belongs to another enquiry, lead %: its % differs', quote_literal(left(l.idempotency_key, 100)),
            given.lead_id, case when given.customer_name <> l.customer_name then 'customer'
                                when given.requirements is distinct from l.requirements then 'requirements text' else 'attributes' end
            using errcode = 'DW001', hint = 'send a key of its own with every enquiry; the same key repeats the same one';
    end if;
    return given.lead_id;
end
$$;
comment on function dealwright.lead_with_key(dealwright.lead) is
    'The lead that came with this idempotency_key, if any; DW001 when its customer, attributes or requirements are others.';

-- The same as an insert into dealwright.lead, whose triggers would read, place and mark the lead one after the other, in
-- fewer statements. Where that finds no place, or the lead is one of another system, the insert is left to the triggers.
create or replace function dealwright.assign_lead(lead jsonb, policy text default null)
returns setof dealwright.placement language plpgsql set search_path = dealwright, public, extensions, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    l dealwright.lead := dealwright.lead_from_json(lead, policy);
    rule dealwright.rule;
    list dealwright.standing;
    ask dealwright.enquiry;
    best dealwright.ranked;
    recorded dealwright.recorded;
    answer dealwright.placement;
    done text;  -- an assignment evaluates a function; PERFORM would start a query for it
    in_line boolean := pg_current_xact_id_if_assigned() is null;
    id bigint;
begin
    if l.customer_name is null or l.customer_name = '' then
        perform dealwright.check_lead_words(l);
    end if;
    done := dealwright.enter_lane();
    if l.idempotency_key is not null then
        id := dealwright.lead_with_key(l);
    end if;
    if id is null and l.external_id is null then
        -- before the ranking: a promotion or an import must not come between it and the claim
        lock table dealwright.lead in row exclusive mode;
        rule := dealwright.policy_for(l.policy);
        list := dealwright.standing_for(rule, l.attributes);
        if list.model_id is null or l.requirements is not null or l.required_skills is not null then
            l := dealwright.read_lead(l);
            if list.model_id is null then
                list := dealwright.standing_of(rule, l);  -- of a kind that others may have named in other words
            end if;
        else
            l.slots := list.slots;  -- a kind of lead that has been read before
        end if;
        l.lead_id := nextval('dealwright.lead_lead_id_seq');
        ask := dealwright.enquiry_of(l, null, rule.seed);
        loop
            best := dealwright.first_agent(rule, ask, list);
            exit when best.agent_id is null;
            begin
                done := set_config('dealwright.counted_by', 'placement', true);
                insert into dealwright.lead (lead_id, customer_name, attributes, requirements, priority, idempotency_key, received_at, policy,
                                             slots, required_skills, required_department, status)
                values (l.lead_id, l.customer_name, l.attributes, l.requirements, l.priority, l.idempotency_key, l.received_at, l.policy,
                        l.slots, l.required_skills, l.required_department, 'assigned');
                recorded := dealwright.record_assignment(l, best, ask, rule, false, false, in_line);
                answer := row (recorded.assignment_id, recorded.booking_id, best.agent_id, recorded.agent_name, best.match_score, best.win_probability,
                               best.expected_value, rule.name, rule.model_id, l.lead_id, 'assigned')::dealwright.placement;
                return next answer;
                return;
            exception
                when sqlstate 'DW009' then  -- see place_lead; a code that ends in 000 would catch every DW
                    if in_line then
                        -- who came too late looks again when those who came too late before have their agent, or all of them
                        -- would find the same one next and come too late again
                        done := dealwright.wait_a_little('dealwright latecomers', 0);
                    end if;
                when unique_violation then
                    exit;  -- the same enquiry was sent twice at once
            end;
        end loop;
        done := set_config('dealwright.counted_by', '', true);
    end if;
    if id is null then
        insert into dealwright.lead (lead_id, customer_name, attributes, requirements, priority, idempotency_key, external_id, received_at,
                                     policy, required_skills, required_department)
        values (coalesce(l.lead_id, nextval('dealwright.lead_lead_id_seq')), l.customer_name, l.attributes, l.requirements, l.priority,
                l.idempotency_key, l.external_id, l.received_at, l.policy, l.required_skills, l.required_department)
        on conflict (idempotency_key) where idempotency_key is not null do nothing
        returning dealwright.lead.lead_id into id;
    end if;
    if id is null then
        id := dealwright.lead_with_key(l);
    end if;
    return query select * from dealwright.placement_of(id);
end
$$;
comment on function dealwright.assign_lead(jsonb, text) is
    'Records the lead and gives it to the best eligible agent with room, or lets it wait. The same idempotency_key gives the same answer; with another content it is a conflict (DW001).';

create or replace function dealwright.placement_of(id bigint)
returns setof dealwright.placement language sql stable as $$
    select s.assignment_id, b.booking_id, s.agent_id, g.name, s.match_score, d.win_probability, d.expected_value,
           coalesce(s.policy, l.policy, (dealwright.policy_for(null)).name), s.model_id, l.lead_id, l.status
    from dealwright.lead as l
    left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
    left join dealwright.booking as b using (assignment_id)
    left join dealwright.agent as g using (agent_id)
    left join dealwright.decision as d using (assignment_id)
    where l.lead_id = id
$$;
comment on function dealwright.placement_of(bigint) is 'Where a lead is: its assignment, booking and agent, or waiting.';
