create or replace function dealwright_engine.fair_window_start()
returns timestamptz language sql stable as $$
    select coalesce((params ->> 'window_start')::timestamptz, '-infinity') from dealwright.policy where name = 'fair'
$$;

-- One expression, which the planner writes out in place.
create or replace function dealwright_engine.contribution_of(
    a dealwright.assignment, model dealwright_engine.compiled_model, fair_window_start timestamptz
)
returns dealwright_engine.contribution language sql stable as $$
    select row (
        (a.status = 'open')::integer,
        (a.status <> 'reassigned')::integer,
        (a.status <> 'reassigned' and a.assigned_at >= fair_window_start)::integer,
        (a.outcome is not null)::integer,
        (a.outcome is not distinct from 'won')::integer,
        case when a.outcome is not null and (model).model_id is not null
            then dealwright_engine.lead_probability_ppm(model, a.slots) else 0 end,
        case when a.outcome = 'won' then coalesce(round(100 * a.total_revenue), 0)::bigint else 0 end,
        case when a.outcome = 'won' then coalesce(round(100 * a.base_revenue), 0)::bigint else 0 end,
        case when a.outcome = 'won' then coalesce(round(100 * a.package_revenue), 0)::bigint else 0 end,
        -- a won booking whose amount is unknown says nothing about the agent's ratio
        case when a.outcome = 'won' and (model).model_id is not null and a.base_revenue is not null
            then dealwright_engine.expected_cents((model).base_bias, (model).base_weight, a.slots) else 0 end,
        case when a.outcome = 'won' and (model).model_id is not null and a.package_revenue is not null
            then dealwright_engine.expected_cents((model).package_bias, (model).package_weight, a.slots) else 0 end
    )::dealwright_engine.contribution
$$;
comment on function dealwright_engine.contribution_of(dealwright.assignment, dealwright_engine.compiled_model,
    timestamptz) is
    'What one assignment adds to the counters of its agent, under a model.';

create or replace function dealwright_engine.move_counters(
    kind text, id bigint, slots integer[], plus dealwright_engine.contribution, minus dealwright_engine.contribution,
    may_exceed boolean, of dealwright.assignment, model dealwright_engine.compiled_model, by_channel boolean
)
returns void language plpgsql as $$
declare
    opened integer := coalesce(plus.open, 0) - coalesce(minus.open, 0);
    counted integer := coalesce(plus.counted_fairly, 0) - coalesce(minus.counted_fairly, 0);
    known_more integer := coalesce(plus.known, 0) - coalesce(minus.known, 0);
    confirmed_more integer := coalesce(plus.confirmed, 0) - coalesce(minus.confirmed, 0);
    learned constant boolean := known_more <> 0 or confirmed_more <> 0
        or coalesce(plus.total_cents, 0) <> coalesce(minus.total_cents, 0)
        or coalesce(plus.base_cents, 0) <> coalesce(minus.base_cents, 0)
        or coalesce(plus.package_cents, 0) <> coalesce(minus.package_cents, 0)
        -- an amount that becomes known to be 0 moves only what was expected
        or coalesce(plus.base_expected_cents, 0) <> coalesce(minus.base_expected_cents, 0)
        or coalesce(plus.package_expected_cents, 0) <> coalesce(minus.package_expected_cents, 0);
    state dealwright.agent;
    fair dealwright.agent;
    stat dealwright.agent_stat;
    fresh dealwright_engine.agent_profile_log;
    gets_room boolean;
    gets_lead constant boolean := kind in ('assigned', 'moved_in');
    done text := dealwright_engine.begin_own_writes();
