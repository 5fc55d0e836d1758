-- The booking that the user calls so: by an outside id, else by the id the desk gave it.
select booking_id as id from dealwright.booking
where external_id = %(name)s::text or (external_id is null and booking_id = dealwright.own_id(%(name)s::text))
