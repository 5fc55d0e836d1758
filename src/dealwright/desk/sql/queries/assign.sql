-- Records a lead and gives it to an agent, durably. Where it went is asked afterwards, under the user's own ids.
call dealwright.assign(%(lead)s::jsonb, %(policy)s::text)
