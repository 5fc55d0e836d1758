-- Arrays indexed by slot, what a lead's attributes say, and the values a dimension has.

create or replace function dealwright_engine.add_at(counts integer[], slots integer[], amount integer)
returns integer[] language plpgsql immutable parallel safe as $$
declare
    slot integer;
begin
    foreach slot in array slots loop
        if slot > cardinality(counts) then  -- a value that came since
            counts := counts || array_fill(0, array[slot - cardinality(counts)]);
        end if;
        counts[slot] := counts[slot] + amount;
    end loop;
    return counts;
end
$$;
comment on function dealwright_engine.add_at(integer[], integer[], integer) is 'The counts with amount added at each of the slots.';

create or replace function dealwright_engine.add_at(counts bigint[], slots integer[], amount bigint)
returns bigint[] language plpgsql immutable parallel safe as $$
declare
    slot integer;
begin
    foreach slot in array slots loop
        if slot > cardinality(counts) then
            counts := counts || array_fill(0::bigint, array[slot - cardinality(counts)]);
        end if;
        counts[slot] := counts[slot] + amount;
    end loop;
    return counts;
end
$$;

create or replace function dealwright_engine.slot_count()
returns integer language sql stable as $$
    select coalesce(max(slot), 1) from dealwright.dimension_value
$$;

-- What is beyond stays unknown: an agent's profile has an element per slot and stands on one page with the rest of its row, and of
-- very many values of one dimension each comes too rarely to teach anything.
create or replace function dealwright_engine.most_slots()
returns integer language sql immutable parallel safe as $$ select 1500 $$;

create or replace function dealwright_engine.most_values()
returns integer language sql immutable parallel safe as $$ select 250 $$;

create or replace function dealwright_engine.room_for_values(id bigint)
returns bigint language sql stable as $$
    select greatest(least(dealwright_engine.most_slots() - dealwright_engine.slot_count(), dealwright_engine.most_values() - count(*)), 0)
    from dealwright.dimension_value as v
    where v.dimension_id = id and v.value <> '(empty)'
$$;
comment on function dealwright_engine.room_for_values(bigint) is 'How many more values an open dimension may have.';

create or replace function dealwright_engine.has_empty(d dealwright.dimension)
returns boolean language sql immutable as $$ select (d).at_arrival and not (d).required $$;
comment on function dealwright_engine.has_empty(dealwright.dimension) is 'Whether empty is a value of its own: "(empty)".';

create or replace function dealwright_engine.given(attributes jsonb, name text)
returns text language sql immutable parallel safe as $$
    select nullif(nullif(btrim(attributes ->> name), ''), '(empty)')
$$;
comment on function dealwright_engine.given(jsonb, text) is 'What the attributes say about a dimension; null when nothing.';

create or replace function dealwright_engine.bin_named(id bigint, edges double precision[], given text)
returns text language sql stable as $$
    select v.value
    from dealwright.dimension_value as v
    where v.dimension_id = id and v.bin <= cardinality(edges) + 1
      and (v.value = given
           or v.bin = case when given ~ '^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$'
               -- by way of text, which has every digit of the edge
               then 1 + (select count(*) from unnest(edges) as e (edge) where e.edge::text::numeric < given::numeric) end)
    order by v.value = given desc
    limit 1
$$;
comment on function dealwright_engine.bin_named(bigint, double precision[], text) is
    'The bin that a number, or the name of a bin, is of; null when it is neither.';

create or replace function dealwright_engine.read_attributes(attributes jsonb, out slots integer[], out complete boolean)
language sql stable as $$
    select array[1] || array_agg(v.slot order by d.position) filter (where v.slot is not null),
           -- each dimension has its slot, or may be left out and is; and there is no other key
           coalesce(bool_and(v.slot is not null or (d.given is null and not d.required)), true)
               and case when jsonb_typeof(attributes) = 'object'
                   then count(*) filter (where attributes ? d.name) = (select count(*) from jsonb_object_keys(attributes)) else false end
    from (
        select x.dimension_id, x.name, x.position, x.required, x.edges, dealwright_engine.has_empty(x) as has_empty,
               dealwright_engine.given(attributes, x.name) as given
        from dealwright.dimension as x
    ) as d
    left join dealwright.dimension_value as v on v.dimension_id = d.dimension_id and v.value = case
        when d.given is null then case when d.has_empty then '(empty)' end
        when d.edges = '{}' then d.given
        else dealwright_engine.bin_named(d.dimension_id, d.edges, d.given) end
