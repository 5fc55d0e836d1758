-- The statements that Python sends, by name.

-- name: accept
-- The agent takes what was offered.
select dealwright.accept(%(assignment_id)s::bigint) as accepted_at

-- name: acting_roles
-- The roles that the user may act for, if `dealwright roles` has granted what this version of the desk needs.
select r.rolname as role
from pg_roles as r
cross join dealwright.schema_functions as f
where r.rolname = any (%(roles)s::text[]) and pg_has_role(r.oid, 'MEMBER')
  and f.roles = %(edition)s::text || ' ' || f.checksum

-- name: activate_agent
-- The agent gets leads again.
select dealwright.activate_agent(dealwright.agent_named(%(agent)s::text)) as answer

-- name: agent
-- One agent with the workload.
select a.agent_id as position, coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.active,
       a.open, a.capacity, dealwright.channels_of(a.agent_id) as channels, a.department, a.job_title, a.skills, a.shifts
from dealwright.agent as a
where a.agent_id = %(agent_id)s::bigint

-- name: agent_assignments
-- What an agent has in hand, oldest first, or what was settled last.
select s.assignment_id as desk_assignment_id, coalesce(s.external_id, s.assignment_id::text) as assignment_id,
       s.lead_id, l.customer_name, l.attributes, l.requirements, s.assigned_at, s.first_contact_at, s.status,
       s.offered_until, s.accepted_at, s.ended_at, s.outcome,
       s.total_revenue::double precision as total_revenue, coalesce(b.external_id, b.booking_id::text) as booking_id,
       b.status as booking_status, extract(epoch from clock_timestamp() - s.assigned_at)::double precision as age_s
from dealwright.assignment as s
join dealwright.lead as l using (lead_id)
left join dealwright.booking as b using (assignment_id)
where s.agent_id = %(agent_id)s::bigint
  and case when %(open)s::boolean then s.status = 'open' else s.status in ('settled', 'lapsed') end
order by case when %(open)s::boolean then s.assigned_at end, s.ended_at desc nulls last, s.assignment_id desc
limit %(k)s::bigint

-- name: agent_named
-- The agent whom the user calls so: by an outside id, else by the id the desk gave.
select dealwright.agent_named(%(agent)s::text) as agent_id

-- name: agent_names
-- The names of the agents by the desk's own ids.
select agent_id, name from dealwright.agent

-- name: agent_record
-- An agent with the workload and the record: outcomes known, won, and the wins expected of such leads whoever has them.
select a.agent_id as desk_agent_id, coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name,
       a.active, a.open, a.capacity, a.department, a.job_title, a.skills, a.shifts, a.years_of_service, a.rating,
       a.weight,
       a.fair_count, coalesce(s.assigned[1], 0) as assigned, coalesce(s.known[1], 0) as known,
       coalesce(s.confirmed[1], 0) as won, coalesce(s.expected_ppm[1], 0) / 1e6::double precision as expected_wins,
       coalesce(s.revenue_cents, 0) / 100.0::double precision as revenue
from dealwright.agent as a
left join dealwright.agent_stat as s using (agent_id)
where a.agent_id = %(agent_id)s::bigint

-- name: agent_choices
-- The agents a person may choose from, by name.
select coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.active, a.open, a.capacity
from dealwright.agent as a
order by a.name, a.agent_id
limit %(k)s::bigint

-- name: agent_records
-- The agents with workload and record, by name.
select a.agent_id as desk_agent_id, coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name,
       a.active, a.open, a.capacity,
       -- asked of each agent only where there are limits at all
       case when exists (select from dealwright.channel_limit) then dealwright.channels_of(a.agent_id) end as channels,
       a.department, a.shifts, a.weight, a.fair_count, coalesce(s.known[1], 0) as known,
       coalesce(s.confirmed[1], 0) as won, coalesce(s.expected_ppm[1], 0) / 1e6::double precision as expected_wins
from dealwright.agent as a
left join dealwright.agent_stat as s using (agent_id)
order by a.name, a.agent_id
limit %(k)s::bigint

-- name: agent_search
-- Agents whose name or id holds a text.
select coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name
from dealwright.agent as a
where strpos(lower(a.name), lower(%(text)s::text)) > 0 or coalesce(a.external_id, a.agent_id::text) = %(text)s::text
order by a.active desc, a.name, a.agent_id
limit %(k)s::bigint

-- name: agent_with_email
-- The agent who has an address.
select dealwright.agent_with_email(%(email)s::text) as agent_id

-- name: agent_workloads
-- What the classic features take from the agents.
select agent_id, rating, years_of_service, department, open, capacity from dealwright.agent order by agent_id

-- name: agents
-- Every agent with its workload and its rank for a lead of which nothing is known.
select coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.open, a.capacity, r.rank,
       r.match_score, r.win_probability, r.win_low, r.win_high, a.active, a.department, a.job_title, a.years_of_service,
           a.rating, a.skills, a.weight, dealwright.channels_of(a.agent_id) as channels,
       coalesce(s.known[1], 0) as known, coalesce(s.confirmed[1], 0) as won
from dealwright.rank_agents('{"customer_name": "anybody"}', %(policy)s::text) as r
join dealwright.agent as a using (agent_id)
left join dealwright.agent_stat as s using (agent_id)
order by r.rank, a.agent_id

-- name: agents_page
-- Agents by the order in which they came, after one.
select a.agent_id as position, coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.active,
       a.open, a.capacity, dealwright.channels_of(a.agent_id) as channels, a.department, a.job_title, a.skills, a.shifts
from dealwright.agent as a
where (%(after)s::bigint is null or a.agent_id > %(after)s::bigint)
order by a.agent_id
limit %(k)s::bigint

-- name: agree_to_proposal
-- A second person agrees.
select dealwright.agree_to_proposal(%(proposal_id)s::bigint, %(reason)s::text)

-- name: approve_territory_scenario
-- A scenario of territories is in force from a day on.
select dealwright.approve_territory_scenario(%(scenario_id)s::bigint, %(effective_from)s::date, %(approved_by)s::text,
    %(edits)s::integer, %(figures)s::jsonb, %(territories)s::text[], %(rep_ids)s::text[], %(account_ids)s::text[],
    %(account_territories)s::text[])

-- name: approved_territories
-- Who has which account in a scenario that was approved.
select account_id, territory, rep_id from dealwright.approved_territories(%(scenario_id)s::bigint)

-- name: archive_files
-- What is in the archive.
select file, kind, partition, from_time, to_time, rows, first_id, last_id, sha256
from dealwright.archive_file
order by file

-- name: archived_digest
-- What a month of the record adds up to, or what was read back of it.
select rows, digest from dealwright.archived_digest(%(partition)s::text)

-- name: arrivals
-- The latest leads with who has them, as the floor shows them.
select l.lead_id, l.customer_name, l.attributes, l.received_at, l.status, l.required_skills, l.required_department,
       extract(epoch from clock_timestamp() - l.received_at)::double precision as age_s,
       s.assignment_id as desk_assignment_id, coalesce(s.external_id, s.assignment_id::text) as assignment_id,
       s.status as assignment_status, s.first_contact_at, s.held_by is not null as handed_over,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.open, a.capacity,
       b.status as booking_status, d.decision_id, d.named_by, d.policy, d.from_queue, d.win_probability, d.expected_value
from (select * from dealwright.lead order by lead_id desc limit %(k)s::bigint) as l
left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
left join dealwright.agent as a using (agent_id)
left join dealwright.booking as b on b.assignment_id = s.assignment_id
left join dealwright.decision as d on d.assignment_id = s.assignment_id
order by l.lead_id desc

