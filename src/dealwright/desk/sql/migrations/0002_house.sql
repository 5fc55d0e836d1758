-- From version 0.1: the engine gets a schema of its own; dimensions that take new values, may be left out or are
-- numbers in bins; how long an assignment is followed up; bounds on every value. Never edited again once released.

create schema dealwright_engine;
create sequence dealwright_engine.writer;
select setval('dealwright_engine.writer',
    ('x' || translate(left(gen_random_uuid()::text, 13), '-', ''))::bit(48)::bigint);
create function dealwright_engine.xact_id() returns xid8 language sql stable as $$ select pg_current_xact_id() $$;
grant execute on function dealwright_engine.xact_id() to public;  -- tables have it for a default

create table dealwright_engine.cluster (
    only_row boolean primary key default true check (only_row),
    system_identifier bigint not null,
    xid_offset bigint not null check (xid_offset >= 0),
    since timestamptz not null default now()
);
comment on table dealwright_engine.cluster is
    'The cluster the desk is at work in, and by how much its transaction ids are raised where they are stored.';

alter table dealwright.rule set schema dealwright_engine;
alter table dealwright.compiled_model set schema dealwright_engine;
alter table dealwright.standing set schema dealwright_engine;
alter table dealwright.queue_gate set schema dealwright_engine;
alter table dealwright.agent_profile_log set schema dealwright_engine;
alter table dealwright.agent_day set schema dealwright_engine;
alter table dealwright.event alter column xid set default dealwright_engine.xact_id();
alter table dealwright.decision alter column xid set default dealwright_engine.xact_id();
alter table dealwright.agent alter column profile_xid set default dealwright_engine.xact_id();
alter table dealwright_engine.agent_profile_log alter column xid set default dealwright_engine.xact_id();

-- what 0.1 had: no longer used when the new functions are there, and dropped then unless something of the company's
-- depends on it
set local search_path = pg_catalog;  -- names are written out
update dealwright.schema_functions set objects = array(
    select format('routine %s', p.oid::regprocedure)
    from pg_proc as p
    where p.pronamespace = 'dealwright'::regnamespace and p.proname in (
        'add_at', 'agent_payload', 'assign', 'assign_lead', 'begin_import', 'begin_publishing', 'can_take',
        'cancel_task', 'check_agent_numbers', 'check_attributes', 'check_corrected_words', 'check_lead_words',
        'check_policy', 'check_reassigned', 'claim_place', 'classic_features', 'classic_scores', 'classic_weights',
        'compile_model', 'contribution_of', 'count_day', 'counted_by_writer', 'decision_on', 'declare_dimension',
        'default_synonyms', 'derive_assignment', 'enquiry_of', 'enter_lane', 'expected_cents', 'explain',
        'fair_share_per_weight', 'fair_window_start', 'fill_free_places', 'fill_from_queue', 'finish_task',
        'first_agent', 'first_of_all', 'first_of_listed', 'follow_agent', 'follow_assignment', 'follow_attributes',
        'follow_booking', 'follow_deleted_agent', 'follow_policies', 'follow_window', 'follow_withdrawal',
        'forget_standings', 'guard_lead_status', 'hold_writers', 'import_agents', 'import_assignments',
        'import_bookings', 'import_history', 'imported_outcome', 'keep_agent_with_assignments', 'keep_all_tasks',
        'keep_finished_tasks', 'keep_queue', 'keep_task', 'lapse_overdue', 'lead_from_json', 'lead_probability_ppm',
        'learn_terms', 'load_model', 'logit', 'look_further', 'make_standing', 'mark_assigned', 'match_model',
        'mentions', 'move_counters', 'open_limit', 'own_id', 'past_enquiry', 'place_lead', 'place_new_lead',
        'placement_of', 'policy_for', 'prepare_agent', 'prepare_booking', 'prepare_lead', 'promote_model',
        'promoted_model', 'psi', 'publish_tasks', 'query_for', 'query_of', 'rank_agents', 'rank_by', 'rank_classic',
        'rank_fair', 'rank_value', 'rank_workload', 'ranking_of', 'read_attributes', 'read_events', 'read_lead',
        'reason_context_of', 'reasons_for', 'reassign', 'rebuild_statistics', 'record_assignment', 'record_task',
        'refresh_profile', 'refuse_change', 'refuse_lead', 'reopen_task', 'replay', 'required', 'required_department',
        'restore_state', 'retry_waiting_lead', 'scaled', 'seal_decisions', 'set_default_policy', 'settle',
        'settle_booking', 'sigmoid', 'slot_count', 'slot_in', 'slots_of', 'standing_for', 'standing_length',
        'start_task', 'sum_at', 'task_of', 'touches', 'value_figures', 'valued_agents', 'verify_decisions',
        'wait_a_little', 'was_visible', 'weights_by_slot', 'widen_statistics', 'would_win', 'write_rules')
    union all
    select format('view dealwright.%s', v) from unnest('{recounted_agent,recounted_day,recounted_stat}'::text[]) as v
    union all
    select format('type dealwright.%s', t)
        from unnest('{claimed,contribution,enquiry,lead_query,look,ranked,reason_context,recorded}'::text[]) as t);
