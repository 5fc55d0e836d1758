-- Counters: moved by differences in the live loop, recounted in one sweep after an import or a promotion.

create type dealwright.contribution as (
    open integer,
    assigned integer,
    counted_fairly integer,
    known integer,
    confirmed integer,
    expected_ppm bigint,
    total_cents bigint,
    base_cents bigint,
    package_cents bigint,
    base_expected_cents bigint,
    package_expected_cents bigint
);

create or replace function dealwright.fair_window_start()
returns timestamptz language sql stable as $$
    select coalesce((params ->> 'window_start')::timestamptz, '-infinity') from dealwright.policy where name = 'fair'
$$;

create or replace function dealwright.contribution_of(a dealwright.assignment)
returns dealwright.contribution language plpgsql stable as $$
declare
    part dealwright.contribution;
    model dealwright.compiled_model;
begin
    part.open := (a.status = 'open')::integer;
    part.assigned := (a.status <> 'reassigned')::integer;
    part.counted_fairly := (a.status <> 'reassigned' and a.assigned_at >= dealwright.fair_window_start())::integer;
    part.known := (a.outcome is not null)::integer;
    part.confirmed := coalesce((a.outcome = 'won')::integer, 0);
    part.expected_ppm := 0;
    part.total_cents := 0;
    part.base_cents := 0;
    part.package_cents := 0;
    part.base_expected_cents := 0;
    part.package_expected_cents := 0;
    if a.outcome is not null then
        model := dealwright.promoted_model();
        if model.model_id is not null then
            part.expected_ppm := dealwright.lead_probability_ppm(model, a.slots);
        end if;
        if a.outcome = 'won' then
            part.total_cents := coalesce(round(100 * a.total_revenue), 0);
            part.base_cents := coalesce(round(100 * a.base_revenue), 0);
            part.package_cents := coalesce(round(100 * a.package_revenue), 0);
            -- a won booking whose amount is unknown says nothing about the agent's ratio
            if model.model_id is not null and a.base_revenue is not null then
                part.base_expected_cents := dealwright.expected_cents(model.base_bias, model.base_weight, a.slots);
            end if;
            if model.model_id is not null and a.package_revenue is not null then
                part.package_expected_cents := dealwright.expected_cents(model.package_bias, model.package_weight, a.slots);
            end if;
        end if;
    end if;
    return part;
end
$$;
comment on function dealwright.contribution_of(dealwright.assignment) is 'What one assignment adds to the counters of its agent.';

create or replace function dealwright.move_counters(
    kind text, id bigint, slots integer[], plus dealwright.contribution, minus dealwright.contribution,
    may_exceed boolean, of dealwright.assignment, details jsonb
)
returns void language plpgsql as $$
declare
    opened integer := coalesce(plus.open, 0) - coalesce(minus.open, 0);
    counted integer := coalesce(plus.counted_fairly, 0) - coalesce(minus.counted_fairly, 0);
    known_more integer := coalesce(plus.known, 0) - coalesce(minus.known, 0);
    confirmed_more integer := coalesce(plus.confirmed, 0) - coalesce(minus.confirmed, 0);
    learned boolean;
    state record;
begin
    if opened <> 0 or counted <> 0 then
        update dealwright.agent as a
        set open = a.open + opened, fair_count = a.fair_count + counted
        where a.agent_id = id and (opened <= 0 or may_exceed or a.open < a.capacity)
        returning a.open, a.capacity, a.fair_count, a.fair_compensation into state;
        if not found then
            raise exception 'agent % has no free place', id using errcode = 'DW001',
                hint = 'raise the capacity, settle or reassign one of the agent''s open assignments, or choose another agent';
        end if;
    else
        -- locked all the same: the agent's row comes before its counters, and its events stand in the order of its states
        select a.open, a.capacity, a.fair_count, a.fair_compensation into state
        from dealwright.agent as a where a.agent_id = id for no key update;
    end if;
    learned := known_more <> 0 or confirmed_more <> 0
        or coalesce(plus.total_cents, 0) <> coalesce(minus.total_cents, 0)
        or coalesce(plus.base_cents, 0) <> coalesce(minus.base_cents, 0)
        or coalesce(plus.package_cents, 0) <> coalesce(minus.package_cents, 0)
        -- an amount that becomes known to be 0 moves only what was expected
        or coalesce(plus.base_expected_cents, 0) <> coalesce(minus.base_expected_cents, 0)
        or coalesce(plus.package_expected_cents, 0) <> coalesce(minus.package_expected_cents, 0);
    if learned then
        update dealwright.agent_stat as s set
            assigned = dealwright.add_at(s.assigned, slots, coalesce(plus.assigned, 0) - coalesce(minus.assigned, 0)),
            known = dealwright.add_at(s.known, slots, known_more),
            confirmed = dealwright.add_at(s.confirmed, slots, confirmed_more),
            expected_ppm = dealwright.add_at(s.expected_ppm, slots, coalesce(plus.expected_ppm, 0) - coalesce(minus.expected_ppm, 0)),
            revenue_cents = s.revenue_cents + coalesce(plus.total_cents, 0) - coalesce(minus.total_cents, 0),
            base_cents = s.base_cents + coalesce(plus.base_cents, 0) - coalesce(minus.base_cents, 0),
            package_cents = s.package_cents + coalesce(plus.package_cents, 0) - coalesce(minus.package_cents, 0),
            base_expected_cents = s.base_expected_cents + coalesce(plus.base_expected_cents, 0) - coalesce(minus.base_expected_cents, 0),
            package_expected_cents = s.package_expected_cents
                + coalesce(plus.package_expected_cents, 0) - coalesce(minus.package_expected_cents, 0)
        where s.agent_id = id;
        perform dealwright.refresh_profile(id);
    elsif coalesce(plus.assigned, 0) <> coalesce(minus.assigned, 0) then
        update dealwright.agent_stat as s
        set assigned = dealwright.add_at(s.assigned, slots, coalesce(plus.assigned, 0) - coalesce(minus.assigned, 0))
        where s.agent_id = id;
    end if;
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, open, capacity, fair_count, fair_compensation, payload)
    values (kind, id, of.lead_id, of.assignment_id, state.open, state.capacity, state.fair_count, state.fair_compensation, details);
    if opened < 0 then
        perform dealwright.fill_from_queue(id);
    end if;
