create or replace function dealwright.set_default_policy(policy_name text, new_params jsonb default null)
returns void language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if not exists (select from dealwright.policy where name = policy_name) then
        raise exception 'unknown policy %', quote_literal(policy_name) using errcode = 'DW002', hint = 'use one of value, classic, workload, fair';
    end if;
    update dealwright.policy set is_default = false where is_default and name <> policy_name;
    update dealwright.policy set is_default = true, params = coalesce(new_params, params) where name = policy_name;
end
$$;
comment on function dealwright.set_default_policy(text, jsonb) is 'Chooses the policy that orders agents where none is named, and sets its parameters.';
