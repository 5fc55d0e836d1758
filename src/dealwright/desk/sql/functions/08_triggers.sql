-- Invariants that hold whatever writes. Two writers keep the counters themselves, and the triggers stand back for them: an
-- import, which counts everything anew, and the functions that place a lead (07_place.sql).
-- The triggers of the hot path have no WHEN clause: it would be parsed and planned anew by every statement, which costs
-- more than to call the function and find that there is nothing to do.

create or replace function dealwright.counted_by_writer()
returns boolean language sql stable as $$
    -- 'import' and 'placement' keep the counters themselves; unset is null
    select coalesce(current_setting('dealwright.counted_by', true), '') <> ''
$$;

-- lead ------------------------------------------------------------------------------------------------------------

create or replace function dealwright.check_lead_words(l dealwright.lead)
returns void language plpgsql immutable as $$
begin
    if coalesce(l.customer_name, '') = '' then
        raise exception 'customer_name is missing' using errcode = 'DW002', hint = 'every lead names its customer';
    elsif l.status is null or l.status not in ('new', 'waiting', 'assigned', 'withdrawn') then
        raise exception 'unknown status of a lead %', coalesce(quote_literal(l.status), 'null') using errcode = 'DW002',
            hint = 'use new, or withdrawn when the customer gave up; waiting and assigned follow by themselves';
    end if;
end
$$;

create or replace function dealwright.check_corrected_words()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    perform dealwright.check_lead_words(new);
    return new;
end
$$;

create or replace function dealwright.read_lead(l dealwright.lead, said_before boolean default false)
returns dealwright.lead language plpgsql as $$
declare
    read record;
begin
    read := dealwright.read_attributes(l.attributes);
    l.slots := read.slots;
    if not read.complete and not said_before then
        perform dealwright.check_attributes(l.attributes, l.status = 'new');
        if dealwright.add_values(l.attributes) then
            l.slots := dealwright.slots_of(l.attributes);
        end if;
    end if;
    if l.required_skills is not null then
        l.required_skills := array(select lower(btrim(skill)) from unnest(l.required_skills) as skill);
    end if;
    if l.requirements is not null then
        l.required_skills := coalesce(l.required_skills, dealwright.required(l.requirements, 'skill'));
        l.required_department := coalesce(l.required_department, dealwright.required_department(l.requirements));
    end if;
    return l;
end
$$;
comment on function dealwright.read_lead(dealwright.lead, boolean) is
    'The lead with what follows from its attributes and its text; DW002 when an attribute is not declared, or a new lead lacks a required one. '
    'What was said before may have been declared otherwise since.';

create or replace function dealwright.prepare_lead()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    if dealwright.counted_by_writer() then
        return new;
    end if;
    if tg_op = 'INSERT' then
        perform dealwright.check_lead_words(new);
        perform dealwright.enter_lane();
        if new.status in ('assigned', 'waiting') then
            raise exception 'a lead cannot be inserted as %', new.status using errcode = 'DW002',
                hint = 'insert it with status new (the default): it is assigned, or waits, at once';
        end if;
        if new.external_id is not null and exists (
                select from dealwright.lead as l where l.external_id = new.external_id
                  and l.idempotency_key is distinct from coalesce(new.idempotency_key, '')) then
            raise exception 'there is a lead with the external id % already', quote_literal(new.external_id) using errcode = 'DW001',
                hint = 'send an idempotency_key, and a repeated enquiry gets the same answer';
        end if;
        new.received_at := coalesce(new.received_at, clock_timestamp());
        new.priority := coalesce(new.priority, 0);
    elsif new.requirements is distinct from old.requirements then
        -- what was read from the old text goes with it; what was asked for beside the text stays
        if new.required_skills is not distinct from dealwright.required(old.requirements, 'skill') then
            new.required_skills := null;
        end if;
        if new.required_department is not distinct from dealwright.required_department(old.requirements) then
            new.required_department := null;
        end if;
    end if;
    if jsonb_typeof(new.attributes) is distinct from 'object' then
        raise exception 'attributes must be a JSON object such as {"destination": "Mars"}' using errcode = 'DW002';
    end if;
    return dealwright.read_lead(new, tg_op = 'UPDATE' and new.attributes is not distinct from old.attributes);
end
$$;

create or replace function dealwright.place_new_lead()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
declare
    given bigint;