$$;
comment on function dealwright_engine.read_attributes(jsonb) is
    'Slot 1 and the slots of what a lead''s attributes say, and whether there is nothing to complain about and nothing new in them.';

create or replace function dealwright_engine.slots_of(attributes jsonb)
returns integer[] language sql stable as $$ select (dealwright_engine.read_attributes(attributes)).slots $$;
comment on function dealwright_engine.slots_of(jsonb) is 'Slot 1 and the slot of what the attributes say about each dimension, as far as there is one.';

create or replace function dealwright_engine.kind_of(slots integer[])
returns jsonb language sql stable as $$
    select coalesce(jsonb_object_agg(d.name, v.value), '{}')
    from dealwright.dimension_value as v
    join dealwright.dimension as d using (dimension_id)
    where v.slot = any (slots)
$$;
comment on function dealwright_engine.kind_of(integer[]) is 'What was understood of a lead''s attributes: the value of each slot.';

create or replace function dealwright_engine.check_attributes(attributes jsonb, all_required boolean)
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
        select case
            when g.kind in ('object', 'array') then format('%s must be a text or a number, not %s', d.name, attributes -> d.name)
            when d.edges <> '{}' then format('%s must be a number, not %L', d.name, g.given)
            when d.is_open then format('a value of %s has 200 characters at most, not %s', d.name, length(g.given))
            else format('unknown value %L for dimension %s: use one of %s', g.given, d.name,
                        (select string_agg(v.value, ', ' order by v.slot)
                         from dealwright.dimension_value as v
                         where v.dimension_id = d.dimension_id and v.bin is null and v.value <> '(empty)'))
            end
        into problem
        from dealwright.dimension as d
        cross join lateral (
            select dealwright_engine.given(attributes, d.name) as given, jsonb_typeof(attributes -> d.name) as kind
        ) as g
        where g.given is not null
          and not case
              when g.kind in ('object', 'array') then false
              when d.edges <> '{}' then dealwright_engine.bin_named(d.dimension_id, d.edges, g.given) is not null
              when d.is_open then length(g.given) <= 200
              else exists (select from dealwright.dimension_value as v
                           where v.dimension_id = d.dimension_id and v.bin is null and v.value = g.given) end
        order by d.position
        limit 1;
    end if;
    if problem is null and all_required then
        select format('dimension %L is missing: add it to the attributes', d.name) into problem
        from dealwright.dimension as d
        where d.required and dealwright_engine.given(attributes, d.name) is null
        order by d.position
        limit 1;
    end if;
    if problem is not null then
        raise exception '%', problem using errcode = 'DW002';
    end if;
end
$$;
comment on function dealwright_engine.check_attributes(jsonb, boolean) is
    'Raises DW002, naming the dimension and what may be said, unless every attribute is declared and, where asked for, none that is required is missing.';

create or replace function dealwright_engine.wait_a_little(line text, place integer)
returns void language plpgsql as $$
declare
    patience text := current_setting('lock_timeout');
    done text;
begin
    begin
        done := set_config('lock_timeout', '50ms', true);
        done := pg_advisory_xact_lock(hashtext(line), place);
        -- the time may have run out in the moment the place was got: that is told before the next statement, and must be told in here
        done := patience;
    exception when lock_not_available then
        null;
    end;
    done := set_config('lock_timeout', patience, true);
end
$$;
comment on function dealwright_engine.wait_a_little(text, integer) is
    'Waits for a place in a line, 50 ms at most: not for long behind a transaction that does other things as well.';

-- A new value of an open dimension is a row and nothing else: arrays of counts grow when something is counted at the slot, and to
-- the models that were made before it weighs nothing. So nobody who places a lead with a known value notices.
create or replace function dealwright_engine.add_value(to_dimension bigint, new_value text)
returns boolean language plpgsql as $$
declare
    line constant integer := hashtext('dealwright values');
