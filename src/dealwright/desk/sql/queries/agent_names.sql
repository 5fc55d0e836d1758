-- The names of the agents by the desk's own ids.
select agent_id, name from dealwright.agent
