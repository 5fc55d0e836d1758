-- Offers: an assignment that its agent has yet to accept. It counts against the capacity like any other, so that
-- nobody is offered more than they may have; the worker passes it on when its time is up
-- (dealwright.return_unanswered).

create or replace function dealwright_engine.offer_notice(agent_name text, own_id text, offered_until timestamptz)
returns text language sql immutable as $$
    select format('offered to %s (%s), who may accept until %s UTC', agent_name, own_id,
        to_char(offered_until at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'))
$$;

create or replace function dealwright_engine.is_offer(s dealwright.assignment)
returns boolean language sql immutable as $$
    select (s).status = 'open' and (s).offered_until is not null and (s).accepted_at is null
$$;
comment on function dealwright_engine.is_offer(dealwright.assignment) is
    'Whether the agent has yet to accept it.';

create or replace function dealwright_engine.with_acceptance(s dealwright.assignment)
returns dealwright.assignment language plpgsql immutable as $$
begin
    if s.offered_until is not null then
        -- whoever reached the customer has taken the lead
        s.accepted_at := coalesce(s.accepted_at, s.first_contact_at);
    end if;
    return s;
end
$$;

create or replace function dealwright_engine.write_offer_event(kind text, s dealwright.assignment, payload jsonb)
returns void language plpgsql as $$
declare
    begun boolean := dealwright_engine.join_own_writes();
begin
    insert into dealwright.event (kind, agent_id, lead_id, assignment_id, payload)
    values (write_offer_event.kind, s.agent_id, s.lead_id, s.assignment_id, write_offer_event.payload);
    perform dealwright_engine.leave_own_writes(begun);
end
$$;
comment on function dealwright_engine.write_offer_event(text, dealwright.assignment, jsonb) is
    'Records what became of an offer; it moves no counter.';
