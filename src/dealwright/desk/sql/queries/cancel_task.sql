-- A task is not to be done.
select (dealwright.cancel_task(%(task_id)s::bigint, %(note)s::text)).task_id