-- name: assign
-- Records a lead and gives it to an agent, durably.
call dealwright.assign(%(lead)s::jsonb, %(policy)s::text)

-- name: assign_many
-- Records leads and gives them to agents, in one transaction.
select * from dealwright.assign_many(%(leads)s::jsonb[], %(policy)s::text)

-- name: assign_new_to
-- Records a lead and gives it to the agent who is named.
select * from dealwright.assign_to(
    %(lead)s::jsonb, %(agent_id)s::bigint, %(reason)s::text, %(override)s::boolean, %(named_by)s::text,
    %(policy)s::text)

-- name: assign_to
-- Gives a lead to the agent who is named.
select * from dealwright.assign_to(
    %(lead_id)s::bigint, %(agent_id)s::bigint, %(reason)s::text, %(override)s::boolean, %(named_by)s::text)

-- name: assignment
-- One assignment with its lead and booking.
select s.assignment_id as position, coalesce(s.external_id, s.assignment_id::text) as assignment_id, s.lead_id,
       l.customer_name, l.attributes, l.requirements, s.agent_id as desk_agent_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, s.status, s.assigned_at,
       s.first_contact_at, s.offered_until, s.accepted_at, s.ended_at, s.end_reason, s.match_score, s.policy,
       s.model_id,
       coalesce(b.external_id, b.booking_id::text) as booking_id, b.status as booking_status
from dealwright.assignment as s
join dealwright.lead as l using (lead_id)
join dealwright.agent as a using (agent_id)
left join dealwright.booking as b using (assignment_id)
where s.assignment_id = %(assignment_id)s::bigint

-- name: assignments_page
-- Assignments, newest first, before one.
select s.assignment_id as position, coalesce(s.external_id, s.assignment_id::text) as assignment_id, s.lead_id,
       l.customer_name, l.attributes, l.requirements, s.agent_id as desk_agent_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, s.status, s.assigned_at,
       s.first_contact_at, s.offered_until, s.accepted_at, s.ended_at, s.end_reason, s.match_score, s.policy,
       s.model_id,
       coalesce(b.external_id, b.booking_id::text) as booking_id, b.status as booking_status
from dealwright.assignment as s
join dealwright.lead as l using (lead_id)
join dealwright.agent as a using (agent_id)
left join dealwright.booking as b using (assignment_id)
where (%(before)s::bigint is null or s.assignment_id < %(before)s::bigint)
  and (%(status)s::text is null or s.status = %(status)s::text)
order by s.assignment_id desc
limit %(k)s::bigint

-- name: assignments_page_of_agent
-- Assignments of one agent, newest first, before one.
select s.assignment_id as position, coalesce(s.external_id, s.assignment_id::text) as assignment_id, s.lead_id,
       l.customer_name, l.attributes, l.requirements, s.agent_id as desk_agent_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, s.status, s.assigned_at,
       s.first_contact_at, s.offered_until, s.accepted_at, s.ended_at, s.end_reason, s.match_score, s.policy,
       s.model_id,
       coalesce(b.external_id, b.booking_id::text) as booking_id, b.status as booking_status
from dealwright.assignment as s
join dealwright.lead as l using (lead_id)
join dealwright.agent as a using (agent_id)
left join dealwright.booking as b using (assignment_id)
where s.agent_id = %(agent_id)s::bigint
  and (%(before)s::bigint is null or s.assignment_id < %(before)s::bigint)
  and (%(status)s::text is null or s.status = %(status)s::text)
order by s.assignment_id desc
limit %(k)s::bigint

-- name: backup_versions
-- The migrations a desk has behind it.
select version, name, checksum from dealwright.schema_version order by version

-- name: begin_night
-- The next night of the queue is carried out by this worker.
select dealwright.begin_night(%(worker)s::text, %(now)s::timestamptz) as night_id

-- name: begin_session_of_key
-- Somebody signs in with a key.
select dealwright.begin_session(
    %(digest)s::bytea, make_interval(secs => %(lasts_s)s::double precision), key_id => %(key_id)s::text) as expires_at

-- name: begin_session_of_person
-- Somebody signs in at an OpenID provider.
select dealwright.begin_session(
    %(digest)s::bytea, make_interval(secs => %(lasts_s)s::double precision), issuer => %(issuer)s::text,
    subject => %(subject)s::text, name => %(name)s::text, scopes => %(scopes)s::text[],
    agent_id => %(agent_id)s::bigint) as expires_at

-- name: booking_assignment
-- Whose booking it is: named by an outside id, else by the id the desk gave it.
select b.assignment_id, s.agent_id as desk_agent_id
from dealwright.booking as b
join dealwright.assignment as s using (assignment_id)
where b.external_id = %(booking)s::text
   or (b.external_id is null and b.booking_id = case when %(booking)s::text ~ '^[1-9][0-9]{0,17}$'
                                                     then %(booking)s::bigint end)
order by b.external_id nulls last
limit 1

-- name: calibration
-- Of the latest decided assignments whose outcome is known: how likely a win was thought, and how often it came.
select width_bucket(r.win_probability, 0, 1.0000001, 10) as bin, count(*) as outcomes,
       avg(r.win_probability) as predicted, count(*) filter (where r.outcome = 'won') as won
from (
    select d.win_probability, s.outcome
    from (select x.assignment_id, x.outcome from dealwright.assignment as x
          order by x.assignment_id desc limit %(k)s::bigint) as s
    join dealwright.decision as d using (assignment_id)
    where s.outcome is not null and d.win_probability is not null
) as r
group by 1
order by 1

-- name: cancel_night
-- A night is called off.
select dealwright.cancel_night(%(night_id)s::bigint, %(cancelled_by)s::text) as status

-- name: cancel_task
-- A task is not to be done.
select (dealwright.cancel_task(%(task_id)s::bigint, %(note)s::text)).task_id

-- name: catch_up
-- What has to be done before outcomes are read: follow-up times that are over, values that could not have a slot when
-- they came.
select dealwright.declare_open_values() as declared, dealwright.lapse_follow_ups(%(as_of)s::timestamptz) as lapsed

-- name: change_day
-- Somebody changes, undoes, does again or publishes a day of a run.
select dealwright.change_day(%(night_id)s::bigint, %(day)s::date, %(kind)s::text, %(change)s::jsonb,
    %(of_change)s::bigint, %(seen)s::bigint, %(made_by)s::text) as change_id

-- name: changes_page
-- Who did what, newest first, before one; of one actor, of one kind, about one thing.
select c.change_id as position, c.change_id, c.changed_at, c.actor, c.actor_name, c.action, c.object,
       coalesce(a.external_id, s.external_id, b.external_id, c.object_id) as object_id,
       c.before, c.after, c.reason, c.request_id
from dealwright.change as c
left join dealwright.agent as a
    on a.agent_id = case when c.object = 'agent' then c.object_id::bigint end
left join dealwright.assignment as s
    on s.assignment_id = case when c.object = 'assignment' then c.object_id::bigint end
left join dealwright.booking as b
    on b.booking_id = case when c.object = 'booking' then c.object_id::bigint end
where (%(before)s::bigint is null or c.change_id < %(before)s::bigint)
  and (%(actor)s::text is null or c.actor = %(actor)s::text)
  and (%(action)s::text is null or c.action = %(action)s::text)
  and (%(object)s::text is null or c.object = %(object)s::text)
  and (%(object_id)s::text is null
       or coalesce(a.external_id, s.external_id, b.external_id, c.object_id) = %(object_id)s::text)
