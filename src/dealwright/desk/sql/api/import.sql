create or replace function dealwright.begin_import()
returns void language sql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    create temporary table import_dimension (
        name text, position integer, allowed_values text[], is_open boolean, required boolean, at_arrival boolean,
            edges double precision[]
    ) on commit drop;
    create temporary table import_agent (
        external_id text, name text, email text, job_title text, department text, manager text,
        years_of_service double precision, rating double precision, capacity integer, active boolean, skills text[],
        weight double precision
    ) on commit drop;
    create temporary table import_agent_channel (
        agent_external_id text, channel text, capacity integer, dimension text,
        constraint import_agent_channel_numbers check (capacity >= 0)
    ) on commit drop;
    -- a few hundred kinds of leads stand for a million of them
    create temporary table import_kind (kind integer primary key, attributes jsonb) on commit drop;
    create temporary table import_assignment (
        external_id text, agent_external_id text, customer_name text, assigned_at timestamptz, requirements text,
        customer_id text, outcome_unknown boolean, kind integer,
        -- dealwright_engine.own_id, written out: who copies rows may not call it
        own_id bigint generated always as (
            case when external_id ~ '^[1-9][0-9]{0,17}$' then external_id::bigint end) stored,
        constraint import_times
            check (assigned_at >= '1970-01-01 00:00:00+00' and assigned_at < '2200-01-01 00:00:00+00')
    ) on commit drop;
    create temporary table import_booking (
        external_id text, assignment_external_id text, status text, completed_at timestamptz, cancelled_at timestamptz,
        base_revenue numeric(14, 2), package_revenue numeric(14, 2), total_revenue numeric(14, 2), package text,
        own_id bigint generated always as (
            case when external_id ~ '^[1-9][0-9]{0,17}$' then external_id::bigint end) stored,
        constraint import_times check (
            completed_at >= '1970-01-01 00:00:00+00' and completed_at < '2200-01-01 00:00:00+00'
            and cancelled_at >= '1970-01-01 00:00:00+00' and cancelled_at < '2200-01-01 00:00:00+00')
    ) on commit drop;
    -- of this session: nobody else reaches them
    grant select, insert on import_dimension, import_agent, import_agent_channel, import_kind, import_assignment,
        import_booking to public;
$$;
comment on function dealwright.begin_import() is 'Creates the temporary tables import_* for this transaction.';

create or replace function dealwright.import_history(follow_up_days double precision default 7,
    deactivate_missing boolean default false, currency text default null)
