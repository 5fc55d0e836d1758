-- assignment ------------------------------------------------------------------------------------------------------

-- What a settled booking makes of its assignment. One row, as a table: so the planner melts it into the query around it.
create or replace function dealwright_engine.outcome_of(b dealwright.booking)
returns table (outcome text, known_at timestamptz, completed_at timestamptz, base_revenue numeric,
    package_revenue numeric, total_revenue numeric) language sql immutable as $$
    select case when b.status = 'confirmed' then 'won' else 'lost' end,
           case when b.status = 'confirmed' then b.completed_at else b.cancelled_at end,
           case when b.status = 'confirmed' then b.completed_at end,
           case when b.status = 'confirmed' then b.base_revenue end,
           case when b.status = 'confirmed' then b.package_revenue end,
           case when b.status = 'confirmed' then b.total_revenue end
$$;
comment on function dealwright_engine.outcome_of(dealwright.booking) is
    'The outcome that a confirmed or cancelled booking is to its assignment.';

-- Status and outcome of an assignment follow from its booking; what is written beside that is overruled.
create or replace function dealwright_engine.derive_assignment()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    b dealwright.booking;
    trusted boolean := dealwright_engine.writes_itself();
    within_bounds boolean;
begin
    if not trusted and tg_op = 'UPDATE' and new.status = 'settled' and old.status = 'open' then
        trusted := dealwright_engine.is_allowed('settling', new.assignment_id);
    end if;
    if not trusted then
        if new.status is null or new.status not in ('open', 'settled', 'lapsed', 'reassigned', 'unknown') then
            raise exception 'unknown status of an assignment %', coalesce(quote_literal(new.status), 'null')
                using errcode = 'DW002',
                hint = 'use open, lapsed, or unknown when the outcome cannot be known; settled and reassigned follow '
                    'by '
                    'themselves';
        end if;
        if tg_op = 'INSERT' then
            select l.slots into new.slots from dealwright.lead as l where l.lead_id = new.lead_id;
            if not found then
                raise exception 'there is no lead %', new.lead_id using errcode = 'DW003',
                    hint = 'insert the lead first';
            end if;
            new.offered_until := null;  -- an assignment written by hand is no offer
            new.accepted_at := null;
        else
            if new.slots <> old.slots then
                select l.slots into new.slots from dealwright.lead as l where l.lead_id = new.lead_id;
            end if;
            if new.assignment_id <> old.assignment_id then
                raise exception 'assignment % keeps its number', old.assignment_id using errcode = 'DW002',
                    hint = 'the record names it by that; external_id is yours to change';
            elsif new.lead_id <> old.lead_id then
                raise exception 'assignment % keeps its lead', new.assignment_id using errcode = 'DW002',
                    hint = 'delete the assignment and insert one for the other lead';
            end if;
            if (new.offered_until, new.accepted_at) is distinct from (old.offered_until, old.accepted_at) then
                raise exception 'assignment %: the desk itself keeps what was offered and accepted', new.assignment_id
                    using errcode = 'DW001', hint = 'dealwright.accept(assignment_id) accepts an offer';
            end if;
            if new.agent_id <> old.agent_id then
                new.held_by := old.held_by || old.agent_id;
                new.offered_until := null;
                new.accepted_at := null;
            end if;
            select * into b from dealwright.booking where assignment_id = new.assignment_id;
            if 'reassigned' in (old.status, new.status) then
                perform dealwright_engine.check_reassigned(old, new, b);
            end if;
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
            -- its booking could not be read: neither open nor an outcome, until a booking or somebody says what became
            -- of it
            new.ended_at := null;
        elsif b.status in ('confirmed', 'cancelled') then
            new.status := 'settled';
            select o.outcome, o.known_at, coalesce(new.first_contact_at, o.known_at), o.known_at, o.completed_at,
                o.base_revenue, o.package_revenue, o.total_revenue
            into new.outcome, new.known_at, new.first_contact_at, new.ended_at, new.completed_at,
                new.base_revenue, new.package_revenue, new.total_revenue
            from dealwright_engine.outcome_of(b) as o;
        elsif b.status = 'pending'
            and not (tg_op = 'UPDATE' and old.status in ('open', 'unknown') and new.status = 'lapsed') then
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
    end if;
    if new.offered_until is not null or new.accepted_at is not null then
        new := dealwright_engine.with_acceptance(new);
    end if;
    -- bounds, whatever writes (engine/bounds.sql)
    within_bounds := dealwright_engine.are_moments(
            least(new.assigned_at, new.ended_at, new.known_at, new.completed_at, new.first_contact_at),
            greatest(new.assigned_at, new.ended_at, new.known_at, new.completed_at, new.first_contact_at))
        and coalesce(new.propensity between 0 and 1, true)
        and coalesce(new.match_score between -1e9 and 1e9, true);
    if within_bounds and num_nonnulls(new.external_id, new.end_reason) > 0 then
        within_bounds := new.external_id is distinct from '' and dealwright_engine.is_word(new.external_id, 500)
            and dealwright_engine.is_prose(new.end_reason);
    end if;
    if not within_bounds then
        perform dealwright_engine.refuse_values(format('assignment %s', new.assignment_id), to_jsonb(new),
            '{assigned_at,ended_at,known_at,completed_at,first_contact_at}', '{external_id}', '{}', '{end_reason}',
                '{}',
            '{"propensity": [0, 1], "match_score": [-1e9, 1e9]}');
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.follow_assignment()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    plus dealwright_engine.contribution;
    minus dealwright_engine.contribution;
    kind text;
    rule record;
    model dealwright_engine.compiled_model;
    -- a booking that is reopened may for a moment; a new or moved assignment may not
    may_exceed boolean;
    l dealwright.lead;
    done text;  -- an assignment evaluates a function; PERFORM would start a query for it
