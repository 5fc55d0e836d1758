-- A history, taken in as a whole: the client copies rows into the temporary tables, then calls import_history.

create or replace function dealwright.own_id(external_id text)
returns bigint language sql immutable as $$
    select case when external_id ~ '^[1-9][0-9]{0,17}$' then external_id::bigint end
$$;
comment on function dealwright.own_id(text) is 'The number an outside id is, if it is one: then it serves as our own id too.';

create or replace function dealwright.begin_import()
returns void language sql as $$
    create temporary table import_dimension (
        name text, position integer, allowed_values text[], is_open boolean, required boolean, at_arrival boolean, edges double precision[]
    ) on commit drop;
    create temporary table import_agent (
        external_id text, name text, email text, job_title text, department text, manager text,
        years_of_service double precision, rating double precision, capacity integer, active boolean, skills text[],
        weight double precision
    ) on commit drop;
    -- a few hundred kinds of leads stand for a million of them
    create temporary table import_kind (kind integer primary key, attributes jsonb) on commit drop;
    create temporary table import_assignment (
        external_id text, agent_external_id text, customer_name text, assigned_at timestamptz, requirements text,
        outcome_unknown boolean, kind integer, own_id bigint generated always as (dealwright.own_id(external_id)) stored,
        constraint import_times check (assigned_at >= '1970-01-01 00:00:00+00' and assigned_at < '2200-01-01 00:00:00+00')
    ) on commit drop;
    create temporary table import_booking (
        external_id text, assignment_external_id text, status text, completed_at timestamptz, cancelled_at timestamptz,
        base_revenue numeric(14, 2), package_revenue numeric(14, 2), total_revenue numeric(14, 2), package text,
        own_id bigint generated always as (dealwright.own_id(external_id)) stored,
        constraint import_times check (
            completed_at >= '1970-01-01 00:00:00+00' and completed_at < '2200-01-01 00:00:00+00'
            and cancelled_at >= '1970-01-01 00:00:00+00' and cancelled_at < '2200-01-01 00:00:00+00')
    ) on commit drop;
$$;
comment on function dealwright.begin_import() is 'Creates the temporary tables import_* for this transaction.';

-- Status and outcome of an imported assignment from its booking, or from the lack of one: when the follow-up time is over, it is a
-- failed contact. Where there is a booking that could not be read, neither is known. One row, as a table: so the planner melts it into the query around it.
create or replace function dealwright.imported_outcome(
    outcome_unknown boolean, booking_status text, completed_at timestamptz, cancelled_at timestamptz, follow_up_ends timestamptz, as_of timestamptz
)
returns table (status text, outcome text, known_at timestamptz) language sql immutable as $$
    select case when outcome_unknown then 'unknown'
                when booking_status = 'pending' then 'open'
                when booking_status is not null then 'settled'
                when follow_up_ends <= as_of then 'lapsed' else 'open' end,
           case when outcome_unknown then null
                when booking_status = 'confirmed' then 'won'
                when booking_status = 'cancelled' then 'lost'
                when booking_status is null and follow_up_ends <= as_of then 'lost' end,
           case when outcome_unknown then null
                when booking_status = 'confirmed' then completed_at
                when booking_status = 'cancelled' then cancelled_at
                when booking_status is null and follow_up_ends <= as_of then follow_up_ends end
$$;

create or replace function dealwright.import_in_bulk(wanted boolean)
returns void language plpgsql as $$
begin
    -- New rows are made of joins with the rows they refer to, while nobody else may write, and with all that the triggers would derive. So
    -- where none is out of bounds, a million foreign keys and triggers find nothing to do; where one is, its trigger says what is wrong.
    -- To leave them out takes a right that not every owner has.
    if has_parameter_privilege('session_replication_role', 'set') then
        perform set_config('session_replication_role', case when wanted then 'replica' else 'origin' end, true);
    end if;
end
$$;