returns jsonb language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set work_mem = '128MB' as $$
declare
    agents record;
    assignments record;
    bookings record;
    data_end timestamptz;
    latest timestamptz;
    as_of timestamptz;
    follow_up interval := make_interval(secs => follow_up_days * 86400);
    reread boolean;
    lapsed bigint;
    missing jsonb;
    deactivated bigint := 0;
    crowded record;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_filled(
        '{import_dimension,import_agent,import_agent_channel,import_kind,import_assignment,import_booking}',
        'dealwright.begin_import()');
    perform dealwright_engine.begin_own_writes();
    perform dealwright_engine.hold_writers();
    create temporary table import_touched (assignment_id bigint primary key) on commit drop;
    analyze import_agent, import_assignment, import_booking;
    update dealwright_engine.setting as s
    set follow_up_days = import_history.follow_up_days,
        currency = coalesce(nullif(btrim(import_history.currency), ''), s.currency);
    reread := dealwright_engine.import_dimensions();
    -- the end of the data, in what comes and in what came before; what was settled here since then does not move it
    -- A single date ahead of the clock (a slip, a day on which a deal is expected to close) is no end of the data; data
    -- that lie ahead of it as a whole have a clock of their own.
    select case when percentile_disc(0.5) within group (order by i.assigned_at) > now() then 'infinity' else now() end
    into latest from import_assignment as i;
    select greatest((select max(assigned_at) from import_assignment where assigned_at <= latest),
                    (select max(completed_at) from import_booking where completed_at <= latest),
                    (select max(cancelled_at) from import_booking where cancelled_at <= latest),
                    (select max((payload ->> 'as_of')::timestamptz) from dealwright_engine.known_event
                     where agent_id is null and kind = 'imported')) into data_end;
    -- follow-up is over by the clock, though the data may end before, or lie ahead of it
    as_of := greatest(data_end, now());
    agents := dealwright_engine.import_agents();
    assignments := dealwright_engine.import_assignments(follow_up, as_of);
    bookings := dealwright_engine.import_bookings();
    perform dealwright_engine.import_channels();
    with lapsing as (
        insert into import_touched
        select a.assignment_id from dealwright.assignment as a
        where a.external_id is not null and a.status = 'open' and a.assigned_at + follow_up <= as_of
          and not exists (select from dealwright.booking as b where b.assignment_id = a.assignment_id)
        on conflict do nothing
        returning 1
    )
    select count(*) into lapsed from lapsing;
    update dealwright.assignment as a set
        status = d.status,
        outcome = d.outcome,
        known_at = d.known_at,
        ended_at = d.known_at,
        completed_at = case when d.outcome = 'won' then d.known_at end,
        base_revenue = case when d.outcome = 'won' then d.base_revenue end,
        package_revenue = case when d.outcome = 'won' then d.package_revenue end,
        total_revenue = case when d.outcome = 'won' then d.total_revenue end
    from (
        select t.assignment_id, b.base_revenue, b.package_revenue, b.total_revenue, o.*
        from import_touched as t
        join dealwright.assignment as s using (assignment_id)
        left join dealwright.booking as b using (assignment_id)
        left join import_row as r using (assignment_id)
        cross join lateral dealwright_engine.imported_outcome(
            r.outcome_unknown, b.status, b.completed_at, b.cancelled_at, s.assigned_at + follow_up, as_of) as o
    ) as d
    where a.assignment_id = d.assignment_id and a.status <> 'reassigned'
      and (a.status, a.outcome, a.known_at, a.base_revenue, a.package_revenue, a.total_revenue) is distinct from (
          d.status, d.outcome, d.known_at,
          case when d.outcome = 'won' then d.base_revenue end,
          case when d.outcome = 'won' then d.package_revenue end,
          case when d.outcome = 'won' then d.total_revenue end);
    if agents.fresh + agents.changed + assignments.fresh + assignments.changed + bookings.fresh + bookings.changed
        + lapsed > 0 or reread then
        insert into dealwright.event (kind, agent_id, open, capacity, fair_count, fair_compensation, payload,
            fair_until,
            last_assigned_at)
        select case when exists (select from dealwright_engine.known_event as e where e.agent_id = a.agent_id)
            then 'agent_changed' else 'agent_added' end,
               a.agent_id, a.open, a.capacity, a.fair_count, a.fair_compensation, dealwright_engine.agent_payload(a),
                   a.fair_until, a.last_assigned_at
        from dealwright.agent as a order by a.agent_id;
        perform dealwright.rebuild_statistics();
        insert into dealwright.event (kind, payload) values ('imported', jsonb_build_object(
            'agents', agents.fresh, 'assignments', assignments.fresh, 'bookings', bookings.fresh, 'as_of', data_end));
        analyze dealwright.agent, dealwright.lead, dealwright.assignment, dealwright.booking, dealwright.agent_stat;
    end if;
    perform dealwright_engine.end_own_writes();
    -- who was never imported, or was put back to work by hand, has not left the file
    select coalesce(jsonb_agg(jsonb_build_object('agent_id', a.external_id, 'name', a.name, 'open', a.open)
        order by a.agent_id), '[]') into missing
    from dealwright.agent as a
    where a.active and a.external_id is not null and a.import_hash is not null
        and not exists (select from import_agent as i where i.external_id = a.external_id);
    -- where more are missing than are there, it is rather the file that is not whole
    if coalesce(deactivate_missing, jsonb_array_length(missing) <= (select count(*) from import_agent)) then
        -- without the hash: who is in the file again comes back
        update dealwright.agent as a set active = false, import_hash = null
        where a.external_id in (select m ->> 'agent_id' from jsonb_array_elements(missing) as m);
        get diagnostics deactivated = row_count;
    end if;
    perform dealwright.fill_free_places();
    select count(*) filter (where a.open > a.capacity) as agents, count(*) as "of",
           (5 * ceil(percentile_cont(0.95) within group (order by a.open) / 5))::integer as suggested
    into crowded from dealwright.agent as a where a.active;
    return jsonb_build_object(
        'agents', jsonb_build_object('new', agents.fresh, 'changed', agents.changed,
                                     'unchanged', (select count(*) from import_agent) - agents.fresh - agents.changed),
        'assignments', jsonb_build_object('new', assignments.fresh, 'changed', assignments.changed,
                                     'unchanged',
                                         (select count(*) from import_assignment) - assignments.fresh
                                             - assignments.changed),
        'bookings', jsonb_build_object('new', bookings.fresh, 'changed', bookings.changed,
                                     'unchanged',
                                         (select count(*) from import_booking) - bookings.fresh - bookings.changed),
        'lapsed', lapsed, 'as_of', data_end, 'missing_agents', missing, 'deactivated', deactivated,
        'over_capacity', case when crowded.agents > 0 then to_jsonb(crowded) end);
end
$$;
comment on function dealwright.import_history(double precision, boolean, text) is
    'Takes in what was copied into import_*: all of it or nothing. A row whose content was imported before changes '
    'nothing, '
    'even if the desk has moved on since. Tells which agents are not in it (and deactivates them if asked to; '
    'null: unless more are missing than are in it), and how many have more than their capacity.';
