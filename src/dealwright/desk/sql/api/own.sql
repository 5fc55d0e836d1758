-- What an agent may see of how leads are given away: why one came or did not, and the own rate. Nothing of the others.

create or replace function dealwright.why(lead_id bigint, agent_id bigint)
returns jsonb language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    l dealwright.lead;
    s dealwright.assignment;
    rule dealwright_engine.rule;
    ask dealwright_engine.enquiry;
    common dealwright_engine.reason_context;
    told jsonb;
    mine jsonb;
    answer jsonb;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_agent(why.agent_id);
    select * into l from dealwright.lead as d where d.lead_id = why.lead_id;
    if not found then
        raise exception 'there is no lead %', why.lead_id using errcode = 'DW003',
            hint = 'the answer of assign shows the ids';
    elsif not exists (select from dealwright.agent as a where a.agent_id = why.agent_id) then
        raise exception 'there is no agent %', why.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    select * into s from dealwright.assignment as a where a.lead_id = l.lead_id and a.status <> 'reassigned';
    answer := jsonb_build_object('lead_id', l.lead_id, 'agent_id', why.agent_id, 'status', l.status,
        'came', s.agent_id is not distinct from why.agent_id,
        'had_before', coalesce(why.agent_id = any (coalesce(s.held_by, (
            select p.held_by || p.agent_id from dealwright.assignment as p
            where p.assignment_id = l.last_assignment_id))), false),
        'declined', coalesce(why.agent_id = any (l.declined_by), false));
    if s.assignment_id is not null then
        told := dealwright_engine.explained(s.assignment_id, why.agent_id);
        select e.ranked into mine
        from jsonb_array_elements(told -> 'ranking') as e (ranked)
        where (e.ranked ->> 'agent_id')::bigint = why.agent_id;
        if mine is null then
            raise exception 'agent % was not there yet when lead % was given away', why.agent_id, why.lead_id
                using errcode = 'DW003', hint = 'ask about a lead that came later';
        end if;
        return answer || jsonb_build_object('policy', told -> 'policy', 'evidence', told -> 'evidence',
            'decided_at', told -> 'decided_at', 'from_queue', told -> 'from_queue',
            'named', told -> 'named' <> 'null'::jsonb) || (mine - 'agent_name');
    end if;
    -- nobody has it: as it is now
    rule := dealwright_engine.policy_for(l.policy);
    ask := dealwright_engine.enquiry_of(l, l.declined_by, rule.seed);
    if rule.by_channel then
        ask := dealwright_engine.leave_out_full(ask, l.declined_by);
    end if;
    common := dealwright_engine.reason_context_of(rule.name, ask);
    select to_jsonb(r) into mine
    from (
        select r.ordinality as rank, r.match_score, r.win_probability, r.win_low, r.win_high, r.expected_value,
               r.open, r.capacity, r.eligible,
               dealwright_engine.reasons_for(common, r.agent_id, r.eligible, ask) as reasons,
               null::text as would_have_got_it
        from dealwright_engine.rank_by(rule.name, ask, rule.params, null, false) with ordinality as r
        where r.agent_id = why.agent_id
    ) as r;
    return answer || jsonb_build_object('policy', rule.name, 'evidence', null, 'decided_at', null, 'from_queue', null,
        'named', false) || mine;
end
$$;
comment on function dealwright.why(bigint, bigint) is
    'Why a lead came to an agent or did not: where the agent stood when it was given away, or stands while it waits, '
    'with the reasons, and what would have been needed. Nothing of the others: an agent''s user asks for itself.';

create or replace function dealwright.own_rate(agent_id bigint, out known integer, out won integer,
    out rate double precision, out rate_low double precision, out rate_high double precision, out evidence text)
language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    z constant double precision := 1.6448536269514722;  -- 5 % and 95 % of the normal distribution
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_agent(own_rate.agent_id);
    select s.known[1], s.confirmed[1] into known, won
    from dealwright.agent_stat as s where s.agent_id = own_rate.agent_id;
    if not found then
        raise exception 'there is no agent %', own_rate.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
    if known > 0 then
        -- Wilson (1927): also with few outcomes, and with none or all won
        rate := won::double precision / known;
        rate_low := greatest((won + z * z / 2 - z * sqrt(known * rate * (1 - rate) + z * z / 4)) / (known + z * z), 0);
        rate_high := least((won + z * z / 2 + z * sqrt(known * rate * (1 - rate) + z * z / 4)) / (known + z * z), 1);
    end if;
    select m.evidence ->> 'verdict' into evidence
    from dealwright.model as m where m.promoted and m.kind = 'value';
end
$$;
comment on function dealwright.own_rate(bigint) is
    'How many outcomes of an agent are known and won, the rate with its 90 % interval (Wilson), and whether the data '
    'can tell agents apart. An agent''s user asks for itself.';
