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
                (d).owner_agent_id,
                -- of the others, each had the lead before
                case when (d).excluded_agent_ids is not null then array(
                    select e.id from unnest((d).excluded_agent_ids) as e (id)
                    where not exists (
                        select from dealwright.assignment as s
                        where s.lead_id = (d).lead_id and s.assignment_id <= (d).assignment_id
                            and (s.agent_id = e.id or e.id = any (s.held_by)))) end)::dealwright_engine.enquiry
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
        || case when (d).named_by is null then ''
                else row ((d).named_by, (d).named_reason, (d).overridden)::text end
$$;

create or replace function dealwright_engine.block_hash(previous_hash text, lines text)
returns text language sql stable as $$ select encode(sha256(convert_to(previous_hash || lines, 'UTF8')), 'hex') $$;

create or replace function dealwright_engine.content_hash(b dealwright.decision_block)
returns text language sql stable as $$
    select coalesce((select e.content_hash from dealwright.decision_erasure as e
                     where e.block_id = (b).block_id order by e.erasure_id desc limit 1), (b).hash)
$$;
comment on function dealwright_engine.content_hash(dealwright.decision_block) is
    'What the decisions of a block hash to: its own hash, until a customer''s words were taken out of it.';

create or replace function dealwright_engine.erasure_text(e dealwright.decision_erasure)
returns text language sql immutable as $$
    select format('erasure %s: block %s, decisions %s, content %s', (e).erasure_id, (e).block_id,
                  (e).decision_ids::text, (e).content_hash)
$$;

create or replace function dealwright_engine.seal_erasure(erased dealwright.decision_block, ids bigint[])
returns void language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp
set timezone = 'UTC' set datestyle = 'ISO' set extra_float_digits = 1 as $$
declare
    previous text;
    lines text;
    e dealwright.decision_erasure;
    begun boolean;
begin
    begun := dealwright_engine.join_own_writes();
    select coalesce(string_agg(dealwright_engine.decision_text(d), E'\n' order by d.decision_id), '') into lines
    from dealwright.decision_seal as s
    join dealwright.decision as d using (decision_id)
    where s.block_id = erased.block_id;
    select b.hash into previous from dealwright.decision_block as b order by b.block_id desc limit 1;
    e.erasure_id := nextval(pg_get_serial_sequence('dealwright.decision_erasure', 'erasure_id'));
    e.block_id := erased.block_id;
    e.decision_ids := ids;
    e.content_hash := dealwright_engine.block_hash(erased.previous_hash, lines);
    e.erased_at := clock_timestamp();
    insert into dealwright.decision_block (first_decision_id, last_decision_id, decisions, previous_hash, hash)
    values (0, 0, 0, previous, dealwright_engine.block_hash(previous, dealwright_engine.erasure_text(e)))
    returning block_id into e.sealing_block_id;
    insert into dealwright.decision_erasure overriding system value select e.*;
    perform dealwright_engine.leave_own_writes(begun);
end
$$;
comment on function dealwright_engine.seal_erasure(dealwright.decision_block, bigint[]) is
    'Seals what a block hashes to since words were taken out of it, with a block of its own at the end of the chain.';

create or replace function dealwright_engine.erase_leads(leads bigint[], out erased bigint[], out kept bigint[])
language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    block record;
    begun boolean := dealwright_engine.join_own_writes();
    done text;
begin
    update dealwright.lead as l
    set customer_name = 'erased', customer_id = null, external_id = null, idempotency_key = null, requirements = null
    where l.lead_id = any (leads);
    perform dealwright_engine.leave_own_writes(begun);
    kept := '{}';
    -- of the record, block by block, what holds the customer's words; a block that is partly in the archive stays
    for block in
        select b.block_id, array_agg(d.decision_id order by d.decision_id) as ids
        from dealwright.decision as d
        left join dealwright.decision_seal as s using (decision_id)
        left join dealwright.decision_block as b using (block_id)
        where d.lead_id = any (leads) and d.requirements is not null
        group by b.block_id order by b.block_id
    loop
        if exists (select from dealwright.decision_block as b
                   where b.block_id = block.block_id and dealwright_engine.is_archived(b)) then
            kept := kept || block.ids;
            continue;
        end if;
        done := dealwright_engine.allow('erasing', 0);
        update dealwright.decision as d set requirements = null where d.decision_id = any (block.ids);
        done := dealwright_engine.end_allowance('erasing');
        perform dealwright_engine.seal_erasure(b, block.ids)
        from dealwright.decision_block as b where b.block_id = block.block_id;
        erased := erased || block.ids;
    end loop;