set local search_path = dealwright, dealwright_engine, @vector_schema@;

-- The answers of assign and settle have more columns now. A table of the company's that holds old answers keeps their
-- type.
drop function if exists dealwright.assign_lead(jsonb, text), dealwright.placement_of(bigint),
    dealwright.reassign(bigint, text), dealwright.settle_booking(bigint, text, numeric, numeric, numeric);
-- with the new ones beside them a call would be ambiguous
drop procedure if exists dealwright.assign(
    jsonb, text, bigint, bigint, bigint, text, double precision, double precision, double precision, bigint, bigint,
    text);
drop procedure if exists dealwright.settle(bigint, text, numeric, numeric, numeric, bigint, bigint, integer);
alter type dealwright.placement rename to placement_0_1;
alter type dealwright.settlement rename to settlement_0_1;
update dealwright.schema_functions set objects = objects || array(
    select format('type dealwright.%I', t.typname) from pg_type as t
    where t.oid in ('dealwright.placement_0_1'::regtype, 'dealwright.settlement_0_1'::regtype)
      and not exists (select from pg_attribute as a where a.atttypid in (t.oid, t.typarray)));

alter table dealwright.dimension
    add column is_open boolean not null default false,
    add column required boolean not null default true,
    add column at_arrival boolean not null default true,
    add column edges double precision[] not null default '{}';
comment on column dealwright.dimension.is_open
    is 'Whether other values may come: each gets its slot the first time it is seen.';
comment on column dealwright.dimension.required is 'Whether a new lead must say something about it.';
comment on column dealwright.dimension.at_arrival is
    'Whether it is known when the lead arrives, else from the booking only. At arrival and not required: empty is a '
    'value of its own, "(empty)".';
comment on column dealwright.dimension.edges is
    'Of a number: the ascending inner edges of its bins; it is of bin i where edges[i - 1] < number <= edges[i].';

alter table dealwright.dimension_value add column bin integer;
comment on column dealwright.dimension_value.bin is
    'Of a number: the place of the bin. When the edges move, a bin keeps its slot and gets another name.';

create table dealwright_engine.setting (
    only_row boolean primary key default true check (only_row),
    follow_up_days double precision,
    currency text
);
comment on table dealwright_engine.setting is 'What the last import said of the company.';
comment on column dealwright_engine.setting.follow_up_days is
    'Days after which an assignment without a booking is lost; null: never, until an import says.';
comment on column dealwright_engine.setting.currency is
    'What amounts are in, as the company writes it; null: nobody said.';
insert into dealwright_engine.setting default values;

alter table dealwright.agent add column database_role text unique;
comment on column dealwright.agent.database_role is
    'The database user who is this agent: as a member of dealwright_agent they see their own work (dealwright roles).';

alter table dealwright_engine.rule add column agents_differ boolean not null default false;

comment on table dealwright_engine.standing is
    'For each kind of lead the agents of highest expected value, whatever their workload: a list to look at first '
    '(engine/candidates.sql).';
