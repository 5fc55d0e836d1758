-- Gives an open assignment's lead to the best other agent with room.
select * from dealwright.reassign(%(assignment_id)s::bigint, %(reason)s::text)
