-- What the classic features take from the agents.
select agent_id, rating, years_of_service, department, open, capacity from dealwright.agent order by agent_id