order by c.change_id desc
limit %(k)s::bigint

-- name: channel_limits
-- The channels with limits, and how many leads of each are open.
select dimension, channel, capacity, places, open from dealwright.channel_limit order by channel

-- name: closed_months
-- The months of the record that are over.
select kind, partition, from_time, to_time, unsealed from dealwright.closed_months(%(before)s::timestamptz)

-- name: contact
-- The agent reached the customer.
select dealwright.contact(%(assignment_id)s::bigint, %(at)s::timestamptz) as first_contact_at

-- name: contest_outcome
-- The agent does not accept an outcome.
select dealwright.contest_outcome(%(assignment_id)s::bigint, %(reason)s::text) as contested_at

-- name: contests
-- The outcomes that are contested, or were.
select coalesce(s.external_id, s.assignment_id::text) as assignment_id, s.outcome,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, c.contested_at, c.reason, c.resolved_at
from dealwright.contest as c
join dealwright.assignment as s using (assignment_id)
join dealwright.agent as a using (agent_id)
where c.resolved_at is null or %(with_resolved)s::boolean
order by c.contested_at desc, c.assignment_id
limit 1000

-- name: counts
-- How much the desk holds.
select (select count(*) from dealwright.agent) as agents,
       (select count(*) from dealwright.assignment) as assignments,
       (select count(*) from dealwright.booking) as bookings,
       (select count(*) from dealwright.lead where status = 'waiting') as waiting

-- name: create_key
-- Registers a key of the service; of the secret its hash.
select dealwright.create_key(
    %(key_id)s::text, %(name)s::text, %(scopes)s::text[], %(hash)s::text, %(agent_id)s::bigint,
    %(expires_at)s::timestamptz)

-- name: create_territory_scenario
-- The territories of a night are copied.
select dealwright.create_territory_scenario(%(name)s::text, %(night_id)s::bigint, %(created_by)s::text) as scenario_id

-- name: create_webhook
-- An address that receives events from now on.
select dealwright.create_webhook(%(url)s::text, %(kinds)s::text[], %(salt)s::bytea, %(key_mark)s::text) as webhook_id

-- name: currency
-- What amounts are in.
select dealwright.currency() as currency

-- name: day_changes
-- What was changed of a day of a run, in order.
select * from dealwright.day_changes(%(night_id)s::bigint, %(day)s::date)

-- name: deactivate_agent
-- The agent gets no more leads; the open ones may go to others.
select dealwright.deactivate_agent(dealwright.agent_named(%(agent)s::text), %(hand_over)s::boolean) as answer

-- name: dead_letter_taken
-- An event that was put aside was taken after all.
select dealwright.dead_letter_taken(%(webhook_id)s::bigint, %(xid)s::text::xid8, %(position)s::bigint)

-- name: dead_letters
-- What an address refused again and again.
select xid::text::numeric as xid, position, kind, given_up_at, error
from dealwright.dead_letters(%(webhook_id)s::bigint)

-- name: decision_details
-- The interval and the reasons behind assignments.
select i.assignment_id, w.win_low, w.win_high, dealwright.reasons_of(i.assignment_id) as reasons
from unnest(%(ids)s::bigint[]) as i (assignment_id)
cross join lateral dealwright.win_interval(i.assignment_id) as w

-- name: decisions_page
-- Decisions, newest first, before one, with the block that seals them.
select d.decision_id, d.decided_at, d.lead_id, l.customer_name, d.from_queue, d.policy, d.model_id, d.match_score,
       d.win_probability, d.expected_value, d.fairness_price, d.propensity,
       coalesce(s.external_id, d.assignment_id::text) as assignment_id,
       coalesce(a.external_id, d.agent_id::text) as agent_id, a.name as agent_name, x.block_id
from (select * from dealwright.decision
      where (%(before)s::bigint is null or decision_id < %(before)s::bigint)
      order by decision_id desc limit %(k)s::bigint) as d
left join dealwright.lead as l using (lead_id)
left join dealwright.assignment as s on s.assignment_id = d.assignment_id
left join dealwright.agent as a on a.agent_id = d.agent_id
left join dealwright.decision_seal as x using (decision_id)
order by d.decision_id desc

-- name: decline
-- The agent does not take the lead.
select * from dealwright.decline(%(assignment_id)s::bigint, %(reason)s::text)

-- name: desk_data
-- Whether anything would be lost with a desk, beside what every new one has.
select (select count(*) from dealwright.agent) as agents,
       (select count(*) from dealwright.lead) as leads,
       exists (select from dealwright.event)
       or exists (select from dealwright.model)
       or exists (select from dealwright.dimension)
       or exists (select from dealwright.plan_run) as used

-- name: desk_dependents
-- What is not the desk's own and would go with it: views of its tables, functions and columns of its types, foreign
-- keys.
with ours as (
    select n.oid from pg_namespace as n where n.nspname in ('dealwright', 'dealwright_engine')
), parts as (
    select 'pg_class'::regclass as kind, c.oid from pg_class as c where c.relnamespace in (table ours)
    union all
    select 'pg_proc'::regclass, p.oid from pg_proc as p where p.pronamespace in (table ours)
    union all
    select 'pg_type'::regclass, t.oid from pg_type as t where t.typnamespace in (table ours)
), hanging as (
    select d.classid, d.objid, d.objsubid,
           -- what has no schema of its own belongs to a table
           coalesce(w.ev_class, k.conrelid, t.tgrelid, v.adrelid, l.polrelid) as relation
    from pg_depend as d
    join parts as o on o.kind = d.refclassid and o.oid = d.refobjid
    left join pg_rewrite as w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
    left join pg_constraint as k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid and k.conrelid <> 0
    left join pg_trigger as t on d.classid = 'pg_trigger'::regclass and t.oid = d.objid
    left join pg_attrdef as v on d.classid = 'pg_attrdef'::regclass and v.oid = d.objid
    left join pg_policy as l on d.classid = 'pg_policy'::regclass and l.oid = d.objid
)
select distinct coalesce(pg_describe_object('pg_class'::regclass, c.oid, 0),
                         pg_describe_object(h.classid, h.objid, h.objsubid)) as name
from hanging as h
left join pg_class as c on c.oid = h.relation
cross join pg_identify_object(h.classid, h.objid, h.objsubid) as i
where coalesce(c.relnamespace::regnamespace::text, i.schema, '') not in ('dealwright', 'dealwright_engine', 'pg_toast')
order by name

-- name: dimensions
-- The declared dimensions with their values: bins in their order, others in that of their slots; empty is not among
-- them.
select d.name, d.is_open, d.required, d.at_arrival, d.edges,
       array_agg(v.value order by v.bin,
           v.slot) filter (where case when d.edges = '{}' then v.bin is null and v.value <> '(empty)'
                                                               else v.bin <= cardinality(d.edges) + 1 end) as allowed
from dealwright.dimension as d
left join dealwright.dimension_value as v using (dimension_id)
group by d.dimension_id
order by d.position

-- name: duplicates
-- Other open leads that may be the same enquiry.
select d.lead_id, d.customer_name, d.received_at, coalesce(a.external_id, a.agent_id::text) as agent_id, d.agent_name,
       d.why
from dealwright.duplicates_of(%(lead_id)s::bigint) as d
left join dealwright.agent as a using (agent_id)
order by d.lead_id

