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
    if stranger is null then
        select key into stranger from jsonb_each(lead - '{attributes,skills}'::text[]) as e
        where jsonb_typeof(e.value) in ('object', 'array', 'boolean') limit 1;
        raise exception '% must be a text or a number, not %', stranger, left((lead -> stranger)::text, 100)
            using errcode = 'DW002', hint = 'only attributes is an object, and only skills is a list';
    end if;
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
    if jsonb_path_exists(lead - '{attributes,skills}'::text[],
            'strict $.* ? (@.type() == "object" || @.type() == "array" || @.type() == "boolean")') then
        perform dealwright_engine.refuse_lead(lead, known);
    end if;
    -- each column by its name: their order differs between a new desk and one that was upgraded
    result.external_id := lead ->> 'external_id';
    result.customer_name := lead ->> 'customer_name';
    result.customer_id :=
        case when not dealwright_engine.is_blank(lead ->> 'customer_id') then lead ->> 'customer_id' end;
    result.attributes := coalesce(nullif(lead -> 'attributes', 'null'), '{}');
    result.requirements := nullif(lead ->> 'requirements', '');
    result.priority := 0;
    result.idempotency_key :=
        case when not dealwright_engine.is_blank(lead ->> 'idempotency_key') then lead ->> 'idempotency_key' end;
    result.received_at := clock_timestamp();
    result.status := 'new';
    result.is_waiting := false;
    result.policy := coalesce(wanted_policy, lead ->> 'policy');
    result.required_department := lead ->> 'department';
    if result.policy is not null then
        perform dealwright_engine.check_wanted_policy(result.policy);
    end if;
    if lead ?| '{priority,received_at,skills}' then
        begin
            result.priority := coalesce((lead ->> 'priority')::integer, 0);
        exception when data_exception then
            raise exception 'priority must be a whole number, not %', left((lead -> 'priority')::text, 50)
                using errcode = 'DW002', hint = 'write a number up to 2147483647, such as 5';
        end;
        begin
            result.received_at := coalesce((lead ->> 'received_at')::timestamptz, clock_timestamp());
        exception when data_exception then
            raise exception 'received_at must be a time, not %', left((lead -> 'received_at')::text, 50)
                using errcode = 'DW002', hint = 'write it like "2026-06-30T14:05:00+02:00"';
        end;
        if jsonb_typeof(lead -> 'skills') = 'array'
                and not jsonb_path_exists(lead -> 'skills', 'strict $[*] ? (@.type() != "string")') then
            result.required_skills :=
                array(select lower(skill) from jsonb_array_elements_text(lead -> 'skills') as skill);
        elsif jsonb_typeof(lead -> 'skills') <> 'null' then
            raise exception 'skills must be a list of texts, not %', left((lead -> 'skills')::text, 100)
                using errcode = 'DW002',
                hint = 'for example ["luxury", "french"]';
        end if;
    end if;
    return result;
end
$$;