begin
    if dealwright_engine.writes_itself() then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        if old.status = 'open' and new.status = 'settled' and old.agent_id = new.agent_id and old.slots = new.slots
                and old.assigned_at = new.assigned_at then
            done := dealwright_engine.count_settlement(new);  -- nearly always
            return null;
        elsif (old.agent_id, old.status, old.outcome, old.slots, old.assigned_at, old.completed_at, old.base_revenue,
                old.package_revenue, old.total_revenue)
            is not distinct from (
                new.agent_id, new.status, new.outcome, new.slots, new.assigned_at, new.completed_at, new.base_revenue,
                new.package_revenue, new.total_revenue) then
            return null;
        end if;
    end if;
    select r.fair_window_start, r.by_channel, c as model into rule
    from dealwright_engine.rule as r left join dealwright_engine.compiled_model as c using (model_id)
    where r.wanted = 'value';
    model := rule.model;
    if tg_op <> 'INSERT' then
        minus := dealwright_engine.contribution_of(old, model, rule.fair_window_start);
    end if;
    if tg_op <> 'DELETE' then
        plus := dealwright_engine.contribution_of(new, model, rule.fair_window_start);
    end if;
    if tg_op = 'UPDATE' and old.agent_id = new.agent_id and old.slots = new.slots then
        -- who has no free place hands it over at once (dealwright_engine.hand_over_reopened)
        if old.status in ('settled', 'lapsed', 'unknown') then
            may_exceed := exists (select from dealwright.booking as b where b.assignment_id = new.assignment_id);
        else
            may_exceed := false;
        end if;
        kind := case
            when new.status = old.status then 'corrected'
            when new.status = 'open' then 'reopened'
            when new.status = 'settled' then case new.outcome when 'won' then 'confirmed' else 'cancelled' end
            else new.status
        end;
        done := dealwright_engine.move_counters(kind, new.agent_id, new.slots, plus, minus, may_exceed, new, model,
            rule.by_channel);
    else
        if tg_op <> 'DELETE' then
            kind := case when tg_op = 'INSERT' then 'assigned' when old.agent_id <> new.agent_id then 'moved_in'
                else 'corrected' end;
            may_exceed := tg_op = 'UPDATE' and old.agent_id = new.agent_id;
        end if;
        -- both rows are locked in the order of their ids, so that two crossing moves cannot block each other
        if tg_op = 'UPDATE' and old.agent_id <> new.agent_id then
            perform dealwright_engine.before_several_agents();
            perform from dealwright.agent where agent_id in (old.agent_id, new.agent_id)
                order by agent_id for no key update;
        end if;
        if tg_op <> 'DELETE' then
            done := dealwright_engine.move_counters(kind, new.agent_id, new.slots, plus, null, may_exceed, new, model,
                rule.by_channel);
        end if;
        if tg_op <> 'INSERT' then
            done := dealwright_engine.move_counters(
                case when tg_op = 'DELETE' then 'deleted' when old.agent_id <> new.agent_id then 'moved_out'
                    else 'corrected' end,
                old.agent_id, old.slots, null, minus, true, old, model, rule.by_channel);
        end if;
    end if;
    if tg_op <> 'INSERT' and old.completed_at is not null and old.outcome = 'won' then
        done := dealwright_engine.count_day(old.agent_id, old.completed_at, -1);
    end if;
    if tg_op <> 'DELETE' and new.completed_at is not null and new.outcome = 'won' then
        done := dealwright_engine.count_day(new.agent_id, new.completed_at, 1);
    end if;
    if tg_op = 'UPDATE' and new.status = 'lapsed' and old.status in ('open', 'unknown') then
        -- ended by hand: its pending booking cannot stay open
        update dealwright.booking set status = 'cancelled' where assignment_id = new.assignment_id
            and status = 'pending';
    end if;
    -- a lead is assigned exactly as long as somebody has, or had, it
    if tg_op = 'DELETE' then
        update dealwright.lead set status = 'withdrawn' where lead_id = old.lead_id and status = 'assigned'
            and old.status <> 'reassigned';
    elsif new.status <> 'reassigned' and (tg_op = 'INSERT' or new.status = 'open' and old.status <> 'open') then
        update dealwright.lead set status = 'assigned' where lead_id = new.lead_id and status <> 'assigned';
        if tg_op = 'INSERT' then
            select * into l from dealwright.lead where lead_id = new.lead_id and last_assignment_id is not null;
            if found then
                perform dealwright_engine.leave_queue(l, new.assignment_id);
            end if;
        end if;
    end if;
    return null;
