-- Takes in what was copied into published_task.
select dealwright.publish_tasks(
    %(run_id)s::text, %(as_of)s::timestamp, %(time_zone)s::text, %(first_day)s::date, %(last_day)s::date
) as counts
