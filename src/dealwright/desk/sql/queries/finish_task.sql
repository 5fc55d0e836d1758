-- What came of a task; a time without an offset is the company's clock.
select (dealwright.finish_task(
    t.task_id, %(outcome)s::text, coalesce(%(done_at)s::timestamptz, %(local_done_at)s::timestamp at time zone r.time_zone),
    %(note)s::text, %(rep_id)s::text)).task_id
from (select %(task_id)s::bigint as task_id) as t
left join dealwright.task as k using (task_id)
left join dealwright.plan_run as r using (run_id)