begin
    if new.status <> 'new' then
        return null;
    end if;
    given := dealwright.place_lead(new);
    if given is null then
        update dealwright.lead set status = 'waiting' where lead_id = new.lead_id;
        insert into dealwright.event (kind, lead_id) values ('waiting', new.lead_id);
    end if;
    return null;
end
$$;

create or replace function dealwright.keep_queue()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    new.is_waiting := new.status = 'waiting';
    return new;
end
$$;

create or replace function dealwright.follow_attributes()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    update dealwright.assignment set slots = new.slots where lead_id = new.lead_id;
    return null;
end
$$;

drop trigger if exists prepare_lead on dealwright.lead;
create trigger prepare_lead before insert on dealwright.lead for each row execute function dealwright.prepare_lead();
drop trigger if exists prepare_corrected_lead on dealwright.lead;
create trigger prepare_corrected_lead before update of attributes, requirements, required_skills on dealwright.lead
    for each row execute function dealwright.prepare_lead();
drop trigger if exists check_corrected_words on dealwright.lead;
create trigger check_corrected_words before update of customer_name, status on dealwright.lead
    for each row execute function dealwright.check_corrected_words();
drop trigger if exists place_new_lead on dealwright.lead;
create trigger place_new_lead after insert or update of status on dealwright.lead
    for each row execute function dealwright.place_new_lead();
drop trigger if exists keep_queue on dealwright.lead;
create trigger keep_queue before update of status, is_waiting on dealwright.lead
    for each row execute function dealwright.keep_queue();
drop trigger if exists follow_attributes on dealwright.lead;
create trigger follow_attributes after update of attributes on dealwright.lead
    for each row when (new.slots is distinct from old.slots) execute function dealwright.follow_attributes();

-- assignment ------------------------------------------------------------------------------------------------------

-- Status and outcome of an assignment follow from its booking; what is written beside that is overruled.
create or replace function dealwright.derive_assignment()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
declare
    b dealwright.booking;
begin
    if dealwright.counted_by_writer() then
        return new;
    end if;
    if new.status is null or new.status not in ('open', 'settled', 'lapsed', 'reassigned', 'unknown') then
        raise exception 'unknown status of an assignment %', coalesce(quote_literal(new.status), 'null') using errcode = 'DW002',
            hint = 'use open, lapsed, or unknown when the outcome cannot be known; settled and reassigned follow by themselves';
    end if;
    if tg_op = 'INSERT' then
        if new.slots = '{}' then
            select l.slots into new.slots from dealwright.lead as l where l.lead_id = new.lead_id;
            if not found then
                raise exception 'there is no lead %', new.lead_id using errcode = 'DW003', hint = 'insert the lead first';
            end if;
        end if;
    else
        if new.lead_id <> old.lead_id then
            raise exception 'assignment % keeps its lead', new.assignment_id using errcode = 'DW002',
                hint = 'delete the assignment and insert one for the other lead';
        end if;
        select * into b from dealwright.booking where assignment_id = new.assignment_id;
        perform dealwright.check_reassigned(old, new, b);
    end if;
    if new.status = 'open' and new.ended_at is not null and (tg_op = 'INSERT' or old.ended_at is null) then
        new.status := 'lapsed';
    end if;
    new.outcome := null;
    new.known_at := null;
    new.completed_at := null;
    new.base_revenue := null;
    new.package_revenue := null;
    new.total_revenue := null;
    if new.status = 'reassigned' then
        new.ended_at := coalesce(new.ended_at, clock_timestamp());
    elsif new.status = 'unknown' and (b.booking_id is null or old.status = 'unknown') then
        -- its booking could not be read: neither open nor an outcome, until a booking or somebody says what became of it
        new.ended_at := null;
    elsif b.status = 'confirmed' then
        new.status := 'settled';
        new.outcome := 'won';
        new.known_at := b.completed_at;
        new.completed_at := b.completed_at;
        new.base_revenue := b.base_revenue;
        new.package_revenue := b.package_revenue;
        new.total_revenue := b.total_revenue;
        new.ended_at := b.completed_at;
    elsif b.status = 'cancelled' then
        new.status := 'settled';
        new.outcome := 'lost';
        new.known_at := b.cancelled_at;
        new.ended_at := b.cancelled_at;
    elsif b.status = 'pending' and not (tg_op = 'UPDATE' and old.status in ('open', 'unknown') and new.status = 'lapsed') then
        new.status := 'open';
        new.ended_at := null;
    elsif new.status <> 'open' then
        -- no booking came of it: a failed contact
        new.status := 'lapsed';
        new.ended_at := coalesce(new.ended_at, clock_timestamp());
        new.outcome := 'lost';
        new.known_at := new.ended_at;
    else
        new.ended_at := null;
    end if;
    return new;
