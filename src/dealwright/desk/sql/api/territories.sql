-- Scenarios of territories: made from a night's plan, edited, undone, approved from a day on, and retired.

create or replace function dealwright.create_territory_scenario(name text, night_id bigint, created_by text)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    made bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if not exists (select from dealwright_engine.night as n
                   where n.night_id = create_territory_scenario.night_id and n.status = 'done') then
        raise exception 'night % is not done', create_territory_scenario.night_id using errcode = 'DW003',
            hint = 'the list of nights shows those that are';
    end if;
    insert into dealwright_engine.territory_scenario as s (name, night_id, created_by)
    values (create_territory_scenario.name, create_territory_scenario.night_id, create_territory_scenario.created_by)
    on conflict on constraint territory_scenario_name do nothing
    returning s.scenario_id into made;
    if made is null then
        raise exception 'there is a scenario "%" already', create_territory_scenario.name using errcode = 'DW001',
            hint = 'give it another name';
    end if;
    perform dealwright_engine.note_change('create_scenario', 'territories', made::text, null,
        jsonb_build_object('name', create_territory_scenario.name, 'night_id', create_territory_scenario.night_id));
    return made;
end
$$;
comment on function dealwright.create_territory_scenario(text, bigint, text) is
    'Copies the territories that a night planned, to be edited.';

-- Locks a scenario that may still be changed.
create or replace function dealwright_engine.open_scenario(scenario_id bigint)
returns void language plpgsql
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    found_status text;
begin
    select s.status into found_status from dealwright_engine.territory_scenario as s
    where s.scenario_id = open_scenario.scenario_id for update;
    if found_status is null then
        raise exception 'there is no scenario %', open_scenario.scenario_id using errcode = 'DW003',
            hint = 'the list of scenarios shows the ids';
    elsif found_status <> 'draft' then
        raise exception 'scenario % is %: it stays as it is', open_scenario.scenario_id, found_status
            using errcode = 'DW001', hint = 'make a new one';
    end if;
end
$$;

create or replace function dealwright.edit_territory_scenario(scenario_id bigint, edit jsonb, made_by text,
    after integer default null)
returns integer language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    last integer;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.open_scenario(edit_territory_scenario.scenario_id);
    select coalesce(max(e.number), 0) into last from dealwright_engine.territory_edit as e
    where e.scenario_id = edit_territory_scenario.scenario_id;
    if edit_territory_scenario.after is distinct from coalesce((
            select max(e.number) from dealwright_engine.territory_edit as e
            where e.scenario_id = edit_territory_scenario.scenario_id and e.undone_at is null), 0)
            and edit_territory_scenario.after is not null then
        raise exception 'somebody else has changed scenario % meanwhile', edit_territory_scenario.scenario_id
            using errcode = 'DW001', hint = 'look at it again, then change it';
    end if;
    insert into dealwright_engine.territory_edit (scenario_id, number, edit, made_by)
    values (edit_territory_scenario.scenario_id, last + 1, edit_territory_scenario.edit, edit_territory_scenario.made_by);
    return last + 1;
end
$$;
comment on function dealwright.edit_territory_scenario(bigint, jsonb, text, integer) is
    'Adds an edit to a draft and returns its number. after: the edit that who makes it saw last; 0: none.';

create or replace function dealwright.undo_territory_edit(scenario_id bigint, undone_by text)
returns integer language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    undone integer;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.open_scenario(undo_territory_edit.scenario_id);
    update dealwright_engine.territory_edit as e
    set undone_by = undo_territory_edit.undone_by, undone_at = clock_timestamp()
    where e.scenario_id = undo_territory_edit.scenario_id and e.number = (
        select max(f.number) from dealwright_engine.territory_edit as f
        where f.scenario_id = undo_territory_edit.scenario_id and f.undone_at is null)
    returning e.number into undone;
    if undone is null then
        raise exception 'scenario % has no edit to undo', undo_territory_edit.scenario_id using errcode = 'DW001',
            hint = 'it is the plan of its night';
    end if;
    return undone;
end
$$;
comment on function dealwright.undo_territory_edit(bigint, text) is
    'Takes back the last edit of a draft that stands, and returns its number.';

