-- Why it was decided so, and whether the record agrees.

create or replace function dealwright_engine.archive_is_open()
returns boolean language sql stable as $$
    -- not a table of the caller's own
    select exists (select from pg_class as c where c.relname = 'archived_decision'
                     and c.relnamespace = pg_my_temp_schema()
                     and c.relowner = (select r.oid from pg_roles as r where r.rolname = current_user))
$$;
comment on function dealwright_engine.archive_is_open() is
    'Whether rows of the archive were put before this transaction (dealwright.open_archive).';

create or replace function dealwright_engine.events_for(d dealwright.decision)
returns text language sql stable as $$
    select case when dealwright_engine.archive_is_open()
        and not exists (select from dealwright.decision as x
                        where x.decision_id = (d).decision_id and x.decided_at = (d).decided_at)
        then 'pg_temp.archived_event' else 'dealwright_engine.known_event' end
$$;
comment on function dealwright_engine.events_for(dealwright.decision) is
    'Where the events are from which a decision is recomputed.';

create or replace function dealwright_engine.restore_state(d dealwright.decision)
returns void language plpgsql as $$
declare
    width integer := coalesce(vector_dims((dealwright_engine.query_of(d.slots, coalesce(d.model_id, 0))).query), 0);
begin
    -- One table for all replays of a transaction: before version 18 the functions it stands for would look for the one
    -- that was there when they were first called.
    if obj_description(to_regclass('pg_temp.agent'), 'pg_class') = 'as a decision saw them' then
        truncate pg_temp.agent;
    else
        drop table if exists pg_temp.agent;
        create temporary table agent (
            agent_id bigint primary key, open integer, capacity integer, fair_count bigint,
            fair_compensation double precision, fair_until timestamptz, last_assigned_at timestamptz,
            active boolean, skills text[], department text, shifts tstzmultirange, years_of_service double precision,
            rating double precision, weight double precision, profile vector, variance vector,
            base_ratio double precision not null default 1, package_ratio double precision not null default 1
        ) on commit drop;
        comment on table pg_temp.agent is 'as a decision saw them';
    end if;
    -- planned anew by each call, by what there is
    execute format($state$
        insert into pg_temp.agent
        select g.agent_id, s.open, s.capacity, s.fair_count, s.fair_compensation, s.fair_until, s.last_assigned_at,
               (t.payload ->> 'active')::boolean, array(select jsonb_array_elements_text(t.payload -> 'skills')),
                   t.payload ->> 'department',
               (t.payload ->> 'shifts')::tstzmultirange, (t.payload ->> 'years_of_service')::double precision,
               (t.payload ->> 'rating')::double precision, (t.payload ->> 'weight')::double precision,
               -- values declared since then have no element in what was logged
               case when l.profile is not null
                   then (l.profile::real[] || array_fill(0::real, array[$2 - vector_dims(l.profile)]))::vector end,
               case when l.variance is not null
                   then (l.variance::real[] || array_fill(0::real, array[$2 - vector_dims(l.variance)]))::vector end,
               coalesce(l.base_ratio, 1), coalesce(l.package_ratio, 1)
        from (select a.agent_id from dealwright.agent as a
              union select e.agent_id from %1$s as e where e.kind = 'agent_deleted') as g
        cross join lateral (
            select e.open, e.capacity, e.fair_count, e.fair_compensation, e.fair_until, e.last_assigned_at,
                e.kind from %1$s as e
            where e.agent_id = g.agent_id and (e.open is not null or e.kind = 'agent_deleted')
              and dealwright_engine.was_visible($1, e.xid, e.position)
            order by e.position desc limit 1
        ) as s
        cross join lateral (
            select e.payload from %1$s as e
            where e.agent_id = g.agent_id and e.kind in ('agent_added', 'agent_changed')
                and dealwright_engine.was_visible($1, e.xid, e.position)
            order by e.position desc limit 1
        ) as t
        left join lateral (
            select p.* from dealwright_engine.agent_profile_log as p
            where $2 > 0 and p.agent_id = g.agent_id and p.model_id = $1.model_id
                and dealwright_engine.was_visible($1, p.xid, p.position)
            order by p.position desc limit 1
        ) as l on true
        where s.kind <> 'agent_deleted'
    $state$, dealwright_engine.events_for(d)) using d, width;
