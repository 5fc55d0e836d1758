-- Who may do what on a desk: what `dealwright roles` runs, block by block. All of it may be run again.

-- name: owner
-- The desk belongs to a role without a login: functions with their owner's rights have no more than they need.
do $$
declare
    item text;
begin
    perform set_config('search_path', 'pg_catalog', true);  -- names are written out
    for item in
        select format('schema %I', n.nspname)
        from pg_namespace as n
        where n.nspname in ('dealwright', 'dealwright_engine') and n.nspowner <> 'dealwright_owner'::regrole
        union all
        select format('%s %s', case c.relkind when 'v' then 'view' when 'm' then 'materialized view'
                                   when 'S' then 'sequence' when 'c' then 'type' else 'table' end, c.oid::regclass)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname in ('dealwright', 'dealwright_engine') and c.relkind in ('r', 'p', 'v', 'm', 'S', 'c')
          and c.relowner <> 'dealwright_owner'::regrole
          -- the sequence of a column follows its table
          and not (c.relkind = 'S' and exists (
              select from pg_depend as d
              where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')))
        union all
        select format('routine %s', p.oid::regprocedure)
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ('dealwright', 'dealwright_engine') and p.proowner <> 'dealwright_owner'::regrole
    loop
        execute format('alter %s owner to dealwright_owner', item);
    end loop;
end
$$;

-- name: nobody
-- A function may be run by everybody unless somebody says otherwise: this says so.
revoke all on schema dealwright_engine from public;
revoke all on all routines in schema dealwright, dealwright_engine from public;
-- but for what tables have for a default
grant execute on routine dealwright_engine.xact_id to public;

-- name: everybody
-- What all five may: reach the desk, see that it is up to date, and what may be said of a lead.
grant usage on schema dealwright to dealwright_app, dealwright_agent, dealwright_manager, dealwright_planner, dealwright_reader;
grant select on dealwright.schema_version, dealwright.schema_functions, dealwright.dimension, dealwright.dimension_value
    to dealwright_app, dealwright_agent, dealwright_manager, dealwright_planner, dealwright_reader;
grant execute on routine dealwright.knows_cluster
    to dealwright_app, dealwright_agent, dealwright_manager, dealwright_planner, dealwright_reader;

-- name: app
-- Places, settles, ranks; so does whoever runs the floor. No column with an amount or an outcome, and no counter to write.
grant execute on routine dealwright.rank_agents, dealwright.assign_lead, dealwright.assign_many, dealwright.assign,
    dealwright.placement_of,
    dealwright.settle_booking (bigint, text, double precision, double precision, double precision),
    dealwright.settle_booking (text, text, double precision, double precision, double precision),
    dealwright.settle (bigint, text, double precision, double precision, double precision, bigint, bigint, integer,
                       integer, text, text, text, text, text[]),
    dealwright.settle (text, text, double precision, double precision, double precision, bigint, bigint, integer,
                       integer, text, text, text, text, text[]),
    dealwright.reassign, dealwright.reassign_to,
    dealwright.assign_to (bigint, bigint, text, boolean, text),
    dealwright.assign_to (jsonb, bigint, text, boolean, text, text),
    dealwright.assignment_named, dealwright.policy_in_use, dealwright.fill_free_places,
    dealwright.agent_named, dealwright.activate_agent, dealwright.deactivate_agent, dealwright.set_availability,
    dealwright.contact, dealwright.accept, dealwright.why, dealwright.standing, dealwright.own_rate,
    dealwright.channels_of, dealwright.find_key, dealwright.find_session, dealwright.end_session,
    dealwright.decline, dealwright.return_unanswered, dealwright.keep_timers,
    dealwright.holders_of, dealwright.duplicates_of,
    dealwright.win_interval, dealwright.currency
    to dealwright_app, dealwright_manager;
grant select on dealwright.lead, dealwright.waiting_lead, dealwright.policy to dealwright_app, dealwright_manager;
grant insert (external_id, customer_id, customer_name, attributes, requirements, priority, idempotency_key, received_at,
              policy, required_skills, required_department),
      update (customer_id, customer_name, attributes, requirements, priority, required_skills, required_department,
              status)
    on dealwright.lead to dealwright_app, dealwright_manager;
grant select (agent_id, external_id, name, open, capacity, active, shifts, skills, department, job_title)
    on dealwright.agent to dealwright_app, dealwright_manager;
grant select (assignment_id, external_id, lead_id, agent_id, assigned_at, status, ended_at, end_reason, match_score,
              policy, model_id, propensity, first_contact_at, held_by, offered_until, accepted_at)
    on dealwright.assignment to dealwright_app, dealwright_manager;
grant select (booking_id, external_id, assignment_id, status, completed_at, cancelled_at, package, created_at)
    on dealwright.booking to dealwright_app, dealwright_manager;
grant select (model_id, kind, created_at, promoted, promoted_at, evidence) on dealwright.model to dealwright_app, dealwright_manager;

-- name: agent
-- Own work only: which rows these are, the policies below say.
grant select (agent_id, external_id, name, email, job_title, department, manager, open, capacity, active, shifts,
              skills, years_of_service, rating, database_role) on dealwright.agent to dealwright_agent;
grant select on dealwright.lead, dealwright.assignment, dealwright.booking, dealwright.task, dealwright.plan_run,
    dealwright.policy to dealwright_agent;
grant select (model_id, kind, created_at, promoted, promoted_at, evidence) on dealwright.model to dealwright_agent;
grant update (status, completed_at, cancelled_at, package, base_revenue, package_revenue, total_revenue)
    on dealwright.booking to dealwright_agent;
grant update (status, outcome, done_at, note) on dealwright.task to dealwright_agent;
-- these look themselves whose work it is
grant execute on routine dealwright.contact, dealwright.accept, dealwright.decline, dealwright.explain, dealwright.why,
    dealwright.standing, dealwright.own_rate, dealwright.channels_of,
    dealwright.settle_booking (bigint, text, double precision, double precision, double precision),
    dealwright.settle_booking (text, text, double precision, double precision, double precision),
    dealwright.settle (bigint, text, double precision, double precision, double precision, bigint, bigint, integer,
                       integer, text, text, text, text, text[]),
    dealwright.settle (text, text, double precision, double precision, double precision, bigint, bigint, integer,
                       integer, text, text, text, text, text[]),
    dealwright.start_task, dealwright.finish_task, dealwright.cancel_task, dealwright.activate_agent,
    dealwright.deactivate_agent, dealwright.contest_outcome, dealwright.timers to dealwright_agent;
-- the policies of rows ask it
grant execute on routine dealwright_engine.served_agent to dealwright_agent;
-- these give an id for a name, and say what everybody may know
grant execute on routine dealwright.assignment_named, dealwright.agent_named, dealwright.policy_in_use
    to dealwright_agent;

-- name: reader
-- Sees everything, writes nothing. So do those below and whoever runs the floor, who also write.
grant select on dealwright.agent, dealwright.lead, dealwright.assignment, dealwright.booking, dealwright.agent_stat,
    dealwright.model, dealwright.policy, dealwright.requirement_term, dealwright.event, dealwright.decision,
    dealwright.decision_block, dealwright.decision_seal, dealwright.decision_erasure, dealwright.archive_file, dealwright.plan_run, dealwright.task, dealwright.outcome,
        dealwright.agent_profile,
    dealwright.waiting_lead, dealwright.touch, dealwright.channel_limit to dealwright_reader, dealwright_planner, dealwright_manager;
grant execute on routine dealwright.rank_agents, dealwright.placement_of, dealwright.assignment_named,
    dealwright.policy_in_use, dealwright.explain, dealwright.replay, dealwright.why, dealwright.standing, dealwright.own_rate,
    dealwright.channels_of,
    dealwright.agent_named, dealwright.holders_of, dealwright.duplicates_of,
    dealwright.win_interval, dealwright.currency, dealwright.reasons_of,
    dealwright.timers,
    dealwright.read_events, dealwright.last_event, dealwright.touches, dealwright.verify_decisions,
    dealwright.unsealed_decisions, dealwright.open_archive, dealwright.join_archived_events,
    dealwright.verify_archived, dealwright.nights, dealwright.day_changes, dealwright.second_person_required,
    dealwright.territory_scenarios, dealwright.territory_edits, dealwright.territories_in_force,
    dealwright.approved_territories,
    dealwright.monitor to dealwright_reader, dealwright_planner, dealwright_manager;
grant execute on routine dealwright.monitor to dealwright_app;
grant select on dealwright.proposal to dealwright_reader, dealwright_planner, dealwright_manager;
grant execute on routine dealwright.request_night, dealwright.cancel_night, dealwright.change_day
    to dealwright_manager;

-- name: planner
-- Works at night: takes in histories, trains, publishes tasks, seals the record. Places and settles nothing.
grant execute on routine dealwright.begin_import, dealwright.import_history, dealwright.declare_dimension,
    dealwright.declare_open_values, dealwright.lapse_follow_ups, dealwright.load_model, dealwright.promote_model,
    dealwright.propose_model,
    dealwright.seal_decisions, dealwright.prepare_months, dealwright.begin_publishing, dealwright.publish_tasks, dealwright.start_task,
    dealwright.finish_task, dealwright.cancel_task, dealwright.reopen_task, dealwright.request_night,
    dealwright.miss_night, dealwright.keep_schedule, dealwright.begin_night, dealwright.night_progress,
    dealwright.end_night, dealwright.cancel_night, dealwright.change_day to dealwright_planner;

-- draws and approves territories; so does whoever runs the floor
grant execute on routine dealwright.create_territory_scenario, dealwright.edit_territory_scenario,
    dealwright.undo_territory_edit, dealwright.approve_territory_scenario, dealwright.retire_territory_scenario
    to dealwright_planner, dealwright_manager;

-- name: manager
-- Runs the floor: what an application and a reader may stands above; and what is reported of tasks.
grant execute on routine dealwright.start_task, dealwright.finish_task, dealwright.cancel_task, dealwright.reopen_task
    to dealwright_manager;

grant execute on routine dealwright.set_channel, dealwright.remove_channel, dealwright.set_agent_channel,
    dealwright.pause_automation, dealwright.resume_automation, dealwright.contest_outcome,
    dealwright.resolve_contest, dealwright.agree_to_proposal, dealwright.refuse_proposal to dealwright_manager;
-- who did what
grant select on dealwright.change, dealwright.pause, dealwright.contest to dealwright_manager;

-- name: rows
-- Row-level security: everybody sees what they were granted; of that, an agent's user only what is theirs.
do $$
declare
    item record;
begin
    for item in
        select * from (values
            -- a service is dealwright_agent itself, and says for whom it acts
            ('agent', 'case when current_user = ''dealwright_agent'' then agent_id = dealwright_engine.served_agent()
                       else database_role = current_user end'),
            -- what these look at is under the same policies: the agent's own
            ('assignment', 'agent_id in (select a.agent_id from dealwright.agent as a)'),
            ('lead', 'exists (select from dealwright.assignment as s
                              where s.lead_id = lead.lead_id and s.status <> ''reassigned'')'),
            ('booking', 'exists (select from dealwright.assignment as s
                                 where s.assignment_id = booking.assignment_id)'),
            ('task', 'rep_id in (select coalesce(a.external_id, a.agent_id::text) from dealwright.agent as a)')
        ) as t (name, own)
    loop
        execute format('alter table dealwright.%I enable row level security', item.name);
        execute format('drop policy if exists everybody on dealwright.%I', item.name);
        execute format('drop policy if exists own_work on dealwright.%I', item.name);
        execute format('create policy everybody on dealwright.%I using (true) with check (true)', item.name);
        execute format('create policy own_work on dealwright.%I as restrictive to dealwright_agent using (%s)',
                       item.name, item.own);
    end loop;
end
$$;

-- name: granted
-- What each role may do to what, on which columns (null: all), and who is a member.
select role, privilege, object, array_agg(column_name order by attnum) filter (where column_name is not null) as columns
from (
    select r.rolname as role, lower(a.privilege_type) as privilege, p.proname::text as object, null as column_name,
           0 as attnum
    from pg_proc as p
    cross join lateral aclexplode(p.proacl) as a
    join pg_roles as r on r.oid = a.grantee
    where p.pronamespace = to_regnamespace('dealwright')
    union all
    select r.rolname, lower(a.privilege_type), c.relname, null, 0
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    join pg_roles as r on r.oid = a.grantee
    where c.relnamespace = to_regnamespace('dealwright')
    union all
    select r.rolname, lower(a.privilege_type), c.relname, t.attname, t.attnum
    from pg_attribute as t
    join pg_class as c on c.oid = t.attrelid
    cross join lateral aclexplode(t.attacl) as a
    join pg_roles as r on r.oid = a.grantee
    where c.relnamespace = to_regnamespace('dealwright')
) as g
where role = any (%(roles)s::text[]) and role <> 'dealwright_owner'
group by role, privilege, object
order by array_position(%(roles)s::text[], role::text), privilege, object

-- name: members
-- Who is in which of the roles.
select r.rolname as role, m.rolname as member
from pg_auth_members as x
join pg_roles as r on r.oid = x.roleid
join pg_roles as m on m.oid = x.member
where r.rolname = any (%(roles)s::text[])
group by r.rolname, m.rolname
order by r.rolname, m.rolname

-- name: dangers
-- What would let somebody past all this, with the statement that ends it.
select format('everybody may create things in the schema %I, where the desk looks for pgvector', n.nspname) as cause,
       format('revoke create on schema %I from public', n.nspname) as fix
from pg_extension as e
join pg_namespace as n on n.oid = e.extnamespace
cross join lateral aclexplode(n.nspacl) as a
where e.extname = 'vector' and a.grantee = 0 and a.privilege_type = 'CREATE'
union all
select distinct format('%s may put triggers on dealwright.%I, which would run with the rights of the engine',
              coalesce(quote_ident(r.rolname), 'everybody'), c.relname),
       format('revoke trigger on dealwright.%I from %s', c.relname, coalesce(quote_ident(r.rolname), 'public'))
from pg_class as c
cross join lateral aclexplode(c.relacl) as a
left join pg_roles as r on r.oid = a.grantee
where c.relnamespace = to_regnamespace('dealwright') and c.relkind in ('r', 'p')
  and a.privilege_type = 'TRIGGER' and a.grantee <> c.relowner
union all
select format('%I, who is agent %s, is not a member of dealwright_agent, or there is no such user',
              a.database_role, a.agent_id),
       format('grant dealwright_agent to %I', a.database_role)
from dealwright.agent as a
where a.database_role is not null
  and not exists (select from pg_roles as r
                  where r.rolname = a.database_role and pg_has_role(r.oid, 'dealwright_agent', 'MEMBER'))
order by 1
