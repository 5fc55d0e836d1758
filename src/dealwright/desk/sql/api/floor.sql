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
