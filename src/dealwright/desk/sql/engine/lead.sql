-- lead ------------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.check_lead_words(l dealwright.lead)
returns void language plpgsql immutable as $$
begin
    if dealwright_engine.is_blank(coalesce(l.customer_name, '')) then
        raise exception 'customer_name is missing' using errcode = 'DW002', hint = 'every lead names its customer';
    elsif l.status is null or l.status not in ('new', 'waiting', 'assigned', 'withdrawn') then
        raise exception 'unknown status of a lead %', coalesce(quote_literal(l.status), 'null') using errcode = 'DW002',
            hint = 'use new, or withdrawn when the customer gave up; waiting and assigned follow by themselves';
    end if;
end
$$;

create or replace function dealwright_engine.check_wanted_policy(wanted text)
returns void language plpgsql stable as $$
begin
    if wanted = '' or (dealwright_engine.policy_for(wanted)).name is null then
        raise exception 'unknown policy %', quote_literal(wanted) using errcode = 'DW002',
            hint = 'use one of value, classic, workload, fair; or null for the desk''s own';
    end if;
end
$$;

create or replace function dealwright_engine.check_corrected_words()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform dealwright_engine.check_lead_words(new);
    if new.policy <> coalesce(old.policy, '') or new.policy = '' then
        perform dealwright_engine.check_wanted_policy(new.policy);
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.read_lead(l dealwright.lead, said_before boolean default false)
returns dealwright.lead language plpgsql as $$
declare
    read record;
begin
    read := dealwright_engine.read_attributes(l.attributes);
    l.slots := read.slots;
    if not read.complete and not said_before then
        perform dealwright_engine.check_attributes(l.attributes, l.status = 'new');
        if dealwright_engine.add_values(l.attributes) then
            l.slots := dealwright_engine.slots_of(l.attributes);
        end if;
    end if;
    if l.required_skills is not null then
        l.required_skills := array(select lower(btrim(skill)) from unnest(l.required_skills) as skill
            where not dealwright_engine.is_blank(skill));
    end if;
    if l.requirements is not null then
        l.required_skills := coalesce(l.required_skills, dealwright_engine.required(l.requirements, 'skill'));
        l.required_department := coalesce(l.required_department, dealwright_engine.required_department(l.requirements));
    end if;
    return l;
end
$$;
comment on function dealwright_engine.read_lead(dealwright.lead, boolean) is
    'The lead with what follows from its attributes and its text; DW002 when an attribute is not declared, or a new '
    'lead lacks a required one. '
    'What was said before may have been declared otherwise since.';

create or replace function dealwright_engine.prepare_lead()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    within_bounds boolean := true;
begin
    if not dealwright_engine.writes_itself() then
        if tg_op = 'INSERT' then
            perform dealwright_engine.check_lead_words(new);
            if new.policy is not null then
                perform dealwright_engine.check_wanted_policy(new.policy);
            end if;
            if new.status in ('assigned', 'waiting') then
                raise exception 'a lead cannot be inserted as %', new.status using errcode = 'DW002',
                    hint = 'insert it with status new (the default): it is assigned, or waits, at once';
            end if;
            if new.external_id is not null and exists (
                    select from dealwright.lead as l where l.external_id = new.external_id
                      and l.idempotency_key is distinct from coalesce(new.idempotency_key, '')) then
                raise exception 'there is a lead with the external id % already', quote_literal(new.external_id)
                    using errcode = 'DW001',
                    hint = 'send an idempotency_key, and a repeated enquiry gets the same answer';
            end if;
            new.last_assignment_id := null;
            new.received_at := coalesce(new.received_at, clock_timestamp());
            new.priority := coalesce(new.priority, 0);
        elsif new.requirements is distinct from old.requirements then
            -- what was read from the old text goes with it; what was asked for beside the text stays
            if new.required_skills is not distinct from dealwright_engine.required(old.requirements, 'skill') then
                new.required_skills := null;
            end if;
            if new.required_department is not distinct from dealwright_engine.required_department(old.requirements) then
                new.required_department := null;
            end if;
        end if;
        new := dealwright_engine.read_lead(
            new, tg_op = 'UPDATE' and new.attributes is not distinct from old.attributes);
    end if;
    -- bounds, whatever writes (engine/bounds.sql); those of a corrected lead have a trigger of their own
    if tg_op = 'INSERT' then
        if num_nonnulls(new.external_id, new.idempotency_key, new.customer_id, new.required_department,
                new.requirements) = 0 then
            within_bounds := dealwright_engine.is_enquiry_bounded(new.received_at, new.customer_name, new.attributes);
        else
            within_bounds := dealwright_engine.is_lead_bounded(new.external_id, new.idempotency_key, new.received_at,
                new.customer_id, new.customer_name, new.required_department, new.requirements, new.attributes);
        end if;
    end if;
    if not within_bounds then
        perform dealwright_engine.refuse_lead_values(new);
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.place_new_lead()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    given bigint;
begin
    if new.status <> 'new' then
        return null;
    end if;
    given := dealwright_engine.place_lead(new);
    if given is null then
        update dealwright.lead set status = 'waiting' where lead_id = new.lead_id;
        perform dealwright_engine.write_event('waiting', lead_id => new.lead_id);
    end if;
    return null;
