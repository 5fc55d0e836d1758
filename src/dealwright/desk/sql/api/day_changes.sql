-- Days of a plan that people change by hand. What a change means, and whether it can be driven, the plan says
-- (plan/routing/changes.py); here stands who did what, in which order, and what of it counts.

create or replace function dealwright.day_changes(night_id bigint, day date default null)
returns table (
    change_id bigint, day date, kind text, change jsonb, of_change bigint, made_at timestamptz, made_by text, counts boolean
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select c.change_id, c.day, c.kind, c.change, c.of_change, c.made_at, c.made_by,
           c.kind = 'change' and coalesce((
               select u.kind = 'redo' from dealwright_engine.day_change as u
               where u.of_change = c.change_id
               order by u.change_id desc limit 1), true)
    from dealwright_engine.day_change as c
    where c.night_id = day_changes.night_id and (day_changes.day is null or c.day = day_changes.day)
    order by c.change_id
$$;
comment on function dealwright.day_changes(bigint, date) is
    'What was changed of the days of a run, in order; counts: a change that was not undone, or done again.';

create or replace function dealwright.change_day(night_id bigint, day date, kind text, change jsonb, of_change bigint,
    seen bigint, made_by text)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    night dealwright_engine.night;
    latest dealwright_engine.day_change;
    expected bigint;
    result bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    -- one change after the other
    select * into night from dealwright_engine.night as n where n.night_id = change_day.night_id for update;
    if not found then
        raise exception 'there is no night %', change_day.night_id using errcode = 'DW003',
            hint = 'the list of nights shows the ids';
    end if;
    select * into latest from dealwright_engine.day_change as c
    where c.night_id = change_day.night_id and c.day = change_day.day
    order by c.change_id desc limit 1;
    if coalesce(latest.change_id, 0) <> coalesce(change_day.seen, 0) then
        raise exception '% has changed this day meanwhile', latest.made_by using errcode = 'DW001',
            hint = 'look at the day as it is now, and try again';
    end if;
    -- the last change that counts is undone first; what was undone last is done again first, until a new change is made
    if change_day.kind = 'undo' then
        select max(d.change_id) into expected
        from dealwright.day_changes(change_day.night_id, change_day.day) as d where d.counts;
    elsif change_day.kind = 'redo' then
        select min(d.change_id) into expected
        from dealwright.day_changes(change_day.night_id, change_day.day) as d
        where d.kind = 'change' and not d.counts
          and d.change_id > coalesce((select max(x.change_id)
                from dealwright.day_changes(change_day.night_id, change_day.day) as x where x.counts), 0);
    end if;
    if change_day.kind in ('undo', 'redo') and (expected is null or expected is distinct from change_day.of_change) then
        raise exception 'there is nothing to %', change_day.kind using errcode = 'DW001',
            hint = 'look at the day as it is now';
    end if;
    insert into dealwright_engine.day_change as c (night_id, day, kind, change, of_change, made_by)
    values (change_day.night_id, change_day.day, change_day.kind, change_day.change, change_day.of_change,
            change_day.made_by)
    returning c.change_id into result;
    perform dealwright_engine.note_change(
        case change_day.kind when 'change' then 'change_day' when 'publish' then 'publish_day'
                             else change_day.kind || '_day_change' end,
        'night', change_day.night_id::text, null,
        jsonb_strip_nulls(jsonb_build_object(
            'day', change_day.day, 'change_id', coalesce(change_day.of_change, result),
            'change', case when change_day.kind = 'change' then change_day.change ->> 'kind' end,
            'version', change_day.change -> 'version')));
    return result;
end
$$;
comment on function dealwright.change_day(bigint, date, text, jsonb, bigint, bigint, text) is
    'Writes down that somebody changed, undid, did again or published a day of a run; seen: the newest change they saw.';