begin
    -- the agent's row comes before its counters, and its events stand in the order of its states
    select * into state from dealwright.agent as a where a.agent_id = id for no key update;
    if opened > 0 and not may_exceed and state.open >= state.capacity then
        raise exception 'agent % has no free place', id using errcode = 'DW001',
            hint = 'raise the capacity, settle or reassign one of the agent''s open assignments, or choose '
                'another agent';
    end if;
    if by_channel and opened <> 0 then
        if opened > 0 and not may_exceed and dealwright_engine.full_for(slots, id) is not null then
            raise exception 'agent % %', id, dealwright_engine.full_words(id, slots) using errcode = 'DW001',
                hint = 'raise the limit of the channel, settle or reassign one of the agent''s open assignments, or '
                    'choose another agent';
        end if;
        done := dealwright_engine.count_channel(id, slots, opened);
    end if;
    gets_room := state.open >= state.capacity and state.open + opened < state.capacity;
    fair := state;
    fair.open := state.open + opened;
    fair.fair_count := state.fair_count + counted;
    if gets_room then
        fair := dealwright_engine.levelled(fair, clock_timestamp());
    end if;
    if learned then
        update dealwright.agent_stat as s set
            assigned = dealwright_engine.add_at(s.assigned, slots,
                coalesce(plus.assigned, 0) - coalesce(minus.assigned, 0)),
            known = dealwright_engine.add_at(s.known, slots, known_more),
            confirmed = dealwright_engine.add_at(s.confirmed, slots, confirmed_more),
            expected_ppm = dealwright_engine.add_at(s.expected_ppm, slots,
                coalesce(plus.expected_ppm, 0) - coalesce(minus.expected_ppm, 0)),
            revenue_cents = s.revenue_cents + coalesce(plus.total_cents, 0) - coalesce(minus.total_cents, 0),
            base_cents = s.base_cents + coalesce(plus.base_cents, 0) - coalesce(minus.base_cents, 0),
            package_cents = s.package_cents + coalesce(plus.package_cents, 0) - coalesce(minus.package_cents, 0),
            base_expected_cents = s.base_expected_cents + coalesce(plus.base_expected_cents,
                0) - coalesce(minus.base_expected_cents, 0),
            package_expected_cents = s.package_expected_cents
                + coalesce(plus.package_expected_cents, 0) - coalesce(minus.package_expected_cents, 0)
        where s.agent_id = id
        returning s.* into stat;
    elsif coalesce(plus.assigned, 0) <> coalesce(minus.assigned, 0) then
        update dealwright.agent_stat as s
        set assigned = dealwright_engine.add_at(s.assigned, slots,
            coalesce(plus.assigned, 0) - coalesce(minus.assigned, 0))
        where s.agent_id = id;
    end if;
    if learned and model.model_id is not null then
        fresh := dealwright_engine.profile_of(state, stat, model);
        update dealwright.agent as a
        set open = a.open + opened, fair_count = a.fair_count + counted, profile_model_id = fresh.model_id,
            profile = fresh.profile, variance = fresh.variance, base_ratio = fresh.base_ratio,
            package_ratio = fresh.package_ratio, profile_xid = dealwright_engine.xact_id(),
            fair_compensation = fair.fair_compensation, fair_until = fair.fair_until,
            last_assigned_at = case when gets_lead then now() else a.last_assigned_at end
        where a.agent_id = id
        returning a.* into state;
        insert into dealwright_engine.agent_profile_log (
            agent_id, model_id, profile, variance, base_ratio, package_ratio)
        values (id, fresh.model_id, fresh.profile, fresh.variance, fresh.base_ratio, fresh.package_ratio);
    elsif opened <> 0 or counted <> 0 then
        update dealwright.agent as a
        set open = a.open + opened, fair_count = a.fair_count + counted,
            -- who was full may be on no list of candidates
            profile_xid = case when gets_room then dealwright_engine.xact_id() else a.profile_xid end,
            fair_compensation = fair.fair_compensation, fair_until = fair.fair_until,
            last_assigned_at = case when gets_lead then now() else a.last_assigned_at end
        where a.agent_id = id
        returning a.* into state;
    end if;
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, open, capacity, fair_count, fair_compensation,
        fair_until, last_assigned_at)
    values (kind, id, of.lead_id, of.assignment_id, state.open, state.capacity, state.fair_count,
        state.fair_compensation, state.fair_until, state.last_assigned_at);
    done := dealwright_engine.end_own_writes();
    if opened < 0 then
        done := dealwright_engine.fill_from_queue(id);  -- an assignment evaluates it; PERFORM would start a query
    end if;
