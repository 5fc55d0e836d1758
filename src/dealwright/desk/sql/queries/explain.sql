-- Why an assignment went where it went.
select dealwright.explain(%(assignment_id)s::bigint) as answer