end
$$;

create or replace function dealwright_engine.check_reassigned(past dealwright.assignment, present dealwright.assignment,
    b dealwright.booking)
returns void language plpgsql stable as $$
begin
    if present.status = 'reassigned' and past.status <> 'reassigned'
            and not dealwright_engine.is_allowed('reassigning', present.assignment_id) then
        raise exception 'assignment % would leave its lead with nobody', present.assignment_id using errcode = 'DW002',
            hint = 'call dealwright.reassign, or set agent_id to who is to have it';
    elsif past.status = 'reassigned' and present.status <> 'reassigned' then
        raise exception 'assignment % was given to somebody else and stays closed', present.assignment_id
            using errcode = 'DW001',
            hint = 'see the lead''s present assignment';
    -- Whoever changes a booking has the end of its assignment cleared (engine/booking.sql). A change of the assignment
    -- alone is fine: it may have a booking that waits with its lead.
    elsif past.status <> 'reassigned' or b.booking_id is null or present.ended_at is not null then
        return;
    elsif exists (
            select from dealwright.lead as l
            where l.lead_id = present.lead_id and l.is_waiting and l.last_assignment_id = present.assignment_id) then
        raise exception 'booking % waits in the queue with lead %: nobody has it', b.booking_id, present.lead_id
            using errcode = 'DW001',
            hint = 'settle it when somebody has the lead; where the customer gave up, set the lead''s status to '
                'withdrawn';
    else
        raise exception 'assignment % was given to somebody else: it can have no booking', present.assignment_id
            using errcode = 'DW001',
            hint = 'book the lead''s present assignment';
    end if;
end
$$;

create or replace function dealwright_engine.lapse_overdue(as_of timestamptz, follow_up interval,
    own_as_of timestamptz default null)
returns integer language plpgsql as $$
declare
    overdue bigint[];
begin
    for attempt in 1 .. 2 loop
        overdue := array(
            select a.assignment_id from dealwright.assignment as a
            where a.status = 'open'
              and a.assigned_at + follow_up <= case when a.external_id is null then coalesce(own_as_of, as_of)
                  else as_of end
              and not exists (select from dealwright.booking as b where b.assignment_id = a.assignment_id));
        exit when overdue = '{}' or attempt = 2;
        -- many agents' rows in one transaction: alone, so as to wait for nobody who waits for one of them
        perform dealwright_engine.hold_writers();
    end loop;
    update dealwright.assignment as a set status = 'lapsed', ended_at = a.assigned_at + follow_up
    where a.assignment_id = any (overdue);
    return cardinality(overdue);
end
$$;
comment on function dealwright_engine.lapse_overdue(timestamptz, interval, timestamptz) is
    'Ends assignments without a booking whose follow-up time is over at a moment (another one for those made here): '
    'failed contacts. Returns how many.';