end
$$;
comment on function dealwright_engine.erase_leads(bigint[]) is
    'Takes who customers were and what they wrote out of leads and of the decisions on them; which decisions were '
    'changed, and which are in a block that is partly in the archive and stayed.';

create or replace function dealwright_engine.archive_files_of(leads bigint[])
returns text[] language sql stable as $$
    -- the times of assignments say in which months they were decided; those of a transaction are a little earlier
    select coalesce(array_agg(f.file order by f.file), '{}')
    from dealwright.archive_file as f
    where f.kind = 'decision' and exists (
        select from dealwright.assignment as s
        where s.lead_id = any (leads) and s.assigned_at < f.to_time
          and (f.from_time is null or s.assigned_at >= f.from_time - interval '1 hour'))
$$;
comment on function dealwright_engine.archive_files_of(bigint[]) is
    'The files of the archive that may hold decisions on some leads, and with them what their customers wrote.';

create or replace function dealwright_engine.archive_files_of_tasks(ids bigint[])
returns text[] language sql stable as $$
    -- no event of a task came before it was published
    select coalesce(array_agg(f.file order by f.file), '{}')
    from dealwright.archive_file as f
    where f.kind = 'event' and f.to_time > (
        select min(r.published_at) - interval '1 hour'
        from dealwright.task as t join dealwright.plan_run as r using (run_id) where t.task_id = any (ids))
$$;
comment on function dealwright_engine.archive_files_of_tasks(bigint[]) is
    'The files of the archive that may hold events of some tasks, and with them whose account they were about.';

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

create or replace function dealwright_engine.offer_of(d dealwright.decision)
returns jsonb language sql stable as $$
    select jsonb_build_object('offered_until', s.offered_until, 'accepted_at', s.accepted_at)
    from dealwright.assignment as s
    where s.assignment_id = (d).assignment_id and s.offered_until is not null
$$;
comment on function dealwright_engine.offer_of(dealwright.decision) is
    'Until when the lead was offered, and when it was accepted; null where it was assigned at once.';

create or replace function dealwright_engine.naming_of(d dealwright.decision)
returns jsonb language sql immutable as $$
    select case when (d).named_by is not null then jsonb_build_object(
        'by', (d).named_by, 'reason', (d).named_reason, 'overridden', (d).overridden) end
$$;
comment on function dealwright_engine.naming_of(dealwright.decision) is
    'Who named the agent, why, and which limits were overridden; null where the policy chose.';

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

create or replace function dealwright_engine.is_first_with(
    d dealwright.decision, ask dealwright_engine.enquiry, id bigint, fewer integer
)
returns boolean language plpgsql as $$
begin
    -- the temporary state is ours to change
    update pg_temp.agent as a set open = fewer where a.agent_id = id;
    return id = (select r.agent_id from dealwright_engine.rank_by(d.policy, ask, d.policy_params, 1, true) as r);
end
$$;
comment on function dealwright_engine.is_first_with(dealwright.decision, dealwright_engine.enquiry, bigint, integer) is
    'Whether an agent would have been the first with so many open assignments.';

create or replace function dealwright_engine.would_win(d dealwright.decision, ask dealwright_engine.enquiry, id bigint)
returns text language plpgsql as $$
declare
    present constant integer := (select a.open from pg_temp.agent as a where a.agent_id = id);
    enough integer := 0;
    too_many integer := present;
    tried integer;
begin
    if id = d.agent_id then
        return null;
    elsif d.named_by is not null then
        return 'not by the ranking: somebody named the agent';
    elsif d.agent_id = d.owner_agent_id then
        return 'not while somebody can take it who had the customer before';
    end if;
    -- What only takes fewer open assignments is found by trying. Fewer never make an agent stand lower: what none
    -- would not do, no number would, and half of what is left is tried. Only the weights of classic may say otherwise.
    if d.policy = 'classic' then
        enough := present - 1;
        while enough >= 0 and not coalesce(dealwright_engine.is_first_with(d, ask, id, enough), false) loop
            enough := enough - 1;
        end loop;
    elsif present = 0 or not coalesce(dealwright_engine.is_first_with(d, ask, id, 0), false) then
        enough := -1;
    else
        while too_many - enough > 1 loop
            tried := (enough + too_many) / 2;
            if coalesce(dealwright_engine.is_first_with(d, ask, id, tried), false) then
                enough := tried;
            else
                too_many := tried;
            end if;
        end loop;
    end if;
    update pg_temp.agent as a set open = present where a.agent_id = id;
    return case when enough >= 0 then format('with %s open instead of %s', enough, present)
        else 'not by a smaller workload alone' end;
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

