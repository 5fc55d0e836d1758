-- Who is owed the next lead. A share counts only while an agent can take work: active, on shift, with room. With
-- weights w over those who can, each lead makes every one of them due w_i / sum w of a lead; what an agent was due
-- less what it received is its shortfall. Nothing is written per lead and agent: an agent's row has its count of leads
-- and a compensation, and
--     shortfall_i = w_i (N + sum c) / sum w - (n_i + c_i),   N = sum n,   over those whose share is counted.
--
-- Who joins, comes back from a shift, gets room again, or gets another weight starts level with the others, owed
-- nothing and owing nothing: its compensation is set so that its shortfall is 0, as start-time fair queueing sets a
-- flow's clock (Goyal, Vin & Cheng 1996, section 2). That is done with the change (levelled). A shift begins without
-- one: then, and where nothing went by shares so far, it is done before the next ranking (begin_shifts), for the row
-- says so: fair_until, the end of the shift to which its compensation belongs, is over or null. What a leaver was owed
-- or owed goes to the others by their weights.
--
-- The next lead goes by the rule of Tijdeman (1980), "The chairman assignment problem", Discrete Mathematics 32,
-- section 2: of those for whom shortfall + share, the share of this lead counted in, is at least 1 / (2n - 2), to the
-- one who first would be owed a lead too many. While those who can take work and their weights stay the same, received
-- and due differ by at most 1 - 1 / (2n - 2) leads. (The largest shortfall first would not do:
-- under unlike weights it goes beyond one lead.)

create or replace function dealwright_engine.fair_level_at(
    moment timestamptz, by_availability boolean, except_agent_id bigint default null
)
returns dealwright_engine.fair_level language sql stable as $$
    -- summed as whole millionths (2^-20): a sum of doubles depends on the order of the rows, and a replay has another
    -- one. Decisions of before (not by_availability) went by all active agents, on shift and with room or not.
    select row (
        coalesce((sum(a.fair_count) filter (where a.counted)::double precision
                + sum((a.fair_compensation * 1048576)::bigint) filter (where a.counted)::double precision / 1048576)
            / nullif(sum((a.weight * 1048576)::bigint) filter (where a.counted)::double precision / 1048576, 0), 0),
        case when by_availability then sum((a.weight * 1048576)::bigint)::double precision / 1048576 end,
        count(*)::integer)::dealwright_engine.fair_level
    from (
        select g.fair_count, g.fair_compensation, g.weight,
            not by_availability or coalesce(g.fair_until > moment, false) as counted
        from agent as g
        where g.active and (not by_availability
            or g.open < g.capacity and (g.shifts is null or g.shifts @> moment)
                and g.agent_id is distinct from except_agent_id)
    ) as a
$$;
comment on function dealwright_engine.fair_level_at(timestamptz, boolean, bigint) is
    'Leads received per unit of weight by those who can take work at a moment, their weight and their number.';

create or replace function dealwright_engine.fair_shortfall(
    received_per_weight double precision, weight double precision, fair_count bigint,
    fair_compensation double precision, is_level boolean
)
returns double precision language sql immutable parallel safe as $$
    select case when is_level then 0 else received_per_weight * weight - fair_count - fair_compensation end
$$;
comment on function dealwright_engine.fair_shortfall(double precision, double precision, bigint, double precision,
    boolean) is 'Leads an agent is owed (below 0: has had too many); 0 for who starts level.';

create or replace function dealwright_engine.fair_urgency(
    shortfall double precision, share double precision, least_owed double precision
)
returns double precision language sql immutable parallel safe as $$
    -- One number that orders as the rule does: above 2 for those whose turn it can be, the earlier the deadline
    -- (1 - least_owed - owed) / share the higher; below it what is owed. Rounded, so that equal agents are equal; and
    -- who is owed just least_owed is to be found so in spite of the millionths in which compensations are kept.
    -- Without a share: the rule of before.
    select case
        when share is null then shortfall
        when shortfall + share >= least_owed - 4e-6
            then round(1e9 * (3 - (1 - least_owed - shortfall - share)
                / (share + abs(1 - least_owed - shortfall - share)))) / 1e9
        else round(1e9 * (shortfall + share)) / 1e9 end
