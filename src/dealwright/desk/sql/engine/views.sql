-- What a decision is recomputed from. The columns are written out: a company may have added some to the outbox.
create or replace view dealwright_engine.known_event as
select e.xid, e.position, e.kind, e.agent_id, e.open, e.capacity, e.fair_count, e.fair_compensation, e.payload,
       e.fair_until, e.last_assigned_at
from dealwright.event as e
union all
select k.xid, k.position, k.kind, k.agent_id, k.open, k.capacity, k.fair_count, k.fair_compensation, k.payload,
       k.fair_until, k.last_assigned_at
from dealwright_engine.event_kept as k;
comment on view dealwright_engine.known_event is
    'The outbox, and what of the archived part of it is still needed.';

-- A full recount, as one view: the truth the counters are held against.
create or replace view dealwright_engine.recounted_stat as
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
           coalesce(k.known * dealwright_engine.lead_probability_ppm(m.model, k.slots), 0) as expected_ppm,
           coalesce(k.with_base * dealwright_engine.expected_cents((m.model).base_bias, (m.model).base_weight, k.slots),
               0)
               as base_expected_cents,
           coalesce(
               k.with_package * dealwright_engine.expected_cents((m.model).package_bias, (m.model).package_weight,
                   k.slots), 0)
               as package_expected_cents
    from lead_kind as k
    cross join (select dealwright_engine.promoted_model() as model offset 0) as m
), per_slot as (
    select p.agent_id, s.slot, sum(p.assigned) as assigned, sum(p.known) as known, sum(p.confirmed) as confirmed,
           sum(p.expected_ppm) as expected_ppm
    from priced as p
    cross join lateral unnest(p.slots) as s (slot)
    group by p.agent_id, s.slot
), counted as (
    -- an array has an element for each slot that was there when it was made or that something was counted at
    select a.agent_id,
           array_agg(coalesce(c.assigned, 0)::integer order by slot) filter (where slot <= w.assigned
               or c.assigned > 0) as assigned,
           array_agg(coalesce(c.known, 0)::integer order by slot) filter (where slot <= w.known
               or c.known > 0) as known,
           array_agg(coalesce(c.confirmed, 0)::integer order by slot) filter (where slot <= w.known
               or c.known > 0) as confirmed,
           array_agg(coalesce(c.expected_ppm, 0)::bigint order by slot) filter (where slot <= w.known
               or c.known > 0) as expected_ppm
    from dealwright.agent as a
    left join dealwright.agent_stat as s using (agent_id)
    cross join (select dealwright_engine.slot_count() as slots offset 0) as n
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
comment on view dealwright_engine.recounted_stat is 'agent_stat, counted from scratch: must always agree with it.';

create or replace view dealwright_engine.recounted_day as
select (completed_at at time zone 'UTC')::date as day, agent_id, count(*)::integer as confirmed
from dealwright.assignment
where outcome = 'won' and completed_at is not null
group by 1, 2;

create or replace view dealwright_engine.recounted_agent as
select a.agent_id,
       count(s.assignment_id) filter (where s.status = 'open')::integer as open,
       count(s.assignment_id) filter (where s.status <> 'reassigned' and s.assigned_at >= w.start) as fair_count
from dealwright.agent as a
cross join (select dealwright_engine.fair_window_start() as start offset 0) as w
left join dealwright.assignment as s using (agent_id)
group by a.agent_id;
