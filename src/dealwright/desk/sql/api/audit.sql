create or replace function dealwright.replay(assignment_id bigint)
returns jsonb language plpgsql security definer
set search_path = pg_temp, dealwright, dealwright_engine, @vector_schema@ as $$
declare
    d dealwright.decision;
    again dealwright_engine.ranked;
begin
    perform dealwright_engine.check_temporary();
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    d := dealwright_engine.decision_on(replay.assignment_id);
    perform dealwright_engine.restore_state(d);
    select r.rank, r.agent_id, r.match_score, r.win_probability, r.win_low, r.win_high, r.expected_value into again
    from dealwright_engine.rank_by(d.policy, dealwright_engine.past_enquiry(d), d.policy_params, null,
        true) with ordinality as r
    -- from the queue it is the freed place that takes the lead: only the score is to be recomputed
    where not d.from_queue or r.agent_id = d.agent_id
    order by coalesce(r.agent_id = d.owner_agent_id, false) desc, r.ordinality
    limit 1;
    return jsonb_build_object(
        'assignment_id', d.assignment_id,
        'agrees',
            again.agent_id is not distinct from d.agent_id and again.match_score is not distinct from d.match_score
            -- a profile that has become wider since, by a new value, is summed in another order: reals, 7 digits
            and coalesce(abs(again.win_probability - d.win_probability) < 1e-6,
                again.win_probability is not distinct from d.win_probability),
        'policy', d.policy, 'model_id', d.model_id, 'decided_at', d.decided_at, 'from_queue', d.from_queue,
        'recorded',
            jsonb_build_object('agent_id', d.agent_id, 'match_score', d.match_score, 'win_probability',
                d.win_probability,
                                       'win_low', (dealwright_engine.win_interval(d)).win_low,
                                       'win_high', (dealwright_engine.win_interval(d)).win_high,
                                       'expected_value', d.expected_value),
        'recomputed', jsonb_build_object('agent_id', again.agent_id, 'match_score', again.match_score,
                                         'win_probability', again.win_probability, 'win_low', again.win_low,
                                         'win_high', again.win_high, 'expected_value', again.expected_value));
end
$$;
comment on function dealwright.replay(bigint) is
    'Recomputes a decision from the record, with the state it saw, by the code that takes decisions; agrees says '
    'whether it comes out the same.';

create or replace function dealwright.win_interval(assignment_id bigint,
    out win_low double precision, out win_high double precision)
language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    d dealwright.decision;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into d from dealwright.decision as x where x.assignment_id = win_interval.assignment_id;
    select i.win_low, i.win_high into win_low, win_high from dealwright_engine.win_interval(d) as i;
end
$$;
comment on function dealwright.win_interval(bigint) is
    'The 90 % interval of the win probability behind an assignment, as it was decided; null where there was no match '
    'model, or where the desk did not decide.';

create or replace function dealwright.explain(assignment_id bigint, asked_agent_id bigint default null)
returns jsonb language plpgsql security definer
set search_path = pg_temp, dealwright, dealwright_engine, @vector_schema@ as $$
declare
    d dealwright.decision;
    ask dealwright_engine.enquiry;
    common dealwright_engine.reason_context;
    ranking jsonb;
begin
    perform dealwright_engine.check_temporary();
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_work(explain.assignment_id);
    d := dealwright_engine.decision_on(explain.assignment_id);
    ask := dealwright_engine.past_enquiry(d);
    perform dealwright_engine.restore_state(d);
    common := dealwright_engine.reason_context_of(d.policy, ask);
    select jsonb_agg(jsonb_build_object(
        'rank', coalesce(r.rank, r.ordinality), 'agent_id', r.agent_id, 'agent_name', a.name, 'match_score',
            r.match_score,
        'win_probability', coalesce(r.win_probability, v.win_probability), 'win_low', coalesce(r.win_low, v.win_low),
        'win_high', coalesce(r.win_high, v.win_high), 'expected_value', coalesce(r.expected_value, v.expected_value),
        'open', r.open, 'capacity', r.capacity, 'eligible', r.eligible,
        'reasons', dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask),
        'would_have_got_it', dealwright_engine.would_win(d, ask, r.agent_id)
    ) order by r.ordinality) into ranking
    from dealwright_engine.rank_by(d.policy, ask, d.policy_params, null, false) with ordinality as r
    left join dealwright.agent as a using (agent_id)
    -- what the match model said is worth seeing under any policy
    left join dealwright_engine.rank_value(ask, '{}', null, false) as v
        on d.policy <> 'value' and v.agent_id = r.agent_id
    where r.ordinality <= 10 or r.agent_id in (d.agent_id, d.owner_agent_id, asked_agent_id);
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
        'owner', (select jsonb_build_object('agent_id', a.agent_id, 'agent_name', a.name)
                  from dealwright.agent as a where a.agent_id = d.owner_agent_id),
        'history', (select jsonb_agg(to_jsonb(h) order by h.assigned_at, h.assignment_id)
                    from dealwright.holders_of(d.lead_id) as h),
        'ranking', ranking));