-- name: edit_territory_scenario
-- A scenario of territories is changed.
select dealwright.edit_territory_scenario(%(scenario_id)s::bigint, %(edit)s::jsonb, %(made_by)s::text,
    %(after)s::integer) as number

-- name: end_night
-- How a night ended.
select dealwright.end_night(%(night_id)s::bigint, %(status)s::text, %(folder)s::text, %(result)s::jsonb,
    %(error)s::text, %(begin_at)s::timestamptz, %(counts)s::boolean)

-- name: end_session
-- Somebody signs out.
select dealwright.end_session(%(digest)s::bytea) as ended

-- name: erase_customer
-- A customer is taken out of the desk.
select dealwright.erase_customer(%(customer)s::text, %(reason)s::text, %(lead_ids)s::bigint[]) as answer

-- name: erase_older
-- Whose time is over: some of them, or 0 where there is nothing left to do.
select dealwright.erase_older(now() - make_interval(secs => %(age_s)s::double precision)) as erased

-- name: events
-- Events after one, in the order in which they became visible, under the ids the user's own tables use.
select e.xid::text::numeric as xid, e.position, e.at, e.kind, e.agent_id as desk_agent_id,
       coalesce(a.external_id, e.agent_id::text) as agent_id, a.name as agent_name, e.lead_id,
       coalesce(s.external_id, e.assignment_id::text) as assignment_id,
       coalesce(b.external_id, e.booking_id::text) as booking_id, e.open, e.capacity, e.payload
from dealwright.read_events(%(xid)s::text::xid8, %(position)s::bigint, %(most)s::integer) as e
left join dealwright.agent as a using (agent_id)
left join dealwright.assignment as s on s.assignment_id = e.assignment_id
left join dealwright.booking as b on b.booking_id = e.booking_id
order by e.xid, e.position

-- name: explain
-- Why an assignment went where it went.
select dealwright.explain(%(assignment_id)s::bigint, %(agent_id)s::bigint) as answer

-- name: fairness
-- Who had a share of the latest decisions, and what fairness cost in expected value.
select coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.weight,
       count(d.decision_id) as received, coalesce(sum(d.fairness_price), 0) as price
from dealwright.agent as a
left join (select * from dealwright.decision order by decision_id desc limit %(k)s::bigint) as d using (agent_id)
where a.active or d.decision_id is not null
group by a.agent_id
order by received desc, a.agent_id

-- name: find_agent
-- The agents that the user calls so: by their own id, else by name.
select a.agent_id, coalesce(a.external_id, a.agent_id::text) as own_id,
       coalesce(a.external_id, a.agent_id::text) = %(name)s::text as by_id
from dealwright.agent as a
where coalesce(a.external_id, a.agent_id::text) = %(name)s::text or lower(a.name) = lower(btrim(%(name)s::text))
order by by_id desc, a.agent_id

-- name: find_assignment
-- The assignment that the user calls so: by an outside id, else by the id the desk gave it.
select dealwright.assignment_named(%(name)s::text) as id

-- name: find_key
-- The key that a request names.
select * from dealwright.find_key(%(key_id)s::text)

-- name: find_session
-- Who is signed in with a cookie.
select * from dealwright.find_session(%(digest)s::bytea)

-- name: finish_task
-- What came of a task; a time without an offset is the company's clock.
select (dealwright.finish_task(
    t.task_id, %(outcome)s::text,
        coalesce(%(done_at)s::timestamptz, %(local_done_at)s::timestamp at time zone r.time_zone),
    %(note)s::text, %(rep_id)s::text)).task_id
from (select %(task_id)s::bigint as task_id) as t
left join dealwright.task as k using (task_id)
left join dealwright.plan_run as r using (run_id)

-- name: floor
-- What a monitor asks of the desk: who waits, what is free, who works, what is late.
select (select count(*) from dealwright.lead where is_waiting) as waiting_leads,
       (select coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0) from dealwright.lead
        where is_waiting)::double precision as oldest_wait_s,
       (select coalesce(sum(open), 0) from dealwright.agent) as open_assignments,
       (select coalesce(sum(capacity), 0) from dealwright.agent where active) as places,
       (select count(*) from dealwright.agent where active) as active_agents,
       -- not in the function: whose transactions one sees is a matter of who is connected
       (select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid())::double precision as oldest_transaction_s,
       m.*
from dealwright.monitor() as m

-- name: floor_facts
-- The figures at the top of the floor. What counts leads and contacts looks at the latest ones only.
select f.*, t.*, c.*, w.*, dealwright.currency() as currency
from (
    select (select count(*) from dealwright.lead where is_waiting) as waiting,
           (select coalesce(extract(epoch from clock_timestamp() - min(received_at)), 0) from dealwright.lead
            where is_waiting)::double precision as oldest_wait_s,
           (select coalesce(sum(open), 0) from dealwright.agent where active) as open,
           (select coalesce(sum(capacity), 0) from dealwright.agent where active) as places,
           (select coalesce(sum(greatest(capacity - open, 0)), 0) from dealwright.agent
            where active and (shifts is null or shifts @> clock_timestamp())) as free_now,
           (select count(*) from dealwright.agent) as agents,
           (select count(*) from dealwright.agent where active) as active_agents,
           (select count(*) from dealwright.agent
            where active and (shifts is null or shifts @> clock_timestamp())) as present_agents
) as f
cross join (
    select count(*) filter (where l.received_at between %(day)s::timestamptz and clock_timestamp()) as leads_today,
           count(*) filter (where l.received_at between clock_timestamp() - interval '10 minutes'
               and clock_timestamp()) as leads_10_min,
           count(*) filter (where l.received_at between %(day)s::timestamptz and clock_timestamp())
               = %(most)s::bigint as has_more_leads,
           count(*) > 0 as has_leads
    from (select received_at from dealwright.lead order by lead_id desc limit %(most)s::bigint) as l
) as t
cross join (
    select count(*) as latest, count(s.first_contact_at) as contacted,
           percentile_cont(0.5) within group (order by extract(epoch from s.first_contact_at - s.assigned_at))
               as contact_s
    from (select first_contact_at, assigned_at from dealwright.assignment
          where status <> 'reassigned' order by assignment_id desc limit 200) as s
    where s.assigned_at between %(day)s::timestamptz and clock_timestamp()
) as c
cross join (
    select count(*) as won_today, coalesce(sum(s.total_revenue), 0)::double precision as revenue_today
    from dealwright.assignment as s
    where s.outcome = 'won' and s.completed_at >= %(day)s::timestamptz
      and s.completed_at < %(day)s::timestamptz + interval '1 day'
) as w

-- name: timers
-- Which leads go to the next agent when, the soonest first: offers to accept, customers to reach.
select t.assignment_id as desk_assignment_id, t.lead_id, l.customer_name, t.is_offer, t.due_at,
       extract(epoch from t.due_at - clock_timestamp())::double precision as left_s,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name
from dealwright.timers(%(k)s::integer, %(agent_id)s::bigint) as t
join dealwright.lead as l using (lead_id)
join dealwright.agent as a on a.agent_id = t.agent_id_of_timer
order by t.due_at, t.assignment_id

-- name: contests_of
-- What is contested, or was, of some assignments.
select c.assignment_id as desk_assignment_id, c.contested_at, c.reason, c.resolved_at
from dealwright.contest as c
where c.assignment_id = any(%(ids)s::bigint[])

-- name: contested_leads
-- The leads whose outcome is contested, or was, newest first.
select s.lead_id, l.customer_name, coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name,
       s.outcome, c.contested_at, c.reason, c.resolved_at
