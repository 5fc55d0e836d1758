-- Takes back that a task was finished.
select (dealwright.reopen_task(%(task_id)s::bigint, %(reason)s::text)).task_id