create or replace function dealwright.import_agents(out fresh bigint, out changed bigint)
language plpgsql as $$
begin
    with incoming as (
        select i.*, md5(i::text) as hash from import_agent as i
    ), updated as (
        update dealwright.agent as a set
            name = i.name, email = i.email, job_title = i.job_title, department = i.department, manager = i.manager,
            years_of_service = i.years_of_service, rating = i.rating, capacity = coalesce(i.capacity, a.capacity),
            active = coalesce(i.active, a.active), skills = array(select lower(s) from unnest(i.skills) as s),
            weight = coalesce(i.weight, a.weight), import_hash = i.hash
        from incoming as i
        where a.external_id = i.external_id and a.import_hash is distinct from i.hash
        returning 1
    )
    select count(*) into changed from updated;
    perform setval(pg_get_serial_sequence('dealwright.agent', 'agent_id'), greatest(
        (select max(agent_id) from dealwright.agent), (select max(dealwright.own_id(external_id)) from import_agent), 1),
        exists (select from dealwright.agent) or exists (select from import_agent where dealwright.own_id(external_id) is not null));
    insert into dealwright.agent (agent_id, external_id, name, email, job_title, department, manager, years_of_service, rating,
                                  capacity, active, skills, weight, import_hash)
    select case when dealwright.own_id(i.external_id) is not null
                     and not exists (select from dealwright.agent as a where a.agent_id = dealwright.own_id(i.external_id))
                then dealwright.own_id(i.external_id)
                else nextval(pg_get_serial_sequence('dealwright.agent', 'agent_id')) end,
           i.external_id, i.name, i.email, i.job_title, i.department, i.manager, i.years_of_service, i.rating,
           coalesce(i.capacity, 10), coalesce(i.active, true), array(select lower(s) from unnest(i.skills) as s),
           coalesce(i.weight, 1), md5(i::text)
    from import_agent as i
    where not exists (select from dealwright.agent as a where a.external_id = i.external_id);
    get diagnostics fresh = row_count;
    perform dealwright.learn_terms(a.skills, a.department) from dealwright.agent as a;
end
$$;

create or replace function dealwright.import_assignments(follow_up interval, as_of timestamptz, out fresh bigint, out changed bigint)
language plpgsql as $$
begin
    create temporary table import_read on commit drop as
    select k.kind, k.attributes as said, jsonb_strip_nulls(k.attributes) as attributes, dealwright.slots_of(k.attributes) as slots
    from import_kind as k;
    perform setval('dealwright.assignment_assignment_id_seq', greatest(
        (select max(assignment_id) from dealwright.assignment), (select max(own_id) from import_assignment), 1),
        exists (select from dealwright.assignment) or exists (select from import_assignment where own_id is not null));
    create temporary table import_row on commit drop as
    select i.external_id, i.customer_name, i.assigned_at, i.requirements, i.outcome_unknown, k.attributes, k.slots, g.agent_id, a.import_hash,
           a.assignment_id is null as is_new,
           -- the user's own number, unless the desk has given it to something else
           coalesce(a.assignment_id, case when taken.assignment_id is null then i.own_id end,
                    nextval('dealwright.assignment_assignment_id_seq')) as assignment_id,
           coalesce(a.lead_id, nextval('dealwright.lead_lead_id_seq')) as lead_id,
           -- of a row whose outcome is known as it always was, so that rows imported by an earlier version stay unchanged
           md5((i.external_id, i.agent_external_id, i.customer_name, i.assigned_at, i.requirements, k.said)::text
               || case when i.outcome_unknown then ' unknown' else '' end) as hash
    from import_assignment as i
    join import_read as k using (kind)
    join dealwright.agent as g on g.external_id = i.agent_external_id
    left join dealwright.assignment as a on a.external_id = i.external_id
    left join dealwright.assignment as taken on taken.assignment_id = i.own_id;

    with moved as (
        update dealwright.assignment as a set
            agent_id = r.agent_id, assigned_at = r.assigned_at, slots = r.slots, import_hash = r.hash
        from import_row as r
        where not r.is_new and a.assignment_id = r.assignment_id and r.import_hash is distinct from r.hash
        returning a.assignment_id, r.lead_id, r.customer_name, r.attributes, r.requirements, r.slots
    ), corrected as (
        update dealwright.lead as l set customer_name = m.customer_name, attributes = m.attributes,
            requirements = m.requirements, slots = m.slots
        from moved as m where l.lead_id = m.lead_id
        returning 1
    ), touched as (
        insert into import_touched select assignment_id from moved on conflict do nothing returning 1
    )
    select count(*) into changed from corrected;

    perform dealwright.import_in_bulk(
        not exists (select from import_row as r
                    where r.external_id = '' or not (dealwright.is_word(r.external_id, 500) and dealwright.is_word(r.customer_name, 1000)
                                                     and dealwright.is_prose(r.requirements)))
        and not exists (select from import_read as k where not dealwright.is_flat(k.attributes)));
    insert into dealwright.lead (lead_id, customer_name, attributes, requirements, received_at, status, slots)
    select r.lead_id, r.customer_name, r.attributes, r.requirements, r.assigned_at, 'assigned', r.slots
    from import_row as r where r.is_new;
    -- with its outcome at once: an update of every row afterwards would cost as much again
    insert into dealwright.assignment (assignment_id, external_id, lead_id, agent_id, assigned_at, slots, import_hash, status, outcome,
                                       known_at, ended_at, completed_at, base_revenue, package_revenue, total_revenue)
    select r.assignment_id, r.external_id, r.lead_id, r.agent_id, r.assigned_at, r.slots, r.hash, d.status, d.outcome,
           d.known_at, d.known_at,
           case when d.outcome = 'won' then d.known_at end,
           case when d.outcome = 'won' then b.base_revenue end,
           case when d.outcome = 'won' then b.package_revenue end,
           case when d.outcome = 'won' then coalesce(b.total_revenue, b.base_revenue + b.package_revenue) end
    from import_row as r
    left join import_booking as b on b.assignment_external_id = r.external_id
    cross join lateral dealwright.imported_outcome(
        r.outcome_unknown, b.status, b.completed_at, b.cancelled_at, r.assigned_at + follow_up, as_of) as d
    where r.is_new;
    get diagnostics fresh = row_count;
    perform dealwright.import_in_bulk(false);