from dealwright.contest as c
join dealwright.assignment as s using (assignment_id)
join dealwright.lead as l using (lead_id)
join dealwright.agent as a using (agent_id)
where c.resolved_at is null or %(with_resolved)s::boolean
order by c.contested_at desc, c.assignment_id
limit %(k)s::bigint

-- name: leads_shown
-- The latest leads that a figure of the floor counts, newest first, before one.
select l.lead_id, l.customer_name, l.attributes, l.received_at, l.status,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, b.status as booking_status,
       s.assigned_at, s.first_contact_at
from (select * from dealwright.lead
      where %(before)s::bigint is null or lead_id < %(before)s::bigint
      order by lead_id desc limit %(most)s::bigint) as l
left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
left join dealwright.agent as a using (agent_id)
left join dealwright.booking as b on b.assignment_id = s.assignment_id
where case %(show)s::text
          when 'today' then l.received_at between %(day)s::timestamptz and clock_timestamp()
          when 'waiting' then l.is_waiting
          when 'reached' then s.first_contact_at is not null and s.assigned_at between %(day)s::timestamptz and clock_timestamp()
          when 'not_reached' then s.status = 'open' and s.first_contact_at is null
          when 'pending' then s.status = 'open'
          when 'won' then b.status = 'confirmed'
          when 'lost' then b.status = 'cancelled'
          else true
      end
order by l.lead_id desc
limit %(k)s::bigint

-- name: won_leads
-- The leads whose bookings were won since a moment, the latest first.
select l.lead_id, l.customer_name, l.attributes, l.received_at, l.status,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, b.status as booking_status,
       s.assigned_at, s.first_contact_at
from dealwright.assignment as s
join dealwright.lead as l using (lead_id)
join dealwright.agent as a using (agent_id)
left join dealwright.booking as b on b.assignment_id = s.assignment_id
where s.outcome = 'won' and s.completed_at >= %(day)s::timestamptz
  and s.completed_at < %(day)s::timestamptz + interval '1 day'
order by s.completed_at desc, s.assignment_id desc
limit %(k)s::bigint

-- name: has_replayed
-- Whether a standby shows what was written up to a place in the log.
select coalesce(pg_last_wal_replay_lsn() >= %(lsn)s::pg_lsn, true) as has

-- name: holders
-- Who had a lead, one after the other, under the ids the user's own tables use.
select h.assignment_id as desk_assignment_id, h.agent_id as desk_agent_id,
       coalesce(s.external_id, s.assignment_id::text) as assignment_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, h.agent_name, h.assigned_at, h.first_contact_at, h.status,
       h.ended_at, h.end_reason, s.policy, s.offered_until, s.accepted_at, s.outcome
from dealwright.holders_of(%(lead_id)s::bigint) as h
join dealwright.assignment as s using (assignment_id)
join dealwright.agent as a on a.agent_id = h.agent_id
order by h.assigned_at, h.assignment_id

-- name: holders_of
-- At the end of the chain of those who wait: whose long transaction keeps a process waiting. Of its statement the first
-- word only: the rest may hold customers' data.
with recursive chain (pid) as (
    select b.pid from unnest(pg_blocking_pids(%(pid)s::integer)) as b (pid)
    union
    select b.pid from chain as c cross join lateral unnest(pg_blocking_pids(c.pid)) as b (pid)
)
select h.pid, coalesce(nullif(a.application_name, ''), a.backend_type) as application, a.usename as "user",
       a.xact_start as since, a.state, substring(a.query from '^(?:\s|--[^\n]*\n)*([A-Za-z]+)') as statement
from chain as h
left join pg_stat_activity as a using (pid)
where cardinality(pg_blocking_pids(h.pid)) = 0
  -- as it is for who may not know
  and (a.xact_start < clock_timestamp() - interval '2 seconds' or a.xact_start is null)
order by a.xact_start nulls last, h.pid

-- name: holders_of_desk
-- Whose transactions have been going on for a second at tables of the desk, or in a call of its functions.
select a.pid, coalesce(nullif(a.application_name, ''), a.backend_type) as application, a.usename as "user",
       a.xact_start as since, a.state, substring(a.query from '^(?:\s|--[^\n]*\n)*([A-Za-z]+)') as statement
from (select pg_stat_clear_snapshot()) as fresh
cross join lateral (
    select distinct l.pid from pg_locks as l
    where l.granted and l.pid is distinct from pg_backend_pid()
      and l.database = (select d.oid from pg_database as d where d.datname = current_database())
      and (l.relation in (select to_regclass(t) from unnest(%(tables)s::text[]) as t)
           or (l.locktype = 'advisory' and l.objsubid = 2 and l.objid = 0
               and l.classid = (hashtext('dealwright upgrade')::bigint & 4294967295)::oid))
) as h
join pg_stat_activity as a using (pid)
-- what others do is not shown to everybody
where a.xact_start < clock_timestamp() - interval '1 second' or a.state is null
order by a.xact_start nulls last, a.pid

-- name: import_history
-- Takes in what was copied into the temporary tables.
select dealwright.import_history(%(follow_up_days)s::double precision, %(deactivate_missing)s::boolean,
    %(currency)s::text) as counts

-- name: is_recorded
-- Whether the decision on an assignment is in this database.
select exists (select from dealwright.decision as d where d.assignment_id = %(assignment_id)s::bigint) as here

-- name: join_archived_events
-- Adds what an archived decision could see of the events that are still here.
select dealwright.join_archived_events()

-- name: keep_schedule
-- By which schedule nights are due, and since when.
select dealwright.keep_schedule(%(schedule)s::text, %(now)s::timestamptz) as since

-- name: known_tasks
-- Which of these tasks there are.
select task_id from dealwright.task where task_id = any(%(task_ids)s::bigint[])

-- name: lapse_follow_ups
-- Follow-up times that are over, by a clock that is ahead by so much.
select dealwright.lapse_follow_ups(
    case when %(ahead_s)s::double precision > 0
        then now() - make_interval(secs => %(ahead_s)s::double precision) end) as lapsed

-- name: keep_timers
-- Timers follow a clock that jumped.
select dealwright.keep_timers(
    make_interval(secs => %(jumped_s)s::double precision), make_interval(secs => %(elapsed_s)s::double precision))

-- name: last_event
-- The position up to which events can be read at this moment.
select l.xid::text::numeric as xid, l.position from dealwright.last_event() as l

-- name: lead
-- One lead and who has it.
select l.lead_id, l.external_id, l.customer_id, l.customer_name, l.attributes, l.requirements, l.priority,
       l.idempotency_key, l.received_at, l.status, l.policy,
       coalesce(s.external_id, s.assignment_id::text) as assignment_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name,
       coalesce(b.external_id, b.booking_id::text) as booking_id, b.status as booking_status
from dealwright.lead as l
left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
left join dealwright.agent as a using (agent_id)
left join dealwright.booking as b on b.assignment_id = s.assignment_id
where l.lead_id = %(lead_id)s::bigint

-- name: lead_by_key
-- The lead that came with an idempotency key.
select l.lead_id, l.external_id, l.customer_id, l.customer_name, l.attributes, l.requirements, l.priority,
       l.idempotency_key, l.received_at, l.status, l.policy,
       coalesce(s.external_id, s.assignment_id::text) as assignment_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name,
       coalesce(b.external_id, b.booking_id::text) as booking_id, b.status as booking_status
