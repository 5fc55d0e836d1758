-- Which of these tasks there are.
select task_id from dealwright.task where task_id = any(%(task_ids)s::bigint[])