end
$$;

create or replace function dealwright.import_bookings(out fresh bigint, out changed bigint)
language plpgsql as $$
begin
    perform setval('dealwright.booking_booking_id_seq', greatest(
        (select max(booking_id) from dealwright.booking), (select max(own_id) from import_booking), 1),
        exists (select from dealwright.booking) or exists (select from import_booking where own_id is not null));
    create temporary table import_booking_row on commit drop as
    select i.external_id, i.status, i.completed_at, i.cancelled_at, i.base_revenue, i.package_revenue, i.total_revenue, i.package,
           a.assignment_id, a.assigned_at, b.import_hash,
           coalesce(b.booking_id, live.booking_id) is null as is_new,
           coalesce(b.booking_id, live.booking_id, case when taken.booking_id is null then i.own_id end,
                    nextval('dealwright.booking_booking_id_seq')) as booking_id,
           md5((i.external_id, i.assignment_external_id, i.status, i.completed_at, i.cancelled_at, i.base_revenue, i.package_revenue,
                i.total_revenue, i.package)::text) as hash
    from import_booking as i
    join dealwright.assignment as a on a.external_id = i.assignment_external_id
    left join dealwright.booking as b on b.external_id = i.external_id
    -- booked here before the user's tables told of it: one and the same booking
    left join dealwright.booking as live on live.assignment_id = a.assignment_id and live.external_id is null and b.booking_id is null
    left join dealwright.booking as taken on taken.booking_id = i.own_id;
    with updated as (
        update dealwright.booking as b set
            external_id = r.external_id, assignment_id = r.assignment_id, status = r.status, completed_at = r.completed_at, cancelled_at = r.cancelled_at,
            base_revenue = r.base_revenue, package_revenue = r.package_revenue, total_revenue = r.total_revenue, package = r.package,
            import_hash = r.hash
        from import_booking_row as r
        where not r.is_new and b.booking_id = r.booking_id and r.import_hash is distinct from r.hash
        returning b.assignment_id
    ), touched as (
        insert into import_touched select assignment_id from updated on conflict do nothing returning 1
    )
    select count(*) into changed from updated;
    -- a new assignment has its outcome from the booking already
    insert into import_touched
    select r.assignment_id from import_booking_row as r
    where r.is_new and not exists (select from import_row as n where n.is_new and n.assignment_id = r.assignment_id)
    on conflict do nothing;
    perform dealwright.import_in_bulk(
        not exists (select from import_booking_row as r
                    where r.external_id = '' or not (dealwright.is_word(r.external_id, 500) and dealwright.is_word(r.package, 1000)
                                                     and dealwright.is_amount(r.base_revenue) and dealwright.is_amount(r.package_revenue)
                                                     and dealwright.is_amount(coalesce(r.total_revenue, r.base_revenue + r.package_revenue)))));
    insert into dealwright.booking (booking_id, external_id, assignment_id, status, completed_at, cancelled_at, base_revenue,
                                    package_revenue, total_revenue, package, created_at, import_hash)
    select r.booking_id, r.external_id, r.assignment_id, r.status, r.completed_at, r.cancelled_at, r.base_revenue, r.package_revenue,
           coalesce(r.total_revenue, r.base_revenue + r.package_revenue), r.package, r.assigned_at, r.hash
    from import_booking_row as r
    where r.is_new;
    get diagnostics fresh = row_count;
    perform dealwright.import_in_bulk(false);
end
$$;

create or replace function dealwright.import_dimensions()
returns boolean language plpgsql as $$
declare
    d record;
    anew boolean := false;
    slots_before integer := dealwright.slot_count();