end
$$;

create or replace function dealwright_engine.keep_queue()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    new.is_waiting := new.status = 'waiting';
    -- from whom a lead came back to the queue only the desk says
    if new.last_assignment_id is distinct from old.last_assignment_id and not dealwright_engine.writes_itself() then
        new.last_assignment_id := old.last_assignment_id;
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.follow_attributes()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if not dealwright_engine.writes_itself() then
        update dealwright.assignment set slots = new.slots where lead_id = new.lead_id;
    end if;
    return null;
end
$$;

-- What plain SQL may not do to a lead, a reassigned assignment and a policy, and what follows from what it may do.

create or replace function dealwright_engine.guard_lead_status()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    taken dealwright.assignment;
begin
    if old.status = 'new' or new.status = old.status or dealwright_engine.writes_itself() then
        return new;
    end if;
    select * into taken from dealwright.assignment as a where a.lead_id = new.lead_id and a.status <> 'reassigned';
    if new.status = 'assigned' and taken.assignment_id is null then
        raise exception 'lead % has no assignment', new.lead_id using errcode = 'DW001',
            hint = 'set its status to new: then it is assigned, or waits, at once';
    elsif new.status in ('new', 'waiting') and taken.assignment_id is not null then
        raise exception 'lead % has assignment % (%)', new.lead_id, taken.assignment_id, taken.status
            using errcode = 'DW001',
            hint = 'dealwright.reassign gives an open one to somebody else; for a closed one, insert a new lead';
    elsif new.status = 'waiting' then
        new.status := 'new';  -- it waits only if nobody has room
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.follow_withdrawal()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if new.status <> 'withdrawn' or old.status = 'withdrawn' then
        return null;
    end if;
    if old.is_waiting then
        -- should this be undone, a place that is freed meanwhile must not have overlooked the lead
        lock table dealwright_engine.queue_gate in row exclusive mode;
    end if;
    update dealwright.assignment set status = 'lapsed', end_reason = coalesce(end_reason, 'withdrawn')
    where lead_id = new.lead_id and status = 'open';
    if old.is_waiting and new.last_assignment_id is not null then
        perform dealwright_engine.begin_own_writes();  -- its assignment is closed for good: nothing follows
        update dealwright.booking set status = 'cancelled', cancelled_at = clock_timestamp()
        where assignment_id = new.last_assignment_id and status = 'pending';
        perform dealwright_engine.end_own_writes();
    end if;
    perform dealwright_engine.write_event('withdrawn', lead_id => new.lead_id);
    return null;
end
$$;

create or replace function dealwright_engine.retry_waiting_lead()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform dealwright_engine.place_lead(new);
    return null;
end
$$;
comment on function dealwright_engine.retry_waiting_lead() is
    'A waiting lead that asks for something else now may fit an agent with room; and while its row was locked, a '
    'freed place passed it by.';
