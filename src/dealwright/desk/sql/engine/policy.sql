-- policy ----------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.check_policy()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    known constant text[] :=
        '{objective,fairness,sharpness,ties,seed,owner,respond_within_min,accept_within_min,window_start}';
    stranger text;
    problem text;
    is_new boolean := true;  -- what an earlier version took stays
begin
    if tg_op = 'UPDATE' then
        is_new := new.params is distinct from old.params;
    end if;
    if tg_op = 'INSERT' and (new.name is null or new.name not in ('value', 'classic', 'workload', 'fair')) then
        raise exception 'unknown policy %', coalesce(quote_literal(left(new.name, 50)), 'null') using errcode = 'DW002',
            hint = 'there are value, classic, workload and fair: change the params of one of them';
    end if;
    if tg_op = 'UPDATE' and new.name <> old.name then
        raise exception 'policy % keeps its name', old.name using errcode = 'DW002',
            hint = 'dealwright.set_default_policy chooses another one';
    end if;
    if jsonb_typeof(new.params) is distinct from 'object' then
        problem := 'params must be a JSON object such as {"seed": 1}';
    elsif new.params ? 'objective' and new.params ->> 'objective' is distinct from 'revenue'
        and new.params ->> 'objective' is distinct from 'booking' then
        problem := format('objective must be revenue or booking, not %s', new.params -> 'objective');
    elsif new.params ? 'fairness'
        and (jsonb_typeof(new.params -> 'fairness') <> 'number' or (new.params ->> 'fairness')::numeric not between 0
            and 1) then
        problem := format('fairness must be a number from 0 to 1, not %s', left((new.params -> 'fairness')::text, 50));
    elsif new.params ? 'sharpness' and (jsonb_typeof(new.params -> 'sharpness') <> 'number'
            or (new.params ->> 'sharpness')::numeric not between 0.01 and 500) then
        problem := format('sharpness must be a number from 0.01 to 500, not %s',
            left((new.params -> 'sharpness')::text, 50));
    elsif new.params ? 'ties' and coalesce(new.params ->> 'ties', '') not in ('seniority', 'longest_idle') then
        problem := format('ties must be seniority or longest_idle, not %s', new.params -> 'ties');
    elsif new.params ? 'share' then
        problem := 'share is written by the desk itself: leave it out';
    elsif new.params ? 'seed'
        and (jsonb_typeof(new.params -> 'seed') <> 'number' or new.params ->> 'seed' !~ '^-?[0-9]{1,18}$') then
        problem := format('seed must be a whole number, not %s', left((new.params -> 'seed')::text, 50));
    elsif new.params ? 'owner' and new.params ->> 'owner' is distinct from 'prefer'
        and new.params ->> 'owner' is distinct from 'ignore' then
        problem := format('owner must be prefer or ignore, not %s', new.params -> 'owner');
    elsif new.params ? 'respond_within_min' and (jsonb_typeof(new.params -> 'respond_within_min') <> 'number'
            or (new.params ->> 'respond_within_min')::numeric not between 0.01 and 1e6) then
        problem := format('respond_within_min must be a number of minutes from 0.01 to 1000000, not %s',
            left((new.params -> 'respond_within_min')::text, 50));
    elsif new.params ? 'accept_within_min' and (jsonb_typeof(new.params -> 'accept_within_min') <> 'number'
            or (new.params ->> 'accept_within_min')::numeric not between 0.01 and 1e6) then
        problem := format('accept_within_min must be a number of minutes from 0.01 to 1000000, not %s',
            left((new.params -> 'accept_within_min')::text, 50));
    elsif new.is_default and new.name = 'classic' and (dealwright_engine.classic_weights()).weights is null then
        problem := 'the classic policy has no weights yet: train or load a classic model first';
    elsif is_new and new.params - known <> '{}' then
        select key into stranger from jsonb_object_keys(new.params - known) as key limit 1;
        problem := format('unknown key %s: use one of %s', quote_literal(left(stranger, 50)),
            array_to_string(known, ', '));
    end if;
    begin
        -- a window that has not begun counts nothing, and shares would be given by lot
        if is_new and not (dealwright_engine.is_moment((new.params ->> 'window_start')::timestamptz)
                and coalesce((new.params ->> 'window_start')::timestamptz <= clock_timestamp() + interval '1 hour',
                    true)) then
            problem := format('window_start must be a time from 1970 to now, not %s', new.params -> 'window_start');
        end if;
    exception when data_exception then
        problem := format('window_start must be a time, not %s', left((new.params -> 'window_start')::text, 50));
    end;
    if problem is not null then
        raise exception 'policy %: %', new.name, problem using errcode = 'DW002';
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.follow_window()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    begun boolean := dealwright_engine.join_own_writes();
begin
    perform dealwright_engine.hold_writers();
    -- a window begins for all at once: nobody owes, nobody is owed
    update dealwright.agent set fair_compensation = 0, fair_until = null;
    perform dealwright.rebuild_statistics();
    perform dealwright_engine.leave_own_writes(begun);
    return null;
end
$$;

create or replace function dealwright_engine.write_rules()
returns void language plpgsql as $$
begin
    -- one after the other: of two changes at the same time the later sees the earlier
    lock table dealwright_engine.rule in share row exclusive mode;
    delete from dealwright_engine.rule;
    insert into dealwright_engine.rule (wanted, name, params, seed, sharpness, by_worth, model_id, fair_window_start,
        agents_differ, respond_within, accept_within, logit_variance, by_channel)
    -- by which shares it is decided: a replay of what was decided before must find it missing
    select w.wanted, p.name,
        case when p.name in ('fair', 'value') then p.params || '{"share": "available"}' else p.params end,
        coalesce((p.params ->> 'seed')::bigint, 1),
        coalesce((p.params ->> 'sharpness')::double precision, 20),
           p.name = 'value' and p.params ->> 'objective' is distinct from 'booking'
               and coalesce((p.params ->> 'fairness')::double precision, 0) = 0,
           m.model_id, dealwright_engine.fair_window_start(), coalesce(c.agents_differ, false),
           make_interval(secs => 60 * (p.params ->> 'respond_within_min')::double precision),
           make_interval(secs => 60 * (p.params ->> 'accept_within_min')::double precision), c.logit_variance,
           exists (select from dealwright.channel)
    from dealwright.policy as p
    cross join lateral (select p.name as wanted union all select ''
                        where p.is_default or p.name = 'value'
                            and not exists (select from dealwright.policy as d where d.is_default)) as w
    left join dealwright.model as m on m.promoted and m.kind = case p.name when 'classic' then 'classic'
        else 'value' end
    left join dealwright_engine.compiled_model as c on c.model_id = m.model_id;
end
$$;
comment on function dealwright_engine.write_rules()
    is 'Brings what placements go by up to the policies and the promoted models.';

create or replace function dealwright_engine.follow_policies()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform dealwright_engine.write_rules();
    return null;
end
$$;
