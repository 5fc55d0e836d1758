-- What plain SQL may not do to a lead, a reassigned assignment and a policy, and what follows from what it may do.

create or replace function dealwright.guard_lead_status()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
declare
    taken dealwright.assignment;
begin
    if old.status = 'new' or new.status = old.status or dealwright.counted_by_writer() then
        return new;
    end if;
    select * into taken from dealwright.assignment as a where a.lead_id = new.lead_id and a.status <> 'reassigned';
    if new.status = 'assigned' and taken.assignment_id is null then
        raise exception 'lead % has no assignment', new.lead_id using errcode = 'DW001',
            hint = 'set its status to new: then it is assigned, or waits, at once';
    elsif new.status in ('new', 'waiting') and taken.assignment_id is not null then
        raise exception 'lead % has assignment % (%)', new.lead_id, taken.assignment_id, taken.status using errcode = 'DW001',
            hint = 'dealwright.reassign gives an open one to somebody else; for a closed one, insert a new lead';
    elsif new.status = 'waiting' then
        new.status := 'new';  -- it waits only if nobody has room
    end if;
    return new;
end
$$;

create or replace function dealwright.follow_withdrawal()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    if new.status <> 'withdrawn' or old.status = 'withdrawn' then
        return null;
    end if;
    if old.is_waiting then
        -- should this be undone, a place that is freed meanwhile must not have overlooked the lead
        lock table dealwright.queue_gate in row exclusive mode;
    end if;
    update dealwright.assignment set status = 'lapsed', end_reason = coalesce(end_reason, 'withdrawn')
    where lead_id = new.lead_id and status = 'open';
    insert into dealwright.event (kind, lead_id) values ('withdrawn', new.lead_id);
    return null;
end
$$;

create or replace function dealwright.retry_waiting_lead()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    perform dealwright.place_lead(new);
    return null;
end
$$;
comment on function dealwright.retry_waiting_lead() is
    'A waiting lead that asks for something else now may fit an agent with room; and while its row was locked, a freed place passed it by.';

drop trigger if exists guard_lead_status on dealwright.lead;
create trigger guard_lead_status before update of status on dealwright.lead
    for each row execute function dealwright.guard_lead_status();  -- no WHEN: see 08_triggers.sql
drop trigger if exists follow_withdrawal on dealwright.lead;
create trigger follow_withdrawal after update of status on dealwright.lead
    for each row execute function dealwright.follow_withdrawal();
drop trigger if exists retry_waiting_lead on dealwright.lead;
create trigger retry_waiting_lead
    after update of priority, received_at, requirements, required_skills, required_department, attributes, policy on dealwright.lead
    for each row when (old.is_waiting and new.is_waiting) execute function dealwright.retry_waiting_lead();

create or replace function dealwright.check_reassigned(past dealwright.assignment, present dealwright.assignment, b dealwright.booking)
returns void language plpgsql stable as $$
begin
    if present.status = 'reassigned' and past.status <> 'reassigned'
            and current_setting('dealwright.reassigning', true) is distinct from present.assignment_id::text then
        raise exception 'assignment % would leave its lead with nobody', present.assignment_id using errcode = 'DW002',
            hint = 'call dealwright.reassign, or set agent_id to who is to have it';
    elsif past.status = 'reassigned' and present.status <> 'reassigned' then
        raise exception 'assignment % was given to somebody else and stays closed', present.assignment_id using errcode = 'DW001',
            hint = 'see the lead''s present assignment';
    elsif past.status = 'reassigned' and b.booking_id is not null then
        raise exception 'assignment % was given to somebody else: it can have no booking', present.assignment_id using errcode = 'DW001',
            hint = 'book the lead''s present assignment';
    end if;
end
$$;

-- policy ----------------------------------------------------------------------------------------------------------

create or replace function dealwright.check_policy()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
declare
    problem text;