end
$$;
comment on function dealwright_engine.restore_state(dealwright.decision) is
    'Puts the agents as a decision saw them in front of the live ones: a temporary table agent, for this transaction.';

create or replace function dealwright_engine.was_visible(d dealwright.decision, xid xid8, at_position bigint)
returns boolean language sql immutable as $$
    -- a snapshot does not list its own transaction as running, so that one is told apart first
    select case when xid = (d).xid then at_position < (d).event_position
        else pg_visible_in_snapshot(xid, (d).snapshot) end
$$;
comment on function dealwright_engine.was_visible(dealwright.decision, xid8, bigint) is
    'Whether a decision could see a change: committed in its snapshot, or made before by its own transaction.';

create or replace function dealwright_engine.past_enquiry(d dealwright.decision)
returns dealwright_engine.enquiry language sql stable as $$
    -- a model of no number stands for the time before there was one
    select row ((d).slots, (d).requirements, (d).required_skills, (d).required_department, (d).draw_seed,
        (d).decided_at,
                coalesce((d).excluded_agent_ids,
                    case when (d).excluded_agent_id is not null then array[(d).excluded_agent_id] end),
                coalesce((d).model_id, 0), (d).feature_agent_ids, (d).features,
                (d).owner_agent_id)::dealwright_engine.enquiry
$$;

-- What a seal covers. The columns are those of version 0.1, written out: with a further one the text of a whole row
-- would change, and no seal would hold any more. A further one stands behind it, where it says something.
create or replace function dealwright_engine.decision_text(d dealwright.decision)
returns text language sql stable as $$
    select row ((d).decision_id, (d).xid, (d).decided_at, (d).lead_id, (d).assignment_id, (d).agent_id, (d).from_queue,
                (d).policy, (d).policy_params, (d).model_id, (d).snapshot, (d).event_position, (d).slots,
                (d).requirements, (d).required_skills, (d).required_department, (d).excluded_agent_id, (d).draw_seed,
                (d).feature_agent_ids, (d).features, (d).match_score, (d).win_probability, (d).expected_value,
                (d).fairness_price, (d).propensity)::text
        || case when (d).excluded_agent_ids is null and (d).owner_agent_id is null then ''
                else row ((d).excluded_agent_ids, (d).owner_agent_id)::text end
$$;

create or replace function dealwright_engine.block_hash(previous_hash text, lines text)
returns text language sql stable as $$ select encode(sha256(convert_to(previous_hash || lines, 'UTF8')), 'hex') $$;

create or replace function dealwright_engine.is_archived(b dealwright.decision_block)
returns boolean language sql stable as $$
    select exists (select from dealwright.archive_file as f
                   where f.kind = 'decision' and f.first_id <= (b).last_decision_id
                       and f.last_id >= (b).first_decision_id)
$$;
comment on function dealwright_engine.is_archived(dealwright.decision_block) is
    'Whether decisions of a block may be in the archive.';

create or replace function dealwright_engine.win_interval(d dealwright.decision,
    out win_low double precision, out win_high double precision)
language plpgsql stable as $$
declare
    q dealwright_engine.lead_query;
    query vector;
    own vector;
    variance double precision;
    middle double precision;
