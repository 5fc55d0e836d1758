-- Tasks by day, representative and time. Without a day, an account, a task or a run: those of the newest run's days.
with newest as (
    select first_day, last_day from dealwright.plan_run order by published_at desc limit 1
)
select t.task_id, t.day, t.account_id, t.account_name, t.rep_id, t.action, t.channel, t.stop, t.start_at, t.end_at,
       t.window_start, t.window_end, t.value_eur::double precision as value_eur, t.cost_eur::double precision as cost_eur,
       t.propensity, t.reason, t.status, t.outcome, t.done_at, t.note, t.run_id, t.replaced_by, r.time_zone,
       case when %(with_brief)s::boolean then t.brief end as brief
from dealwright.task as t
join dealwright.plan_run as r using (run_id)
left join newest as n on t.day between n.first_day and n.last_day
where (%(task_id)s::bigint is null or t.task_id = %(task_id)s::bigint)
  and (%(day)s::date is null or t.day = %(day)s::date)
  and (%(account_id)s::text is null or t.account_id = %(account_id)s::text)
  and (%(run_id)s::text is null or t.run_id = %(run_id)s::text)
  and (%(rep_id)s::text is null or t.rep_id = %(rep_id)s::text)
  and (%(status)s::text is null and (t.status <> 'replaced' or %(task_id)s::bigint is not null) or t.status = %(status)s::text)
  and (coalesce(%(task_id)s::text, %(day)s::date::text, %(account_id)s::text, %(run_id)s::text) is not null or n.first_day is not null)
order by t.day, t.rep_id nulls last, t.start_at nulls last, t.value_eur desc nulls last, t.task_id
limit %(k)s::bigint
