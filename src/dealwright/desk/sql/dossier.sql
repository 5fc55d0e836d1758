-- What `dealwright dossier` asks of the live desk, block by block; each is shown beside its answer.

-- name: agents
select count(*) as agents, count(*) filter (where active) as active from dealwright.agent

-- name: leads
select count(*) as leads, min(received_at)::date as first, max(received_at)::date as last from dealwright.lead

-- name: attributes
select d.name as attribute,
       (select count(*) from dealwright.dimension_value as v where v.dimension_id = d.dimension_id) as values
from dealwright.dimension as d order by d.name

-- name: missing
select d.name as attribute, count(l.lead_id) as leads,
       count(l.lead_id) filter (where coalesce(l.attributes ->> d.name, '') = '') as not_known
from dealwright.dimension as d left join dealwright.lead as l on true
group by d.name order by d.name

-- name: outcomes
select count(*) filter (where outcome = 'won') as won, count(*) filter (where outcome = 'lost') as lost,
       count(*) filter (where status = 'unknown') as unknown, count(*) filter (where status = 'open') as open
from dealwright.assignment where status <> 'reassigned'

-- name: agent_data
select column_name as kept_of_each_agent
from information_schema.columns
where table_schema = 'dealwright' and table_name = 'agent'
  and column_name in ('name', 'email', 'job_title', 'department', 'manager', 'skills', 'years_of_service', 'rating',
                      'shifts', 'traits')
order by ordinal_position

-- name: traits
select distinct t.name as trait from dealwright.agent as a cross join lateral jsonb_object_keys(a.traits) as t (name)
order by 1

-- name: policy
select name as policy, params from dealwright.policy where is_default

-- name: models
select model_id, kind, created_at::date as trained, promoted_at::date as promoted, metrics, evidence ->> 'text' as finding
from dealwright.model where promoted order by kind

-- name: decisions
select count(*) as decisions, min(decided_at) as first, max(decided_at) as last,
       (select coalesce(sum(rows), 0) from dealwright.archive_file where kind = 'decision') as archived
from dealwright.decision

-- name: months
select coalesce(min(from_time), (select min(decided_at) from dealwright.decision)) as kept_since
from dealwright.archive_file

-- name: newest
select assignment_id from dealwright.decision where assignment_id is not null order by decision_id desc limit 20

-- name: over_capacity
select count(*) as agents_with_more_open_leads_than_capacity from dealwright.agent where open > capacity

-- name: recount
select count(*) as agents_whose_counter_differs_from_a_recount
from dealwright.agent as a
where a.open <> (select count(*) from dealwright.assignment as s where s.agent_id = a.agent_id and s.status = 'open')

-- name: waiting
select count(*) as waiting, max(clock_timestamp() - received_at) as longest from dealwright.lead where is_waiting

-- name: handed_over
select coalesce(end_reason, 'no reason was given') as reason, count(*) as assignments
from dealwright.assignment where status = 'reassigned' group by 1 order by 2 desc, 1 limit 10

-- name: oversight
select kind as what, count(*) as times, max(at) as last from dealwright.event
where kind not in ('assigned', 'waiting', 'contacted', 'imported')  -- which is everyday work
  and (kind not like 'night%' or kind = 'night_cancelled')
group by kind order by kind

-- name: calibration
select width_bucket(s.win_probability, 0, 1, 5) as fifth, count(*) as decisions, avg(s.win_probability) as expected,
       avg((a.outcome = 'won')::integer::double precision) as happened
from dealwright.decision as s join dealwright.assignment as a using (assignment_id)
where a.outcome in ('won', 'lost') and s.win_probability is not null
group by 1 order by 1

-- name: by_department
select coalesce(g.department, 'not known') as department, count(distinct g.agent_id) as agents,
       count(a.assignment_id) as leads,
       count(a.assignment_id)::double precision / nullif(count(distinct g.agent_id), 0) as leads_per_agent,
       count(*) filter (where a.outcome in ('won', 'lost')) as known, count(*) filter (where a.outcome = 'won') as won
from dealwright.agent as g
left join dealwright.assignment as a on a.agent_id = g.agent_id and a.status <> 'reassigned'
group by 1 order by 1

-- name: by_service
select case when g.years_of_service is null then 'not known' when g.years_of_service < 2 then 'below 2 years'
            when g.years_of_service < 10 then '2 to 10 years' else '10 years and more' end as years_of_service,
       count(distinct g.agent_id) as agents, count(a.assignment_id) as leads,
       count(a.assignment_id)::double precision / nullif(count(distinct g.agent_id), 0) as leads_per_agent,
       count(*) filter (where a.outcome in ('won', 'lost')) as known, count(*) filter (where a.outcome = 'won') as won
from dealwright.agent as g
left join dealwright.assignment as a on a.agent_id = g.agent_id and a.status <> 'reassigned'
group by 1 order by 1

-- name: keys
select unnest(scopes) as scope, count(*) as keys_in_force from dealwright.list_keys() where is_valid group by 1 order by 1

-- name: nights
select status, count(*) as nights, max(ended_at) as last from dealwright.nights(k => 1000) group by status order by status

-- name: version
select version as schema, name, applied_at::date as applied from dealwright.schema_version order by version desc limit 1
