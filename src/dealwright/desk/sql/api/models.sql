create or replace function dealwright.load_model(model_kind text, model_parameters jsonb, promote boolean default true)
returns bigint language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    id bigint;
    missing text;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if model_kind = 'classic' then
        select string_agg(name, ', ') into missing
        from unnest(
            array['rating_score', 'experience_score', 'revenue_score', 'dest_expertise_score', 'lead_conversion_score',
                          'communication_score', 'requirements_score', 'recency_score', 'availability_score']) as name
        where jsonb_typeof(model_parameters -> 'weights' -> name) is distinct from 'number';
        if missing is not null then
            raise exception 'the classic model lacks a number for: %', missing using errcode = 'DW002',
                hint = 'give {"weights": {"rating_score": ..., ...}} with all nine weights';
        end if;
        select string_agg(name, ', ') into missing from jsonb_object_keys(model_parameters -> 'weights') as name
        where jsonb_typeof(model_parameters -> 'weights' -> name) = 'number'
          and abs((model_parameters -> 'weights' ->> name)::numeric) > 1e9;
        if missing is not null then
            raise exception 'the classic model has a weight above 1000000000: %', missing using errcode = 'DW002',
                hint = 'look at the decimal sign: features are shares from 0 to 1';
        end if;
        model_parameters := jsonb_build_object('weights', model_parameters -> 'weights');
    elsif model_kind = 'value' then
        select string_agg(name, ', ') into missing
        from unnest(
            array['dimensions', 'dimension_order', 'lead_bias', 'lead_weights', 'traits', 'prior_strength',
                'value_share',
                          'affinity_weight', 'calibration', 'revenue', 'agents_differ']) as name
        where jsonb_typeof(model_parameters -> name) is null;
        if missing is not null then
            raise exception 'the match model lacks: %', missing using errcode = 'DW002',
                hint = 'train it again with dealwright train';
        end if;
    else
        raise exception 'unknown kind of model %', coalesce(quote_literal(model_kind), 'null') using errcode = 'DW002',
            hint = 'use value or classic';
    end if;
    begun := dealwright_engine.join_own_writes();
    insert into dealwright.model (kind, parameters, metrics, evidence)
    values (model_kind, model_parameters, coalesce(model_parameters -> 'metrics', '{}'),
        coalesce(model_parameters -> 'evidence', '{}'))
    returning model_id into id;
    perform dealwright_engine.leave_own_writes(begun);
    if model_kind = 'value' then
        perform dealwright_engine.compile_model(id);
    end if;
    perform dealwright_engine.note_change('load_model', 'model', id::text, null,
        jsonb_build_object('kind', model_kind));
    if promote then
        perform dealwright_engine.propose('model', id::text, jsonb_build_object('model_id', id),
            'it was registered to be put to work');
    end if;
    return id;
end
$$;
comment on function dealwright.load_model(text, jsonb, boolean)
    is 'Registers a model and, unless told otherwise, puts it to work; returns its id.';

create or replace function dealwright.promote_model(id bigint)
returns void language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    promoted_kind text;
    former bigint;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if dealwright_engine.needs_second_person() and not dealwright_engine.writes_itself() then
        raise exception 'on this desk a model is put to work when a second person agrees' using errcode = 'DW001',
            hint = 'ask for it: dealwright model promote, or select dealwright.propose_model(…)';
    end if;
    -- counters and model must change together: no settlement in between
    perform dealwright_engine.hold_writers();
    select kind into promoted_kind from dealwright.model where model_id = id;
    if promoted_kind is null then
        raise exception 'there is no model %', id using errcode = 'DW003',
            hint = 'dealwright model list shows the models';
    end if;
    select model_id into former from dealwright.model where kind = promoted_kind and promoted;
    begun := dealwright_engine.join_own_writes();
    update dealwright.model set promoted = false where kind = promoted_kind and promoted and model_id <> id;
    update dealwright.model set promoted = true, promoted_at = clock_timestamp() where model_id = id and not promoted;
    if promoted_kind = 'value' then
        perform dealwright.rebuild_statistics();
    end if;
    perform dealwright_engine.write_event('model_promoted', jsonb_build_object('model_id', id, 'kind', promoted_kind));
    perform dealwright_engine.leave_own_writes(begun);
    perform dealwright_engine.note_change('promote_model', 'model', id::text,
        jsonb_build_object('model_id', former), jsonb_build_object('model_id', id, 'kind', promoted_kind));
end
$$;
comment on function dealwright.promote_model(bigint)
    is 'Puts a model to work; the counters that depend on it are counted anew.';

create or replace function dealwright.rebuild_statistics()
returns void language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    begun boolean := dealwright_engine.join_own_writes();
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    -- counters and history must not move apart while they are counted
    perform dealwright_engine.hold_writers();
    perform dealwright_engine.widen_counters();
    insert into dealwright.agent_stat as s
    select * from dealwright_engine.recounted_stat
    on conflict (agent_id) do update set
        assigned = excluded.assigned, known = excluded.known, confirmed = excluded.confirmed,
        expected_ppm = excluded.expected_ppm, revenue_cents = excluded.revenue_cents, base_cents = excluded.base_cents,
        package_cents = excluded.package_cents, base_expected_cents = excluded.base_expected_cents,
        package_expected_cents = excluded.package_expected_cents;
    perform dealwright_engine.recount_channels();
    delete from dealwright_engine.agent_day;
    insert into dealwright_engine.agent_day select * from dealwright_engine.recounted_day;
    with recounted as (
        -- what others recorded is no debt: who has another count starts level with the others
        update dealwright.agent as a set open = r.open, fair_count = r.fair_count,
            fair_until = case when a.fair_count = r.fair_count then a.fair_until end,
            last_assigned_at = greatest(a.last_assigned_at,
                (select max(s.assigned_at) from dealwright.assignment as s where s.agent_id = a.agent_id))
        from dealwright_engine.recounted_agent as r
        where r.agent_id = a.agent_id
        returning a.agent_id, a.open, a.capacity, a.fair_count, a.fair_compensation, a.fair_until, a.last_assigned_at
    )
    insert into dealwright.event (
        kind, agent_id, open, capacity, fair_count, fair_compensation, fair_until, last_assigned_at)
    select 'recounted', agent_id, open, capacity, fair_count, fair_compensation, fair_until, last_assigned_at
    from recounted order by agent_id;
    perform dealwright_engine.refresh_profile(a.agent_id, m.model)
    from (select dealwright_engine.promoted_model() as model offset 0) as m cross join dealwright.agent as a
        order by a.agent_id;
    delete from dealwright_engine.candidate_list;  -- every profile is new
    perform dealwright_engine.leave_own_writes(begun);
end
$$;
comment on function dealwright.rebuild_statistics() is 'Counts every counter anew from the book of record.';