$$;
comment on function dealwright_engine.fair_urgency(double precision, double precision, double precision) is
    'How urgently an agent is due the next lead, of which share is its share: the highest gets it.';

create or replace function dealwright_engine.least_owed(agents integer)
returns double precision language sql immutable parallel safe as $$
    select case when agents > 1 then 1 / (2.0::double precision * agents - 2) else 0 end
$$;
comment on function dealwright_engine.least_owed(integer) is
    'What of a lead an agent must be owed, the next one''s share counted in, for its turn to come.';

create or replace function dealwright_engine.end_of_shift(shifts tstzmultirange, moment timestamptz)
returns timestamptz language sql immutable parallel safe as $$
    -- 2200, where all times end here, and not infinity, which many a client cannot read
    select least(coalesce((select upper(r) from unnest(shifts) as r where r @> moment), '2200-01-01 00:00:00+00'),
        '2200-01-01 00:00:00+00')
$$;
comment on function dealwright_engine.end_of_shift(tstzmultirange, timestamptz) is
    'When the shift of a moment ends; 2200 without an end.';

create or replace function dealwright_engine.compensation_for(received_per_weight double precision,
    weight double precision, fair_count bigint)
returns double precision language sql immutable parallel safe as $$
    -- in whole millionths (2^-20), as it is summed
    select round(received_per_weight * weight * 1048576) / 1048576 - fair_count
$$;
comment on function dealwright_engine.compensation_for(double precision, double precision, bigint) is
    'The compensation with which an agent is owed nothing.';

create or replace function dealwright_engine.levelled(a dealwright.agent, moment timestamptz)
returns dealwright.agent language plpgsql as $$
begin
    -- Where nothing goes by shares, or the agent is off shift, it is done before the next ranking (begin_shifts).
    if a.active and a.open < a.capacity and (a.shifts is null or a.shifts @> moment) and exists (
            select from dealwright_engine.rule as r
            where r.wanted = '' and (r.name = 'fair' or r.name = 'value' and not (r.by_worth and r.agents_differ))) then
        a.fair_compensation := dealwright_engine.compensation_for(
            (dealwright_engine.fair_level_at(moment, true, a.agent_id)).received, a.weight, a.fair_count);
        a.fair_until := dealwright_engine.end_of_shift(a.shifts, moment);
    else
        a.fair_until := null;
    end if;
    return a;
end
$$;
comment on function dealwright_engine.levelled(dealwright.agent, timestamptz) is
    'An agent that can take work anew, level with the others.';

-- Two transactions that lock the rows of several agents could wait for each other: before the first row they take this
-- lock, and go one after the other. Who locks one agent only needs none.
create or replace function dealwright_engine.before_several_agents()
returns void language sql as $$ select pg_advisory_xact_lock(hashtext('dealwright several agents'), 0) $$;

-- A shift begins without anybody writing it. Whoever looks next, a lead that comes or the worker, does what follows:
-- the agent starts level with the others, and its places go to those who wait.
create or replace function dealwright_engine.begin_shifts(moment timestamptz)
returns integer language plpgsql as $$
declare
    level dealwright_engine.fair_level;
    begun boolean;
    agent_ids bigint[];
    id bigint;
    placed integer := 0;
