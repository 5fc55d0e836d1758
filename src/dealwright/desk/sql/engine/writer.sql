-- Who keeps the counters. An import counts everything anew, and the function that places a lead moves the counters
-- itself, which is sooner done; for these the triggers stand back. That is said in a setting, because it must end with
-- a transaction that fails, and its value is the number this session last drew from a sequence that nobody else may
-- read: a plain writer who sets it is not believed (docs/decisions/record.md#the-engines-mark). Nothing of a caller's may
-- run while the setting holds a mark.

-- Its names are looked up here and not where it is called: so written_by_engine needs no search path of its own.
create or replace function dealwright_engine.writes_itself()
returns boolean language sql
return coalesce(current_setting('dealwright.writer', true), '') <> ''
    and current_setting('dealwright.writer', true) = currval('dealwright_engine.writer')::text;
comment on function dealwright_engine.writes_itself()
    is 'Whether the engine is at work, which keeps the counters itself.';

create or replace function dealwright_engine.begin_own_writes()
returns text language sql as $$
    select set_config('dealwright.writer', nextval('dealwright_engine.writer')::text, true)
$$;

create or replace function dealwright_engine.end_own_writes()
returns text language sql as $$ select set_config('dealwright.writer', '', true) $$;

create or replace function dealwright_engine.join_own_writes()
returns boolean language plpgsql as $$
declare
    done text;
begin
    if dealwright_engine.writes_itself() then
        return false;
    end if;
    done := dealwright_engine.begin_own_writes();
    return true;
end
$$;
comment on function dealwright_engine.join_own_writes() is
    'The same for a function that may be called by one that writes already; its answer goes to leave_own_writes.';

create or replace function dealwright_engine.leave_own_writes(begun boolean)
returns void language plpgsql as $$
declare
    done text;
begin
    if begun then
        done := dealwright_engine.end_own_writes();
    end if;
end
$$;

create or replace function dealwright_engine.write_event(
    kind text, payload jsonb default null, agent_id bigint default null, lead_id bigint default null
)
returns void language plpgsql as $$
declare
    begun boolean := dealwright_engine.join_own_writes();
begin
    insert into dealwright.event (kind, payload, agent_id, lead_id)
    values (write_event.kind, write_event.payload, write_event.agent_id, write_event.lead_id);
    perform dealwright_engine.leave_own_writes(begun);
end
$$;
comment on function dealwright_engine.write_event(text, jsonb, bigint, bigint) is
    'Records an event that moves no counter.';

-- What only the engine writes. Before the statement and once for it. Without a search path, which would cost a
-- settlement 6 %; so every name is written out.
create or replace function dealwright_engine.written_by_engine()
returns trigger language plpgsql security definer as $$
begin
    if not dealwright_engine.writes_itself() then
        raise exception '% is kept by the desk itself: % by hand is refused', tg_table_name, pg_catalog.lower(tg_op)
            using errcode = 'DW001', hint = tg_argv[0];
    end if;
    return null;
end
$$;
comment on function dealwright_engine.written_by_engine() is
    'Refuses a statement that is not the engine''s; its argument says what to do instead.';

-- With its agent a row goes too.
create or replace function dealwright_engine.kept_with_agent()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if not dealwright_engine.writes_itself()
            and exists (select from dealwright.agent as a where a.agent_id = old.agent_id) then
        raise exception '% is kept by the desk itself: delete by hand is refused', tg_table_name
            using errcode = 'DW001', hint = tg_argv[0];
    end if;
    return old;
end
$$;

create or replace function dealwright_engine.refuse_truncate()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    raise exception '% is not truncated: the counters would not follow', tg_table_name
        using errcode = 'DW001', hint = tg_argv[0];
end
$$;

create or replace function dealwright_engine.keep_number()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    if to_jsonb(new) -> tg_argv[0] <> to_jsonb(old) -> tg_argv[0] then
        raise exception '% % keeps its number', tg_table_name, to_jsonb(old) ->> tg_argv[0] using errcode = 'DW002',
            hint = 'the record names it by that; external_id is yours to change';
    end if;
    return new;
end
$$;
comment on function dealwright_engine.keep_number() is 'Refuses another value of the column that the argument names.';

-- Not security definer: it asks who writes.
create or replace function dealwright_engine.keep_books()
returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not pg_has_role(current_user, (select c.relowner from pg_class as c where c.oid = tg_relid), 'USAGE') then
        raise exception '% is for upgrades only', tg_table_name using errcode = 'DW001',
            hint = 'dealwright init, run by the owner of the schema dealwright, brings the desk up to date';
    end if;
    return null;
end
$$;
comment on function dealwright_engine.keep_books() is 'Leaves what a desk knows of its own upgrades to its owner.';

-- What only a function of ours may do, to one row, as long as it runs.
create or replace function dealwright_engine.allow(deed text, id bigint)
returns text language sql as $$
    select set_config('dealwright.' || deed, id || ' ' || nextval('dealwright_engine.writer'), true)
$$;

create or replace function dealwright_engine.is_allowed(deed text, id bigint)
returns boolean language sql as $$
    select coalesce(current_setting('dealwright.' || deed, true), '') <> ''
        and current_setting('dealwright.' || deed, true) = id || ' ' || currval('dealwright_engine.writer')
$$;
comment on function dealwright_engine.is_allowed(text, bigint)
    is 'Whether a function of the engine has allowed a deed on a row (dealwright_engine.allow).';

create or replace function dealwright_engine.end_allowance(deed text)
returns text language sql as $$ select set_config('dealwright.' || deed, '', true) $$;

-- Who asked, inside a function that runs with the rights of its owner.
create or replace function dealwright_engine.caller()
returns name language sql stable as $$
    select case when current_setting('role') = 'none' then session_user else current_setting('role')::name end
$$;

create or replace function dealwright_engine.check_temporary()
returns void language plpgsql as $$
declare
    stranger text;
begin
    select t.typname into stranger
    from pg_type as t
    where t.typnamespace = pg_my_temp_schema()
      and t.typowner <> (select r.oid from pg_roles as r where r.rolname = current_user)
      and exists (select from pg_type as o
                  where o.typname = t.typname
                    and (o.typnamespace in ('dealwright'::regnamespace, 'dealwright_engine'::regnamespace)
                         or o.typnamespace = (select e.extnamespace from pg_extension as e where e.extname = 'vector')))
    limit 1;
    if found then
        raise exception 'this session has something temporary of the name %', quote_ident(stranger)
            using errcode = 'DW001', hint = 'drop it first: here temporary tables stand in front of the desk''s own';
    end if;
end
$$;
comment on function dealwright_engine.check_temporary() is
    'For functions that look at temporary tables first: a caller''s own must not run with the rights of the engine.';

create or replace function dealwright_engine.check_filled(names text[], maker text)
returns void language plpgsql as $$
declare
    missing text;
begin
    select n.name into missing
    from unnest(names) as n (name)
    where not exists (
        select from pg_class as c
        where c.relname = n.name and c.relnamespace = pg_my_temp_schema() and c.relkind = 'r'
          and c.relowner = (select r.oid from pg_roles as r where r.rolname = current_user))
    limit 1;
    if found then
        raise exception 'there is no table % to read from', missing using errcode = 'DW002',
            hint = format('call %s first, in the same transaction, and fill what it makes', maker);
    end if;
end
$$;
comment on function dealwright_engine.check_filled(text[], text) is
    'Whether temporary tables are those that the engine made: a caller''s own could run anything with its rights.';
