-- Records a lead and gives it to an agent. Where it went is asked afterwards: this statement cannot see its own work.
select lead_id from dealwright.assign_lead(%(lead)s::jsonb, %(policy)s::text)