end
$$;
comment on function dealwright.explain(bigint, bigint) is
    'Why this agent: the first ten of the ranking as the decision saw it, and one more agent if asked, with reasons; '
    'for the others, what would have made them the first.';

create or replace function dealwright.seal_decisions()
returns bigint language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set timezone = 'UTC'
set datestyle = 'ISO' set extra_float_digits = 1 as $$
declare
    previous text;
    block bigint;
    ids bigint[];
    digest text;
    sealed bigint := 0;
    known dealwright_engine.sealing;
    at_start pg_snapshot;
    drawn bigint;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    -- one sealer at a time; only what no running transaction can still precede
    perform pg_advisory_xact_lock(hashtextextended('dealwright.seal_decisions', 0));
    select b.hash into previous from dealwright.decision_block as b order by b.block_id desc limit 1;
    select * into known from dealwright_engine.sealing;
    -- first the numbers, then the snapshot: whoever drew one of them is in it, or over
    select last_value into drawn from dealwright.decision_decision_id_seq;
    at_start := dealwright_engine.snapshot();
    begun := dealwright_engine.join_own_writes();
    for attempt in 1 .. 10 loop  -- blocks of a size that is checked in a moment; the rest the next time
        select array_agg(u.decision_id),
            encode(sha256(convert_to(coalesce(previous, repeat('0', 64)) || string_agg(u.line, E'\n'), 'UTF8')), 'hex')
        into ids, digest
        from (
            select d.decision_id, dealwright_engine.decision_text(d) as line
            from dealwright.decision as d
            where d.decision_id > known.sealed_through and d.xid < pg_snapshot_xmin(at_start)
              and not exists (select from dealwright.decision_seal as s where s.decision_id = d.decision_id)
            order by d.decision_id
            limit 10000
        ) as u;
        exit when ids is null;
        insert into dealwright.decision_block (first_decision_id, last_decision_id, decisions, previous_hash, hash)
        values (ids[1], ids[cardinality(ids)], cardinality(ids), coalesce(previous, repeat('0', 64)), digest)
        returning block_id into block;
        insert into dealwright.decision_seal select u.id, block from unnest(ids) as u (id);
        previous := digest;
        sealed := sealed + cardinality(ids);
    end loop;
    perform dealwright_engine.leave_own_writes(begun);
    if ids is null then
        update dealwright_engine.sealing set
            sealed_through = case when known.drawn_before <= pg_snapshot_xmin(at_start) then known.drawn_through
                else sealed_through end,
            drawn_through = case when known.drawn_before <= pg_snapshot_xmin(at_start) then drawn
                else drawn_through end,
            drawn_before = case when known.drawn_before <= pg_snapshot_xmin(at_start)
                then pg_snapshot_xmax(at_start) else drawn_before end;
    end if;
    return sealed;
end
$$;
comment on function dealwright.seal_decisions() is
    'Seals decisions that are not yet sealed, 100,000 at most, in blocks whose hash covers the block before (SHA-256); '
    'returns how many.';

create or replace function dealwright.verify_decisions()
returns table (block_id bigint, decisions integer, intact boolean)
language sql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set timezone = 'UTC'
set datestyle = 'ISO' set extra_float_digits = 1 as $$
    select b.block_id, b.decisions,
           b.previous_hash = coalesce(lag(b.hash) over (order by b.block_id), repeat('0', 64))
           and case when c.decisions < b.decisions and dealwright_engine.is_archived(b) then null
               else b.decisions = c.decisions and b.hash = dealwright_engine.block_hash(b.previous_hash, c.lines) end
    from dealwright.decision_block as b
    cross join lateral (
        select count(*) as decisions, coalesce(string_agg(u.line, E'\n'), '') as lines
        from (
            select dealwright_engine.decision_text(d) as line
            from dealwright.decision_seal as s
            join dealwright.decision as d using (decision_id)
            where s.block_id = b.block_id
            order by d.decision_id
        ) as u
    ) as c
    order by b.block_id
$$;
comment on function dealwright.verify_decisions()
    is 'Checks the chain: a decision that was altered, added or removed breaks its block. Null where decisions of a '
        'block are in the archive.';

create or replace function dealwright.unsealed_decisions()
returns bigint language sql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select count(*) from dealwright.decision as d
    where not exists (select from dealwright.decision_seal as s where s.decision_id = d.decision_id)
$$;
comment on function dealwright.unsealed_decisions() is 'Decisions that no block covers yet.';
