create or replace function dealwright.rank_agents(lead jsonb, policy text default null, k integer default null)
returns table (
    rank integer, agent_id bigint, agent_name text, match_score double precision, win_probability double precision,
    expected_value double precision, open integer, capacity integer, eligible boolean, reasons jsonb,
    win_low double precision, win_high double precision
) language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    return query select * from dealwright_engine.ranked_agents(lead, policy, k, null);
end
$$;
comment on function dealwright.rank_agents(jsonb, text, integer) is
    'Ranks the agents for a lead (the JSON shape of DESIGN section 9; attributes may be left out) under a policy; the '
    'first k.';

create or replace function dealwright.standing(
    agent_id bigint, lead jsonb, policy text default null,
    out rank integer, out agents bigint, out match_score double precision, out win_probability double precision,
    out win_low double precision, out win_high double precision, out eligible boolean, out reasons jsonb,
    out is_first boolean, out first_score double precision, out first_open integer
)
language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_agent(standing.agent_id);
    with ranked as materialized (
        select * from dealwright_engine.ranked_agents(standing.lead, standing.policy, null, standing.agent_id)
            with ordinality
    )
    select r.rank, (select count(*) from ranked), r.match_score, r.win_probability, r.win_low, r.win_high, r.eligible,
        r.reasons, r.ordinality = 1, f.match_score, f.open
    into rank, agents, match_score, win_probability, win_low, win_high, eligible, reasons, is_first, first_score,
        first_open
    from ranked as r
    join ranked as f on f.ordinality = 1
    where r.agent_id = standing.agent_id;
    if not found then
        raise exception 'there is no agent %', standing.agent_id using errcode = 'DW003',
            hint = '`dealwright agents` shows the ids';
    end if;
end
$$;
comment on function dealwright.standing(bigint, jsonb, text) is
    'Where an agent would stand now for a lead, and why; of the others how many they are, and the score and the open '
    'assignments of the first. An agent''s user asks for itself.';
