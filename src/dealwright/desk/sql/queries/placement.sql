-- Where a lead went, under the ids the user's own tables use.
select coalesce(s.external_id, p.assignment_id::text) as assignment_id, coalesce(b.external_id, p.booking_id::text) as booking_id,
       coalesce(a.external_id, p.agent_id::text) as agent_id, p.agent_name, p.match_score, p.win_probability,
       p.expected_value, p.policy, p.model_id, p.lead_id, p.status, a.open, a.capacity
from (
    select %(assignment_id)s::bigint as assignment_id, %(booking_id)s::bigint as booking_id, %(agent_id)s::bigint as agent_id,
           %(agent_name)s::text as agent_name, %(match_score)s::double precision as match_score,
           %(win_probability)s::double precision as win_probability, %(expected_value)s::double precision as expected_value,
           %(policy)s::text as policy, %(model_id)s::bigint as model_id, %(lead_id)s::bigint as lead_id, %(status)s::text as status
) as p
left join dealwright.assignment as s on s.assignment_id = p.assignment_id
left join dealwright.booking as b on b.booking_id = p.booking_id
left join dealwright.agent as a on a.agent_id = p.agent_id
