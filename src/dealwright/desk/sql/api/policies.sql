create or replace function dealwright.set_default_policy(policy_name text, new_params jsonb default null)
returns void language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if not exists (select from dealwright.policy where name = policy_name) then
        raise exception 'unknown policy %', quote_literal(policy_name) using errcode = 'DW002',
            hint = 'use one of value, classic, workload, fair';
    end if;
    update dealwright.policy set is_default = false where is_default and name <> policy_name;
    update dealwright.policy set is_default = true, params = coalesce(new_params, params) where name = policy_name;
end
$$;
comment on function dealwright.set_default_policy(text, jsonb)
    is 'Chooses the policy that orders agents where none is named, and sets its parameters.';

create or replace function dealwright.policy_in_use(wanted text default null)
returns table (policy text, model_id bigint, evidence jsonb)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select p.name,
           (select m.model_id from dealwright.model as m
            where m.promoted and m.kind = case p.name when 'classic' then 'classic' else 'value' end
                and p.name in ('value', 'classic')),
           (select m.evidence from dealwright.model as m where m.promoted and m.kind = 'value')
    from dealwright_engine.policy_for(wanted) as p
$$;
comment on function dealwright.policy_in_use(text) is
    'The policy of a name, or the one that is used where none is named; the model behind it; what the data can '
    'support.';
