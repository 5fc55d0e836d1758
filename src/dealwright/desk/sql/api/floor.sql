-- What the console asks for beside the tables.

create or replace function dealwright.currency()
returns text language sql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select s.currency from dealwright_engine.setting as s
$$;
comment on function dealwright.currency() is 'What amounts are in, as the company writes it; null: nobody said.';

create or replace function dealwright.reasons_of(assignment_id bigint)
returns jsonb language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    d dealwright.decision;
    ask dealwright_engine.enquiry;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into d from dealwright.decision as x where x.assignment_id = reasons_of.assignment_id;
    if d.agent_id is null or not exists (select from dealwright.agent as a where a.agent_id = d.agent_id) then
        return null;
    end if;
    ask := dealwright_engine.past_enquiry(d);
    return dealwright_engine.reasons_for(dealwright_engine.reason_context_of(d.policy, ask), d.agent_id, true, ask);
end
$$;
comment on function dealwright.reasons_of(bigint) is
    'Why the agent of a decision stood where it stood, by the agents as they are now: quick enough for a list of the '
    'latest leads. dealwright.explain gives the reasons as they were; null where the desk did not decide.';

create or replace function dealwright.timers(k integer default 100, agent_id bigint default null)
returns table (
    assignment_id bigint, lead_id bigint, agent_id_of_timer bigint, is_offer boolean, due_at timestamptz
)
language plpgsql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    -- an agent's user sees the own
    wanted constant bigint := coalesce(timers.agent_id, dealwright_engine.own_agent());
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_agent(wanted);
    return query
        select s.assignment_id, s.lead_id, s.agent_id, dealwright_engine.is_offer(s), r.due_at
        from dealwright_engine.response_due as r
        join dealwright.assignment as s using (assignment_id)
        where (wanted is null or s.agent_id = wanted) and s.status = 'open'
          -- whoever has reached the customer has answered: the worker drops the timer when it is due
          and (dealwright_engine.is_offer(s) or s.first_contact_at is null)
        order by r.due_at, r.assignment_id
        limit timers.k;
end
$$;
comment on function dealwright.timers(integer, bigint) is
    'Which leads go to the next agent when, unless their agent accepts the offer or reaches the customer, the soonest '
    'first; of one agent, or of all.';