begin
    for d in select * from import_dimension order by position loop
        anew := dealwright.note_dimension(d.name, d.allowed_values, d.is_open, d.required, d.at_arrival, d.edges) or anew;
    end loop;
    if dealwright.slot_count() > slots_before then
        perform dealwright.widen_statistics();
    end if;
    return anew and dealwright.reread_leads() > 0;
end
$$;
comment on function dealwright.import_dimensions() is 'Notes the dimensions of an import; whether that changed what leads that came before mean.';

create or replace function dealwright.import_history(follow_up_days double precision default 7, deactivate_missing boolean default false)
returns jsonb language plpgsql set work_mem = '128MB' as $$
declare
    agents record;
    assignments record;
    bookings record;
    data_end timestamptz;
    as_of timestamptz;
    follow_up interval := make_interval(secs => follow_up_days * 86400);
    reread boolean;
    lapsed bigint;
    missing jsonb;
    deactivated bigint := 0;
    crowded record;
begin
    perform set_config('dealwright.counted_by', 'import', true);
    perform dealwright.hold_writers();
    create temporary table import_touched (assignment_id bigint primary key) on commit drop;
    analyze import_agent, import_assignment, import_booking;
    update dealwright.setting as s set follow_up_days = import_history.follow_up_days;
    reread := dealwright.import_dimensions();
    -- the end of the data, in what comes and in what came before; what was settled here since then does not move it
    select greatest((select max(assigned_at) from import_assignment),
                    (select max(completed_at) from import_booking),
                    (select max(cancelled_at) from import_booking),
                    (select max((payload ->> 'as_of')::timestamptz) from dealwright.event
                     where agent_id is null and kind = 'imported')) into data_end;
    as_of := greatest(data_end, now());  -- follow-up is over by the clock, though the data may end before, or lie ahead of it
    agents := dealwright.import_agents();
    assignments := dealwright.import_assignments(follow_up, as_of);
    bookings := dealwright.import_bookings();
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
        cross join lateral dealwright.imported_outcome(
            r.outcome_unknown, b.status, b.completed_at, b.cancelled_at, s.assigned_at + follow_up, as_of) as o
    ) as d
    where a.assignment_id = d.assignment_id and a.status <> 'reassigned'
      and (a.status, a.outcome, a.known_at, a.base_revenue, a.package_revenue, a.total_revenue) is distinct from (
          d.status, d.outcome, d.known_at,
          case when d.outcome = 'won' then d.base_revenue end,
          case when d.outcome = 'won' then d.package_revenue end,
          case when d.outcome = 'won' then d.total_revenue end);
    if agents.fresh + agents.changed + assignments.fresh + assignments.changed + bookings.fresh + bookings.changed + lapsed > 0 or reread then
        insert into dealwright.event (kind, agent_id, open, capacity, fair_count, fair_compensation, payload)
        select case when exists (select from dealwright.event as e where e.agent_id = a.agent_id) then 'agent_changed' else 'agent_added' end,
               a.agent_id, a.open, a.capacity, a.fair_count, a.fair_compensation, dealwright.agent_payload(a)
        from dealwright.agent as a order by a.agent_id;
        perform dealwright.rebuild_statistics();
        insert into dealwright.event (kind, payload) values ('imported', jsonb_build_object(
            'agents', agents.fresh, 'assignments', assignments.fresh, 'bookings', bookings.fresh, 'as_of', data_end));
        analyze dealwright.agent, dealwright.lead, dealwright.assignment, dealwright.booking, dealwright.agent_stat;
    end if;
    perform set_config('dealwright.counted_by', '', true);
    select coalesce(jsonb_agg(jsonb_build_object('agent_id', a.external_id, 'name', a.name) order by a.agent_id), '[]') into missing
    from dealwright.agent as a
    where a.active and a.external_id is not null and not exists (select from import_agent as i where i.external_id = a.external_id);
    if deactivate_missing then
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
                                     'unchanged', (select count(*) from import_assignment) - assignments.fresh - assignments.changed),
        'bookings', jsonb_build_object('new', bookings.fresh, 'changed', bookings.changed,
                                     'unchanged', (select count(*) from import_booking) - bookings.fresh - bookings.changed),
        'lapsed', lapsed, 'as_of', data_end, 'missing_agents', missing, 'deactivated', deactivated,
        'over_capacity', case when crowded.agents > 0 then to_jsonb(crowded) end);
end
$$;
comment on function dealwright.import_history(double precision, boolean) is
    'Takes in what was copied into import_*: all of it or nothing. A row whose content was imported before changes nothing, '
    'even if the desk has moved on since. Tells which agents are not in it (and deactivates them if asked to), and how many have more than their capacity.';
