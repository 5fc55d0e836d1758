-- Every agent with its workload and its rank for a lead of which nothing is known.
select coalesce(a.external_id, a.agent_id::text) as agent_id, a.name as agent_name, a.open, a.capacity, r.rank,
       r.match_score, a.active, a.department, a.job_title, a.years_of_service, a.rating, a.skills, a.weight,
       coalesce(s.known[1], 0) as known, coalesce(s.confirmed[1], 0) as won
from dealwright.rank_agents('{"customer_name": "anybody"}', %(policy)s::text) as r
join dealwright.agent as a using (agent_id)
left join dealwright.agent_stat as s using (agent_id)
order by r.rank, a.agent_id
