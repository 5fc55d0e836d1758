-- A history, taken in as a whole: the client copies rows into the temporary tables, then calls import_history.

create or replace function dealwright_engine.own_id(external_id text)
returns bigint language sql immutable as $$
    select case when external_id ~ '^[1-9][0-9]{0,17}$' then external_id::bigint end
$$;
comment on function dealwright_engine.own_id(text)
    is 'The number an outside id is, if it is one: then it serves as our own id too.';

-- Status and outcome of an imported assignment from its booking, or from the lack of one: when the follow-up time is
-- over, it is a failed contact. Where there is a booking that could not be read, neither is known. One row, as a
-- table: so the planner melts it into the query around it.
create or replace function dealwright_engine.imported_outcome(
    outcome_unknown boolean, booking_status text, completed_at timestamptz, cancelled_at timestamptz,
        follow_up_ends timestamptz, as_of timestamptz
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

create or replace function dealwright_engine.import_in_bulk(wanted boolean)
returns void language plpgsql as $$
begin
    -- New rows are made of joins with the rows they refer to, while nobody else may write, and with all that the
    -- triggers would derive. So where none is out of bounds, a million foreign keys and triggers find nothing to do;
    -- where one is, its trigger says what is wrong. To leave them out takes a right that not every owner has.
    if has_parameter_privilege('session_replication_role', 'set') then
        perform set_config('session_replication_role', case when wanted then 'replica' else 'origin' end, true);
    end if;
end
$$;

create or replace function dealwright_engine.import_agents(out fresh bigint, out changed bigint)
language plpgsql as $$
begin
    -- of a row without limits of channels as it always was, so that rows imported by an earlier version stay unchanged
    create temporary table import_agent_read on commit drop as
    select i.external_id, md5(i::text || coalesce(' ' || k.limits, '')) as hash, false as is_unchanged
    from import_agent as i
    left join (
        select c.agent_external_id, string_agg(c.channel || ' ' || c.capacity, '; ' order by c.channel) as limits
        from import_agent_channel as c group by c.agent_external_id
    ) as k on k.agent_external_id = i.external_id;
    update import_agent_read as r set is_unchanged = true
    from dealwright.agent as a where a.external_id = r.external_id and a.import_hash = r.hash;
    with incoming as (
        select i.*, r.hash from import_agent as i join import_agent_read as r using (external_id)
    ), updated as (
        update dealwright.agent as a set
            name = i.name, email = i.email, job_title = i.job_title, department = i.department, manager = i.manager,
            years_of_service = i.years_of_service, rating = i.rating, capacity = coalesce(i.capacity, a.capacity),
            -- who left the file is back; whom somebody deactivated stays so unless the file speaks of it
            active = coalesce(i.active, a.active or a.import_hash is null),
            skills = array(select lower(s) from unnest(i.skills) as s),
            weight = coalesce(i.weight, a.weight), import_hash = i.hash
        from incoming as i
        where a.external_id = i.external_id and a.import_hash is distinct from i.hash
        returning 1
    )
    select count(*) into changed from updated;
    perform setval(pg_get_serial_sequence('dealwright.agent', 'agent_id'), greatest(
        (select max(agent_id) from dealwright.agent),
            (select max(dealwright_engine.own_id(external_id)) from import_agent), 1),
        exists (select from dealwright.agent)
            or exists (select from import_agent where dealwright_engine.own_id(external_id) is not null));
    insert into dealwright.agent (agent_id, external_id, name, email, job_title, department, manager, years_of_service,
        rating,
                                  capacity, active, skills, weight, import_hash)
    select case when dealwright_engine.own_id(i.external_id) is not null
                     and not exists (select from dealwright.agent as a
                         where a.agent_id = dealwright_engine.own_id(i.external_id))
                then dealwright_engine.own_id(i.external_id)
                else nextval(pg_get_serial_sequence('dealwright.agent', 'agent_id')) end,
           i.external_id, i.name, i.email, i.job_title, i.department, i.manager, i.years_of_service, i.rating,
           coalesce(i.capacity, 10), coalesce(i.active, true), array(select lower(s) from unnest(i.skills) as s),
           coalesce(i.weight, 1), r.hash
    from import_agent as i
    join import_agent_read as r using (external_id)
    where not exists (select from dealwright.agent as a where a.external_id = i.external_id);
    get diagnostics fresh = row_count;
    perform dealwright_engine.learn_terms(a.skills, a.department) from dealwright.agent as a;
end
$$;

create or replace function dealwright_engine.import_channels()
returns void language plpgsql as $$
declare
    k record;
begin
    -- what a row says that was imported before counts no more: the desk may have moved on
    delete from import_agent_channel as c using import_agent_read as r
    where r.external_id = c.agent_external_id and r.is_unchanged;
    if not exists (select from import_agent_channel) then
        return;
    end if;
    for k in
        select distinct c.channel, dealwright_engine.channel_slot(c.channel, c.dimension) as slot
        from import_agent_channel as c order by c.channel
    loop
        insert into dealwright.channel (slot) values (k.slot) on conflict do nothing;
        if found then
            perform dealwright_engine.note_change('set_channel', 'channel', k.channel, null,
                jsonb_build_object('capacity', null, 'places', 1));
        end if;
    end loop;
    insert into dealwright.agent_channel as s (agent_id, slot, capacity)
    select a.agent_id, dealwright_engine.channel_slot(c.channel, c.dimension), c.capacity
    from import_agent_channel as c
    join dealwright.agent as a on a.external_id = c.agent_external_id
    on conflict on constraint agent_channel_pkey do update set capacity = excluded.capacity;
    -- what is open of them is counted with all the other statistics of an import
    perform dealwright_engine.write_rules();
end
$$;
comment on function dealwright_engine.import_channels() is
    'Notes the limits that the imported agents have of channels; a channel that has none yet gets one without a '
    'number of its own.';

create or replace function dealwright_engine.import_assignments(follow_up interval, as_of timestamptz, out fresh bigint,
    out changed bigint)
language plpgsql as $$
begin
    create temporary table import_read on commit drop as
    select k.kind, k.attributes as said, jsonb_strip_nulls(k.attributes) as attributes,
        dealwright_engine.slots_of(k.attributes) as slots
    from import_kind as k;
    perform setval('dealwright.assignment_assignment_id_seq', greatest(
        (select max(assignment_id) from dealwright.assignment), (select max(own_id) from import_assignment), 1),
        exists (select from dealwright.assignment) or exists (select from import_assignment where own_id is not null));
    create temporary table import_row on commit drop as
    select i.external_id, i.customer_name, i.assigned_at, i.requirements, i.customer_id, i.outcome_unknown,
        k.attributes, k.slots,
        g.agent_id, a.import_hash,
           a.assignment_id is null as is_new,
           -- the user's own number, unless the desk has given it to something else
           coalesce(a.assignment_id, case when taken.assignment_id is null then i.own_id end,
                    nextval('dealwright.assignment_assignment_id_seq')) as assignment_id,
           coalesce(a.lead_id, nextval('dealwright.lead_lead_id_seq')) as lead_id,
           -- of a row that says no more than it could as it always was, so that rows imported by an earlier version
           -- stay unchanged
           md5((i.external_id, i.agent_external_id, i.customer_name, i.assigned_at, i.requirements, k.said)::text
               || case when i.outcome_unknown then ' unknown' else '' end || coalesce(' ' || i.customer_id, '')) as hash
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
        returning a.assignment_id, r.lead_id, r.customer_name, r.customer_id, r.attributes, r.requirements, r.slots
    ), corrected as (
        update dealwright.lead as l set customer_name = m.customer_name,
            customer_id = coalesce(m.customer_id, l.customer_id), attributes = m.attributes,
            requirements = m.requirements, slots = m.slots
        from moved as m where l.lead_id = m.lead_id
        returning 1
    ), touched as (
        insert into import_touched select assignment_id from moved on conflict do nothing returning 1
    )
    select count(*) into changed from corrected;

    perform dealwright_engine.import_in_bulk(
        not exists (select from import_row as r
                    where r.external_id = ''
                        or not (dealwright_engine.is_word(r.external_id, 500)
                            and dealwright_engine.is_word(r.customer_name, 1000)
                            and r.customer_id is distinct from '' and dealwright_engine.is_word(r.customer_id, 500)
                                                     and dealwright_engine.is_prose(r.requirements)))
        and not exists (select from import_read as k where not dealwright_engine.is_flat(k.attributes)));
    insert into dealwright.lead (lead_id, customer_name, customer_id, attributes, requirements, received_at, status,
        slots)
    select r.lead_id, r.customer_name, r.customer_id, r.attributes, r.requirements, r.assigned_at, 'assigned', r.slots
    from import_row as r where r.is_new;
    -- with its outcome at once: an update of every row afterwards would cost as much again
    insert into dealwright.assignment (assignment_id, external_id, lead_id, agent_id, assigned_at, slots, import_hash,
        status, outcome,
                                       known_at, ended_at, completed_at, base_revenue, package_revenue, total_revenue)
    select r.assignment_id, r.external_id, r.lead_id, r.agent_id, r.assigned_at, r.slots, r.hash, d.status, d.outcome,
           d.known_at, d.known_at,
           case when d.outcome = 'won' then d.known_at end,
           case when d.outcome = 'won' then b.base_revenue end,
           case when d.outcome = 'won' then b.package_revenue end,
           case when d.outcome = 'won' then coalesce(b.total_revenue, b.base_revenue + b.package_revenue) end
    from import_row as r
    left join import_booking as b on b.assignment_external_id = r.external_id
    cross join lateral dealwright_engine.imported_outcome(
        r.outcome_unknown, b.status, b.completed_at, b.cancelled_at, r.assigned_at + follow_up, as_of) as d
    where r.is_new;
    get diagnostics fresh = row_count;
    perform dealwright_engine.import_in_bulk(false);
