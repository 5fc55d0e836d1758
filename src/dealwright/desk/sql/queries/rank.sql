-- The agents ranked for a lead, under the ids the user's own tables use.
select r.rank, coalesce(a.external_id, a.agent_id::text) as agent_id, r.agent_name, r.match_score, r.win_probability,
       r.win_low, r.win_high, r.expected_value, r.open, r.capacity, r.eligible, r.reasons
from dealwright.rank_agents(%(lead)s::jsonb, %(policy)s::text, %(k)s::integer) as r
join dealwright.agent as a using (agent_id)
order by r.rank, r.agent_id
