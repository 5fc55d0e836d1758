-- What a value of an agent, a lead, an assignment or a booking may be, whatever writes it: also those who keep the
-- counters themselves. In triggers and not constraints, for their speed (see engine/agent.sql). Assignments, bookings
-- and new leads are looked at at the end of the trigger that prepares them; agents and corrected leads after all others
-- ("within" is the last of the alphabet's names here), in triggers that list their columns, so that a claim of an agent
-- does not call them. The other tables have constraints (schema/06_bounds.sql).

-- The hot path asks for the least and the greatest of several values: every comparison is prepared anew in each
-- transaction.
create or replace function dealwright_engine.are_moments(earliest timestamptz, latest timestamptz)
returns boolean language sql immutable as $$
    select coalesce(earliest >= '1970-01-01 00:00:00+00' and latest < '2200-01-01 00:00:00+00', true)
$$;

create or replace function dealwright_engine.is_moment(value timestamptz)
returns boolean language sql immutable as $$ select dealwright_engine.are_moments(value, value) $$;

create or replace function dealwright_engine.is_blank(value text)
returns boolean language sql immutable as $$
    -- also blanks that no keyboard shows: no-break, zero-width, a byte order mark
    select value ~ '^[\s\u00a0\u1680\u2000-\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff]*$'
$$;

create or replace function dealwright_engine.is_word(value text, longest integer)
returns boolean language sql immutable as $$
    select value is null or (value !~ '[\x01-\x1f\x7f-\x9f]' and length(value) <= longest)
$$;

create or replace function dealwright_engine.are_words(list text[])
returns boolean language sql immutable as $$
    select not exists (select from unnest(list) as item where not dealwright_engine.is_word(item, 500))
$$;

create or replace function dealwright_engine.is_prose(value text)
returns boolean language sql immutable as $$
    select value is null or (value !~ '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]' and length(value) <= 100000)
$$;

create or replace function dealwright_engine.are_amounts(smallest numeric, largest numeric)
returns boolean language sql immutable as $$
    -- NaN is more than any number
    select coalesce(smallest >= 0 and largest <= 999999999999.99, true)
$$;

create or replace function dealwright_engine.is_amount(value numeric)
returns boolean language sql immutable as $$ select dealwright_engine.are_amounts(value, value) $$;

create or replace function dealwright_engine.is_flat(value jsonb)
returns boolean language sql immutable as $$
    select value = '{}'
        or (jsonb_typeof(value) = 'object' and pg_column_size(value) <= 100000 and not jsonb_path_exists(value,
        'strict $.* ? (@.type() == "object" || @.type() == "array" || @.type() == "number" && (@ > 1e15 || @ < '
        '-1e15))'))
$$;

create or replace function dealwright_engine.short_number(value text)
returns text language sql immutable as $$
    -- JSON writes 1e-320 with all its noughts
    select case when length(value) <= 25 then value else btrim(to_char(value::numeric, '9.99EEEE')) end
$$;

-- Found slowly, for whoever is refused: which value it is.
create or replace function dealwright_engine.refuse_values(
    thing text, given jsonb, times text[], ids text[], words text[], prose text[], documents text[],
        numbers jsonb default '{}'
)
returns void language plpgsql immutable as $$
declare
    name text;
    value text;
begin
    foreach name in array times loop
        value := given ->> name;
        if not dealwright_engine.is_moment(value::timestamptz) then
            raise exception '% of % must be a time from 1970 to 2199, not %', name, thing, value
                using errcode = 'DW002',
                hint = 'look at the year, or leave it out where it is not known';
        end if;
    end loop;
    foreach name in array ids || words loop
        value := given ->> name;
        if dealwright_engine.is_blank(value) and name = any (ids || '{name,customer_name}') then
            raise exception '% of % is empty', name, thing using errcode = 'DW002',
                hint = case when name = any (ids) then 'leave it out (null) where there is none' else 'give a name' end;
        elsif length(value) > (case when name = any (ids) then 500 else 1000 end) then
            raise exception '% of % has % characters', name, thing, length(value) using errcode = 'DW002',
                hint = format('at most %s are kept', case when name = any (ids) then 500 else 1000 end);
        elsif not dealwright_engine.is_word(value, 1000) then
            raise exception '% of % holds a control character', name, thing using errcode = 'DW002',
                hint = 'send plain text, without line ends, tabs and the like';
        end if;
    end loop;
    foreach name in array prose loop
        value := given ->> name;
        if length(value) > 100000 then
            raise exception '% of % has % characters', name, thing, length(value) using errcode = 'DW002',
                hint = 'at most 100000 are kept';
        elsif not dealwright_engine.is_prose(value) then
            raise exception '% of % holds a control character', name, thing using errcode = 'DW002',
                hint = 'send plain text; line ends and tabs are fine';
        end if;
    end loop;
    foreach name in array documents loop
        if not dealwright_engine.is_flat(given -> name) then
            raise exception '% of % must be a flat JSON object', name, thing using errcode = 'DW002',
                hint = 'its values are texts, numbers up to 1e15, true, false or null, of 100 kB at most: for example '
                    '{"destination": "Mars"}';
        end if;
    end loop;
    for name in select jsonb_object_keys(numbers) loop
        value := given ->> name;
        if not (value::numeric >= (numbers -> name ->> 0)::numeric
            and value::numeric <= (numbers -> name ->> 1)::numeric) then
            raise exception '% of % must be a number from % to %, not %', name, thing, numbers -> name ->> 0,
                numbers -> name ->> 1, dealwright_engine.short_number(value)
                using errcode = 'DW002', hint = 'leave it out where it is not known';
        end if;
    end loop;
    raise exception 'a value of % is out of bounds', thing using errcode = 'DW002',
        hint = 'docs/database.md lists the bounds';
end
$$;

create or replace function dealwright_engine.bound_agent()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if not (new.weight >= 1e-9 and new.weight <= 1e9 and new.capacity <= 2147483647)
            or not (new.years_of_service >= 0 and new.years_of_service <= 200)
                or not (new.rating >= -1e12 and new.rating <= 1e12)
            or dealwright_engine.is_blank(new.name) or dealwright_engine.is_blank(new.external_id)
            or cardinality(new.skills) > 1000 or not dealwright_engine.are_words(new.skills)
            or not (dealwright_engine.is_word(new.name, 1000) and dealwright_engine.is_word(new.external_id, 500)
                and dealwright_engine.is_word(new.email, 1000)
                    and dealwright_engine.is_word(new.job_title, 1000)
                        and dealwright_engine.is_word(new.department, 1000)
                            and dealwright_engine.is_word(new.manager, 1000)
                    and new.database_role is distinct from '' and dealwright_engine.is_word(new.database_role, 63)
                    and dealwright_engine.is_prose(array_to_string(new.skills, ' '))
                        and dealwright_engine.is_flat(new.traits)) then
        if new.weight <= 0 or new.capacity < 0 then
            raise exception 'agent %: open and capacity must be at least 0 and weight above 0, not %, % and %',
                coalesce(new.external_id, new.agent_id::text), new.open, new.capacity, new.weight
                    using errcode = 'DW002';
        end if;
        if cardinality(new.skills) > 1000 or not dealwright_engine.are_words(new.skills) then
            raise exception 'skills of agent % are too many, or one is too long or holds a control character',
                left(coalesce(new.external_id, new.agent_id::text), 50) using errcode = 'DW002',
                hint = 'at most 1000 skills of 500 characters each are kept';
        end if;
        perform dealwright_engine.refuse_values(
            -- an id of blanks tells nobody which agent it is
            format('agent %s', left(case when dealwright_engine.is_blank(new.external_id) is false
                then new.external_id else new.agent_id::text end, 50)), to_jsonb(new) - 'shifts',
            '{}', '{external_id}', '{name,email,job_title,department,manager,database_role}', '{}', '{traits}',
            '{"weight": [1e-9, 1e9], "years_of_service": [0, 200], "rating": [-1e12, 1e12]}');
    -- without an end is fine
    elsif not (dealwright_engine.is_moment(lower(new.shifts)) and upper(new.shifts) <= '2200-01-01 00:00:00+00') then
        raise exception 'shifts of agent % must lie from 1970 to 2199, not %',
            coalesce(new.external_id, new.agent_id::text), left(new.shifts::text, 100)
            using errcode = 'DW002', hint = 'a shift may have no beginning or no end; null means always';
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.is_enquiry_bounded(
    received_at timestamptz, customer_name text, attributes jsonb
)
returns boolean language sql immutable as $$
    select dealwright_engine.are_moments(received_at, received_at) and dealwright_engine.is_word(customer_name, 1000)
        and dealwright_engine.is_flat(attributes)
$$;
comment on function dealwright_engine.is_enquiry_bounded(timestamptz, text, jsonb)
    is 'is_lead_bounded for a lead of which nothing else is given.';

create or replace function dealwright_engine.is_lead_bounded(
    external_id text, idempotency_key text, received_at timestamptz, customer_id text, customer_name text,
    required_department text, requirements text, attributes jsonb
)
returns boolean language sql immutable as $$
    select dealwright_engine.is_enquiry_bounded(received_at, customer_name, attributes)
        and dealwright_engine.is_blank(external_id) is not true
        and dealwright_engine.is_blank(idempotency_key) is not true
        and dealwright_engine.is_blank(customer_id) is not true
        and dealwright_engine.is_word(customer_id, 500) and dealwright_engine.is_word(external_id, 500)
        and dealwright_engine.is_word(idempotency_key, 500) and dealwright_engine.is_word(required_department, 1000)
        and dealwright_engine.is_prose(requirements)
$$;

create or replace function dealwright_engine.refuse_lead_values(l dealwright.lead)
returns void language sql immutable as $$
    select dealwright_engine.refuse_values('the lead', to_jsonb(l), '{received_at}',
        '{external_id,idempotency_key,customer_id}',
        '{customer_name,required_department}', '{requirements}', '{attributes}')
$$;

create or replace function dealwright_engine.bound_lead()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if not dealwright_engine.is_lead_bounded(new.external_id, new.idempotency_key, new.received_at, new.customer_id,
            new.customer_name, new.required_department, new.requirements, new.attributes) then
        perform dealwright_engine.refuse_lead_values(new);
    end if;
    return new;
end
$$;
