-- The published runs, newest first, with what became of their tasks.
select r.run_id, r.first_day, r.last_day, r.as_of, r.time_zone, r.published_at, r.tasks,
       count(*) filter (where t.status in ('planned', 'started')) as open,
       count(*) filter (where t.status = 'done') as done,
       count(*) filter (where t.status = 'failed') as failed,
       count(*) filter (where t.status = 'cancelled') as cancelled,
       count(*) filter (where t.status = 'replaced') as replaced,
       count(*) filter (where t.outcome = 'responded') as responded
from (select * from dealwright.plan_run order by published_at desc limit %(k)s::bigint) as r
left join dealwright.task as t using (run_id)
group by r.run_id, r.first_day, r.last_day, r.as_of, r.time_zone, r.published_at, r.tasks
order by r.published_at desc