end
$$;

create or replace function dealwright.follow_assignment()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
declare
    plus dealwright.contribution;
    minus dealwright.contribution;
    kind text;
    details jsonb;
    -- a booking may be reopened past capacity: that is a fact from outside; a new or moved assignment may not
    may_exceed boolean;
begin
    if dealwright.counted_by_writer() then
        return null;
    end if;
    if tg_op <> 'INSERT' then
        minus := dealwright.contribution_of(old);
    end if;
    if tg_op <> 'DELETE' then
        plus := dealwright.contribution_of(new);
    end if;
    if tg_op = 'UPDATE' and old.agent_id = new.agent_id and old.slots = new.slots then
        may_exceed := old.status in ('settled', 'lapsed', 'unknown');
        kind := case
            when new.status = old.status then 'corrected'
            when new.status = 'open' then 'reopened'
            when new.status = 'settled' then case new.outcome when 'won' then 'confirmed' else 'cancelled' end
            else new.status
        end;
        perform dealwright.move_counters(kind, new.agent_id, new.slots, plus, minus, may_exceed, new, null);
    else
        if tg_op <> 'DELETE' then
            kind := case when tg_op = 'INSERT' then 'assigned' when old.agent_id <> new.agent_id then 'moved_in' else 'corrected' end;
            may_exceed := tg_op = 'UPDATE' and old.agent_id = new.agent_id;
        end if;
        -- both rows are locked in the order of their ids, so that two crossing moves cannot block each other
        if tg_op = 'UPDATE' and old.agent_id <> new.agent_id then
            perform from dealwright.agent where agent_id in (old.agent_id, new.agent_id) order by agent_id for no key update;
        end if;
        if tg_op <> 'DELETE' then
            perform dealwright.move_counters(kind, new.agent_id, new.slots, plus, null, may_exceed, new, null);
        end if;
        if tg_op <> 'INSERT' then
            perform dealwright.move_counters(
                case when tg_op = 'DELETE' then 'deleted' when old.agent_id <> new.agent_id then 'moved_out' else 'corrected' end,
                old.agent_id, old.slots, null, minus, true, old, null);
        end if;
    end if;
    if tg_op <> 'INSERT' and old.completed_at is not null and old.outcome = 'won' then
        perform dealwright.count_day(old.agent_id, old.completed_at, -1);
    end if;
    if tg_op <> 'DELETE' and new.completed_at is not null and new.outcome = 'won' then
        perform dealwright.count_day(new.agent_id, new.completed_at, 1);
    end if;
    if tg_op = 'UPDATE' and new.status = 'lapsed' and old.status in ('open', 'unknown') then
        -- ended by hand: its pending booking cannot stay open
        update dealwright.booking set status = 'cancelled' where assignment_id = new.assignment_id and status = 'pending';
    end if;
    -- a lead is assigned exactly as long as somebody has, or had, it
    if tg_op = 'DELETE' then
        update dealwright.lead set status = 'withdrawn' where lead_id = old.lead_id and status = 'assigned' and old.status <> 'reassigned';
    elsif new.status <> 'reassigned' and (tg_op = 'INSERT' or new.status = 'open' and old.status <> 'open') then
        update dealwright.lead set status = 'assigned' where lead_id = new.lead_id and status <> 'assigned';
    end if;
    return null;
end
$$;

drop trigger if exists derive_assignment on dealwright.assignment;
create trigger derive_assignment before insert or update on dealwright.assignment
    for each row execute function dealwright.derive_assignment();
drop trigger if exists follow_new_assignment on dealwright.assignment;
create trigger follow_new_assignment after insert on dealwright.assignment
    for each row execute function dealwright.follow_assignment();
drop trigger if exists follow_assignment on dealwright.assignment;
create trigger follow_assignment after update on dealwright.assignment
    for each row when ((
        old.agent_id, old.status, old.outcome, old.slots, old.assigned_at, old.completed_at, old.base_revenue, old.package_revenue, old.total_revenue)
        is distinct from (
        new.agent_id, new.status, new.outcome, new.slots, new.assigned_at, new.completed_at, new.base_revenue, new.package_revenue, new.total_revenue))
    execute function dealwright.follow_assignment();
drop trigger if exists follow_deleted_assignment on dealwright.assignment;
create trigger follow_deleted_assignment after delete on dealwright.assignment
    for each row execute function dealwright.follow_assignment();

