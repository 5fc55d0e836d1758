-- booking ---------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.prepare_booking()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    within_bounds boolean;
begin
    if not dealwright_engine.writes_itself() then
        if tg_op = 'UPDATE' and new.booking_id <> old.booking_id then
            raise exception 'booking % keeps its number', old.booking_id using errcode = 'DW002',
                hint = 'others may have noted it; external_id is yours to change';
        end if;
        if new.status is null or new.status not in ('pending', 'confirmed', 'cancelled') then
            raise exception 'unknown booking status %', coalesce(quote_literal(new.status), 'null')
                using errcode = 'DW002',
                hint = 'use confirmed, cancelled, or pending to reopen';
        elsif least(new.base_revenue, new.package_revenue, new.total_revenue) < 0 then
            raise exception 'revenue cannot be negative' using errcode = 'DW002',
                hint = 'a booking that was lost is cancelled';
        end if;
        if 'NaN' in (new.base_revenue, new.package_revenue, new.total_revenue) then
            raise exception 'a revenue must be a number' using errcode = 'DW002',
                hint = 'leave it null when it is not known';
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
                and (new.base_revenue, new.package_revenue) is distinct from (old.base_revenue, old.package_revenue))
                    then
            if coalesce(new.base_revenue, 0) + coalesce(new.package_revenue, 0) >= 1e12 then
                raise exception 'total_revenue of booking % would not be below 1e12', new.booking_id
                    using errcode = 'DW002', hint = 'look at the decimal sign';
            end if;
            new.total_revenue := case when new.base_revenue is not null or new.package_revenue is not null
                then coalesce(new.base_revenue, 0) + coalesce(new.package_revenue, 0) else new.total_revenue end;
        end if;
    end if;
    -- bounds, whatever writes (engine/bounds.sql)
    within_bounds := dealwright_engine.are_moments(least(new.completed_at, new.cancelled_at, new.created_at),
            greatest(new.completed_at, new.cancelled_at, new.created_at))
        and dealwright_engine.are_amounts(least(new.base_revenue, new.package_revenue, new.total_revenue),
            greatest(new.base_revenue, new.package_revenue, new.total_revenue));
    if within_bounds and num_nonnulls(new.external_id, new.package) > 0 then
        within_bounds := new.external_id is distinct from '' and dealwright_engine.is_word(new.external_id, 500)
            and dealwright_engine.is_word(new.package, 1000);
    end if;
    if not within_bounds then
        perform dealwright_engine.refuse_values(format('booking %s', new.booking_id), to_jsonb(new),
            '{completed_at,cancelled_at,created_at}', '{external_id}', '{package}', '{}', '{}',
            '{"base_revenue": [0, 999999999999.99], "package_revenue": [0, 999999999999.99], "total_revenue": [0, '
            '999999999999.99]}');
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.follow_booking()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    settled boolean;
    done text;  -- an assignment evaluates a function; PERFORM would start a query for it
begin
    if dealwright_engine.writes_itself() then
        return null;
    end if;
    if tg_op = 'UPDATE' then
        if old.status = 'pending' and new.status <> 'pending' and new.assignment_id = old.assignment_id then
            -- nearly always; what follows is written at once, and not derived from the booking by a look at it again
            done := dealwright_engine.allow('settling', new.assignment_id);
            update dealwright.assignment as s
            set status = 'settled', outcome = o.outcome, known_at = o.known_at, ended_at = o.known_at,
                -- nobody settles with a stranger
                first_contact_at = coalesce(s.first_contact_at, o.known_at), completed_at = o.completed_at,
                base_revenue = o.base_revenue, package_revenue = o.package_revenue, total_revenue = o.total_revenue
            from dealwright_engine.outcome_of(new) as o
            where s.assignment_id = new.assignment_id and s.status = 'open';
            settled := found;
            done := dealwright_engine.end_allowance('settling');
            if settled then
                return null;
            end if;
        elsif (old.assignment_id, old.status, old.completed_at, old.cancelled_at, old.base_revenue,
                old.package_revenue, old.total_revenue)
            is not distinct from (
                new.assignment_id, new.status, new.completed_at, new.cancelled_at, new.base_revenue,
                new.package_revenue, new.total_revenue) then
            return null;
        elsif new.status = 'pending' and old.status <> 'pending' then
            perform dealwright_engine.before_several_agents();  -- it may be handed over: before a row of an agent
        end if;
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
    if tg_op = 'UPDATE' then
        if new.status = 'pending' and old.status <> 'pending' then
            perform dealwright_engine.hand_over_reopened(new.assignment_id);
        end if;
    end if;
    return null;
end
$$;
