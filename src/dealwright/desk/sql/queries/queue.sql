-- The leads that wait for a place, most urgent first.
select place, lead_id, external_id, customer_name, attributes, requirements, priority, received_at,
       extract(epoch from waited)::double precision as waited_s, required_skills, required_department, agents_who_could
from dealwright.waiting_lead
order by place
limit %(k)s::bigint
