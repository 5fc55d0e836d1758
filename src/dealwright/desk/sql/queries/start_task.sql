-- Somebody is at it.
select (dealwright.start_task(%(task_id)s::bigint, %(rep_id)s::text)).task_id
