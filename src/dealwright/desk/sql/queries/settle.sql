-- Settles or reopens a booking.
select coalesce(b.external_id, r.booking_id::text) as booking_id, coalesce(s.external_id, r.assignment_id::text) as assignment_id,
       coalesce(a.external_id, r.agent_id::text) as agent_id, a.name as agent_name, r.status,
       r.total_revenue::double precision as total_revenue, r.open, a.capacity
from dealwright.settle_booking(
    %(booking_id)s::bigint, %(status)s::text, %(base_revenue)s::numeric, %(package_revenue)s::numeric, %(total_revenue)s::numeric
) as r
join dealwright.booking as b on b.booking_id = r.booking_id
join dealwright.assignment as s on s.assignment_id = r.assignment_id
join dealwright.agent as a on a.agent_id = r.agent_id
