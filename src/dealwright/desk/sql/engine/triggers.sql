-- What holds whatever writes. Applied only when this file or a table has changed: putting a trigger in place waits for
-- the writers of its table. Those of the hot path have no WHEN clause: it would be parsed and planned anew by every
-- statement, which costs more than to call the function and find that there is nothing to do.

create or replace trigger prepare_lead before insert on dealwright.lead for each row
    execute function dealwright_engine.prepare_lead();
create or replace trigger prepare_corrected_lead
    before update of attributes, requirements, required_skills, slots on dealwright.lead
    for each row execute function dealwright_engine.prepare_lead();
create or replace trigger check_corrected_words before update of customer_name, status, policy on dealwright.lead
    for each row execute function dealwright_engine.check_corrected_words();
create or replace trigger place_new_lead after insert or update of status on dealwright.lead
    for each row execute function dealwright_engine.place_new_lead();
create or replace trigger keep_queue before update of status, is_waiting, last_assignment_id on dealwright.lead
    for each row execute function dealwright_engine.keep_queue();
create or replace trigger follow_attributes
    after update of attributes, requirements, required_skills, slots on dealwright.lead
    for each row when (new.slots is distinct from old.slots) execute function dealwright_engine.follow_attributes();

create or replace trigger derive_assignment before insert or update on dealwright.assignment
    for each row execute function dealwright_engine.derive_assignment();
create or replace trigger follow_new_assignment after insert on dealwright.assignment
    for each row execute function dealwright_engine.follow_assignment();
create or replace trigger follow_assignment after update on dealwright.assignment
    for each row execute function dealwright_engine.follow_assignment();
create or replace trigger follow_deleted_assignment after delete on dealwright.assignment
    for each row execute function dealwright_engine.follow_assignment();

create or replace trigger prepare_booking before insert or update on dealwright.booking
    for each row execute function dealwright_engine.prepare_booking();
create or replace trigger follow_new_booking after insert on dealwright.booking
    for each row execute function dealwright_engine.follow_booking();
create or replace trigger follow_booking after update on dealwright.booking
    for each row execute function dealwright_engine.follow_booking();
create or replace trigger follow_deleted_booking after delete on dealwright.booking
    for each row execute function dealwright_engine.follow_booking();

create or replace trigger append_only before update or delete or truncate on dealwright.decision
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.decision
    for each statement execute function dealwright_engine.written_by_engine(
        'a decision is recorded when a lead is placed');
create or replace trigger append_only before update or delete or truncate on dealwright.decision_block
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.decision_block
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.seal_decisions() seals what is new');
create or replace trigger append_only before update or delete or truncate on dealwright.archive_file
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.archive_file
    for each statement execute function dealwright_engine.written_by_engine(
        '`dealwright archive` writes files and notes them');
create or replace trigger append_only before update or delete or truncate on dealwright.decision_seal
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.decision_seal
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.seal_decisions() seals what is new');
create or replace trigger append_only before update or delete or truncate on dealwright.event
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.event
    for each statement execute function dealwright_engine.written_by_engine(
        'an event is recorded with what happens; a table of your own may refer to its position');
create or replace trigger append_only before update or delete or truncate on dealwright_engine.agent_profile_log
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright_engine.agent_profile_log
    for each statement execute function dealwright_engine.written_by_engine('profiles follow from outcomes');

create or replace trigger written_by_engine before insert or update or truncate on dealwright.agent_stat
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.rebuild_statistics() counts everything anew');
create or replace trigger kept_with_agent before delete on dealwright.agent_stat
    for each row execute function dealwright_engine.kept_with_agent(
        'dealwright.rebuild_statistics() counts everything anew');
create or replace trigger written_by_engine before insert or update or truncate on dealwright_engine.agent_day
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.rebuild_statistics() counts everything anew');
create or replace trigger kept_with_agent before delete on dealwright_engine.agent_day
    for each row execute function dealwright_engine.kept_with_agent(
        'dealwright.rebuild_statistics() counts everything anew');