begin
    if jsonb_typeof(new.params) is distinct from 'object' then
        problem := 'params must be a JSON object such as {"seed": 1}';
    elsif new.params ? 'objective' and new.params ->> 'objective' is distinct from 'revenue' and new.params ->> 'objective' is distinct from 'booking' then
        problem := format('objective must be revenue or booking, not %s', new.params -> 'objective');
    elsif new.params ? 'fairness' and (jsonb_typeof(new.params -> 'fairness') <> 'number' or (new.params ->> 'fairness')::numeric not between 0 and 1) then
        problem := format('fairness must be a number from 0 to 1, not %s', new.params -> 'fairness');
    elsif new.params ? 'sharpness' and (jsonb_typeof(new.params -> 'sharpness') <> 'number'
            or (new.params ->> 'sharpness')::numeric not between 0.01 and 500) then
        problem := format('sharpness must be a number from 0.01 to 500, not %s', new.params -> 'sharpness');
    elsif new.params ? 'seed' and (jsonb_typeof(new.params -> 'seed') <> 'number' or new.params ->> 'seed' !~ '^-?[0-9]{1,18}$') then
        problem := format('seed must be a whole number, not %s', new.params -> 'seed');
    elsif new.is_default and new.name = 'classic' and (dealwright.classic_weights()).weights is null then
        problem := 'the classic policy has no weights yet: train or load a classic model first';
    end if;
    begin
        perform (new.params ->> 'window_start')::timestamptz;
    exception when data_exception then
        problem := format('window_start must be a time, not %s', new.params -> 'window_start');
    end;
    if problem is not null then
        raise exception 'policy %: %', new.name, problem using errcode = 'DW002';
    end if;
    return new;
end
$$;

create or replace function dealwright.follow_window()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    perform dealwright.rebuild_statistics();
    return null;
end
$$;

drop trigger if exists check_policy on dealwright.policy;
create trigger check_policy before insert or update on dealwright.policy
    for each row execute function dealwright.check_policy();
drop trigger if exists follow_window on dealwright.policy;
create trigger follow_window after update of params on dealwright.policy
    for each row when (new.name = 'fair' and new.params -> 'window_start' is distinct from old.params -> 'window_start')
    execute function dealwright.follow_window();

create or replace function dealwright.write_rules()
returns void language plpgsql as $$
begin
    -- one after the other: of two changes at the same time the later sees the earlier
    lock table dealwright.rule in share row exclusive mode;
    delete from dealwright.rule;
    insert into dealwright.rule (wanted, name, params, seed, sharpness, by_worth, model_id, fair_window_start, agents_differ)
    select w.wanted, p.name, p.params, coalesce((p.params ->> 'seed')::bigint, 1), coalesce((p.params ->> 'sharpness')::double precision, 20),
           p.name = 'value' and p.params ->> 'objective' is distinct from 'booking' and coalesce((p.params ->> 'fairness')::double precision, 0) = 0,
           m.model_id, dealwright.fair_window_start(), coalesce(c.agents_differ, false)
    from dealwright.policy as p
    cross join lateral (select p.name as wanted union all select '' where p.is_default) as w
    left join dealwright.model as m on m.promoted and m.kind = case p.name when 'classic' then 'classic' else 'value' end
    left join dealwright.compiled_model as c on c.model_id = m.model_id;
end
$$;
comment on function dealwright.write_rules() is 'Brings what placements go by up to the policies and the promoted models.';

create or replace function dealwright.follow_policies()
returns trigger language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
begin
    perform dealwright.write_rules();
    return null;
end
$$;

drop trigger if exists follow_policies on dealwright.policy;
create trigger follow_policies after insert or update or delete or truncate on dealwright.policy
    for each statement execute function dealwright.follow_policies();
drop trigger if exists follow_policies on dealwright.model;
create trigger follow_policies after insert or update or delete or truncate on dealwright.model
    for each statement execute function dealwright.follow_policies();
select dealwright.write_rules();
