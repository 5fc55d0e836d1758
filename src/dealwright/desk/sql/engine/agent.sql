-- What follows when an agent joins, changes, comes back or leaves.

-- Here and not as CHECK constraints, as on all tables of the hot path: a constraint is read from the catalogue and compiled
-- anew by every statement that writes the table, which costs ten times this. After the update and not before it: a trigger
-- before it would first lock the row, with an entry in the log of its own, for every lead that is placed.
create or replace function dealwright_engine.check_agent_numbers()
returns trigger language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if new.open < 0 or new.capacity < 0 or not new.weight > 0 then
        raise exception 'agent %: open and capacity must be at least 0 and weight above 0, not %, % and %',
            coalesce(new.external_id, new.agent_id::text), new.open, new.capacity, new.weight using errcode = 'DW002';
    end if;
    return null;
end
$$;

create or replace function dealwright_engine.prepare_agent()
returns trigger language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    others double precision;
    dealt double precision;
begin
    if dealwright_engine.writes_itself() then
        return new;
    end if;
    if tg_op = 'INSERT' then
        new.open := 0;
        new.fair_count := 0;
    end if;
    -- skills are compared as they are written, and text is searched for them in lower case
    new.skills := array(select lower(btrim(s.skill)) from unnest(new.skills) with ordinality as s (skill, place) order by s.place);
    if new.active and (tg_op = 'INSERT' or not old.active) then
        -- Who joins late, or comes back, must not be flooded to catch up. The compensation c is set so that the shortfall
        -- is what it was at the leave (0 for a newcomer): (T + n + c) w / (W + w) - (n + c) = s, solved for c.
        select coalesce(sum(a.weight), 0), coalesce(sum(a.fair_count) + sum(a.fair_compensation), 0) into others, dealt
        from dealwright.agent as a where a.active and a.agent_id <> new.agent_id;
        if others > 0 then
            new.fair_compensation := dealt * new.weight / others - new.fair_count
                - coalesce(new.fair_shortfall_at_leave, 0) * (others + new.weight) / others;
        end if;
        new.fair_shortfall_at_leave := null;
    elsif tg_op = 'UPDATE' and old.active and not new.active then
        select (sum(a.fair_count) + sum(a.fair_compensation)) * new.weight / nullif(sum(a.weight), 0)
               - new.fair_count - new.fair_compensation
        into new.fair_shortfall_at_leave
        from dealwright.agent as a where a.active;
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.agent_payload(a dealwright.agent)
returns jsonb language sql stable as $$
    select jsonb_build_object('active', a.active, 'skills', a.skills, 'department', a.department, 'shifts', a.shifts::text,
                              'years_of_service', a.years_of_service, 'rating', a.rating, 'weight', a.weight, 'name', a.name)
$$;
comment on function dealwright_engine.agent_payload(dealwright.agent) is 'What a ranking may look at, for the record.';

create or replace function dealwright_engine.follow_agent()
returns trigger language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if dealwright_engine.writes_itself() then
        return null;
    end if;
    if tg_op = 'INSERT' then
        insert into dealwright.agent_stat (agent_id, assigned, known, confirmed, expected_ppm)
        select new.agent_id, zeros, zeros, zeros, zeros::bigint[]
        from (select array_fill(0, array[dealwright_engine.slot_count()]) as zeros) as z
        on conflict do nothing;
    end if;
    perform dealwright_engine.learn_terms(new.skills, new.department);
    insert into dealwright.event (kind, agent_id, open, capacity, fair_count, fair_compensation, payload)
    values (case tg_op when 'INSERT' then 'agent_added' else 'agent_changed' end, new.agent_id, new.open, new.capacity,
            new.fair_count, new.fair_compensation,
            dealwright_engine.agent_payload(new));
    perform dealwright_engine.refresh_profile(new.agent_id, dealwright_engine.promoted_model());
    perform dealwright_engine.fill_from_queue(new.agent_id);
    return null;
end
$$;

-- The foreign key would say so too, but only when the transaction is committed, and not what to do instead.
create or replace function dealwright_engine.keep_agent_with_assignments()
returns trigger language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if exists (select from dealwright.assignment as s where s.agent_id = old.agent_id) then
        raise exception 'agent % (%) has assignments', coalesce(old.external_id, old.agent_id::text), old.name using errcode = 'DW001',
            hint = 'set active to false: nobody is assigned to the agent any more, and its history stays';
    end if;
    return old;
end
$$;

create or replace function dealwright_engine.follow_deleted_agent()
returns trigger language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    insert into dealwright.event (kind, agent_id) values ('agent_deleted', old.agent_id);
    return null;
end
$$;