end
$$;
comment on function dealwright.move_counters(text, bigint, integer[], dealwright.contribution, dealwright.contribution, boolean,
    dealwright.assignment, jsonb) is
    'Moves an agent''s counters by plus - minus, writes the event, and hands a freed place to the queue.';

create or replace function dealwright.count_day(id bigint, completed timestamptz, amount integer)
returns void language sql as $$
    insert into dealwright.agent_day as d (day, agent_id, confirmed)
    values ((completed at time zone 'UTC')::date, id, amount)
    on conflict (day, agent_id) do update set confirmed = d.confirmed + excluded.confirmed
$$;

-- A full recount, as one view: the truth the counters are held against.
create or replace view dealwright.recounted_stat as
with lead_kind as (
    -- a few hundred kinds of leads stand for millions of assignments
    select a.agent_id, a.slots, count(*) as assigned,
           count(a.outcome) as known,
           count(*) filter (where a.outcome = 'won') as confirmed,
           coalesce(sum(round(100 * a.total_revenue)) filter (where a.outcome = 'won'), 0) as revenue_cents,
           coalesce(sum(round(100 * a.base_revenue)) filter (where a.outcome = 'won'), 0) as base_cents,
           coalesce(sum(round(100 * a.package_revenue)) filter (where a.outcome = 'won'), 0) as package_cents,
           count(a.base_revenue) filter (where a.outcome = 'won') as with_base,
           count(a.package_revenue) filter (where a.outcome = 'won') as with_package
    from dealwright.assignment as a
    where a.status <> 'reassigned'
    group by a.agent_id, a.slots
), priced as (
    select k.*,
           coalesce(k.known * dealwright.lead_probability_ppm(m.model, k.slots), 0) as expected_ppm,
           coalesce(k.with_base * dealwright.expected_cents((m.model).base_bias, (m.model).base_weight, k.slots), 0)
               as base_expected_cents,
           coalesce(k.with_package * dealwright.expected_cents((m.model).package_bias, (m.model).package_weight, k.slots), 0)
               as package_expected_cents
    from lead_kind as k
    cross join (select dealwright.promoted_model() as model offset 0) as m
), per_slot as (
    select p.agent_id, s.slot, sum(p.assigned) as assigned, sum(p.known) as known, sum(p.confirmed) as confirmed,
           sum(p.expected_ppm) as expected_ppm
    from priced as p
    cross join lateral unnest(p.slots) as s (slot)
    group by p.agent_id, s.slot
), counted as (
    -- an array has an element for each slot that was there when it was made or that something was counted at
    select a.agent_id,
           array_agg(coalesce(c.assigned, 0)::integer order by slot) filter (where slot <= w.assigned or c.assigned > 0) as assigned,
           array_agg(coalesce(c.known, 0)::integer order by slot) filter (where slot <= w.known or c.known > 0) as known,
           array_agg(coalesce(c.confirmed, 0)::integer order by slot) filter (where slot <= w.known or c.known > 0) as confirmed,
           array_agg(coalesce(c.expected_ppm, 0)::bigint order by slot) filter (where slot <= w.known or c.known > 0) as expected_ppm
    from dealwright.agent as a
    left join dealwright.agent_stat as s using (agent_id)
    cross join (select dealwright.slot_count() as slots offset 0) as n
    cross join lateral (
        select coalesce(cardinality(s.assigned), n.slots) as assigned, coalesce(cardinality(s.known), n.slots) as known
    ) as w
    cross join lateral generate_series(1, n.slots) as slot
    left join per_slot as c using (agent_id, slot)
    group by a.agent_id
), money as (
    select p.agent_id, sum(p.revenue_cents)::bigint as revenue_cents, sum(p.base_cents)::bigint as base_cents,
           sum(p.package_cents)::bigint as package_cents, sum(p.base_expected_cents)::bigint as base_expected_cents,
           sum(p.package_expected_cents)::bigint as package_expected_cents
    from priced as p
    group by p.agent_id
)
select c.agent_id, c.assigned, c.known, c.confirmed, c.expected_ppm,
       coalesce(m.revenue_cents, 0) as revenue_cents, coalesce(m.base_cents, 0) as base_cents,
       coalesce(m.package_cents, 0) as package_cents, coalesce(m.base_expected_cents, 0) as base_expected_cents,
       coalesce(m.package_expected_cents, 0) as package_expected_cents