from dealwright.lead as l
left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
left join dealwright.agent as a using (agent_id)
left join dealwright.booking as b on b.assignment_id = s.assignment_id
where l.idempotency_key = %(key)s::text

-- name: lead_search
-- Of the latest leads those whose customer's name holds a text.
select l.lead_id, l.customer_name, l.status
from (select lead_id, customer_name, status from dealwright.lead order by lead_id desc limit 5000) as l
where strpos(lower(l.customer_name), lower(%(text)s::text)) > 0
order by l.lead_id desc
limit %(k)s::bigint

-- name: lead_story
-- What happened with a lead while these agents had it.
select e.at, e.kind, coalesce(a.external_id, e.agent_id::text) as agent_id, a.name as agent_name,
       e.assignment_id as desk_assignment_id, e.payload
from dealwright.event as e
left join dealwright.agent as a using (agent_id)
where e.agent_id = any(%(agents)s::bigint[]) and e.lead_id = %(lead_id)s::bigint and e.at >= %(since)s::timestamptz
order by e.at, e.position

-- name: leads_page
-- Leads, newest first, before one.
select l.lead_id, l.external_id, l.customer_id, l.customer_name, l.attributes, l.requirements, l.priority,
       l.idempotency_key, l.received_at, l.status, l.policy,
       coalesce(s.external_id, s.assignment_id::text) as assignment_id,
       coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name,
       coalesce(b.external_id, b.booking_id::text) as booking_id, b.status as booking_status
from dealwright.lead as l
left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
left join dealwright.agent as a using (agent_id)
left join dealwright.booking as b on b.assignment_id = s.assignment_id
where (%(before)s::bigint is null or l.lead_id < %(before)s::bigint)
  and (%(status)s::text is null or l.status = %(status)s::text)
order by l.lead_id desc
limit %(k)s::bigint

-- name: list_keys
-- All keys of the service.
select * from dealwright.list_keys()

-- name: load_model
-- Registers a model and may put it to work.
select dealwright.load_model(%(kind)s::text, %(parameters)s::jsonb, %(promote)s::boolean) as model_id

-- name: miss_night
-- A night that nobody carried out.
select dealwright.miss_night(%(key)s::text, %(due_at)s::timestamptz) as night_id

-- name: model
-- One model whole.
select model_id, kind, created_at, promoted, promoted_at, parameters, metrics, evidence
from dealwright.model
where model_id = %(model_id)s::bigint

-- name: models
-- The registered models, newest first.
select model_id, kind, created_at, promoted, promoted_at, evidence, metrics
from dealwright.model
order by model_id desc

-- name: next_in_line
-- The agents in the order of the policy in use, for a lead of which nothing is known.
select r.rank, coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.open, a.capacity,
       a.active, r.eligible, a.active and (a.shifts is null or a.shifts @> clock_timestamp()) as present, a.shifts,
       r.match_score,
       a.fair_count, a.weight
from dealwright.rank_agents('{"customer_name": "anybody"}', null, %(k)s::integer) as r
join dealwright.agent as a using (agent_id)
order by r.eligible desc, r.rank, a.agent_id

-- name: night_progress
-- How far a night has come, and whether it is to go on.
select dealwright.night_progress(%(night_id)s::bigint, %(stage)s::text, %(share)s::double precision) as goes_on

-- name: nights
-- Runs of the plan that were asked for, newest first.
select * from dealwright.nights(%(night_id)s::bigint, %(status)s::text, %(before)s::bigint, %(k)s::integer)

-- name: oldest_writer
-- Whose transaction has been writing for longest: nothing that began after it is read before it ends.
select a.pid, coalesce(nullif(a.application_name, ''), a.backend_type) as application, a.usename as "user",
       a.xact_start as since, a.state, substring(a.query from '^(?:\s|--[^\n]*\n)*([A-Za-z]+)') as statement
from pg_stat_activity as a
where a.backend_xid is not null and a.pid <> pg_backend_pid()
  and a.datid = (select d.oid from pg_database as d where d.datname = current_database())
order by a.xact_start
limit 1

-- name: open_archive
-- Makes room, in this transaction, for rows of the archive.
select dealwright.open_archive()

-- name: own_names
-- What the user calls the agents that an answer names by the desk's ids.
select agent_id,
    coalesce(external_id, agent_id::text) as own_id from dealwright.agent where agent_id = any(%(ids)s::bigint[])

-- name: pause_automation
-- The desk gives nobody, or not this agent or team, any leads.
select dealwright.pause_automation(%(reason)s::text, %(agent_id)s::bigint, %(team)s::text) as agents

-- name: pauses
-- To whom the desk gives no leads, and why.
select coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.department as team, p.paused_at,
       p.reason
from dealwright.pause as p
join dealwright.agent as a using (agent_id)
order by p.paused_at, a.agent_id

-- name: plan_runs
-- The published runs, newest first, with what became of their tasks.
select r.run_id, r.first_day, r.last_day, r.as_of, r.time_zone, r.published_at, r.tasks,
       count(*) filter (where t.status in ('planned', 'started')) as open,
       count(*) filter (where t.status = 'done') as done,
       count(*) filter (where t.status = 'failed') as failed,
       count(*) filter (where t.status = 'cancelled') as cancelled,
       count(*) filter (where t.status = 'replaced') as replaced,
       count(*) filter (where t.outcome = 'responded') as responded
from (select * from dealwright.plan_run order by published_at desc limit %(k)s::bigint) as r
left join dealwright.task as t using (run_id)
group by r.run_id, r.first_day, r.last_day, r.as_of, r.time_zone, r.published_at, r.tasks
order by r.published_at desc

-- name: own_rate
-- How many outcomes of an agent are known and won, with the rate.
select r.known, r.won, r.rate, r.rate_low, r.rate_high, r.evidence from dealwright.own_rate(%(agent_id)s::bigint) as r

-- name: policies
-- The policies with their parameters, and which is used where none is named.
select name, params, is_default from dealwright.policy order by is_default desc, name

-- name: policy
-- The policy that is used where none is named, the model behind the named one, and what the data can support.
select policy, model_id, evidence from dealwright.policy_in_use(%(policy)s::text)

-- name: prepare_months
-- Makes the partitions of the months to come.
select dealwright.prepare_months() as months

-- name: promote_model
-- Puts a model to work.
select dealwright.propose_model(%(model_id)s::bigint, %(reason)s::text) as proposal_id

-- name: promoted_model
-- The model of a kind that is at work.
select model_id, parameters from dealwright.model where promoted and kind = %(kind)s

-- name: proposals
-- Changes that wait for a second person, or all that were asked for, newest first.
select proposal_id, asked_at, asked_by, asked_by_name, kind, object_id, before, after, reason, status, decided_at,
       decided_by, decided_by_name, decided_reason
from dealwright.proposal
where (%(status)s::text is null or status = %(status)s::text)
  and (%(kind)s::text is null or kind = %(kind)s::text)
  and (%(object_id)s::text is null or object_id = %(object_id)s::text)
order by proposal_id desc
limit 1000

-- name: propose_policy
-- Another policy, or other parameters: at once, or when a second person agrees.
select dealwright.propose_policy(%(name)s::text, %(params)s::jsonb, %(make_default)s::boolean, %(reason)s::text)
    as proposal_id

-- name: publish_tasks
-- Takes in what was copied into published_task.
select dealwright.publish_tasks(
    %(run_id)s::text, %(as_of)s::timestamp, %(time_zone)s::text, %(first_day)s::date, %(last_day)s::date
) as counts