begin
    -- One transaction at a time adds values, or slots would have gaps where one is undone. Nobody waits long for it, and so no two
    -- for each other: the value then stays unknown until the next training or import.
    if not pg_try_advisory_xact_lock(line, 0) then
        perform dealwright_engine.wait_a_little('dealwright values', 0);
        if not pg_try_advisory_xact_lock(line, 0) then
            return false;
        end if;
    end if;
    if exists (select from dealwright.dimension_value as v where v.dimension_id = to_dimension and v.value = new_value) then
        return true;
    end if;
    if dealwright_engine.room_for_values(to_dimension) = 0
            -- to a model that has learned of it elsewhere the value would weigh something, once all agents have an element for it
            or exists (select from dealwright.model as m
                       join dealwright.dimension as d on d.dimension_id = to_dimension
                       where m.kind = 'value' and m.parameters -> 'dimensions' -> d.name ? new_value) then
        return false;
    end if;
    insert into dealwright.dimension_value (slot, dimension_id, value) values (dealwright_engine.slot_count() + 1, to_dimension, new_value);
    return true;
end
$$;
comment on function dealwright_engine.add_value(bigint, text) is
    'Gives a value of an open dimension its slot; false when it has to stay unknown for now.';

create or replace function dealwright_engine.add_values(attributes jsonb)
returns boolean language plpgsql as $$
declare
    fresh record;
    added boolean := false;
begin
    for fresh in
        select d.dimension_id, g.given
        from dealwright.dimension as d
        cross join lateral (select dealwright_engine.given(attributes, d.name) as given) as g
        where d.is_open and g.given is not null
          and not exists (select from dealwright.dimension_value as v where v.dimension_id = d.dimension_id and v.value = g.given)
        order by d.position
    loop
        added := dealwright_engine.add_value(fresh.dimension_id, fresh.given) or added;
    end loop;
    return added;
end
$$;
comment on function dealwright_engine.add_values(jsonb) is 'Gives the new values of a lead their slots, as far as possible; whether any got one.';

-- The names of a dimension's bins, which keep their slots.
create or replace function dealwright_engine.name_bins(id bigint, names text[])
returns void language plpgsql as $$
begin
    -- by way of names that nobody has: a bin may get the name that another had
    update dealwright.dimension_value as v set value = format('(slot %s)', v.slot)
    where v.dimension_id = id and (v.bin is not null or v.value = any (names));
    update dealwright.dimension_value as v set value = names[v.bin]
    where v.dimension_id = id and v.bin <= cardinality(names);
    insert into dealwright.dimension_value (slot, dimension_id, value, bin)
    select dealwright_engine.slot_count() + row_number() over (order by n.bin), id, n.name, n.bin
    from unnest(names) with ordinality as n (name, bin)
    where not exists (select from dealwright.dimension_value as v where v.dimension_id = id and v.bin = n.bin);
end
$$;

create or replace function dealwright_engine.note_dimension(
    dimension_name text, allowed_values text[], wanted_open boolean, wanted_required boolean, wanted_at_arrival boolean,
    wanted_edges double precision[]
)
returns boolean language plpgsql as $$
declare
    past dealwright.dimension;
    d dealwright.dimension;
    names text[] := array(select btrim(a.value) from unnest(allowed_values) with ordinality as a (value, place)
                          where a.value <> '(empty)' group by btrim(a.value) order by min(a.place));
    slots_before integer := dealwright_engine.slot_count();
    renamed boolean := false;
