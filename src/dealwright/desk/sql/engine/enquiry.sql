create or replace function dealwright_engine.refuse_lead(lead jsonb, known text[])
returns void language plpgsql stable as $$
declare
    stranger text;
begin
    if jsonb_typeof(lead) is distinct from 'object' then
        raise exception 'a lead is a JSON object' using errcode = 'DW002',
            hint = 'for example {"customer_name": "Kate Nguyen", "attributes": {"destination": "Mars"}}';
    end if;
    select key into stranger from jsonb_object_keys(lead) as key where key <> all (known) limit 1;
    raise exception 'a lead has no key %', quote_literal(stranger) using errcode = 'DW002',
        hint = 'keys are ' || array_to_string(known, ', ') || '; dimensions go into attributes';
end
$$;

create or replace function dealwright_engine.lead_from_json(lead jsonb, wanted_policy text)
returns dealwright.lead language plpgsql stable as $$
declare
    result dealwright.lead;
    known constant text[] :=
        '{customer_name,attributes,requirements,priority,idempotency_key,received_at,'
        'policy,external_id,customer_id,skills,department}';
begin
    if jsonb_typeof(lead) is distinct from 'object' or lead - known <> '{}' then
        perform dealwright_engine.refuse_lead(lead, known);
    end if;
    -- each column by its name: their order differs between a new desk and one that was upgraded
    result.external_id := lead ->> 'external_id';
    result.customer_name := lead ->> 'customer_name';
    result.customer_id := nullif(lead ->> 'customer_id', '');
    result.attributes := coalesce(nullif(lead -> 'attributes', 'null'), '{}');
    result.requirements := nullif(lead ->> 'requirements', '');
    result.priority := 0;
    result.idempotency_key := nullif(lead ->> 'idempotency_key', '');
    result.received_at := clock_timestamp();
    result.status := 'new';
    result.is_waiting := false;
    result.policy := coalesce(wanted_policy, lead ->> 'policy');
    result.required_department := lead ->> 'department';
    if result.policy is not null and (dealwright_engine.policy_for(result.policy)).name is null then
        raise exception 'unknown policy %', quote_literal(result.policy) using errcode = 'DW002',
            hint = 'use one of value, classic, workload, fair';
    end if;
    if lead ?| '{priority,received_at,skills}' then
        begin
            result.priority := coalesce((lead ->> 'priority')::integer, 0);
            result.received_at := coalesce((lead ->> 'received_at')::timestamptz, clock_timestamp());
        exception when data_exception then
            raise exception 'priority must be a whole number and received_at a time, not % and %', lead -> 'priority',
                lead -> 'received_at'
                using errcode = 'DW002';
        end;
        if jsonb_typeof(lead -> 'skills') = 'array' then
            result.required_skills :=
                array(select lower(skill) from jsonb_array_elements_text(lead -> 'skills') as skill);
        elsif jsonb_typeof(lead -> 'skills') <> 'null' then
            raise exception 'skills must be a list, not %', lead -> 'skills' using errcode = 'DW002',
                hint = 'for example ["luxury", "french"]';
        end if;
    end if;
    return result;
end
$$;
