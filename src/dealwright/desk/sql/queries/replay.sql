-- A decision recomputed from its record.
select dealwright.replay(%(assignment_id)s::bigint) as answer
