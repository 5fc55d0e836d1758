-- Many leads at once: the placements that come of one after the other, with the work on the tables done once per run
-- of leads. A run is of leads that the policy gives away by worth alone and of kinds that have been read before
-- (engine/candidates.sql); every other lead is placed by dealwright_engine.assign, between two runs, at its turn.
--
-- All agents' rows are locked, in the order of their ids, before anything else: two batches, or a batch and who sweeps
-- all agents, cannot wait for each other, and who holds the queue's gate has an agent and is done before. From then on
-- only the batch itself moves the workloads, and a run only adds to them: what an agent is worth never rises. So each
-- kind of lead keeps its candidates in a heap by the worth they had when they were last looked at, which is a bound of
-- what they are worth now, and looks again at the top alone. What comes out first is what a ranking of all would put
-- first (docs/decisions/engine.md#many-leads-at-once).

create or replace function dealwright_engine.lock_agents()
returns bigint[] language sql as $$
    select array_agg(a.agent_id)
    from (select g.agent_id from dealwright.agent as g order by g.agent_id for no key update) as a
$$;

create or replace function dealwright_engine.plain_kinds(
    docs jsonb[], wanted_policy text, rule_model_id bigint, out kinds integer[], out keys jsonb[]
)
language plpgsql as $$
declare
    said jsonb[];
    key_number integer[] := '{}';
    list dealwright_engine.candidate_list;
    read record;
begin
    -- what leads say of themselves that ask nothing but a place of an agent; null for the others
    select array_agg(case when d.attributes is not null then d.number end order by d.n),
           array_agg(d.attributes order by d.number) filter (where d.is_first and d.attributes is not null)
    into kinds, said
    from (
        select l.n, l.attributes, dense_rank() over (order by l.attributes) as number,
               row_number() over (partition by l.attributes) = 1 as is_first
        from (
            select u.n, case when jsonb_typeof(u.doc) = 'object'
                and u.doc - '{customer_name,attributes,requirements,priority,idempotency_key,received_at,policy,'
                    'external_id,customer_id,skills,department}'::text[] = '{}'
                and jsonb_typeof(u.doc -> 'attributes') = 'object'
                and btrim(u.doc ->> 'customer_name') <> ''
                and coalesce(u.doc ->> 'requirements', '') = '' and coalesce(u.doc ->> 'customer_id', '') = ''
                and coalesce(u.doc ->> 'department', u.doc ->> 'skills') is null
                and (wanted_policy is not null or u.doc ->> 'policy' is null)
                and (coalesce(u.doc ->> 'idempotency_key', '') = '' or not exists (
                    select from dealwright.lead as o where o.idempotency_key = u.doc ->> 'idempotency_key'))
                and (u.doc ->> 'external_id' is null or not exists (
                    select from dealwright.lead as o where o.external_id = u.doc ->> 'external_id'))
                then u.doc -> 'attributes' end as attributes
            from unnest(docs) with ordinality as u (doc, n)
        ) as l
    ) as d;
    -- the list that there is of each, or that one makes
    keys := '{}';
    for i in 1 .. coalesce(cardinality(said), 0) loop
        list := null;
        select s.attributes into list.attributes
        from dealwright_engine.candidate_list as s where s.model_id = rule_model_id and s.attributes = said[i];
        if not found then
            read := dealwright_engine.read_attributes(said[i]);
            -- what is to be refused, and a new value of an open dimension, are left to where one lead is placed
            if read.complete and dealwright_engine.is_flat(said[i]) then
                list := dealwright_engine.unlisted_candidates(read.slots);
                if not exists (select from dealwright_engine.candidate_list as s
                               where s.model_id = rule_model_id and s.attributes = list.attributes) then
                    perform dealwright_engine.list_candidates(list);
                end if;
                -- none where another is making it
                perform from dealwright_engine.candidate_list as s
                where s.model_id = rule_model_id and s.attributes = list.attributes;
                if not found then
                    list := null;
                end if;
            end if;
        end if;
        if list.attributes is not null then
            key_number[i] := array_position(keys, list.attributes);
            if key_number[i] is null then
                keys := keys || list.attributes;
                key_number[i] := cardinality(keys);
            end if;
        else
            key_number[i] := null;
        end if;
    end loop;
    kinds := array(select key_number[k.said] from unnest(kinds) with ordinality as k (said, n) order by k.n);
end
$$;
comment on function dealwright_engine.plain_kinds(jsonb[], text, bigint) is
    'For each lead the number of its kind among the keys, null where it is left to dealwright_engine.assign.';

-- Three looks, each further than the one before: at the head of the list and those whose profile has changed since, at
-- the 512 who are worth most, at everybody. Agents are named by their position among agent_ids.
create or replace function dealwright_engine.candidates_of(
    key_numbers integer[], keys jsonb[], look integer, rule_model_id bigint, sharpness double precision,
    agent_ids bigint[], opens integer[], moment timestamptz,
    out positions integer[], out revenues double precision[], out odds double precision[],
    out worths double precision[], out sizes integer[], out bounds double precision[]
)
language plpgsql stable set plan_cache_mode = force_generic_plan as $$
begin
    with kind as materialized (
        select n.number, s.query, s.lead_logit, s.base, s.package, s.made_xmin, s.agent_ids[:16] as listed,
               s.unloaded_worths[17] * (1 - exp(-sharpness)) as bound
        from unnest(key_numbers) as n (number)
        join dealwright_engine.candidate_list as s on s.model_id = rule_model_id and s.attributes = keys[n.number]
    ), changed as materialized (
        select a.* from dealwright.agent as a
        where look = 0 and a.profile_xid >= (select min(k.made_xmin) from kind as k)
    ), listed as (
        select l.number, p.position, r.revenue, r.odds,
               -- as dealwright_engine.worth
               r.revenue * (1 - exp(sharpness * (opens[p.position]::double precision / l.capacity - 1))) / r.odds
                   as worth
        from (
            select k.number, k.query, k.lead_logit, k.base, k.package, a.agent_id, a.capacity, a.active, a.shifts,
                   a.profile, a.base_ratio, a.package_ratio
            from kind as k
            cross join lateral unnest(k.listed) as u (agent_id)
            join dealwright.agent as a on a.agent_id = u.agent_id
            where look = 0
            union all
            select k.number, k.query, k.lead_logit, k.base, k.package, c.agent_id, c.capacity, c.active, c.shifts,
                   c.profile, c.base_ratio, c.package_ratio
            from kind as k
            join changed as c on c.profile_xid >= k.made_xmin and c.agent_id <> all (k.listed)
        ) as l
        cross join lateral (select width_bucket(l.agent_id, agent_ids) as position offset 0) as p
        cross join lateral (
            select dealwright_engine.expected_revenue(l.base, l.base_ratio, l.package, l.package_ratio) as revenue,
                   1 + exp(-(l.lead_logit - coalesce(l.profile <#> l.query, 0))) as odds
            offset 0
        ) as r
        where l.active and (l.shifts is null or l.shifts @> moment)
          -- who came after the rows were locked is not among them
          and agent_ids[p.position] = l.agent_id and opens[p.position] < l.capacity
    ), present as materialized (
        select p.position, a.profile, a.base_ratio, a.package_ratio,
               1 - exp(sharpness * (opens[p.position]::double precision / a.capacity - 1)) as free
        from dealwright.agent as a
        cross join lateral (select width_bucket(a.agent_id, agent_ids) as position offset 0) as p
        where look > 0 and a.active and (a.shifts is null or a.shifts @> moment)
          and agent_ids[p.position] = a.agent_id and opens[p.position] < a.capacity
    ), candidate as materialized (
        select c.*, row_number() over (partition by c.number order by c.worth desc) as place
        from (
            select l.number, l.position, l.revenue, l.odds, l.worth from listed as l
            union all
            select k.number, b.position, b.revenue, b.odds, b.worth
            from kind as k
            cross join lateral (
                select r.position, r.revenue, r.odds, r.revenue * r.free / r.odds as worth
                from (
                    select p.position, p.free, 1 + exp(-(k.lead_logit - coalesce(p.profile <#> k.query, 0))) as odds,
                           dealwright_engine.expected_revenue(k.base, p.base_ratio, k.package, p.package_ratio)
                               as revenue
                    from present as p
                    offset 0
                ) as r
                order by worth desc
                limit case look when 1 then 129 end
            ) as b
            where look > 0
        ) as c
    ), kept as (
        select c.* from candidate as c where look <> 1 or c.place <= 128 order by c.number, c.place
    ), counted as (
        select c.number, count(*) filter (where look <> 1 or c.place <= 128)::integer as size,
               max(c.worth) filter (where c.place = 129) as next_worth
        from candidate as c group by c.number
    )
    select (select array_agg(k.position) from kept as k), (select array_agg(k.revenue) from kept as k),
           (select array_agg(k.odds) from kept as k), (select array_agg(k.worth) from kept as k), i.sizes, i.bounds
    into positions, revenues, odds, worths, sizes, bounds
    from (
        select array_agg(coalesce(c.size, 0) order by k.number) as sizes,
               array_agg(case look when 0 then k.bound when 1 then c.next_worth end order by k.number) as bounds
        from kind as k left join counted as c using (number)
    ) as i;
end
$$;
comment on function dealwright_engine.candidates_of(integer[], jsonb[], integer, bigint, double precision, bigint[],
    integer[], timestamptz) is
    'Who may be the best for each kind of lead, the best first, and what nobody else is worth more than.';

create or replace function dealwright_engine.place_run(
    docs jsonb[], kinds integer[], keys jsonb[], rule dealwright_engine.rule, wanted_policy text, locked bigint[]
)
returns setof dealwright.placement language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    moment timestamptz := clock_timestamp();
    sharpness double precision := rule.sharpness;
    seed bigint := rule.seed;
    counted integer := (now() >= rule.fair_window_start)::integer;
    done text;
    seen pg_snapshot;
    -- all agents, by position
    ids bigint[];
    opens integer[];
    capacities integer[];
    -- the candidates of all kinds, one kind after the other: those of kind k are the entries starts[k] + 1 to
    -- starts[k] + sizes[k], and the same stretch of heap has them in the order of a heap
    wanted integer[];
    further integer[];
    look integer;
    found record;
    positions integer[] := '{}';
    revenues double precision[] := '{}';
    odds double precision[] := '{}';
    worths double precision[] := '{}';
    heap integer[] := '{}';
    starts integer[];
    sizes integer[];
    bounds double precision[];
    looks integer[];
    -- what was placed, by lead
    lead_ids bigint[] := '{}';
    assignment_ids bigint[] := '{}';
    booking_ids bigint[] := '{}';
    event_positions bigint[] := '{}';
    took integer[] := '{}';
    open_then integer[] := '{}';
    k integer;
    start integer;
    size integer;
    place integer;
    child integer;
    entry integer;
    chosen integer;
    agent integer;
    worth double precision;
    best double precision;
    stale boolean;
    tied boolean;
begin
    if exists (select from dealwright.lead as w where w.is_waiting) then
        perform dealwright_engine.begin_shifts(moment);  -- nobody overtakes who waits
    end if;
    loop
        -- what the ranking sees
        select dealwright_engine.snapshot(), array_agg(a.agent_id order by a.agent_id),
               array_agg(a.open order by a.agent_id), array_agg(a.capacity order by a.agent_id)
        into seen, ids, opens, capacities
        from dealwright.agent as a;
        exit when ids is not distinct from locked;
        locked := dealwright_engine.lock_agents();  -- somebody has joined
    end loop;
    starts := array_fill(0, array[cardinality(keys)]);
    sizes := starts;
    looks := array_fill(-1, array[cardinality(keys)]);
    bounds := array_fill(null::double precision, array[cardinality(keys)]);
    wanted := array(select distinct u.k from unnest(kinds) as u (k) order by 1);

    for i in 1 .. cardinality(docs) loop
        k := kinds[i];
        chosen := null;
        loop
            while wanted <> '{}' loop
                look := looks[wanted[1]] + 1;
                select * into found from dealwright_engine.candidates_of(
                    wanted, keys, look, rule.model_id, sharpness, ids, opens, moment);
                start := cardinality(positions);
                positions := positions || found.positions;
                revenues := revenues || found.revenues;
                odds := odds || found.odds;
                worths := worths || found.worths;
                heap := heap || array(select generate_series(start + 1, cardinality(positions)));
                further := '{}';
                for j in 1 .. cardinality(wanted) loop
                    starts[wanted[j]] := start;
                    sizes[wanted[j]] := found.sizes[j];
                    bounds[wanted[j]] := found.bounds[j];
                    looks[wanted[j]] := look;
                    if found.sizes[j] = 0 or worths[start + 1] <= found.bounds[j] * (1 + 1e-9) then
                        further := further || wanted[j];
                    end if;
                    start := start + found.sizes[j];
                end loop;
                exit when look = 2;  -- everybody was looked at
                wanted := further;
            end loop;
            wanted := '{}';
            start := starts[k];
            size := sizes[k];
            stale := false;
            tied := false;
            best := -1;
            -- the top, and where it is as it was, those below it that may be worth as much
            place := 1;
            while place <= 3 and place <= size loop
                entry := heap[start + place];
                if place > 1 and worths[entry] < best * (1 - 1e-12) then
                    place := place + 1;
                    continue;
                end if;
                agent := positions[entry];
                -- as dealwright_engine.worth; below 0 for who is full
                worth := case when opens[agent] < capacities[agent]
                    then revenues[entry] * (1 - exp(sharpness * (opens[agent]::double precision / capacities[agent]
                        - 1))) / odds[entry] else -1 end;
                stale := worth <> worths[entry];
                exit when stale;
                if place = 1 then
                    best := worth;
                    chosen := entry;
                    exit when best < 0;
                else
                    tied := true;
                end if;
                place := place + 1;
            end loop;
            if stale then
                -- down to where it belongs now
                worths[entry] := worth;
                loop
                    child := 2 * place;
                    exit when child > size;
                    if child < size and worths[heap[start + child + 1]] > worths[heap[start + child]] then
                        child := child + 1;
                    end if;
                    exit when worths[heap[start + child]] <= worth;
                    heap[start + place] := heap[start + child];
                    place := child;
                end loop;
                heap[start + place] := entry;
                continue;
            end if;
            exit when best >= 0 and (bounds[k] is null or best > bounds[k] * (1 + 1e-9));
            chosen := null;
            exit when bounds[k] is null;  -- nobody has room
            wanted := array[k];
        end loop;
        exit when chosen is null;
        lead_ids[i] := nextval('dealwright.lead_lead_id_seq');
        if tied then
            select n.entry into chosen
            from (
                select e.entry, positions[e.entry] as agent from generate_series(start + 1, start + size) as e (entry)
            ) as n
            where opens[n.agent] < capacities[n.agent]
            order by revenues[n.entry] * (1 - exp(sharpness * (opens[n.agent]::double precision / capacities[n.agent]
                         - 1))) / odds[n.entry] desc,
                     hashint8extended(ids[n.agent], hashint8extended(lead_ids[i], seed)), n.agent
            limit 1;
        end if;
        agent := positions[chosen];
        opens[agent] := opens[agent] + 1;
        took[i] := agent;
        open_then[i] := opens[agent];
        assignment_ids[i] := nextval('dealwright.assignment_assignment_id_seq');
        booking_ids[i] := nextval('dealwright.booking_booking_id_seq');
        -- of this transaction's own events, the ranking saw those before here
        event_positions[i] := nextval('dealwright.event_position_seq');
    end loop;
    if took = '{}' then
        return;
    end if;

    done := dealwright_engine.begin_own_writes();
    with taken as (
        select ids[t.agent] as agent_id, count(*) as leads, max(t.n) as last
        from unnest(took) with ordinality as t (agent, n) group by 1
    )
    update dealwright.agent as a
    set open = a.open + t.leads, fair_count = a.fair_count + counted * t.leads,
        last_assigned_at = moment + make_interval(secs => 1e-6 * t.last)
    from taken as t
    where a.agent_id = t.agent_id;
    with slot as (
        select ids[t.agent] as agent_id, array_agg(u.slot) as slots
        from unnest(took, kinds) as t (agent, k)
        join dealwright_engine.candidate_list as s on s.model_id = rule.model_id and s.attributes = keys[t.k]
        cross join lateral unnest(s.slots) as u (slot)
        where t.agent is not null
        group by 1
    )
    update dealwright.agent_stat as s set assigned = dealwright_engine.add_at(s.assigned, l.slots, 1)
    from slot as l
    where s.agent_id = l.agent_id;
    return query
    with kind as materialized (
        select n.number, s.slots, s.query, s.query * s.query as query_squared, s.lead_logit, s.base, s.package
        from unnest(keys) with ordinality as n (key, number)
        join dealwright_engine.candidate_list as s on s.model_id = rule.model_id and s.attributes = n.key
    ), placed as materialized (
        select t.n, t.doc, t.lead_id, t.assignment_id, t.booking_id, t.event_position, t.open, w.win_logit,
               a.agent_id, a.name, coalesce(a.external_id, a.agent_id::text) as own_agent_id, a.capacity,
               a.fair_count - counted * (a.open - t.open) as fair_count, a.fair_compensation, a.fair_until,
               moment + make_interval(secs => 1e-6 * t.n) as last_assigned_at, q.slots,
               1 / (1 + exp(-w.win_logit)) as win_probability,
               dealwright_engine.expected_revenue(q.base, a.base_ratio, q.package, a.package_ratio)
                   * (1 / (1 + exp(-w.win_logit))) as expected_value,
               -- 5 % and 95 % of the normal distribution on the logit scale
               1.6448536269514722 * sqrt(rule.logit_variance + coalesce(-(a.variance <#> q.query_squared), 0)) as margin
        from unnest(docs, kinds, lead_ids, assignment_ids, booking_ids, event_positions, took, open_then)
            with ordinality as t (doc, k, lead_id, assignment_id, booking_id, event_position, agent, open, n)
        join kind as q on q.number = t.k
        join dealwright.agent as a on a.agent_id = ids[t.agent]
        cross join lateral (select q.lead_logit - coalesce(a.profile <#> q.query, 0) as win_logit offset 0) as w
        order by t.n
    ), new_lead as (
        insert into dealwright.lead (lead_id, external_id, customer_name, attributes, priority, idempotency_key,
            received_at, policy, slots, status)
        select p.lead_id, p.doc ->> 'external_id', p.doc ->> 'customer_name', p.doc -> 'attributes',
               coalesce((p.doc ->> 'priority')::integer, 0), nullif(p.doc ->> 'idempotency_key', ''),
               coalesce((p.doc ->> 'received_at')::timestamptz, moment), wanted_policy, p.slots, 'assigned'
        from placed as p order by p.n
    ), new_assignment as (
        insert into dealwright.assignment (assignment_id, lead_id, agent_id, slots, match_score, policy, model_id,
            propensity, offered_until)
        select p.assignment_id, p.lead_id, p.agent_id, p.slots, round((100 * p.win_probability)::numeric, 1), rule.name,
               rule.model_id, 1, moment + rule.accept_within
        from placed as p order by p.n
    ), new_decision as (
        insert into dealwright.decision (decided_at, lead_id, assignment_id, agent_id, policy, policy_params, model_id,
            snapshot, event_position, slots, draw_seed, match_score, win_probability, expected_value, propensity)
        select moment, p.lead_id, p.assignment_id, p.agent_id, rule.name, rule.params, rule.model_id, seen,
               p.event_position, p.slots, hashint8extended(p.lead_id, seed),
               round((100 * p.win_probability)::numeric, 1), p.win_probability, p.expected_value, 1
        from placed as p order by p.n
    ), new_booking as (
        insert into dealwright.booking (booking_id, assignment_id)
        select p.booking_id, p.assignment_id from placed as p order by p.n
    ), new_due as (
        insert into dealwright_engine.response_due (assignment_id, due_at)
        select p.assignment_id, moment + coalesce(rule.accept_within, rule.respond_within)
        from placed as p
        where coalesce(rule.accept_within, rule.respond_within) is not null
    ), new_event as (
        insert into dealwright.event (position, kind, agent_id, lead_id, assignment_id, open, capacity, fair_count,
            fair_compensation, fair_until, last_assigned_at, payload)
        overriding system value
        select p.event_position, case when rule.accept_within is null then 'assigned' else 'offered' end, p.agent_id,
               p.lead_id, p.assignment_id, p.open, p.capacity, p.fair_count,
               p.fair_compensation, p.fair_until, p.last_assigned_at,
               case when rule.accept_within is not null
                   then jsonb_build_object('offered_until', moment + rule.accept_within) end
        from placed as p order by p.n
    )
    select p.assignment_id, p.booking_id, p.agent_id, p.name,
           round((100 * p.win_probability)::numeric, 1)::double precision, p.win_probability, p.expected_value,
           rule.name, rule.model_id, p.lead_id, 'assigned', p.assignment_id::text, p.booking_id::text, p.own_agent_id,
           p.open, p.capacity, null::bigint[],
           case when rule.accept_within is not null then array[dealwright_engine.offer_notice(
               p.name, p.own_agent_id, moment + rule.accept_within)] end,
           -- as exactly as the record gives them again (engine/audit.sql, win_interval)
           round(1e9 / (1 + exp(p.margin - p.win_logit))) / 1e9,
           round(1e9 / (1 + exp(-p.margin - p.win_logit))) / 1e9
    from placed as p order by p.n;
    done := dealwright_engine.end_own_writes();
end
$$;
comment on function dealwright_engine.place_run(jsonb[], integer[], jsonb[], dealwright_engine.rule, text, bigint[]) is
    'Places leads of kinds that have been read before, in their order, up to the first that finds no place. The caller '
    'has locked the agents, and names them.';

create or replace function dealwright_engine.assign_numbered(doc jsonb, policy text, number integer)
returns dealwright.placement language plpgsql as $$
declare
    cause text;
    fix text;
    state text;
begin
    return dealwright_engine.assign(doc, policy);
exception when sqlstate 'DW001' or sqlstate 'DW002' or sqlstate 'DW003' then
    get stacked diagnostics cause = message_text, fix = pg_exception_hint, state = returned_sqlstate;
    raise exception 'lead % of the batch: %', number, cause using errcode = state,
        hint = coalesce(nullif(fix, ''), 'correct or leave out this lead') || '; nothing of the batch was placed';
end
$$;

create or replace function dealwright_engine.assign_many(leads jsonb[], policy text)
returns setof dealwright.placement language plpgsql as $$
declare
    longest constant integer := 2000;  -- all that is placed by a run is kept in memory
    agents bigint[];
    shortest integer;
    rule dealwright_engine.rule := dealwright_engine.policy_for(policy);
    docs jsonb[];
    kinds integer[];
    keys jsonb[];
    first integer;
    last integer;
    placed integer;
    passed integer := 0;
    is_full boolean := false;
    part jsonb[];
begin
    if policy is not null and rule.name is null then
        raise exception 'unknown policy %', quote_literal(policy) using errcode = 'DW002',
            hint = 'use one of value, classic, workload, fair';
    end if;
    if cardinality(leads) > 1 then
        perform dealwright_engine.before_several_agents();
        agents := dealwright_engine.lock_agents();
        -- a run costs as much as three leads one by one, and a look at all agents: one more for each 2,000 of them
        shortest := 3 + cardinality(agents) / 2000;
    end if;
    docs := array(select d.doc from unnest(leads) with ordinality as d (doc, n) order by d.n);
    while passed < cardinality(docs) loop
        part := docs[passed + 1 : passed + longest];
        kinds := null;
        if rule.by_worth and rule.agents_differ and not (is_full or rule.by_channel) then
            select * into kinds, keys from dealwright_engine.plain_kinds(part, policy, rule.model_id);
        end if;
        first := 1;
        while first <= cardinality(part) loop
            last := first;
            while last <= cardinality(part) and kinds[last] is not null loop
                last := last + 1;
            end loop;
            placed := 0;
            if last - first >= shortest and not is_full then
                begin
                    return query select * from dealwright_engine.place_run(
                        part[first : last - 1], kinds[first : last - 1], keys, rule, policy, agents);
                    get diagnostics placed = row_count;
                    -- these leads ask nothing of an agent but room: where one finds none, no later one does
                    is_full := placed < last - first;
                exception when sqlstate 'DW002' or data_exception or unique_violation then
                    null;  -- one of them is refused or was sent twice: one by one it shows which
                end;
            end if;
            first := first + placed;
            -- one of another kind, or all of a run that is too short
            last := least(case when placed = 0 or is_full then greatest(last - 1, first) else first end,
                cardinality(part));
            while first <= last loop
                return next dealwright_engine.assign_numbered(part[first], policy, passed + first);
                first := first + 1;
            end loop;
        end loop;
        passed := passed + cardinality(part);
    end loop;
end
$$;
comment on function dealwright_engine.assign_many(jsonb[], text)
    is 'What dealwright.assign_many does; the caller holds ROW EXCLUSIVE on lead.';
