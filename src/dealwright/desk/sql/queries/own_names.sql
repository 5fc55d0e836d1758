-- What the user calls the agents that an answer names by the desk's ids.
select agent_id, coalesce(external_id, agent_id::text) as own_id from dealwright.agent where agent_id = any(%(ids)s::bigint[])
