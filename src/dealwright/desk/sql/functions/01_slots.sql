-- Arrays indexed by slot, and the slots of a lead.

create or replace function dealwright.add_at(counts integer[], slots integer[], amount integer)
returns integer[] language plpgsql immutable parallel safe as $$
declare
    slot integer;
begin
    foreach slot in array slots loop
        counts[slot] := counts[slot] + amount;
    end loop;
    return counts;
end
$$;
comment on function dealwright.add_at(integer[], integer[], integer) is 'The counts with amount added at each of the slots.';

create or replace function dealwright.add_at(counts bigint[], slots integer[], amount bigint)
returns bigint[] language plpgsql immutable parallel safe as $$
declare
    slot integer;
begin
    foreach slot in array slots loop
        counts[slot] := counts[slot] + amount;
    end loop;
    return counts;
end
$$;

create or replace function dealwright.slot_count()
returns integer language sql stable as $$
    select coalesce(max(slot), 1) from dealwright.dimension_value
$$;

create or replace function dealwright.slots_of(attributes jsonb)
returns integer[] language sql stable as $$
    select array[1] || coalesce(array_agg(v.slot order by d.position), '{}')
    from jsonb_each_text(attributes) as given (name, value)
    join dealwright.dimension as d on d.name = given.name
    join dealwright.dimension_value as v on v.dimension_id = d.dimension_id and v.value = given.value
$$;
comment on function dealwright.slots_of(jsonb) is 'Slot 1 and the slot of every attribute that names a declared dimension and value.';

create or replace function dealwright.read_attributes(attributes jsonb, out slots integer[], out complete boolean)
language sql stable as $$
    -- a value for each dimension and no other key: nothing to complain about, and by far the most common case
    select array[1] || array_agg(v.slot order by d.position) filter (where v.slot is not null),
           count(v.slot) = count(*) and count(*) = (select count(*) from jsonb_object_keys(attributes))
    from dealwright.dimension as d
    left join dealwright.dimension_value as v on v.dimension_id = d.dimension_id and v.value = attributes ->> d.name
$$;
comment on function dealwright.read_attributes(jsonb) is 'The slots of a lead''s attributes, and whether they are all declared and none is missing.';

create or replace function dealwright.check_attributes(attributes jsonb, all_required boolean)
returns void language plpgsql stable as $$
declare
    problem text;
begin
    if jsonb_typeof(attributes) is distinct from 'object' then
        raise exception 'attributes must be a JSON object such as {"destination": "Mars"}, not %',
            coalesce(jsonb_typeof(attributes), 'null') using errcode = 'DW002';
    end if;
    select format('unknown dimension %L: use one of %s', given.name,
                  coalesce((select string_agg(name, ', ' order by position) from dealwright.dimension), '(none declared)'))
    into problem
    from jsonb_each(attributes) as given (name, value)
    where not exists (select from dealwright.dimension as d where d.name = given.name)
    limit 1;
    if problem is null then
        select format('unknown value %L for dimension %s: use one of %s', given.value, d.name,
                      (select string_agg(v.value, ', ' order by v.slot)
                       from dealwright.dimension_value as v where v.dimension_id = d.dimension_id))
        into problem
        from jsonb_each_text(attributes) as given (name, value)
        join dealwright.dimension as d on d.name = given.name
        where given.value is not null
          and not exists (select from dealwright.dimension_value as v
                          where v.dimension_id = d.dimension_id and v.value = given.value)
        limit 1;
    end if;
    if problem is null and all_required then
        select format('dimension %L is missing: add it to the attributes', d.name) into problem
        from dealwright.dimension as d
        where attributes ->> d.name is null
        order by d.position
        limit 1;
    end if;
    if problem is not null then
        raise exception '%', problem using errcode = 'DW002';
    end if;
end
$$;
comment on function dealwright.check_attributes(jsonb, boolean) is
    'Raises DW002, naming the dimension and the allowed values, unless every attribute is declared.';

create or replace function dealwright.declare_dimension(dimension_name text, allowed_values text[])
returns void language plpgsql as $$
declare
    id bigint;
begin
    perform dealwright.hold_writers();
    insert into dealwright.dimension (name, position)
    values (dimension_name, (select coalesce(max(position), 0) + 1 from dealwright.dimension))
    on conflict (name) do nothing;
    select dimension_id into id from dealwright.dimension where name = dimension_name;
    insert into dealwright.dimension_value (slot, dimension_id, value)
    select dealwright.slot_count() + row_number() over (order by fresh.place), id, fresh.value
    from (
        select a.value, min(a.place) as place
        from unnest(allowed_values) with ordinality as a (value, place)
        where not exists (select from dealwright.dimension_value as v where v.dimension_id = id and v.value = a.value)
        group by a.value
    ) as fresh;
    if found then
        perform dealwright.widen_statistics();
    end if;
end
$$;
comment on function dealwright.declare_dimension(text, text[]) is
    'Declares a dimension or adds values to it; values already declared keep their slots.';

create or replace function dealwright.widen_statistics()
returns void language plpgsql as $$
declare
    width integer := dealwright.slot_count();
begin
    update dealwright.agent_stat as s set
        assigned = s.assigned || array_fill(0, array[width - cardinality(s.assigned)]),
        known = s.known || array_fill(0, array[width - cardinality(s.known)]),
        confirmed = s.confirmed || array_fill(0, array[width - cardinality(s.confirmed)]),
        expected_ppm = s.expected_ppm || array_fill(0::bigint, array[width - cardinality(s.expected_ppm)])
    where cardinality(s.assigned) < width;
    perform dealwright.compile_model(m.model_id) from dealwright.model as m where m.kind = 'value';
    perform dealwright.refresh_profile(a.agent_id) from dealwright.agent as a order by a.agent_id;
end
$$;
comment on function dealwright.widen_statistics() is 'Gives every statistics array and profile an element for each new slot.';
