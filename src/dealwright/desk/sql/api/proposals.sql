-- A second person: where the desk asks for one, a change of a model or a policy waits until another person agrees.

create or replace function dealwright.second_person_required()
returns boolean language sql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select dealwright_engine.needs_second_person()
$$;
comment on function dealwright.second_person_required() is
    'Whether a change of a model or a policy waits until a second person agrees.';

create or replace function dealwright.propose_model(model_id bigint, reason text default null)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if not exists (select from dealwright.model as m where m.model_id = propose_model.model_id) then
        raise exception 'there is no model %', propose_model.model_id using errcode = 'DW003',
            hint = 'dealwright model list shows the models';
    end if;
    return dealwright_engine.propose('model', propose_model.model_id::text,
        jsonb_build_object('model_id', propose_model.model_id), propose_model.reason);
end
$$;
comment on function dealwright.propose_model(bigint, text) is
    'Puts a model to work; where a second person is required, asks for it. Returns the proposal that waits, or null.';

create or replace function dealwright.propose_policy(name text, params jsonb default null,
    make_default boolean default false, reason text default null)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    present dealwright.policy;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into present from dealwright.policy as p where p.name = propose_policy.name;
    if not found then
        raise exception 'unknown policy %', coalesce(quote_literal(propose_policy.name), 'null')
            using errcode = 'DW002', hint = 'use one of value, classic, workload, fair';
    end if;
    return dealwright_engine.propose('policy', present.name, jsonb_build_object(
        'params', coalesce(propose_policy.params, present.params),
        'is_default', present.is_default or propose_policy.make_default), propose_policy.reason);
end
$$;
comment on function dealwright.propose_policy(text, jsonb, boolean, text) is
    'Changes the parameters of a policy, or makes it the one that is used where none is named; where a second person is '
    'required, asks for it. Returns the proposal that waits, or null.';

create or replace function dealwright.require_second_person(required boolean, reason text)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_reason(reason);
    if required = dealwright_engine.needs_second_person() then
        return null;
    end if;
    return dealwright_engine.propose('second_person', 'desk',
        jsonb_build_object('required', require_second_person.required), require_second_person.reason);
end
$$;
comment on function dealwright.require_second_person(boolean, text) is
    'From now on a change of a model or a policy waits until a second person agrees, or no longer: that, too, waits until '
    'a second person agrees. Returns the proposal that waits, or null.';

create or replace function dealwright.agree_to_proposal(proposal_id bigint, reason text default null)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    asked dealwright.proposal;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    asked := dealwright_engine.waiting_proposal(agree_to_proposal.proposal_id);
    if asked.asked_by = dealwright_engine.acting() ->> 'id' then
        raise exception 'proposal % was asked for by %: another person has to agree', asked.proposal_id,
            asked.asked_by_name using errcode = 'DW001',
            hint = 'a person is a key, somebody who is signed in, or a user of the database';
    end if;
    begun := dealwright_engine.join_own_writes();
    if asked.kind = 'policy' then
        lock table dealwright.policy in share row exclusive mode;
    end if;
    if dealwright_engine.in_force(asked.kind, asked.object_id) is distinct from asked.before then
        raise exception 'what proposal % would change has changed since it was asked for', asked.proposal_id
            using errcode = 'DW001', hint = 'refuse it, and ask for it again';
    end if;
    perform dealwright_engine.apply_change(asked.kind, asked.object_id, asked.after);
    perform dealwright_engine.decide_proposal(asked.proposal_id, 'agreed', agree_to_proposal.reason);
    perform dealwright_engine.leave_own_writes(begun);
    perform dealwright_engine.note_change('agree', asked.kind, asked.object_id, asked.before, asked.after
        || jsonb_build_object('proposal_id', asked.proposal_id, 'asked_by', asked.asked_by), agree_to_proposal.reason);
end
$$;
comment on function dealwright.agree_to_proposal(bigint, text) is
    'Lets a change take effect that another person asked for.';

create or replace function dealwright.refuse_proposal(proposal_id bigint, reason text)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    asked dealwright.proposal;
    begun boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_reason(reason);
    asked := dealwright_engine.waiting_proposal(refuse_proposal.proposal_id);
    begun := dealwright_engine.join_own_writes();
    perform dealwright_engine.decide_proposal(asked.proposal_id,
        case when asked.asked_by = dealwright_engine.acting() ->> 'id' then 'withdrawn' else 'refused' end,
        refuse_proposal.reason);
    perform dealwright_engine.leave_own_writes(begun);
    perform dealwright_engine.note_change('refuse', asked.kind, asked.object_id, null,
        jsonb_build_object('proposal_id', asked.proposal_id, 'asked_by', asked.asked_by), refuse_proposal.reason);
end
$$;
comment on function dealwright.refuse_proposal(bigint, text) is
    'Turns down a change that waits for a second person, or takes back what one has asked for.';
