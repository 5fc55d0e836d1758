-- The numeric traits of the agents.
select agent_id, rating, years_of_service from dealwright.agent order by agent_id