begin
    if exists (select from unnest(wanted_edges) as e (edge) where abs(e.edge) in ('infinity', 'nan')) then
        raise exception 'dimension % needs ascending edges, each a finite number', quote_literal(dimension_name) using errcode = 'DW002',
            hint = 'leave out infinity: the first and the last bin have no end';
    end if;
    select * into past from dealwright.dimension as x where x.name = dimension_name;
    insert into dealwright.dimension as x (name, position, is_open, required, at_arrival, edges)
    values (dimension_name, (select coalesce(max(position), 0) + 1 from dealwright.dimension), coalesce(wanted_open, false),
            coalesce(wanted_required, true), coalesce(wanted_at_arrival, true), coalesce(wanted_edges, '{}'))
    on conflict (name) do update set
        is_open = coalesce(wanted_open, x.is_open), required = coalesce(wanted_required, x.required),
        at_arrival = coalesce(wanted_at_arrival, x.at_arrival), edges = coalesce(wanted_edges, x.edges)
    returning * into d;
    if d.edges = '{}' then
        -- what is a text from now on has the bins of the last edges for values
        update dealwright.dimension_value as v set bin = null
        where v.dimension_id = d.dimension_id and v.bin <= cardinality(past.edges) + 1;
    elsif cardinality(names) <> cardinality(d.edges) + 1 or d.is_open or exists (
            select from unnest(d.edges, d.edges[2:]) as e (edge, next) where e.edge >= e.next or abs(e.edge) in ('infinity', 'nan')) then
        raise exception 'dimension % needs ascending edges, and a name for each of its % bins', quote_literal(d.name), cardinality(d.edges) + 1
            using errcode = 'DW002', hint = 'it is not open: every number is of some bin';
    elsif names is distinct from array(select v.value from dealwright.dimension_value as v
                                       where v.dimension_id = d.dimension_id and v.bin <= cardinality(names) order by v.bin) then
        perform dealwright_engine.name_bins(d.dimension_id, names);
        renamed := true;
    end if;
    if dealwright_engine.has_empty(d) then
        insert into dealwright.dimension_value (slot, dimension_id, value) values (dealwright_engine.slot_count() + 1, d.dimension_id, '(empty)')
        on conflict (dimension_id, value) do nothing;
    end if;
    if d.edges = '{}' then
        insert into dealwright.dimension_value (slot, dimension_id, value)
        select dealwright_engine.slot_count() + row_number() over (order by fresh.place), d.dimension_id, fresh.value
        from unnest(names) with ordinality as fresh (value, place)
        where not exists (select from dealwright.dimension_value as v where v.dimension_id = d.dimension_id and v.value = fresh.value)
        order by fresh.place
        limit case when d.is_open then dealwright_engine.room_for_values(d.dimension_id) end;
    end if;
    return case when past.dimension_id is null then dealwright_engine.has_empty(d)
        else renamed or past.edges <> d.edges or dealwright_engine.has_empty(past) <> dealwright_engine.has_empty(d)
             -- it may be the value of a lead that had to go without
             or (past.is_open and dealwright_engine.slot_count() > slots_before) end;
end
$$;
comment on function dealwright_engine.note_dimension(text, text[], boolean, boolean, boolean, double precision[]) is
    'Notes a dimension and its values; whether leads that came before have to be read anew.';

create or replace function dealwright_engine.reread_leads()
returns bigint language plpgsql as $$
declare
    begun boolean := dealwright_engine.writes_itself();
    many bigint;
begin
    if not begun then
        perform dealwright_engine.begin_own_writes();  -- the caller counts anew
    end if;
    with kind as (
        select k.attributes, dealwright_engine.slots_of(k.attributes) as slots
        from (select distinct l.attributes from dealwright.lead as l) as k
    ), reread as (
        update dealwright.lead as l set slots = k.slots
        from kind as k where l.attributes = k.attributes and l.slots <> k.slots
        returning l.lead_id, l.slots
    ), followed as (
        update dealwright.assignment as a set slots = r.slots from reread as r where a.lead_id = r.lead_id
    )
    select count(*) into many from reread;
    if not begun then
        perform dealwright_engine.end_own_writes();
    end if;
    return many;
end
$$;
comment on function dealwright_engine.reread_leads() is
    'Reads the attributes of all leads anew, after a change of what they mean; returns how many mean something else. The counters do not follow.';

create or replace function dealwright_engine.widen_statistics()
returns void language plpgsql as $$
begin
    perform dealwright_engine.widen_counters();
    perform dealwright_engine.compile_model(m.model_id) from dealwright.model as m where m.kind = 'value';
    perform dealwright_engine.refresh_profile(a.agent_id, m.model)
    from (select dealwright_engine.promoted_model() as model offset 0) as m cross join dealwright.agent as a order by a.agent_id;
end
$$;
comment on function dealwright_engine.widen_statistics() is 'Gives every statistics array and profile an element for each new slot.';

create or replace function dealwright_engine.widen_counters()
returns void language sql as $$
    update dealwright.agent_stat as s set
        assigned = s.assigned || array_fill(0, array[w.width - cardinality(s.assigned)]),
        known = s.known || array_fill(0, array[w.width - cardinality(s.known)]),
        confirmed = s.confirmed || array_fill(0, array[w.width - cardinality(s.confirmed)]),
        expected_ppm = s.expected_ppm || array_fill(0::bigint, array[w.width - cardinality(s.expected_ppm)])
    from (select dealwright_engine.slot_count() as width) as w
    where least(cardinality(s.assigned), cardinality(s.known)) < w.width
$$;
comment on function dealwright_engine.widen_counters() is 'Gives every array of counts an element for each slot.';
