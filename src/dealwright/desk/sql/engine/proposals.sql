-- What waits for a second person (api/proposals.sql).

create or replace function dealwright_engine.needs_second_person()
returns boolean language sql stable as $$
    select coalesce((select d.second_person from dealwright_engine.duty as d), false)
$$;

create or replace function dealwright_engine.in_force(kind text, object_id text)
returns jsonb language sql stable as $$
    select case kind
        when 'model' then jsonb_build_object('model_id', (
            select p.model_id from dealwright.model as p
            where p.promoted
              and p.kind = (select m.kind from dealwright.model as m where m.model_id = object_id::bigint)))
        when 'policy' then (
            select jsonb_build_object('params', p.params, 'is_default', p.is_default)
            from dealwright.policy as p where p.name = object_id)
        else jsonb_build_object('required', dealwright_engine.needs_second_person())
    end
$$;
comment on function dealwright_engine.in_force(text, text) is 'What a change would replace.';

create or replace function dealwright_engine.apply_change(kind text, object_id text, after jsonb)
returns void language plpgsql as $$
begin
    if kind = 'model' then
        perform dealwright.promote_model(object_id::bigint);
    elsif kind = 'policy' and (after ->> 'is_default')::boolean then
        perform dealwright.set_default_policy(object_id, after -> 'params');
    elsif kind = 'policy' then
        update dealwright.policy as p set params = apply_change.after -> 'params' where p.name = object_id;
    else
        update dealwright_engine.duty set second_person = (after ->> 'required')::boolean;
        perform dealwright_engine.note_change('require_second_person', 'desk', 'desk', null, after);
    end if;
end
$$;

create or replace function dealwright_engine.propose(kind text, object_id text, after jsonb, reason text)
returns bigint language plpgsql as $$
declare
    who jsonb;
    id bigint;
    begun boolean;
begin
    if not dealwright_engine.needs_second_person() then
        perform dealwright_engine.apply_change(kind, object_id, after);
        return null;
    end if;
    perform dealwright_engine.check_reason(reason);
    begun := dealwright_engine.join_own_writes();
    if kind = 'policy' then
        -- what could not take effect is refused now, and not to whoever agrees
        begin
            perform dealwright_engine.apply_change(kind, object_id, after);
            raise exception 'it could' using errcode = 'DW999';
        exception when sqlstate 'DW999' then
            null;
        end;
    end if;
    who := dealwright_engine.acting();
    insert into dealwright.proposal (asked_by, asked_by_name, kind, object_id, before, after, reason)
    values (who ->> 'id', who ->> 'name', propose.kind, propose.object_id,
            dealwright_engine.in_force(propose.kind, propose.object_id), propose.after, left(propose.reason, 10000))
    returning proposal_id into id;
    perform dealwright_engine.write_event('change_proposed',
        jsonb_build_object('proposal_id', id, 'kind', propose.kind, 'object_id', propose.object_id));
    perform dealwright_engine.leave_own_writes(begun);
    perform dealwright_engine.note_change('propose', kind, object_id, null,
        after || jsonb_build_object('proposal_id', id), reason);
    return id;
end
$$;
comment on function dealwright_engine.propose(text, text, jsonb, text) is
    'Makes a change, or has it wait for a second person; returns the proposal that waits, or null.';

create or replace function dealwright_engine.waiting_proposal(proposal_id bigint)
returns dealwright.proposal language plpgsql as $$
declare
    asked dealwright.proposal;
begin
    select p.* into asked from dealwright.proposal as p where p.proposal_id = waiting_proposal.proposal_id for update;
    if not found then
        raise exception 'there is no proposal %', waiting_proposal.proposal_id using errcode = 'DW003',
            hint = 'dealwright proposal list shows those that wait';
    end if;
    if asked.status <> 'waiting' then
        raise exception 'proposal % is decided: it was %', asked.proposal_id, asked.status using errcode = 'DW001',
            hint = 'ask for the change again';
    end if;
    return asked;
end
$$;

create or replace function dealwright_engine.decide_proposal(proposal_id bigint, status text, reason text)
returns void language plpgsql as $$
declare
    who jsonb := dealwright_engine.acting();
begin
    update dealwright.proposal as p
    set status = decide_proposal.status, decided_at = clock_timestamp(), decided_by = who ->> 'id',
        decided_by_name = who ->> 'name', decided_reason = left(decide_proposal.reason, 10000)
    where p.proposal_id = decide_proposal.proposal_id;
    perform dealwright_engine.write_event('change_decided',
        jsonb_build_object('proposal_id', decide_proposal.proposal_id, 'status', decide_proposal.status));
end
$$;

create or replace function dealwright_engine.guard_policy()
returns trigger language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if dealwright_engine.needs_second_person() and not dealwright_engine.writes_itself() then
        raise exception 'on this desk a policy changes when a second person agrees' using errcode = 'DW001',
            hint = 'ask for it: dealwright policy set, or select dealwright.propose_policy(…)';
    end if;
    return new;
end
$$;