begin
    if not exists (
            select from dealwright.agent as a
            where coalesce(a.fair_until <= moment, true) and a.active and a.open < a.capacity
                and (a.shifts is null or a.shifts @> moment)) then
        return 0;
    end if;
    -- See before_several_agents. Who finds another at it does not wait, but ranks by the rows as they are, which say who
    -- starts level, and cannot take a place that the other is giving to somebody who waits.
    if not pg_try_advisory_xact_lock(hashtext('dealwright several agents'), 0) then
        return 0;
    end if;
    level := dealwright_engine.fair_level_at(moment, true);
    begun := dealwright_engine.join_own_writes();
    with due as (
        select a.agent_id from dealwright.agent as a
        where coalesce(a.fair_until <= moment, true) and a.active and a.open < a.capacity
            and (a.shifts is null or a.shifts @> moment)
        order by a.agent_id
        for no key update skip locked
    ), levelled as (
        update dealwright.agent as a set
            fair_compensation = dealwright_engine.compensation_for(level.received, a.weight, a.fair_count),
            fair_until = dealwright_engine.end_of_shift(a.shifts, moment)
        from due as d
        where a.agent_id = d.agent_id
        returning a.agent_id, a.open, a.capacity, a.fair_count, a.fair_compensation, a.fair_until, a.last_assigned_at
    ), recorded as (
        insert into dealwright.event (
            kind, agent_id, open, capacity, fair_count, fair_compensation, fair_until, last_assigned_at)
        select 'levelled', agent_id, open, capacity, fair_count, fair_compensation, fair_until, last_assigned_at
        from levelled order by agent_id
    )
    select array_agg(l.agent_id order by l.agent_id) into agent_ids from levelled as l;
    perform dealwright_engine.leave_own_writes(begun);
    if exists (select from dealwright.lead as w where w.is_waiting) then
        foreach id in array coalesce(agent_ids, '{}') loop
            placed := placed + dealwright_engine.fill_from_queue(id);
        end loop;
    end if;
    return placed;
end
$$;
comment on function dealwright_engine.begin_shifts(timestamptz) is
    'Lets those who can take work anew start level with the others, and gives their places to those who wait; returns '
    'how many.';

create or replace function dealwright_engine.rank_fair(ask dealwright_engine.enquiry, params jsonb, k integer,
    eligible_only boolean)
returns setof dealwright_engine.ranked language plpgsql stable as $$
declare
    by_availability constant boolean := params ? 'share';
    level constant dealwright_engine.fair_level := dealwright_engine.fair_level_at(ask.asked_at, by_availability);
    received constant double precision := level.received;
    total_weight constant double precision := level.weight;
    least_owed constant double precision := dealwright_engine.least_owed(level.agents);
    -- as plain variables: a field of a row variable is looked up anew for every agent
    moment constant timestamptz := ask.asked_at;
    wanted_skills constant text[] := ask.skills;
    wanted_department constant text := ask.department;
    excluded constant bigint[] := ask.excluded_agent_ids;
    seed constant bigint := ask.draw_seed;
    agents bigint;
begin
    select count(*) into agents from agent;
    return query
    with candidate as materialized (
        select g.agent_id, g.open, g.capacity, g.eligible,
               dealwright_engine.fair_urgency(g.shortfall, g.weight / total_weight, least_owed) as urgency
        from (
            select a.agent_id, a.open, a.capacity, a.weight,
                   dealwright_engine.fair_shortfall(received, a.weight, a.fair_count, a.fair_compensation,
                       by_availability and coalesce(a.fair_until <= moment, true)) as shortfall,
                   dealwright_engine.can_take(wanted_skills, wanted_department, moment, excluded,
                       a.agent_id, a.active, a.open, a.capacity, a.shifts, a.skills, a.department) as eligible
            from agent as a
            offset 0
        ) as g
    ), top as (
        select c.* from candidate as c
        where c.eligible or not eligible_only
        order by c.eligible desc, c.urgency desc, hashint8extended(c.agent_id, seed), c.agent_id
        limit k
    ), placed as (
        select t.*,
            row_number(
                ) over (order by t.eligible desc, t.urgency desc, hashint8extended(t.agent_id, seed),
                    t.agent_id) as place
        from top as t
    )
    select p.place::integer, p.agent_id,
           round(100 * (1 - coalesce((p.place - 1) / nullif(agents - 1, 0)::numeric, 0)), 1)::double precision,
           null::double precision, null::double precision, null::double precision, null::double precision,
           p.open, p.capacity, p.eligible,
           case when eligible_only and k = 1
               then (select count(*) from candidate as c where c.eligible and c.urgency = p.urgency)::integer
                   else 1 end,
           null::double precision, p.open, dealwright_engine.snapshot(), null::bigint[], null::double precision[]
    from placed as p
    order by p.place;
end
$$;
comment on function dealwright_engine.rank_fair(dealwright_engine.enquiry, jsonb, integer, boolean)
    is 'Who is due the next lead by the weighted shares of those who can take work; ties by a seeded draw.';
