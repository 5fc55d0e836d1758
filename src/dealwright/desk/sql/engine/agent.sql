-- What follows when an agent joins, changes, comes back or leaves.

-- Here and not as CHECK constraints, as on all tables of the hot path: a constraint is read from the catalogue and
-- compiled anew by every statement that writes the table, which costs ten times this. After the update and not before
-- it: a trigger before it would first lock the row, with an entry in the log of its own, for every lead that is
-- placed. The mark of the engine is looked at first: that is all a placement does here.
create or replace function dealwright_engine.check_agent_numbers()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if new.open < 0 or new.capacity < 0 or not new.weight > 0 then
        raise exception 'agent %: open and capacity must be at least 0 and weight above 0, not %, % and %',
            coalesce(new.external_id, new.agent_id::text), new.open, new.capacity, new.weight using errcode = 'DW002';
    end if;
    if not dealwright_engine.writes_itself() and tg_op = 'UPDATE' then
        -- the share follows from these (prepare_agent, which has asked before)
        perform dealwright_engine.check_kept_columns(old, new, (new.active, new.capacity, new.weight, new.shifts)
            is not distinct from (old.active, old.capacity, old.weight, old.shifts));
    end if;
    return null;
end
$$;

create or replace function dealwright_engine.check_kept_columns(
    past dealwright.agent, present dealwright.agent, and_compensation boolean
)
returns void language plpgsql stable as $$
begin
    if (past.open, past.fair_count) is distinct from (present.open, present.fair_count)
            or (past.base_ratio, past.package_ratio) is distinct from (present.base_ratio, present.package_ratio)
            or past.profile::text is distinct from present.profile::text
            or past.variance::text is distinct from present.variance::text
            or past.profile_model_id is distinct from present.profile_model_id
            or past.profile_xid <> present.profile_xid
            or past.last_assigned_at is distinct from present.last_assigned_at
            or and_compensation and (past.fair_compensation, past.fair_until)
                is distinct from (present.fair_compensation, present.fair_until) then
        raise exception 'agent %: open, the fair counts and the profile are kept by the desk itself',
            coalesce(past.external_id, past.agent_id::text) using errcode = 'DW001',
            hint = 'write leads, assignments and bookings: they follow; dealwright.rebuild_statistics() counts anew';
    end if;
end
$$;
comment on function dealwright_engine.check_kept_columns(dealwright.agent, dealwright.agent, boolean) is
    'Refuses a change by hand of what follows from assignments and bookings.';

create or replace function dealwright_engine.prepare_agent()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    moment constant timestamptz := clock_timestamp();
begin
    if dealwright_engine.writes_itself() then
        return new;
    end if;
    if tg_op = 'INSERT' then
        new.open := 0;
        new.fair_count := 0;
        new.fair_compensation := 0;
        new.fair_until := null;
        new.last_assigned_at := null;
        new.base_ratio := 1;
        new.package_ratio := 1;
        new.profile := null;
        new.variance := null;
        new.profile_model_id := null;
        new.profile_xid := dealwright_engine.xact_id();
    else
        perform dealwright_engine.check_kept_columns(old, new, true);
    end if;
    -- skills are compared as they are written, and text is searched for them in lower case
    new.skills :=
        array(select lower(btrim(s.skill)) from unnest(new.skills) with ordinality as s (skill, place)
            where not dealwright_engine.is_blank(s.skill) order by s.place);
    if tg_op = 'INSERT' then
        new := dealwright_engine.levelled(new, moment);
    else
        if new.weight <> old.weight or new.active and not old.active
                or new.open < new.capacity and old.open >= old.capacity then
            new := dealwright_engine.levelled(new, moment);
        elsif new.shifts is distinct from old.shifts then
            -- who was at work and still is goes on as before, until the end of the present shift
            if old.fair_until > moment and (old.shifts is null or old.shifts @> moment)
                    and (new.shifts is null or new.shifts @> moment) then
                new.fair_until := dealwright_engine.end_of_shift(new.shifts, moment);
            else
                new := dealwright_engine.levelled(new, moment);
            end if;
        end if;
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.agent_payload(a dealwright.agent)
returns jsonb language sql stable as $$
    select jsonb_build_object('active', a.active, 'skills', a.skills, 'department', a.department, 'shifts',
        a.shifts::text,
                              'years_of_service', a.years_of_service, 'rating', a.rating, 'weight', a.weight, 'name',
                                  a.name)
$$;
comment on function dealwright_engine.agent_payload(dealwright.agent) is 'What a ranking may look at, for the record.';

create or replace function dealwright_engine.follow_agent()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    done text;
begin
    if dealwright_engine.writes_itself() then
        return null;
    end if;
    done := dealwright_engine.begin_own_writes();
    if tg_op = 'INSERT' then
        insert into dealwright.agent_stat (agent_id, assigned, known, confirmed, expected_ppm)
        select new.agent_id, zeros, zeros, zeros, zeros::bigint[]
        from (select array_fill(0, array[dealwright_engine.slot_count()]) as zeros) as z
        on conflict do nothing;
        insert into dealwright_engine.channel_open (agent_id, slot, open, capacity)
        select new.agent_id, c.slot, 0, c.capacity from dealwright.channel as c;
    end if;
    perform dealwright_engine.learn_terms(new.skills, new.department);
    insert into dealwright.event (kind, agent_id, open, capacity, fair_count, fair_compensation, payload, fair_until,
        last_assigned_at)
    values (case tg_op when 'INSERT' then 'agent_added' else 'agent_changed' end, new.agent_id, new.open, new.capacity,
            new.fair_count, new.fair_compensation, dealwright_engine.agent_payload(new), new.fair_until,
            new.last_assigned_at);
    if tg_op = 'INSERT' or (new.years_of_service, new.rating, new.traits)
            is distinct from (old.years_of_service, old.rating, old.traits) then
        perform dealwright_engine.refresh_profile(new.agent_id, dealwright_engine.promoted_model());
    elsif not (old.active and old.open < old.capacity) and new.active and new.open < new.capacity then
        -- who had no room may be on no list of candidates
        update dealwright.agent as a set profile_xid = dealwright_engine.xact_id() where a.agent_id = new.agent_id;
    end if;
    done := dealwright_engine.end_own_writes();
    perform dealwright_engine.fill_from_queue(new.agent_id);
    return null;
end
$$;

-- The foreign key would say so too, but only when the transaction is committed, and not what to do instead.
create or replace function dealwright_engine.keep_agent_with_assignments()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if exists (select from dealwright.assignment as s where s.agent_id = old.agent_id) then
        raise exception 'agent % (%) has assignments', coalesce(old.external_id, old.agent_id::text), old.name
            using errcode = 'DW001',
            hint = 'set active to false: nobody is assigned to the agent any more, and its history stays';
    end if;
    return old;
end
$$;

create or replace function dealwright_engine.follow_deleted_agent()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform dealwright_engine.write_event('agent_deleted', agent_id => old.agent_id);
    return null;
end
$$;
