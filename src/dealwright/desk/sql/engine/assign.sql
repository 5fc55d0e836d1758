-- The same as an insert into dealwright.lead, whose triggers would read, place and mark the lead one after the other,
-- in fewer statements. Where that finds no place, or the lead is one of another system or of a known customer, the
-- insert is left to the triggers.
create or replace function dealwright_engine.assign(lead jsonb, policy text)
returns dealwright.placement language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
    l dealwright.lead := dealwright_engine.lead_from_json(lead, policy);
    rule dealwright_engine.rule;
    list dealwright_engine.candidate_list;
    ask dealwright_engine.enquiry;
    best dealwright_engine.ranked;
    recorded dealwright_engine.recorded;
    answer dealwright.placement;
    done text;  -- an assignment evaluates a function; PERFORM would start a query for it
    id bigint;
begin
    if coalesce(btrim(l.customer_name), '') = '' then
        perform dealwright_engine.check_lead_words(l);
    end if;
    if l.idempotency_key is not null then
        id := dealwright_engine.lead_with_key(l);
    end if;
    if id is null and l.external_id is null and l.customer_id is null then
        if exists (select from dealwright.lead as w where w.is_waiting) then
            perform dealwright_engine.begin_shifts(clock_timestamp());  -- nobody overtakes who waits
        end if;
        rule := dealwright_engine.policy_for(l.policy);
        list := dealwright_engine.candidates_for(rule, l.attributes);
        if list.model_id is null or l.requirements is not null or l.required_skills is not null then
            l := dealwright_engine.read_lead(l);
            if list.model_id is null then
                -- of a kind that others may have named in other words
                list := dealwright_engine.candidates_of(rule, l);
            end if;
        else
            l.slots := list.slots;  -- a kind of lead that has been read before
        end if;
        l.lead_id := nextval('dealwright.lead_lead_id_seq');
        ask := dealwright_engine.enquiry_of(l, null::bigint[], rule.seed);
        loop
            if rule.by_channel then
                ask := dealwright_engine.leave_out_full(ask, null);
            end if;
            best := dealwright_engine.first_agent(rule, ask, list);
            exit when best.agent_id is null;
            begin
                done := dealwright_engine.begin_own_writes();
                insert into dealwright.lead (lead_id, customer_name, attributes, requirements, priority,
                    idempotency_key, received_at, policy,
                                             slots, required_skills, required_department, status)
                values (l.lead_id, l.customer_name, l.attributes, l.requirements, l.priority, l.idempotency_key,
                    l.received_at, l.policy,
                        l.slots, l.required_skills, l.required_department, 'assigned');
                recorded := dealwright_engine.record_assignment(l, best, ask, rule, false);
                if best.win_low is null and best.win_probability is not null then
                    if list.query is not null then
                        best := dealwright_engine.with_interval(best, list.query, rule, (recorded.claim).variance);
                    else  -- the first lead of its kind
                        select i.win_low, i.win_high into best.win_low, best.win_high
                        from dealwright.win_interval(recorded.assignment_id) as i;
                    end if;
                end if;
                return row (
                    recorded.assignment_id, recorded.booking_id, best.agent_id, (recorded.claim).agent_name,
                    best.match_score, best.win_probability, best.expected_value, rule.name, rule.model_id, l.lead_id,
                    'assigned', recorded.assignment_id, recorded.booking_id, (recorded.claim).own_id,
                    (recorded.claim).open, (recorded.claim).capacity, null,
                    case when recorded.offered_until is not null then array[dealwright_engine.offer_notice(
                        (recorded.claim).agent_name, (recorded.claim).own_id, recorded.offered_until)] end,
                    -- as exactly as the record gives them again (engine/audit.sql, win_interval)
                    round(1e9 * best.win_low) / 1e9, round(1e9 * best.win_high) / 1e9)::dealwright.placement;
            exception
                when sqlstate 'DW009' then  -- see place_lead; a code that ends in 000 would catch every DW
                    null;
                when unique_violation then
                    exit;  -- the same enquiry was sent twice at once
            end;
        end loop;
        done := dealwright_engine.end_own_writes();
    end if;
    if id is null then
        insert into dealwright.lead (lead_id, customer_name, attributes, requirements, priority, idempotency_key,
            external_id, customer_id, received_at, policy, required_skills, required_department)
        values (coalesce(l.lead_id, nextval('dealwright.lead_lead_id_seq')), l.customer_name, l.attributes,
            l.requirements, l.priority, l.idempotency_key, l.external_id, l.customer_id, l.received_at, l.policy,
            l.required_skills, l.required_department)
        on conflict (idempotency_key) where idempotency_key is not null do nothing
        returning dealwright.lead.lead_id into id;
    end if;
    if id is null then
        id := dealwright_engine.lead_with_key(l);
    end if;
    select * into answer from dealwright.placement_of(id);
    return answer;
end
$$;
comment on function dealwright_engine.assign(jsonb, text)
    is 'What dealwright.assign_lead does; the caller holds ROW EXCLUSIVE on lead.';