end
$$;

create or replace function dealwright_engine.import_bookings(out fresh bigint, out changed bigint)
language plpgsql as $$
begin
    perform setval('dealwright.booking_booking_id_seq', greatest(
        (select max(booking_id) from dealwright.booking), (select max(own_id) from import_booking), 1),
        exists (select from dealwright.booking) or exists (select from import_booking where own_id is not null));
    create temporary table import_booking_row on commit drop as
    select i.external_id, i.status, i.completed_at, i.cancelled_at, i.base_revenue, i.package_revenue, i.total_revenue,
        i.package,
           a.assignment_id, a.assigned_at, b.import_hash,
           coalesce(b.booking_id, live.booking_id) is null as is_new,
           coalesce(b.booking_id, live.booking_id, case when taken.booking_id is null then i.own_id end,
                    nextval('dealwright.booking_booking_id_seq')) as booking_id,
           md5((i.external_id, i.assignment_external_id, i.status, i.completed_at, i.cancelled_at, i.base_revenue,
               i.package_revenue,
                i.total_revenue, i.package)::text) as hash
    from import_booking as i
    join dealwright.assignment as a on a.external_id = i.assignment_external_id
    left join dealwright.booking as b on b.external_id = i.external_id
    -- booked here before the user's tables told of it: one and the same booking
    left join dealwright.booking as live on live.assignment_id = a.assignment_id and live.external_id is null
        and b.booking_id is null
    left join dealwright.booking as taken on taken.booking_id = i.own_id;
    with updated as (
        update dealwright.booking as b set
            external_id = r.external_id, assignment_id = r.assignment_id, status = r.status,
                completed_at = r.completed_at, cancelled_at = r.cancelled_at,
            base_revenue = r.base_revenue, package_revenue = r.package_revenue, total_revenue = r.total_revenue,
                package = r.package,
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
    perform dealwright_engine.import_in_bulk(
        not exists (select from import_booking_row as r
                    where r.external_id = ''
                        or not (dealwright_engine.is_word(r.external_id, 500)
                            and dealwright_engine.is_word(r.package, 1000)
                                                     and dealwright_engine.is_amount(r.base_revenue)
                                                         and dealwright_engine.is_amount(r.package_revenue)
                                                     and dealwright_engine.is_amount(
                                                         coalesce(r.total_revenue,
                                                             r.base_revenue + r.package_revenue)))));
    insert into dealwright.booking (booking_id, external_id, assignment_id, status, completed_at, cancelled_at,
        base_revenue,
                                    package_revenue, total_revenue, package, created_at, import_hash)
    select r.booking_id, r.external_id, r.assignment_id, r.status, r.completed_at, r.cancelled_at, r.base_revenue,
        r.package_revenue,
           coalesce(r.total_revenue, r.base_revenue + r.package_revenue), r.package, r.assigned_at, r.hash
    from import_booking_row as r
    where r.is_new;
    get diagnostics fresh = row_count;
    perform dealwright_engine.import_in_bulk(false);
end
$$;

create or replace function dealwright_engine.import_dimensions()
returns boolean language plpgsql as $$
declare
    d record;
    anew boolean := false;
    slots_before integer := dealwright_engine.slot_count();
begin
    for d in select * from import_dimension order by position loop
        anew := dealwright_engine.note_dimension(d.name, d.allowed_values, d.is_open, d.required, d.at_arrival, d.edges)
            or anew;
    end loop;
    if dealwright_engine.slot_count() > slots_before then
        perform dealwright_engine.widen_statistics();
    end if;
    return anew and dealwright_engine.reread_leads() > 0;
end
$$;
comment on function dealwright_engine.import_dimensions()
    is 'Notes the dimensions of an import; whether that changed what leads that came before mean.';
