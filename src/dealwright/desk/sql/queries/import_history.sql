-- Takes in what was copied into the temporary tables.
select dealwright.import_history(%(follow_up_days)s::double precision, %(deactivate_missing)s::boolean) as counts
