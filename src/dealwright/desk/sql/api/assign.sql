-- A lead comes in. Functions of this folder first take the lock that an upgrade waits for (desk/upgrade.py), and leave
-- the rest to the engine: so a call runs in the old version or in the new, never in half of each.

create or replace function dealwright.assign_lead(lead jsonb, policy text default null)
returns dealwright.placement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    done text := pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);
begin
    -- before the ranking: a promotion or an import must not come between it and the claim
    lock table dealwright.lead in row exclusive mode;
    return dealwright_engine.assign(lead, policy);
end
$$;
comment on function dealwright.assign_lead(jsonb, text) is
    'Records the lead and gives it to the best eligible agent with room, or lets it wait. Ids are the desk''s; own_* '
    'are those that '
    'your own tables have. The same idempotency_key gives the same answer; with another content it is a conflict '
    '(DW001).';

create or replace function dealwright.assign_many(leads jsonb[], policy text default null)
returns setof dealwright.placement language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);
    lock table dealwright.lead in row exclusive mode;
    return query select * from dealwright_engine.assign_many(leads, policy);
end
$$;
comment on function dealwright.assign_many(jsonb[], text) is
    'Places leads as dealwright.assign_lead does one after the other, sooner; one answer for each, in their order. All '
    'or nothing: the error names the lead by its number. While it runs no other change of the agents'' workloads goes '
    'on, so give it some thousand at a time, each in a transaction of its own.';

-- As a command that commits by itself: the same answer, sooner when many ask at once. An agent's row is locked from
-- the claim until the transaction is over, and for most of that time the transaction only waits for the disk; leads
-- that want the same agent would wait for one another's disk. So the work is committed without that wait, which lets
-- go of the row at once; then a second, tiny transaction is committed with it, and only then does the caller get the
-- answer. The log is written in order: when the second transaction is on the disk, the first is too, and what anybody
-- else made of it in between comes after both (docs/decisions/engine.md#commands-that-commit). Nothing that commits may
-- have a SET clause or be a security definer, so every name is written out.
create or replace procedure dealwright.assign(
    lead jsonb,
    inout policy text default null,
    inout assignment_id bigint default null,
    inout booking_id bigint default null,
    inout agent_id bigint default null,
    inout agent_name text default null,
    inout match_score double precision default null,
    inout win_probability double precision default null,
    inout expected_value double precision default null,
    inout model_id bigint default null,
    inout lead_id bigint default null,
    inout status text default null,
    inout own_assignment_id text default null,
    inout own_booking_id text default null,
    inout own_agent_id text default null,
    inout open integer default null,
    inout capacity integer default null,
    inout duplicates bigint[] default null,
    inout notices text[] default null,
    inout win_low double precision default null,
    inout win_high double precision default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
    answer dealwright.placement;
begin
    answer := dealwright.assign_lead(lead, policy);  -- an assignment, which is sooner done than a query
    commit;
    -- the second one, as durable as the caller's synchronous_commit asks for: a commit waits for the disk if there is
    -- something to write
    done := pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
    assignment_id := answer.assignment_id;
    booking_id := answer.booking_id;
    agent_id := answer.agent_id;
    agent_name := answer.agent_name;
    match_score := answer.match_score;
    win_probability := answer.win_probability;
    expected_value := answer.expected_value;
    policy := answer.policy;
    model_id := answer.model_id;
    lead_id := answer.lead_id;
    status := answer.status;
    own_assignment_id := answer.own_assignment_id;
    own_booking_id := answer.own_booking_id;
    own_agent_id := answer.own_agent_id;
    open := answer.open;
    capacity := answer.capacity;
    duplicates := answer.duplicates;
    notices := answer.notices;
    win_low := answer.win_low;
    win_high := answer.win_high;
end
$$;
comment on procedure dealwright.assign(
    jsonb, text, bigint, bigint, bigint, text, double precision, double precision, double precision, bigint, bigint,
    text, text, text, text, integer, integer, bigint[], text[], double precision, double precision) is
    'dealwright.assign_lead as a command that commits by itself: call dealwright.assign(''{"customer_name": ...}''). '
    'Not for use inside a transaction.';

create or replace function dealwright.placement_of(id bigint)
returns setof dealwright.placement language sql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select s.assignment_id, b.booking_id, s.agent_id, g.name, s.match_score, d.win_probability, d.expected_value,
           coalesce(s.policy, l.policy, (dealwright_engine.policy_for(null)).name), s.model_id, l.lead_id, l.status,
           coalesce(s.external_id, s.assignment_id::text), coalesce(b.external_id, b.booking_id::text),
           coalesce(g.external_id, g.agent_id::text), g.open, g.capacity,
           case when l.customer_id is not null
               then nullif(array(select o.lead_id from dealwright.duplicates_of(l.lead_id) as o order by 1), '{}') end,
           case when l.customer_id is not null or s.held_by is not null or l.last_assignment_id is not null
                   or s.offered_until is not null or d.named_reason is not null
               then dealwright_engine.placement_notices(l, s, d.owner_agent_id) end,
           w.win_low, w.win_high
    from dealwright.lead as l
    left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
    left join dealwright.booking as b using (assignment_id)
    left join dealwright.agent as g using (agent_id)
    left join dealwright.decision as d using (assignment_id)
    left join lateral dealwright_engine.win_interval(d) as w on d.decision_id is not null
    where l.lead_id = id
$$;
comment on function dealwright.placement_of(bigint)
    is 'Where a lead is: its assignment, booking and agent, or waiting.';

create or replace function dealwright.fill_free_places()
returns integer language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    placed integer := 0;
    id bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    -- who holds all writers must see this one before it locks an agent
    lock table dealwright.lead in row exclusive mode;
    perform dealwright_engine.before_several_agents();
    placed := dealwright_engine.begin_shifts(clock_timestamp());
    if not exists (select from dealwright.lead as l where l.is_waiting) then
        return placed;
    end if;
    for id in select a.agent_id from dealwright.agent as a where a.active and a.open < a.capacity
        order by a.agent_id loop
        perform from dealwright.agent as a where a.agent_id = id for no key update;
        placed := placed + dealwright_engine.fill_from_queue(id);
    end loop;
    return placed;
end
$$;
comment on function dealwright.fill_free_places() is
    'Sweeps all agents: places that opened without a write, because a shift began, go to the queue.';
