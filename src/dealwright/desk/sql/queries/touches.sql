-- Finished tasks as touches, up to a moment on the company's clock.
copy (
    select account_id, touched_at, channel, action, response, rejected, cost_eur, propensity, rep_id, task_id
    from dealwright.touch
    where (%(since)s::timestamp is null or touched_at >= %(since)s::timestamp)
      and (%(until)s::timestamp is null or touched_at <= %(until)s::timestamp)
    order by touched_at, task_id
) to stdout (format csv, header true)
