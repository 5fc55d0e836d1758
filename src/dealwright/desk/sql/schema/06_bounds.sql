-- What a value may be, whatever writes it: times from 1970 to 2199, finite numbers, text without control characters
-- and of some length, documents without great depth. A null passes. On agents, leads, assignments and bookings a
-- trigger holds the same (engine/bounds.sql): with constraints, which are read and compiled anew by every
-- statement, a claim of an agent took 100 us, not 30. desk/queries.py has the words for whoever is refused. Not valid:
-- a database that was there before may hold other values.

alter table dealwright.dimension
    add constraint dimension_texts check (
        name <> ''
        and length(name) <= 500 and name !~ '[\x01-\x1f\x7f-\x9f]') not valid,
    add constraint dimension_edges check (
        not 'NaN' = any (edges) and not 'Infinity' = any (edges) and not '-Infinity' = any (edges)) not valid;

alter table dealwright.dimension_value
    add constraint dimension_value_texts check (
        value <> ''
        and length(value) <= 500 and value !~ '[\x01-\x1f\x7f-\x9f]') not valid;

alter table dealwright.requirement_term
    add constraint requirement_term_texts check (
        term <> '' and name <> ''
        and length(name) <= 500 and name !~ '[\x01-\x1f\x7f-\x9f]'
        and length(term) <= 500 and term !~ '[\x01-\x1f\x7f-\x9f]') not valid;

alter table dealwright_engine.setting
    add constraint setting_numbers check (
        follow_up_days >= 0 and follow_up_days <= 40000) not valid,
    add constraint setting_texts check (
        currency <> '' and length(currency) <= 500 and currency !~ '[\x01-\x1f\x7f-\x9f]') not valid;

alter table dealwright.policy
    add constraint policy_params check (
        jsonb_typeof(params) = 'object' and not jsonb_path_exists(params, 'strict $.**{100}')) not valid;

alter table dealwright.model
    add constraint model_documents check (
        jsonb_typeof(parameters) = 'object' and not jsonb_path_exists(parameters, 'strict $.**{100}')
        and jsonb_typeof(metrics) = 'object' and not jsonb_path_exists(metrics, 'strict $.**{100}')
        and jsonb_typeof(evidence) = 'object' and not jsonb_path_exists(evidence, 'strict $.**{100}')) not valid,
    add constraint model_times check (
        created_at >= '1970-01-01 00:00:00+00' and created_at < '2200-01-01 00:00:00+00'
        and promoted_at >= '1970-01-01 00:00:00+00' and promoted_at < '2200-01-01 00:00:00+00') not valid;

alter table dealwright.plan_run
    add constraint plan_run_times check (
        as_of >= '1970-01-01' and as_of < '2200-01-01' and first_day >= '1970-01-01' and last_day < '2200-01-01'
        and published_at >= '1970-01-01 00:00:00+00' and published_at < '2200-01-01 00:00:00+00') not valid,
    add constraint plan_run_texts check (
        run_id <> '' and length(run_id) <= 500 and run_id !~ '[\x01-\x1f\x7f-\x9f]'
        and time_zone <> '' and length(time_zone) <= 500 and time_zone !~ '[\x01-\x1f\x7f-\x9f]') not valid;

alter table dealwright.task
    add constraint task_times check (
        day >= '1970-01-01' and day < '2200-01-01'
        and start_at >= '1970-01-01 00:00:00+00' and start_at < '2200-01-01 00:00:00+00'
        and end_at >= '1970-01-01 00:00:00+00' and end_at < '2200-01-01 00:00:00+00'
        and window_start >= '1970-01-01 00:00:00+00' and window_start < '2200-01-01 00:00:00+00'
        and window_end >= '1970-01-01 00:00:00+00' and window_end < '2200-01-01 00:00:00+00'
        and done_at >= '1970-01-01 00:00:00+00' and done_at < '2200-01-01 00:00:00+00') not valid,
    add constraint task_numbers check (
        stop >= 0
        and value_eur >= -999999999999.99 and value_eur <= 999999999999.99
        and cost_eur >= -999999999999.99 and cost_eur <= 999999999999.99
        and propensity >= 0 and propensity <= 1) not valid,
    add constraint task_texts check (
        account_id <> '' and length(account_id) <= 500 and account_id !~ '[\x01-\x1f\x7f-\x9f]'
        and rep_id <> '' and length(rep_id) <= 500 and rep_id !~ '[\x01-\x1f\x7f-\x9f]'
        and action <> '' and length(action) <= 500 and action !~ '[\x01-\x1f\x7f-\x9f]'
        and channel <> '' and length(channel) <= 500 and channel !~ '[\x01-\x1f\x7f-\x9f]'
        and length(account_name) <= 1000 and account_name !~ '[\x01-\x1f\x7f-\x9f]'
        and length(reason) <= 100000 and reason !~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]'
        and length(brief) <= 100000 and brief !~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]'
        and length(note) <= 100000 and note !~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]') not valid,
    add constraint task_card check (
        jsonb_typeof(card) = 'object' and not jsonb_path_exists(card, 'strict $.**{5}')
        and pg_column_size(card) <= 100000) not valid;