delete from dealwright_engine.standing;  -- now kept under what was understood of a lead's attributes

-- old values that would stop others at their next change
update dealwright.agent set weight = 1 where not (weight >= 1e-9 and weight <= 1e9);
-- NaN is more than any number
update dealwright.agent set fair_compensation = 0 where not abs(fair_compensation) <= 1e15;
update dealwright.agent set fair_shortfall_at_leave = null where not abs(fair_shortfall_at_leave) <= 1e15;
update dealwright.lead set idempotency_key = null where idempotency_key = '' or length(idempotency_key) > 500;
update dealwright.lead set received_at = now()
where not (received_at >= '1970-01-01 00:00:00+00' and received_at < '2200-01-01 00:00:00+00');
set constraints all immediate;  -- what hangs on these rows is looked up now: a table with open questions is not altered

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
        and length(note) <= 100000 and note !~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]') not valid;

create type dealwright_engine.contribution as (
    open integer,
    assigned integer,
    counted_fairly integer,
    known integer,
    confirmed integer,
    expected_ppm bigint,
    total_cents bigint,
    base_cents bigint,
    package_cents bigint,
    base_expected_cents bigint,
    package_expected_cents bigint
);

create type dealwright_engine.ranked as (
    rank integer,
    agent_id bigint,
    match_score double precision,
    win_probability double precision,
    win_low double precision,
    win_high double precision,
    expected_value double precision,
    open integer,
    capacity integer,
    eligible boolean,
    tied integer,
    fairness_price double precision,
    -- up to how many open assignments the agent stays the first, all else equal
    open_limit integer,
    snapshot pg_snapshot,
    feature_agent_ids bigint[],
    features double precision[]
);

create type dealwright_engine.enquiry as (
    slots integer[],
    requirements text,
    skills text[],
    department text,
    draw_seed bigint,
    asked_at timestamptz,
    excluded_agent_id bigint,
    -- set in a replay: the model of that time (null: the promoted one) and the classic features as they were recorded
    model_id bigint,
    feature_agent_ids bigint[],
    features double precision[]
);

create type dealwright_engine.lead_query as (
    model_id bigint,
    agents_differ boolean,
    query vector,
    lead_logit double precision,
    slope double precision,
    intercept double precision,
    logit_variance double precision,
    base double precision,
    package double precision
);

create type dealwright_engine.claimed as (
    agent_name text,
    own_id text,
    open integer,
    capacity integer,
    fair_count bigint,
    fair_compensation double precision
);

create type dealwright_engine.recorded as (
    assignment_id bigint,
    booking_id bigint,
    claim dealwright_engine.claimed
);

create type dealwright.placement as (
    assignment_id bigint,
    booking_id bigint,
    agent_id bigint,
    agent_name text,
    match_score double precision,
    win_probability double precision,
    expected_value double precision,
    policy text,
    model_id bigint,
    lead_id bigint,
    status text,
    -- the ids that the user's own tables have
    own_assignment_id text,
    own_booking_id text,
    own_agent_id text,
    open integer,
    capacity integer
);

create type dealwright_engine.reason_context as (
    policy text,
    model_id bigint,
    agents_differ boolean,
    -- value: the elements of the profile that the lead asks for, with their weights on the log-odds
    places integer[],
    labels text[],
    weights double precision[],
    -- classic: the contributions of the nine features, agent after agent
    agent_ids bigint[],
    parts double precision[]
);

create type dealwright_engine.look as (
    agent_id bigint,
    open integer,
    capacity integer,
    worth double precision,
    -- what the best of the others is worth, or can be; null when there are none
    next_worth double precision,
    win_logit double precision,
    revenue double precision,
    -- what was seen: that of the function's caller may be a later one
    snapshot pg_snapshot
);

create type dealwright.settlement as (
    booking_id bigint,
    assignment_id bigint,
    agent_id bigint,
    status text,
    total_revenue numeric,
    open integer,
    capacity integer,
    agent_name text,
    -- the ids that the user's own tables have
    own_booking_id text,
    own_assignment_id text,
    own_agent_id text
);