create or replace trigger written_by_engine before insert or update or delete or truncate on dealwright.model
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.load_model registers a model, dealwright.promote_model puts one to work; decisions refer to them');
create or replace trigger written_by_engine before insert or update or delete or truncate on dealwright.dimension
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.declare_dimension adds and changes dimensions, with all that follows; each keeps its name');
create or replace trigger written_by_engine before insert or update or delete or truncate on dealwright.dimension_value
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.declare_dimension adds values, with all that follows; each keeps its name');
create or replace trigger kept_whole before delete or truncate on dealwright.policy
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.set_default_policy chooses one; all four stay');

create or replace trigger not_truncated before truncate on dealwright.agent
    for each statement execute function dealwright_engine.refuse_truncate(
        'set active to false: nobody is assigned to the agents any more, and their history stays');
create or replace trigger not_truncated before truncate on dealwright.lead
    for each statement execute function dealwright_engine.refuse_truncate(
        'delete from dealwright.lead does it whole: assignments and bookings go with it, and all counters follow');
create or replace trigger not_truncated before truncate on dealwright.assignment
    for each statement execute function dealwright_engine.refuse_truncate(
        'delete from dealwright.assignment does it whole: bookings go with it, and all counters follow');
create or replace trigger not_truncated before truncate on dealwright.booking
    for each statement execute function dealwright_engine.refuse_truncate(
        'delete from dealwright.booking does it whole: all counters follow');
create or replace trigger not_truncated before truncate on dealwright.requirement_term
    for each statement execute function dealwright_engine.refuse_truncate('delete the rows you do not want');
create or replace trigger not_truncated before truncate on dealwright.plan_run
    for each statement execute function dealwright_engine.refuse_truncate('tasks refer to them');

create or replace trigger keep_number before update of agent_id on dealwright.agent
    for each row execute function dealwright_engine.keep_number('agent_id');
create or replace trigger keep_number before update of lead_id on dealwright.lead
    for each row execute function dealwright_engine.keep_number('lead_id');

create or replace trigger keep_books before insert or update or delete or truncate on dealwright.schema_version
    for each statement execute function dealwright_engine.keep_books();
create or replace trigger keep_books before insert or update or delete or truncate on dealwright.schema_functions
    for each statement execute function dealwright_engine.keep_books();

create or replace trigger guard_lead_status before update of status on dealwright.lead
    for each row execute function dealwright_engine.guard_lead_status();
create or replace trigger follow_withdrawal after update of status on dealwright.lead
    for each row execute function dealwright_engine.follow_withdrawal();
create or replace trigger retry_waiting_lead
    after update of priority, received_at, requirements, required_skills, required_department, attributes,
        policy, declined_by on dealwright.lead
    for each row when (old.is_waiting and new.is_waiting) execute function dealwright_engine.retry_waiting_lead();

create or replace trigger check_policy before insert or update on dealwright.policy
    for each row execute function dealwright_engine.check_policy();
create or replace trigger follow_window after update of params on dealwright.policy
    for each row when (new.name = 'fair' and new.params -> 'window_start' is distinct from old.params -> 'window_start')
    execute function dealwright_engine.follow_window();

create or replace trigger follow_policies after insert or update or delete or truncate on dealwright.policy
    for each statement execute function dealwright_engine.follow_policies();
create or replace trigger follow_policies after insert or update or delete or truncate on dealwright.model
    for each statement execute function dealwright_engine.follow_policies();

create or replace trigger check_agent_numbers
    after insert or update of open, capacity, weight, fair_count, fair_compensation, fair_until,
        last_assigned_at, base_ratio, package_ratio, profile, variance, profile_model_id,
            profile_xid on dealwright.agent
    for each row execute function dealwright_engine.check_agent_numbers();

create or replace trigger prepare_agent before insert or update of active, skills, capacity, weight, shifts
    on dealwright.agent
    for each row execute function dealwright_engine.prepare_agent();