end
$$;
comment on function dealwright_engine.move_counters(text, bigint, integer[], dealwright_engine.contribution,
    dealwright_engine.contribution, boolean,
    dealwright.assignment, dealwright_engine.compiled_model, boolean) is
    'Moves an agent''s counters by plus - minus, writes the event, and hands a freed place to the queue.';

-- What move_counters and count_day do for the one change that comes most often, in fewer statements and expressions:
-- each is prepared anew in every transaction, which costs more than what it does.
create or replace function dealwright_engine.count_settlement(of dealwright.assignment)
returns void language plpgsql as $$
declare
    id constant bigint := of.agent_id;
    slots constant integer[] := of.slots;
    won constant boolean := of.outcome = 'won';
    held record;
    model dealwright_engine.compiled_model;
    state dealwright.agent;
    stat dealwright.agent_stat;
    fresh dealwright_engine.agent_profile_log;
    full_before boolean;
    done text := dealwright_engine.begin_own_writes();
begin
    -- the agent's row comes before its counters, and its events stand in the order of its states
    select a as agent, r.by_channel, c as model into held
    from dealwright.agent as a
    cross join dealwright_engine.rule as r
    left join dealwright_engine.compiled_model as c using (model_id)
    where a.agent_id = id and r.wanted = 'value'
    for no key update of a;
    state := held.agent;
    model := held.model;
    if held.by_channel then
        done := dealwright_engine.count_channel(id, slots, -1);
    end if;
    full_before := state.open = state.capacity;
    state.open := state.open - 1;
    if full_before then
        state := dealwright_engine.levelled(state, clock_timestamp());
    end if;
    -- as dealwright_engine.contribution_of says; amounts are known of won ones only
    update dealwright.agent_stat as s set
        known = dealwright_engine.add_at(s.known, slots, 1),
        -- also by 0: the arrays of outcomes are of one length
        confirmed = dealwright_engine.add_at(s.confirmed, slots, won::integer),
        expected_ppm = dealwright_engine.add_at(s.expected_ppm, slots,
            case when model.model_id is null then 0 else dealwright_engine.lead_probability_ppm(model, slots) end),
        revenue_cents = s.revenue_cents + coalesce(round(100 * of.total_revenue), 0)::bigint,
        base_cents = s.base_cents + coalesce(round(100 * of.base_revenue), 0)::bigint,
        package_cents = s.package_cents + coalesce(round(100 * of.package_revenue), 0)::bigint,
        base_expected_cents = s.base_expected_cents + case when of.base_revenue is null then 0 else
            coalesce(dealwright_engine.expected_cents(model.base_bias, model.base_weight, slots), 0) end,
        package_expected_cents = s.package_expected_cents + case when of.package_revenue is null then 0 else
            coalesce(dealwright_engine.expected_cents(model.package_bias, model.package_weight, slots), 0) end
    where s.agent_id = id
    returning s.* into stat;
    if model.model_id is not null then
        fresh := dealwright_engine.profile_of(state, stat, model);
        update dealwright.agent as a
        set open = state.open, fair_compensation = state.fair_compensation, fair_until = state.fair_until,
            profile_model_id = fresh.model_id, profile = fresh.profile, variance = fresh.variance,
            base_ratio = fresh.base_ratio, package_ratio = fresh.package_ratio,
            profile_xid = dealwright_engine.xact_id()
        where a.agent_id = id;
        insert into dealwright_engine.agent_profile_log (
            agent_id, model_id, profile, variance, base_ratio, package_ratio)
        values (id, fresh.model_id, fresh.profile, fresh.variance, fresh.base_ratio, fresh.package_ratio);
    else
        update dealwright.agent as a
        set open = state.open, fair_compensation = state.fair_compensation, fair_until = state.fair_until,
            -- who was full may be on no list of candidates
            profile_xid = case when full_before then dealwright_engine.xact_id() else a.profile_xid end
        where a.agent_id = id;
    end if;
    with counted as (
        -- nearly always the row is there; who is counted is locked, so that nobody else puts it there meanwhile
        insert into dealwright_engine.agent_day as d (day, agent_id, confirmed)
        select (of.completed_at at time zone 'UTC')::date, id, 1 where won
        on conflict (day, agent_id) do update set confirmed = d.confirmed + 1
    )
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, open, capacity, fair_count, fair_compensation,
        fair_until, last_assigned_at)
    values (case when won then 'confirmed' else 'cancelled' end, id, of.lead_id, of.assignment_id, state.open,
        state.capacity, state.fair_count, state.fair_compensation, state.fair_until, state.last_assigned_at);
    done := dealwright_engine.end_own_writes();
    -- the gate before the look, as in fill_from_queue, which asks a long question: mostly nobody waits
    lock table dealwright_engine.queue_gate in share mode;
    if exists (select from dealwright.lead as l where l.is_waiting) then
        done := dealwright_engine.fill_from_queue(id);
    end if;
