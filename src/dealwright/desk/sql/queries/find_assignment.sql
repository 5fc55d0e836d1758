-- The assignment that the user calls so: by an outside id, else by the id the desk gave it.
select assignment_id as id from dealwright.assignment
where external_id = %(name)s::text or (external_id is null and assignment_id = dealwright.own_id(%(name)s::text))