begin
    if d.win_probability is null then
        return;
    end if;
    q := dealwright_engine.query_of(d.slots, coalesce(d.model_id, 0));
    variance := q.logit_variance;
    if q.agents_differ then
        query := dealwright_engine.scaled(q.query, q.slope);
        select l.variance into own
        from dealwright_engine.agent_profile_log as l
        where l.agent_id = d.agent_id and l.model_id = d.model_id
            and dealwright_engine.was_visible(d, l.xid, l.position)
        order by l.position desc
        limit 1;
        -- values declared since then have no element in what was logged
        own := (own::real[] || array_fill(0::real, array[vector_dims(query) - vector_dims(own)]))::vector;
        variance := variance - coalesce(own <#> (query * query), 0);
    end if;
    middle := dealwright_engine.logit(d.win_probability);
    win_low := round(1e9 * dealwright_engine.sigmoid(middle - 1.6448536269514722 * sqrt(variance))) / 1e9;
    win_high := round(1e9 * dealwright_engine.sigmoid(middle + 1.6448536269514722 * sqrt(variance))) / 1e9;
end
$$;
comment on function dealwright_engine.win_interval(dealwright.decision) is
    'The 90 % interval of the win probability that a decision saw; null where no model was behind it.';

create or replace function dealwright_engine.decision_on(id bigint)
returns dealwright.decision language plpgsql stable as $$
declare
    d dealwright.decision;
begin
    select * into d from dealwright.decision as x where x.assignment_id = id;
    if not found and dealwright_engine.archive_is_open() then
        select * into d from pg_temp.archived_decision as x where x.assignment_id = id;
    end if;
    if d.decision_id is null then
        if exists (select from dealwright.assignment as a where a.assignment_id = id) then
            raise exception 'assignment % was imported or written by hand: the desk did not decide it', id
                using errcode = 'DW003',
                hint = case when exists (select from dealwright.archive_file as f where f.kind = 'decision')
                    then 'or its decision is in the archive: say where that is (--archive)'
                    else 'only assignments that the desk made carry a record' end;
        end if;
        raise exception 'there is no assignment %', id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    end if;
    return d;
end
$$;

create or replace function dealwright_engine.would_win(d dealwright.decision, ask dealwright_engine.enquiry, id bigint)
returns text language plpgsql as $$
declare
    present integer;
    first bigint;
begin
    if id = d.agent_id then
        return null;
    elsif d.agent_id = d.owner_agent_id then
        return 'not while somebody can take it who had the customer before';
    end if;
    select a.open into present from pg_temp.agent as a where a.agent_id = id;
    -- what only takes fewer open assignments is found by trying; the temporary state is ours to change
    for fewer in reverse present - 1 .. 0 loop
        update pg_temp.agent as a set open = fewer where a.agent_id = id;
        select r.agent_id into first from dealwright_engine.rank_by(d.policy, ask, d.policy_params, 1, true) as r;
        if first = id then
            update pg_temp.agent as a set open = present where a.agent_id = id;
            return format('with %s open instead of %s', fewer, present);
        end if;
    end loop;
    update pg_temp.agent as a set open = present where a.agent_id = id;
    return 'not by a smaller workload alone';
end
$$;

create or replace function dealwright_engine.own_part(explanation jsonb)
returns jsonb language plpgsql stable set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    own constant bigint := dealwright_engine.own_agent();
begin
    if own is null then
        return explanation;
    end if;
    return explanation || jsonb_build_object(
        'agent_id', case when (explanation ->> 'agent_id')::bigint = own then own end,
        'agent_name', case when (explanation ->> 'agent_id')::bigint = own then explanation ->> 'agent_name' end,
        'owner', case when (explanation -> 'owner' ->> 'agent_id')::bigint = own then explanation -> 'owner' end,
        'history', (select jsonb_agg(h) from jsonb_array_elements(nullif(explanation -> 'history', 'null')) as h
                    where (h ->> 'agent_id')::bigint = own),
        'ranking', (select jsonb_agg(r) from jsonb_array_elements(nullif(explanation -> 'ranking', 'null')) as r
                    where (r ->> 'agent_id')::bigint = own));
end
$$;
comment on function dealwright_engine.own_part(jsonb) is
    'Leaves out of an explanation what it says of other agents, for an agent who asks; all of it for others.';
