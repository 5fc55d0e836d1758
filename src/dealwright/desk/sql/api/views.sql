-- What people and programs look at.

create or replace view dealwright.outcome as
select a.assignment_id, a.agent_id, a.assigned_at, a.known_at,
       case a.outcome when 'won' then true when 'lost' then false end as won,
       a.status = 'unknown'
           or exists (select from dealwright.booking as b where b.assignment_id = a.assignment_id) as contacted,
       a.base_revenue, a.package_revenue, l.attributes, a.slots
from dealwright.assignment as a
join dealwright.lead as l using (lead_id)
where a.status <> 'reassigned'
  and not exists (select from dealwright.contest as c
                  where c.assignment_id = a.assignment_id and c.resolved_at is null);
comment on view dealwright.outcome is
    'One row per assignment for learning: won is null while it is not known; without those that are contested.';

create or replace view dealwright.agent_profile as
select agent_id, profile_model_id as model_id, profile, variance, base_ratio, package_ratio from dealwright.agent;
comment on view dealwright.agent_profile
    is 'The vector of each agent under the promoted model (elements: traits, then slots).';

create or replace view dealwright.waiting_lead as
select l.lead_id, l.external_id, l.customer_name, l.attributes, l.requirements, l.priority, l.received_at,
       clock_timestamp() - l.received_at as waited, l.required_skills, l.required_department,
       row_number() over (order by l.priority desc, l.received_at, l.lead_id) as place,
       (select count(*) from dealwright.agent as a
        where a.active and (l.required_skills is null or a.skills @> l.required_skills)
          and (l.required_department is null or a.department = l.required_department)
          and (l.declined_by is null or a.agent_id <> all (l.declined_by))) as agents_who_could
from dealwright.lead as l
where l.is_waiting;
comment on view dealwright.waiting_lead
    is 'The queue, most urgent first; agents_who_could = 0 means that nobody has what the lead requires, '
        'or all who have it declined it.';

-- reading back ----------------------------------------------------------------------------------------------------
