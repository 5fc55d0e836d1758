-- What was settled, under the ids the user's own tables use.
select coalesce(b.external_id, r.booking_id::text) as booking_id, coalesce(s.external_id, r.assignment_id::text) as assignment_id,
       coalesce(a.external_id, r.agent_id::text) as agent_id, a.name as agent_name, r.status,
       r.total_revenue::double precision as total_revenue, r.open, a.capacity
from (
    select %(booking_id)s::bigint as booking_id, %(assignment_id)s::bigint as assignment_id, %(agent_id)s::bigint as agent_id,
           %(status)s::text as status, %(total_revenue)s::numeric as total_revenue, %(open)s::integer as open
) as r
left join dealwright.booking as b on b.booking_id = r.booking_id
left join dealwright.assignment as s on s.assignment_id = r.assignment_id
left join dealwright.agent as a on a.agent_id = r.agent_id