-- name: queue
-- The leads that wait for a place, most urgent first.
select place, lead_id, external_id, customer_name, attributes, requirements, priority, received_at,
       extract(epoch from waited)::double precision as waited_s, required_skills, required_department, agents_who_could
from dealwright.waiting_lead
order by place
limit %(k)s::bigint

-- name: queue_page
-- The leads that wait for a place, most urgent first, after a place.
select place, lead_id, external_id, customer_name, attributes, requirements, priority, received_at,
       extract(epoch from waited)::double precision as waited_s, required_skills, required_department, agents_who_could
from dealwright.waiting_lead
where place > %(after)s::bigint
order by place
limit %(k)s::bigint

-- name: rank
-- The agents ranked for a lead, under the ids the user's own tables use, and by what they were ranked: one row without
-- an agent where there is none.
select r.rank, coalesce(a.external_id, a.agent_id::text) as agent_id, r.agent_name, r.match_score, r.win_probability,
       r.win_low, r.win_high, r.expected_value, r.open, r.capacity, r.eligible, r.reasons, p.policy, p.model_id,
           p.evidence
from dealwright.policy_in_use(coalesce(%(policy)s::text, %(lead)s::jsonb ->> 'policy')) as p
left join dealwright.rank_agents(%(lead)s::jsonb, %(policy)s::text, %(k)s::integer) as r on true
left join dealwright.agent as a using (agent_id)
order by r.rank, r.agent_id

-- name: reassign
-- Gives an open assignment's lead to the best other agent with room.
select * from dealwright.reassign(%(assignment_id)s::bigint, %(reason)s::text)

-- name: reassign_to
-- Gives an open assignment's lead to the agent who is named.
select * from dealwright.reassign_to(
    %(assignment_id)s::bigint, %(agent_id)s::bigint, %(reason)s::text, %(override)s::boolean, %(named_by)s::text)

-- name: record_blocks
-- The latest blocks of the sealed record.
select block_id, first_decision_id, last_decision_id, decisions, hash, previous_hash, sealed_at
from dealwright.decision_block
order by block_id desc
limit %(k)s::bigint

-- name: record_columns
-- The columns of a table of the record, with their types.
select a.attname as name, a.atttypid::regtype::text as type
from pg_attribute as a
where a.attrelid = ('dealwright.' || quote_ident(%(table)s::text))::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum

-- name: refuse_proposal
-- A change does not take effect.
select dealwright.refuse_proposal(%(proposal_id)s::bigint, %(reason)s::text)

-- name: release_month
-- Drops a month of the record that is in the archive.
select dealwright.release_month(%(kind)s::text, %(partition)s::text, %(files)s::jsonb) as rows

-- name: pause_webhook
-- An address that receives nothing for now.
select dealwright.pause_webhook(%(webhook_id)s::bigint)

-- name: remove_channel
-- Takes the limits of a channel away.
select dealwright.remove_channel(%(channel)s::text)

-- name: remove_webhook
-- An address that receives nothing any more.
select dealwright.remove_webhook(%(webhook_id)s::bigint)

-- name: reopen_task
-- Takes back that a task was finished.
select (dealwright.reopen_task(%(task_id)s::bigint, %(reason)s::text)).task_id

-- name: replace_key
-- Registers the successor of a key.
select dealwright.replace_key(
    %(key_id)s::text, %(new_key_id)s::text, %(hash)s::text, make_interval(secs => %(keep_s)s::double precision))

-- name: replay
-- A decision recomputed from its record.
select dealwright.replay(%(assignment_id)s::bigint) as answer

-- name: require_second_person
-- Whether a second person has to agree.
select dealwright.require_second_person(%(required)s::boolean, %(reason)s::text) as proposal_id

-- name: resolve_contest
-- An outcome stands.
select dealwright.resolve_contest(%(assignment_id)s::bigint, %(reason)s::text) as resolved_at
-- name: request_night
-- A run of the plan is asked for.
select dealwright.request_night(%(key)s::text, %(requested_by)s::text, %(options)s::jsonb,
    %(due_at)s::timestamptz, %(begin_at)s::timestamptz, %(request_id)s::text) as night_id

-- name: resume_webhook
-- An address receives events again, from where it stopped.
select dealwright.resume_webhook(%(webhook_id)s::bigint) as archived_until

-- name: rotate_webhook
-- A new secret for an address.
select dealwright.rotate_webhook(%(webhook_id)s::bigint, %(salt)s::bytea, %(key_mark)s::text,
    make_interval(secs => %(keep_s)s::double precision))

-- name: restore_begins
-- What comes before a backup's own script, for psql. The time is for whoever is at work in the desk that goes.
begin;
set client_min_messages = warning;
set lock_timeout = '30s';
drop schema if exists dealwright, dealwright_engine cascade;

-- name: restore_ends
-- What comes after a backup's own script, for psql. Without statistics the first to come would get bad plans.
select format('analyze %I.%I', t.schemaname, t.tablename) from pg_catalog.pg_tables as t
where t.schemaname in ('dealwright', 'dealwright_engine') \gexec
commit;

-- name: restore_target
-- Where a backup would go: whether a desk is there, whether the schema is somebody else's, who is known, what may be
-- done.
select to_regclass('dealwright.schema_version') is not null as has_desk,
       exists (select from pg_class as c where c.relnamespace in (select n.oid from pg_namespace as n
               where n.nspname in ('dealwright', 'dealwright_engine'))) as has_objects,
       array(select r.rolname::text from pg_roles as r) as roles,
       (select r.rolsuper or r.rolcreaterole from pg_roles as r where r.rolname = current_user) as may_create_roles

-- name: resume_automation
-- They get leads again.
select dealwright.resume_automation(%(reason)s::text, %(agent_id)s::bigint, %(team)s::text) as agents

-- name: retire_territory_scenario
-- No night keeps a scenario any more.
select dealwright.retire_territory_scenario(%(scenario_id)s::bigint)

-- name: return_unanswered
-- Gives a lead whose agent did not answer in time to the next one.
select dealwright.return_unanswered() as returned

-- name: revoke_key
-- Ends a key.
select dealwright.revoke_key(%(key_id)s::text) as revoked_at

-- name: seal_decisions
-- Seals what was decided since the last time.
select dealwright.seal_decisions() as sealed

-- name: second_person_required
-- Whether a second person has to agree.
select dealwright.second_person_required() as required

-- name: serve_queue
-- Gives places that a shift has opened to those who wait.
select dealwright.fill_free_places() as placed

-- name: set_availability
-- How many open leads an agent may have, and when they work.
select dealwright.set_availability(
    %(agent_id)s::bigint, %(capacity)s::integer, %(shifts)s::tstzmultirange, %(always)s::boolean)

-- name: set_agent_channel
-- How many open leads of a channel one agent may have; null: as many as the channel says.
select dealwright.set_agent_channel(%(agent_id)s::bigint, %(channel)s::text, %(capacity)s::integer)

-- name: set_channel
-- How many open leads of a channel each agent may have, and how many places one takes.
select dealwright.set_channel(%(channel)s::text, %(capacity)s::integer, %(places)s::integer, %(dimension)s::text)

-- name: settle
-- Settles or reopens a booking, durably.
call dealwright.settle(
    %(booking)s::text, %(status)s::text, %(base_revenue)s::double precision, %(package_revenue)s::double precision,
    %(total_revenue)s::double precision
)

