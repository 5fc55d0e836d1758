create or replace function dealwright.fill_free_places()
returns integer language plpgsql as $$
declare
    placed integer := 0;
    id bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks an agent
    for id in select a.agent_id from dealwright.agent as a where a.active and a.open < a.capacity order by a.agent_id loop
        perform from dealwright.agent as a where a.agent_id = id for no key update;
        placed := placed + dealwright_engine.fill_from_queue(id);
    end loop;
    return placed;
end
$$;
comment on function dealwright.fill_free_places() is
    'Sweeps all agents: places that opened without a write, because a shift began, go to the queue.';

-- The same as an insert into dealwright.lead, whose triggers would read, place and mark the lead one after the other, in
-- fewer statements. Where that finds no place, or the lead is one of another system, the insert is left to the triggers.
create or replace function dealwright.assign_lead(lead jsonb, policy text default null)
returns setof dealwright.placement language plpgsql set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    l dealwright.lead := dealwright_engine.lead_from_json(lead, policy);
    rule dealwright_engine.rule;
    list dealwright_engine.standing;
    ask dealwright_engine.enquiry;
    best dealwright_engine.ranked;
    recorded dealwright_engine.recorded;
    answer dealwright.placement;
    done text;  -- an assignment evaluates a function; PERFORM would start a query for it
    in_line boolean := pg_current_xact_id_if_assigned() is null;
    id bigint;
begin
    done := pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if l.customer_name is null or l.customer_name = '' then
        perform dealwright_engine.check_lead_words(l);
    end if;
    done := dealwright_engine.enter_lane();
    if l.idempotency_key is not null then
        id := dealwright_engine.lead_with_key(l);
    end if;
    if id is null and l.external_id is null then
        -- before the ranking: a promotion or an import must not come between it and the claim
        lock table dealwright.lead in row exclusive mode;
        rule := dealwright_engine.policy_for(l.policy);
        list := dealwright_engine.standing_for(rule, l.attributes);
        if list.model_id is null or l.requirements is not null or l.required_skills is not null then
            l := dealwright_engine.read_lead(l);
            if list.model_id is null then
                list := dealwright_engine.standing_of(rule, l);  -- of a kind that others may have named in other words
            end if;
        else
            l.slots := list.slots;  -- a kind of lead that has been read before
        end if;
        l.lead_id := nextval('dealwright.lead_lead_id_seq');
        ask := dealwright_engine.enquiry_of(l, null, rule.seed);
        loop
            best := dealwright_engine.first_agent(rule, ask, list);
            exit when best.agent_id is null;
            begin
                done := dealwright_engine.begin_own_writes();
                insert into dealwright.lead (lead_id, customer_name, attributes, requirements, priority, idempotency_key, received_at, policy,
                                             slots, required_skills, required_department, status)
                values (l.lead_id, l.customer_name, l.attributes, l.requirements, l.priority, l.idempotency_key, l.received_at, l.policy,
                        l.slots, l.required_skills, l.required_department, 'assigned');
                recorded := dealwright_engine.record_assignment(l, best, ask, rule, false, false, in_line);
                answer := row (recorded.assignment_id, recorded.booking_id, best.agent_id, recorded.agent_name, best.match_score, best.win_probability,
                               best.expected_value, rule.name, rule.model_id, l.lead_id, 'assigned')::dealwright.placement;
                return next answer;
                return;
            exception
                when sqlstate 'DW009' then  -- see place_lead; a code that ends in 000 would catch every DW
                    if in_line then
                        -- who came too late looks again when those who came too late before have their agent, or all of them
                        -- would find the same one next and come too late again
                        done := dealwright_engine.wait_a_little('dealwright latecomers', 0);
                    end if;
                when unique_violation then
                    exit;  -- the same enquiry was sent twice at once
            end;
        end loop;
        done := dealwright_engine.end_own_writes();
    end if;
    if id is null then
        insert into dealwright.lead (lead_id, customer_name, attributes, requirements, priority, idempotency_key, external_id, received_at,
                                     policy, required_skills, required_department)
        values (coalesce(l.lead_id, nextval('dealwright.lead_lead_id_seq')), l.customer_name, l.attributes, l.requirements, l.priority,
                l.idempotency_key, l.external_id, l.received_at, l.policy, l.required_skills, l.required_department)
        on conflict (idempotency_key) where idempotency_key is not null do nothing
        returning dealwright.lead.lead_id into id;
    end if;
    if id is null then
        id := dealwright_engine.lead_with_key(l);
    end if;
    return query select * from dealwright.placement_of(id);
end
$$;
comment on function dealwright.assign_lead(jsonb, text) is
    'Records the lead and gives it to the best eligible agent with room, or lets it wait. The same idempotency_key gives the same answer; with another content it is a conflict (DW001).';

create or replace function dealwright.placement_of(id bigint)
returns setof dealwright.placement language sql stable as $$
    select s.assignment_id, b.booking_id, s.agent_id, g.name, s.match_score, d.win_probability, d.expected_value,
           coalesce(s.policy, l.policy, (dealwright_engine.policy_for(null)).name), s.model_id, l.lead_id, l.status
    from dealwright.lead as l
    left join dealwright.assignment as s on s.lead_id = l.lead_id and s.status <> 'reassigned'
    left join dealwright.booking as b using (assignment_id)
    left join dealwright.agent as g using (agent_id)
    left join dealwright.decision as d using (assignment_id)
    where l.lead_id = id
$$;
comment on function dealwright.placement_of(bigint) is 'Where a lead is: its assignment, booking and agent, or waiting.';

-- The two things done most, as commands that commit by themselves: the same answers as from the functions, sooner when many ask at once.
--
-- An agent's row is locked from the claim until the transaction is over, and for most of that time the transaction only waits for the
-- disk. Leads that want the same agent would wait for one another's disk. So the work is committed without that wait, which lets
-- go of the row at once; then a second, tiny transaction is committed with it, and only then does the caller get the answer.
-- The log is written in order: when the second transaction is on the disk, the first is too, and what anybody else made of it in
-- between comes after both (docs/decisions/0068-commands-that-commit.md).
--
-- They have no SET clause (nothing that commits may have one), so every name is written out.

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
    inout status text default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
begin
    select p.policy, p.assignment_id, p.booking_id, p.agent_id, p.agent_name, p.match_score, p.win_probability, p.expected_value,
           p.model_id, p.lead_id, p.status
    into policy, assignment_id, booking_id, agent_id, agent_name, match_score, win_probability, expected_value, model_id, lead_id, status
    from dealwright.assign_lead(lead, policy) as p;
    commit;
    -- the second one, as durable as the caller's synchronous_commit asks for: a commit waits for the disk if there is something to write
    perform pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
end
$$;
comment on procedure dealwright.assign(jsonb, text, bigint, bigint, bigint, text, double precision, double precision, double precision,
    bigint, bigint, text) is
    'dealwright.assign_lead as a command that commits by itself: call dealwright.assign(''{"customer_name": ...}''). Not for use inside a transaction.';