from counted as c
left join money as m using (agent_id);
comment on view dealwright.recounted_stat is 'agent_stat, counted from scratch: must always agree with it.';

create or replace view dealwright.recounted_day as
select (completed_at at time zone 'UTC')::date as day, agent_id, count(*)::integer as confirmed
from dealwright.assignment
where outcome = 'won' and completed_at is not null
group by 1, 2;

create or replace view dealwright.recounted_agent as
select a.agent_id,
       count(s.assignment_id) filter (where s.status = 'open')::integer as open,
       count(s.assignment_id) filter (where s.status <> 'reassigned' and s.assigned_at >= w.start) as fair_count
from dealwright.agent as a
cross join (select dealwright.fair_window_start() as start offset 0) as w
left join dealwright.assignment as s using (agent_id)
group by a.agent_id;

create or replace function dealwright.hold_writers()
returns void language plpgsql as $$
declare
    patience text := current_setting('lock_timeout');
    name text;
begin
    -- Who places a lead takes these tables in another order than who settles a booking, so no order of ours is safe to
    -- wait in. Therefore: one order, then the other, each for less than the second after which the server would look for
    -- a deadlock and end somebody else's work.
    for attempt in 1 .. 200 loop
        begin
            perform set_config('lock_timeout', '200ms', true);
            if attempt % 2 = 1 then
                lock table dealwright.lead, dealwright.booking, dealwright.assignment, dealwright.agent in share row exclusive mode;
            else
                lock table dealwright.booking, dealwright.assignment, dealwright.lead, dealwright.agent in share row exclusive mode;
            end if;
            perform set_config('lock_timeout', patience, true);
            return;
        exception when lock_not_available then
            perform pg_sleep(0.1 * random());
        end;
        if attempt % 10 = 5 then
            -- an autovacuum gives way only to who waits longer than that second: one table at a time, holding nothing
            foreach name in array array['lead', 'booking', 'assignment', 'agent'] loop
                begin
                    perform set_config('lock_timeout', '1500ms', true);
                    execute format('lock table dealwright.%I in share row exclusive mode', name);
                    raise exception 'let go' using errcode = 'DW009';
                exception when lock_not_available or sqlstate 'DW009' then
                    null;
                end;
            end loop;
        end if;
    end loop;
    raise exception 'the desk is too busy to hold all changes for a moment' using errcode = 'DW001',
        hint = 'try again at a quieter time; nothing was changed';
end
$$;
comment on function dealwright.hold_writers() is
    'Waits until no change of leads, bookings, assignments and agents is under way, and lets none begin before the end of this transaction.';

create or replace function dealwright.rebuild_statistics()
returns void language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    -- counters and history must not move apart while they are counted
    perform dealwright.hold_writers();
    perform dealwright.widen_counters();
    insert into dealwright.agent_stat as s
    select * from dealwright.recounted_stat
    on conflict (agent_id) do update set
        assigned = excluded.assigned, known = excluded.known, confirmed = excluded.confirmed,
        expected_ppm = excluded.expected_ppm, revenue_cents = excluded.revenue_cents, base_cents = excluded.base_cents,
        package_cents = excluded.package_cents, base_expected_cents = excluded.base_expected_cents,
        package_expected_cents = excluded.package_expected_cents;
    delete from dealwright.agent_day;
    insert into dealwright.agent_day select * from dealwright.recounted_day;
    with recounted as (
        update dealwright.agent as a set open = r.open, fair_count = r.fair_count
        from dealwright.recounted_agent as r
        where r.agent_id = a.agent_id
        returning a.agent_id, a.open, a.capacity, a.fair_count, a.fair_compensation
    )
    insert into dealwright.event (kind, agent_id, open, capacity, fair_count, fair_compensation)
    select 'recounted', agent_id, open, capacity, fair_count, fair_compensation from recounted order by agent_id;
    perform dealwright.refresh_profile(a.agent_id) from dealwright.agent as a order by a.agent_id;
    delete from dealwright.standing;  -- every profile is new
end
$$;
comment on function dealwright.rebuild_statistics() is 'Counts every counter anew from the book of record.';