-- name: slots
-- What each slot stands for.
select v.slot, d.name, v.value from dealwright.dimension_value as v join dealwright.dimension as d using (dimension_id)

-- name: standing
-- Where an agent would stand now for a lead.
select r.rank, r.agents, r.match_score, r.win_probability, r.win_low, r.win_high, r.eligible, r.reasons, r.is_first,
       r.first_score, r.first_open, p.policy
from dealwright.policy_in_use(%(lead)s::jsonb ->> 'policy') as p,
    dealwright.standing(%(agent_id)s::bigint, %(lead)s::jsonb) as r

-- name: start_task
-- Somebody is at it.
select (dealwright.start_task(%(task_id)s::bigint, %(rep_id)s::text)).task_id

-- name: tasks
-- Tasks by day, representative and time. Without a day, an account, a task or a run: those of the newest run's days.
with newest as (
    select first_day, last_day from dealwright.plan_run order by published_at desc limit 1
)
select t.task_id, t.day, t.account_id, t.account_name, t.rep_id, t.action, t.channel, t.stop, t.start_at, t.end_at,
       t.window_start, t.window_end, t.value_eur::double precision as value_eur,
           t.cost_eur::double precision as cost_eur,
       t.propensity, t.reason, t.status, t.outcome, t.done_at, t.note, t.run_id, t.replaced_by, r.time_zone, t.card,
       case when %(with_brief)s::boolean then t.brief end as brief
from dealwright.task as t
join dealwright.plan_run as r using (run_id)
left join newest as n on t.day between n.first_day and n.last_day
where (%(task_id)s::bigint is null or t.task_id = %(task_id)s::bigint)
  and (%(day)s::date is null or t.day = %(day)s::date)
  and (%(account_id)s::text is null or t.account_id = %(account_id)s::text)
  and (%(run_id)s::text is null or t.run_id = %(run_id)s::text)
  and (%(rep_id)s::text is null or t.rep_id = %(rep_id)s::text)
  and (%(status)s::text is null and (t.status <> 'replaced' or %(task_id)s::bigint is not null)
      or t.status = %(status)s::text)
  and (coalesce(%(task_id)s::text, %(day)s::date::text, %(account_id)s::text, %(run_id)s::text) is not null
      or n.first_day is not null)
order by t.day, t.rep_id nulls last, t.start_at nulls last, t.value_eur desc nulls last, t.task_id
limit %(k)s::bigint

-- name: territories_in_force
-- The scenario of territories that was approved for a day.
select scenario_id, name, effective_from from dealwright.territories_in_force(%(day)s::date)

-- name: territory_edits
-- What was changed of a scenario of territories.
select number, edit, made_by, made_at, undone_by, undone_at from dealwright.territory_edits(%(scenario_id)s::bigint)

-- name: territory_scenarios
-- Scenarios of territories, newest first, or one.
select scenario_id, name, night_id, status, created_by, created_at, approved_by, approved_at, effective_from, retired_at,
       figures, last_edit, edits
from dealwright.territory_scenarios(%(scenario_id)s::bigint)

-- name: touches
-- Finished tasks as touches, up to a moment on the company's clock.
copy (
    select account_id, touched_at, channel, action, response, rejected, cost_eur, propensity, rep_id, task_id
    from dealwright.touch
    where (%(since)s::timestamp is null or touched_at >= %(since)s::timestamp)
      and (%(until)s::timestamp is null or touched_at <= %(until)s::timestamp)
    order by touched_at, task_id
) to stdout (format csv, header true)

-- name: traits
-- The numeric traits of the agents.
select agent_id, rating, years_of_service from dealwright.agent order by agent_id

-- name: undo_territory_edit
-- The last edit of a scenario is taken back.
select dealwright.undo_territory_edit(%(scenario_id)s::bigint, %(undone_by)s::text) as number

-- name: unsealed_decisions
-- Decisions that no block covers yet.
select dealwright.unsealed_decisions() as unsealed

-- name: verify_archived
-- Checks blocks with what was copied from the archive.
select v.block_id, v.decisions, b.first_decision_id, b.last_decision_id, v.intact
from dealwright.verify_archived(%(first)s::bigint, %(last)s::bigint) as v
join dealwright.decision_block as b using (block_id)
order by v.block_id

-- name: verify_decisions
-- Checks every block of the sealed record.
select v.block_id, v.decisions, b.first_decision_id, b.last_decision_id, v.intact
from dealwright.verify_decisions() as v
join dealwright.decision_block as b using (block_id)
order by v.block_id

-- name: waiting
-- Which of these processes wait for others, or have let go for a moment to try again (hold_writers).
select pid from unnest(%(pids)s::integer[]) as pid
where cardinality(pg_blocking_pids(pid)) > 0
   or exists (select from pg_stat_activity as a where a.pid = pid.pid and a.wait_event = 'PgSleep')

-- name: waiting_first
-- The most urgent waiting leads, and how many agents could take each.
select l.lead_id, l.customer_name, l.attributes, l.requirements, l.priority, l.received_at,
       extract(epoch from clock_timestamp() - l.received_at)::double precision as age_s, l.required_skills,
       l.required_department, c.agents_who_could, c.agents_full
from (select * from dealwright.lead where is_waiting order by priority desc, received_at, lead_id
      limit %(k)s::bigint) as l
cross join lateral (
    select count(*) as agents_who_could, count(*) filter (where a.open >= a.capacity) as agents_full
    from dealwright.agent as a
    where a.active and (l.required_skills is null or a.skills @> l.required_skills)
      and (l.required_department is null or a.department = l.required_department)
      and (l.declined_by is null or a.agent_id <> all (l.declined_by))
) as c
order by l.priority desc, l.received_at, l.lead_id

-- name: webhook_again
-- An address is told once more of what it refused, and of all since.
select dealwright.webhook_again(%(webhook_id)s::bigint) as archived_until

-- name: webhook_done
-- An event was taken.
select dealwright.webhook_done(%(webhook_id)s::bigint, %(xid)s::text::xid8, %(position)s::bigint)

-- name: webhook_failed
-- An address did not take an event: when to try again.
select dealwright.webhook_failed(
    %(webhook_id)s::bigint, %(error)s::text, make_interval(secs => %(wait_s)s::double precision),
    %(disable)s::boolean)

-- name: webhook_gave_up
-- An event was put aside.
select dealwright.webhook_gave_up(%(webhook_id)s::bigint, %(xid)s::text::xid8, %(position)s::bigint, %(kind)s::text,
    %(error)s::text)

-- name: webhook_passed
-- Events that do not concern an address.
select dealwright.webhook_passed(%(webhook_id)s::bigint, %(xid)s::text::xid8, %(position)s::bigint)

-- name: webhooks
-- The addresses that receive events, each with its place among them.
select webhook_id, url, kinds, salt, key_mark, former_salt, former_until, xid::text::numeric as xid, position, created_at,
       disabled_at, paused_at, failures, failing_since, retry_at, last_error, dead_letters
from dealwright.list_webhooks()

-- name: webhooks_behind
-- Who has not got all events of a month yet.
select dealwright.webhooks_behind(%(partition)s::text) as webhook_ids

-- name: which_server
-- What a server and its standbys have in common, and no other.
select c.system_identifier, current_database() as database from pg_control_system() as c

-- name: why
-- Why a lead came to an agent, or did not.
select dealwright.why(%(lead_id)s::bigint, %(agent_id)s::bigint) as answer

-- name: written_up_to
-- How far the log has come.
select pg_current_wal_insert_lsn()::text as lsn
