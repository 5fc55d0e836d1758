create or replace function dealwright.declare_dimension(
    dimension_name text, allowed_values text[], is_open boolean default null, required boolean default null,
    at_arrival boolean default null, edges double precision[] default null
)
returns void language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    slots_before integer;
    anew boolean;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.hold_writers();
    slots_before := dealwright_engine.slot_count();
    anew := dealwright_engine.note_dimension(dimension_name, allowed_values, is_open, required, at_arrival, edges);
    if dealwright_engine.slot_count() > slots_before then
        perform dealwright_engine.widen_statistics();
    end if;
    if anew and dealwright_engine.reread_leads() > 0 then
        perform dealwright.rebuild_statistics();
    end if;
end
$$;
comment on function dealwright.declare_dimension(text, text[], boolean, boolean, boolean, double precision[]) is
    'Declares a dimension or adds values to it; values already declared keep their slots, and what is not said stays '
    'as it is '
    '(of a new one: closed, required, known at arrival, no number).';

create or replace function dealwright.declare_open_values()
returns integer language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    d record;
    found record;
    unread bigint := 0;
    slots_before integer := dealwright_engine.slot_count();
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    for d in select x.dimension_id, x.name from dealwright.dimension as x where x.is_open order by x.position loop
        select array_agg(distinct g.given) filter (where v.slot is null) as fresh, count(v.slot) as unread into found
        from dealwright.lead as l
        cross join lateral (select dealwright_engine.given(l.attributes, d.name) as given) as g
        left join dealwright.dimension_value as v on v.dimension_id = d.dimension_id and v.value = g.given
        where length(g.given) <= 200 and (v.slot is null or v.slot <> all (l.slots));
        if found.fresh is not null and dealwright_engine.room_for_values(d.dimension_id) > 0 then
            perform dealwright.declare_dimension(d.name, found.fresh);
        else
            unread := unread + found.unread;  -- a later lead got the slot
        end if;
    end loop;
    if unread > 0 then
        perform dealwright_engine.hold_writers();
        perform dealwright_engine.reread_leads();
        perform dealwright.rebuild_statistics();
    end if;
    return dealwright_engine.slot_count() - slots_before;
end
$$;
comment on function dealwright.declare_open_values() is
    'Gives their slots to values of open dimensions that could not have one when their lead came, and to these leads; '
    'returns how many values.';