create or replace function dealwright.approve_territory_scenario(scenario_id bigint, effective_from date,
    approved_by text, edits integer, figures jsonb, territories text[], rep_ids text[], account_ids text[],
    account_territories text[])
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    other text;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.open_scenario(approve_territory_scenario.scenario_id);
    if edits <> coalesce((select max(e.number) from dealwright_engine.territory_edit as e
                          where e.scenario_id = approve_territory_scenario.scenario_id and e.undone_at is null), 0) then
        raise exception 'somebody else has changed scenario % meanwhile', approve_territory_scenario.scenario_id
            using errcode = 'DW001', hint = 'look at it again, then approve it';
    end if;
    -- two approvals for one day come one after the other, and the second sees the first
    perform pg_advisory_xact_lock(hashtextextended('dealwright.territories', 0));
    select s.name into other from dealwright_engine.territory_scenario as s
    where s.status = 'approved' and s.effective_from = approve_territory_scenario.effective_from;
    if other is not null then
        raise exception '"%" is approved from that day on', other using errcode = 'DW001',
            hint = 'retire it first, or choose another day';
    end if;
    update dealwright_engine.territory_scenario as s
    set status = 'approved', approved_by = approve_territory_scenario.approved_by, approved_at = clock_timestamp(),
        effective_from = approve_territory_scenario.effective_from, figures = approve_territory_scenario.figures
    where s.scenario_id = approve_territory_scenario.scenario_id;
    insert into dealwright_engine.territory_holder (scenario_id, territory, rep_id)
    select approve_territory_scenario.scenario_id, h.territory, h.rep_id
    from unnest(territories, rep_ids) as h (territory, rep_id);
    insert into dealwright_engine.territory_account (scenario_id, account_id, territory)
    select approve_territory_scenario.scenario_id, a.account_id, a.territory
    from unnest(account_ids, account_territories) as a (account_id, territory);
    perform dealwright_engine.note_change('approve_scenario', 'territories',
        approve_territory_scenario.scenario_id::text, null,
        jsonb_build_object('effective_from', approve_territory_scenario.effective_from, 'edits', edits,
                           'accounts', cardinality(account_ids), 'moved', figures -> 'moved'));
end
$$;
comment on function dealwright.approve_territory_scenario(bigint, date, text, integer, jsonb, text[], text[], text[], text[])
    is 'Nights that plan effective_from or a later day keep these territories. edits: the last edit that was approved.';

create or replace function dealwright.retire_territory_scenario(scenario_id bigint)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    before text;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select s.status into before from dealwright_engine.territory_scenario as s
    where s.scenario_id = retire_territory_scenario.scenario_id for update;
    if before is null then
        raise exception 'there is no scenario %', retire_territory_scenario.scenario_id using errcode = 'DW003',
            hint = 'the list of scenarios shows the ids';
    elsif before = 'retired' then
        raise exception 'scenario % is retired already', retire_territory_scenario.scenario_id using errcode = 'DW001',
            hint = 'nothing is left to do';
    end if;
    update dealwright_engine.territory_scenario as s set status = 'retired', retired_at = clock_timestamp()
    where s.scenario_id = retire_territory_scenario.scenario_id;
    perform dealwright_engine.note_change('retire_scenario', 'territories', retire_territory_scenario.scenario_id::text,
        jsonb_build_object('status', before), jsonb_build_object('status', 'retired'));
end
$$;
comment on function dealwright.retire_territory_scenario(bigint) is
    'No night keeps it any more; one that was approved for an earlier day is in force again.';

create or replace function dealwright.territory_scenarios(scenario_id bigint default null)
returns table (
    scenario_id bigint, name text, night_id bigint, status text, created_by text, created_at timestamptz,
    approved_by text, approved_at timestamptz, effective_from date, retired_at timestamptz, figures jsonb,
    last_edit integer, edits bigint
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select s.scenario_id, s.name, s.night_id, s.status, s.created_by, s.created_at, s.approved_by, s.approved_at,
           s.effective_from, s.retired_at, s.figures, coalesce(e.last_edit, 0), coalesce(e.edits, 0)
    from dealwright_engine.territory_scenario as s
    left join lateral (
        select max(t.number) as last_edit, count(*) as edits from dealwright_engine.territory_edit as t
        where t.scenario_id = s.scenario_id and t.undone_at is null) as e on true
    where territory_scenarios.scenario_id is null or s.scenario_id = territory_scenarios.scenario_id
    order by s.scenario_id desc
    limit 1000
$$;
comment on function dealwright.territory_scenarios(bigint) is
    'Scenarios of territories, newest first, or one of them; last_edit and edits count those that stand.';

create or replace function dealwright.territory_edits(scenario_id bigint)
returns table (number integer, edit jsonb, made_by text, made_at timestamptz, undone_by text, undone_at timestamptz)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select e.number, e.edit, e.made_by, e.made_at, e.undone_by, e.undone_at
    from dealwright_engine.territory_edit as e
    where e.scenario_id = territory_edits.scenario_id
    order by e.number
$$;
comment on function dealwright.territory_edits(bigint) is 'What was changed of a scenario, in its order.';

create or replace function dealwright.territories_in_force(day date)
returns table (scenario_id bigint, name text, effective_from date)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select s.scenario_id, s.name, s.effective_from
    from dealwright_engine.territory_scenario as s
    where s.status = 'approved' and s.effective_from <= territories_in_force.day
    order by s.effective_from desc
    limit 1
$$;
comment on function dealwright.territories_in_force(date) is
    'The scenario that was approved for a day, if there is one.';

create or replace function dealwright.approved_territories(scenario_id bigint)
returns table (account_id text, territory text, rep_id text)
language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select a.account_id, h.territory, h.rep_id
    from dealwright_engine.territory_holder as h
    left join dealwright_engine.territory_account as a using (scenario_id, territory)
    where h.scenario_id = approved_territories.scenario_id
    order by h.territory, a.account_id
$$;
comment on function dealwright.approved_territories(bigint) is
    'Who has which account in a scenario that was approved; account_id is null for a territory without accounts.';
