-- Where a lead is, under the ids the user's own tables use.
select coalesce(s.external_id, p.assignment_id::text) as assignment_id, coalesce(b.external_id, p.booking_id::text) as booking_id,
       coalesce(a.external_id, p.agent_id::text) as agent_id, p.agent_name, p.match_score, p.win_probability,
       p.expected_value, p.policy, p.model_id, p.lead_id, p.status, a.open, a.capacity
from dealwright.placement_of(%(lead_id)s::bigint) as p
left join dealwright.assignment as s using (assignment_id)
left join dealwright.booking as b on b.booking_id = p.booking_id
left join dealwright.agent as a on a.agent_id = p.agent_id