end
$$;
comment on function dealwright_engine.count_settlement(dealwright.assignment) is
    'Moves the counters of an agent one of whose open assignments is won or lost, writes the event, and hands the freed '
    'place to the queue.';

create or replace function dealwright_engine.count_day(id bigint, completed timestamptz, amount integer)
returns void language plpgsql as $$
declare
    done text := dealwright_engine.begin_own_writes();
begin
    insert into dealwright_engine.agent_day as d (day, agent_id, confirmed)
    values ((completed at time zone 'UTC')::date, id, amount)
    on conflict (day, agent_id) do update set confirmed = d.confirmed + excluded.confirmed;
    done := dealwright_engine.end_own_writes();
end
$$;

create or replace function dealwright_engine.hold_writers()
returns void language plpgsql as $$
declare
    patience text := current_setting('lock_timeout');
    name text;
begin
    -- Who places a lead takes these tables in another order than who settles a booking, so no order of ours is safe to
    -- wait in. Therefore: one order, then the other, each for less than the second after which the server would look
    -- for a deadlock and end somebody else's work.
    for attempt in 1 .. 200 loop
        begin
            perform set_config('lock_timeout', '200ms', true);
            if attempt % 2 = 1 then
                lock table dealwright.lead, dealwright.booking, dealwright.assignment,
                    dealwright.agent in share row exclusive mode;
            else
                lock table dealwright.booking, dealwright.assignment, dealwright.lead,
                    dealwright.agent in share row exclusive mode;
            end if;
            perform set_config('lock_timeout', patience, true);
            return;
        exception when lock_not_available then
            perform pg_sleep(0.1 * random());
        end;
        if attempt % 10 = 5 then
            -- an autovacuum gives way only to who waits longer than that second: one table at a time, holding nothing,
            -- and only where one is at work, because others would wait behind this one for as long
            foreach name in array array['lead', 'booking', 'assignment', 'agent'] loop
                continue when not exists (
                    select from pg_locks as k
                    where k.relation = format('dealwright.%I', name)::regclass and k.granted
                      and k.mode = 'ShareUpdateExclusiveLock');
                begin
                    perform set_config('lock_timeout', '1500ms', true);
                    execute format('lock table dealwright.%I in share row exclusive mode', name);
                    raise exception 'let go' using errcode = 'DW009';
                exception when lock_not_available or deadlock_detected or sqlstate 'DW009' then
                    null;
                end;
            end loop;
        end if;
    end loop;
    raise exception 'the desk is too busy to hold all changes for a moment' using errcode = 'DW001',
        hint = 'try again at a quieter time; nothing was changed';
end
$$;
comment on function dealwright_engine.hold_writers() is
    'Waits until no change of leads, bookings, assignments and agents is under way, and lets none begin before the '
    'end of this transaction.';