create or replace trigger follow_new_agent after insert on dealwright.agent
    for each row execute function dealwright_engine.follow_agent();
create or replace trigger follow_agent after update of active, capacity, skills, department, shifts, years_of_service,
    rating, weight, traits, name on dealwright.agent
    for each row when ((
        old.active, old.capacity, old.skills, old.department, old.shifts, old.years_of_service, old.rating, old.weight,
            old.traits, old.name)
        is distinct from (
        new.active, new.capacity, new.skills, new.department, new.shifts, new.years_of_service, new.rating, new.weight,
            new.traits, new.name))
    execute function dealwright_engine.follow_agent();
create or replace trigger keep_agent_with_assignments before delete on dealwright.agent
    for each row execute function dealwright_engine.keep_agent_with_assignments();
create or replace trigger follow_deleted_agent after delete on dealwright.agent
    for each row execute function dealwright_engine.follow_deleted_agent();

create or replace trigger keep_task before update on dealwright.task
    for each row execute function dealwright_engine.keep_task();
create or replace trigger keep_new_task before insert on dealwright.task
    for each row when (new.status <> 'planned') execute function dealwright_engine.keep_task();
-- one event per change a person or a program reports; a run that is published writes one for all its tasks
create or replace trigger record_task after update on dealwright.task
    for each row
        when (new.status <> 'replaced' and (old.status, old.outcome, old.done_at) is distinct
            from (new.status, new.outcome, new.done_at))
    execute function dealwright_engine.record_task();
create or replace trigger keep_finished_tasks before delete on dealwright.task
    for each row when (old.status in ('started', 'done', 'failed'))
        execute function dealwright_engine.keep_finished_tasks();
create or replace trigger keep_all_tasks before truncate on dealwright.task
    for each statement execute function dealwright_engine.keep_all_tasks();

create or replace trigger forget_candidates after insert or update or delete on dealwright.dimension
    for each statement execute function dealwright_engine.forget_candidates();
create or replace trigger forget_candidates after update or delete on dealwright.dimension_value
    for each statement execute function dealwright_engine.forget_candidates();

create or replace trigger within_bounds before insert or update of capacity, weight, years_of_service, rating,
    external_id, name, email, job_title, department,
    manager, skills, traits, shifts, database_role on dealwright.agent
    for each row execute function dealwright_engine.bound_agent();
create or replace trigger within_bounds before update of external_id, customer_id, customer_name, attributes,
    requirements, idempotency_key, received_at, required_department on dealwright.lead
    for each row execute function dealwright_engine.bound_lead();

-- what placements go by follows from policies and models
select dealwright_engine.write_rules();

-- the months of the record, and triggers of their own
select dealwright_engine.guard_partition(p.relname, c.relname)
from pg_inherits as i
join pg_class as p on p.oid = i.inhparent
join pg_class as c on c.oid = i.inhrelid
where i.inhparent in ('dealwright.decision'::regclass, 'dealwright.event'::regclass);
select dealwright.prepare_months();

create or replace trigger append_only before update or delete or truncate on dealwright.change
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.change
    for each statement execute function dealwright_engine.written_by_engine(
        'what somebody does with a function of the desk is recorded there');
create or replace trigger guard_policy before update on dealwright.policy
    for each row when (old is distinct from new) execute function dealwright_engine.guard_policy();
create or replace trigger written_by_engine before insert or update or delete or truncate on dealwright.proposal
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.propose_model and propose_policy ask for a change, agree_to_proposal and refuse_proposal decide');
create or replace trigger note_policy after update on dealwright.policy
    for each row when (old is distinct from new) execute function dealwright_engine.note_policy();
create or replace trigger append_only before update or delete or truncate on dealwright.decision_erasure
    for each statement execute function dealwright_engine.refuse_change();
create or replace trigger written_by_engine before insert on dealwright.decision_erasure
    for each statement execute function dealwright_engine.written_by_engine(
        'dealwright.erase_customer takes out what a customer wrote, and seals it');