create or replace function dealwright_engine.explained(id bigint, asked_agent_id bigint)
returns jsonb language plpgsql
set search_path = pg_temp, dealwright, dealwright_engine, @vector_schema@ as $$
declare
    d dealwright.decision;
    ask dealwright_engine.enquiry;
    common dealwright_engine.reason_context;
    ranking jsonb;
begin
    perform dealwright_engine.check_temporary();
    d := dealwright_engine.decision_on(id);
    ask := dealwright_engine.past_enquiry(d);
    perform dealwright_engine.restore_state(d);
    common := dealwright_engine.reason_context_of(d.policy, ask);
    select jsonb_agg(jsonb_build_object(
        'rank', coalesce(r.rank, r.ordinality), 'agent_id', r.agent_id, 'agent_name', a.name, 'match_score',
            r.match_score,
        'win_probability', coalesce(r.win_probability, v.win_probability), 'win_low', coalesce(r.win_low, v.win_low),
        'win_high', coalesce(r.win_high, v.win_high), 'expected_value', coalesce(r.expected_value, v.expected_value),
        'open', r.open, 'capacity', r.capacity, 'eligible', r.eligible,
        'reasons', dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask)
    ) order by r.ordinality) into ranking
    from dealwright_engine.rank_by(d.policy, ask, d.policy_params, null, false) with ordinality as r
    left join dealwright.agent as a using (agent_id)
    -- what the match model said is worth seeing under any policy
    left join dealwright_engine.rank_value(ask, '{}', null, false) as v
        on d.policy <> 'value' and v.agent_id = r.agent_id
    where r.ordinality <= 10 or r.agent_id in (d.agent_id, d.owner_agent_id, asked_agent_id);
    if d.policy = 'workload'
            or common.agents_differ and coalesce((d.policy_params ->> 'fairness')::double precision, 0) = 0 then
        -- Each agent is judged by itself: who would stand before the first of all and the other few would stand before
        -- everybody, and the others need not be looked at once for each number of open assignments.
        delete from pg_temp.agent as a
        where a.agent_id <> all (array(
            select (e.line ->> 'agent_id')::bigint from jsonb_array_elements(ranking) as e (line)));
    end if;
    select jsonb_agg(e.line || jsonb_build_object('would_have_got_it',
            dealwright_engine.would_win(d, ask, (e.line ->> 'agent_id')::bigint)) order by e.place) into ranking
    from jsonb_array_elements(ranking) with ordinality as e (line, place);
    return dealwright_engine.own_part(jsonb_build_object(
        'assignment_id', d.assignment_id, 'lead_id', d.lead_id, 'agent_id', d.agent_id,
        'agent_name', (select a.name from dealwright.agent as a where a.agent_id = d.agent_id),
        'policy', d.policy, 'policy_params', d.policy_params, 'model_id', d.model_id, 'decided_at', d.decided_at,
        'from_queue', d.from_queue, 'match_score', d.match_score, 'win_probability', d.win_probability,
        'win_low', (dealwright_engine.win_interval(d)).win_low,
        'win_high', (dealwright_engine.win_interval(d)).win_high,
        'expected_value', d.expected_value, 'currency', (select s.currency from dealwright_engine.setting as s),
        'propensity', d.propensity, 'fairness_price', d.fairness_price,
        'requirements', d.requirements, 'required_skills', d.required_skills, 'required_department',
            d.required_department,
        'evidence',
            (select m.evidence ->> 'verdict' from dealwright.model as m where m.model_id = d.model_id
                and m.kind = 'value'),
        'offer', dealwright_engine.offer_of(d), 'named', dealwright_engine.naming_of(d),
        'owner', (select jsonb_build_object('agent_id', a.agent_id, 'agent_name', a.name)
                  from dealwright.agent as a where a.agent_id = d.owner_agent_id),
        'history', (select jsonb_agg(to_jsonb(h) order by h.assigned_at, h.assignment_id)
                    from dealwright.holders_of(d.lead_id) as h),
        'ranking', ranking));
end
$$;
comment on function dealwright_engine.explained(bigint, bigint) is
    'What dealwright.explain answers, whoever asks.';