-- booking ---------------------------------------------------------------------------------------------------------

create or replace function dealwright.prepare_booking()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    if dealwright.counted_by_writer() then
        return new;
    end if;
    if new.status is null or new.status not in ('pending', 'confirmed', 'cancelled') then
        raise exception 'unknown booking status %', coalesce(quote_literal(new.status), 'null') using errcode = 'DW002',
            hint = 'use confirmed, cancelled, or pending to reopen';
    elsif least(new.base_revenue, new.package_revenue, new.total_revenue) < 0 then
        raise exception 'revenue cannot be negative' using errcode = 'DW002', hint = 'a booking that was lost is cancelled';
    end if;
    if 'NaN' in (coalesce(new.base_revenue, 0), coalesce(new.package_revenue, 0), coalesce(new.total_revenue, 0)) then
        raise exception 'a revenue must be a number' using errcode = 'DW002', hint = 'leave it null when it is not known';
    end if;
    if new.status = 'confirmed' then
        new.completed_at := coalesce(new.completed_at, clock_timestamp());
        new.cancelled_at := null;
    elsif new.status = 'cancelled' then
        new.cancelled_at := coalesce(new.cancelled_at, clock_timestamp());
        new.completed_at := null;
    else
        new.completed_at := null;
        new.cancelled_at := null;
    end if;
    if new.total_revenue is null or (tg_op = 'UPDATE' and new.total_revenue is not distinct from old.total_revenue
            and (new.base_revenue, new.package_revenue) is distinct from (old.base_revenue, old.package_revenue)) then
        if coalesce(new.base_revenue, 0) + coalesce(new.package_revenue, 0) >= 1e12 then
            raise exception 'total_revenue of booking % would not be below 1e12', new.booking_id using errcode = 'DW002', hint = 'look at the decimal sign';
        end if;
        new.total_revenue := case when new.base_revenue is not null or new.package_revenue is not null
            then coalesce(new.base_revenue, 0) + coalesce(new.package_revenue, 0) else new.total_revenue end;
    end if;
    return new;
end
$$;

create or replace function dealwright.follow_booking()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    if dealwright.counted_by_writer() then
        return null;
    end if;
    -- rewriting the assignment's own status makes its trigger derive everything anew
    if tg_op = 'DELETE' or (tg_op = 'UPDATE' and old.assignment_id <> new.assignment_id) then
        update dealwright.assignment set status = 'lapsed', ended_at = null
        where assignment_id = old.assignment_id and status <> 'reassigned';
    end if;
    if tg_op <> 'DELETE' then
        update dealwright.assignment set status = case when status = 'reassigned' then status else 'open' end,
            ended_at = null
        where assignment_id = new.assignment_id
          and not (new.status = 'pending' and status = 'open');
    end if;
    return null;
end
$$;

drop trigger if exists prepare_booking on dealwright.booking;
create trigger prepare_booking before insert or update on dealwright.booking
    for each row execute function dealwright.prepare_booking();
drop trigger if exists follow_new_booking on dealwright.booking;
create trigger follow_new_booking after insert on dealwright.booking
    for each row execute function dealwright.follow_booking();
drop trigger if exists follow_booking on dealwright.booking;
create trigger follow_booking after update on dealwright.booking
    for each row when ((
        old.assignment_id, old.status, old.completed_at, old.cancelled_at, old.base_revenue, old.package_revenue, old.total_revenue)
        is distinct from (
        new.assignment_id, new.status, new.completed_at, new.cancelled_at, new.base_revenue, new.package_revenue, new.total_revenue))
    execute function dealwright.follow_booking();
drop trigger if exists follow_deleted_booking on dealwright.booking;
create trigger follow_deleted_booking after delete on dealwright.booking
    for each row execute function dealwright.follow_booking();

-- the record ------------------------------------------------------------------------------------------------------

create or replace function dealwright.refuse_change()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'DW001', hint = 'decisions are evidence: add a new one instead';
end
$$;

drop trigger if exists append_only on dealwright.decision;
create trigger append_only before update or delete or truncate on dealwright.decision
    for each statement execute function dealwright.refuse_change();
drop trigger if exists append_only on dealwright.decision_block;
create trigger append_only before update or delete or truncate on dealwright.decision_block
    for each statement execute function dealwright.refuse_change();
drop trigger if exists append_only on dealwright.decision_seal;
create trigger append_only before update or delete or truncate on dealwright.decision_seal
    for each statement execute function dealwright.refuse_change();
