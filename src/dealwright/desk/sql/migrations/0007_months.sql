-- The record by months (engine/months.sql). What there is becomes the first partition of each table, as it is: nothing
-- is copied, and no index is built anew.

create table dealwright_engine.event_kept (
    xid xid8 not null,
    position bigint not null,
    kind text not null,
    agent_id bigint,
    open integer,
    capacity integer,
    fair_count bigint,
    fair_compensation double precision,
    payload jsonb,
    fair_until timestamptz,
    last_assigned_at timestamptz,
    primary key (xid, position)
);
create index event_kept_agent on dealwright_engine.event_kept (agent_id, position);
comment on table dealwright_engine.event_kept is
    'Of the events that are in the archive those that decisions which are not have to be recomputed from.';

create table dealwright.archive_file (
    file text primary key,
    kind text not null check (kind in ('decision', 'event')),
    partition text not null,
    from_time timestamptz,
    to_time timestamptz not null,
    rows bigint not null,
    first_id bigint not null,
    last_id bigint not null,
    last_xid xid8 not null,
    sha256 text not null,
    archived_at timestamptz not null default now()
);
comment on table dealwright.archive_file is
    'What is no longer in this database but in Parquet files, and their digests: `dealwright archive` writes both.';

do $$
declare
    item record;
    statement text;
    others text;
    again text[];
    drawn bigint;
    last timestamptz;
begin
    perform set_config('search_path', 'pg_catalog', true);  -- names are written out
    perform set_config('timezone', 'UTC', true);

    -- a view goes on reading what it read, a published table is the one that was published: neither would see the next
    -- month
    select string_agg(distinct t.what, '; ') into others
    from (
        select format('%s depends on table %s', pg_describe_object('pg_class'::regclass, r.ev_class, 0), c.relname)
        from pg_depend as d
        join pg_rewrite as r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
        join pg_class as c on c.oid = d.refobjid
        where d.refclassid = 'pg_class'::regclass
          and d.refobjid in ('dealwright.event'::regclass, 'dealwright.decision'::regclass)
        union all
        select format('constraint %s of table %s depends on table %s', k.conname, k.conrelid::regclass, c.relname)
        from pg_constraint as k
        join pg_class as c on c.oid = k.confrelid
        where k.confrelid in ('dealwright.event'::regclass, 'dealwright.decision'::regclass)
        union all
        select format('publication %s publishes table %s', p.pubname, c.relname)
        from pg_publication_rel as r
        join pg_publication as p on p.oid = r.prpubid
        join pg_class as c on c.oid = r.prrelid
        where r.prrelid in ('dealwright.event'::regclass, 'dealwright.decision'::regclass)
    ) as t (what);
    if others is not null then
        raise exception 'event and decision are partitioned by month now' using errcode = '2BP01', detail = others;
    end if;

    -- our functions of these row types come again with the edition
    for statement in
        select distinct format('drop routine %s', p.oid::regprocedure)
        from pg_depend as d
        join pg_proc as p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
        join pg_type as t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
        where t.typrelid in ('dealwright.event'::regclass, 'dealwright.decision'::regclass)
          and p.pronamespace in ('dealwright'::regnamespace, 'dealwright_engine'::regnamespace)
    loop
        execute statement;
    end loop;

    alter table dealwright_engine.agent_profile_log alter column position drop default;
    for item in
        select * from (values ('decision', 'decided_at', 'decision_id'), ('event', 'at', 'position'))
            as t (name, at_column, id_column)
    loop
        -- indexes and triggers of the company's own are to hold for the months to come as well
        again := array(
            select pg_get_indexdef(i.indexrelid)
            from pg_index as i
            where i.indrelid = format('dealwright.%I', item.name)::regclass and not i.indisunique
        ) || array(
            select pg_get_triggerdef(t.oid)
            from pg_trigger as t
            join pg_proc as p on p.oid = t.tgfoid
            where t.tgrelid = format('dealwright.%I', item.name)::regclass and not t.tgisinternal
              and p.pronamespace not in ('dealwright'::regnamespace, 'dealwright_engine'::regnamespace)
        );
        for statement in
            select format('drop trigger %I on dealwright.%I', t.tgname, item.name)
            from pg_trigger as t
            join pg_proc as p on p.oid = t.tgfoid
            where t.tgrelid = format('dealwright.%I', item.name)::regclass and not t.tgisinternal
              and p.pronamespace not in ('dealwright'::regnamespace, 'dealwright_engine'::regnamespace)
        loop
            execute statement;
        end loop;
        execute format('select greatest(date_trunc(''month'', now()), date_trunc(''month'', max(%I))) '
                       '       + interval ''1 month'' from dealwright.%I', item.at_column, item.name) into last;
        execute format('select case when s.is_called then s.last_value + 1 else s.last_value end from dealwright.%I as s',
                       format('%s_%s_seq', item.name, item.id_column)) into drawn;
        execute format('alter table dealwright.%I alter column %I drop identity', item.name, item.id_column);
        execute format('alter table dealwright.%I set schema dealwright_engine', item.name);
        execute format('create table dealwright.%I (like dealwright_engine.%1$I including defaults including comments) '
                       'partition by range (%I)', item.name, item.at_column);
        execute format('comment on table dealwright.%I is %L', item.name,
            obj_description(format('dealwright_engine.%I', item.name)::regclass, 'pg_class'));
        execute format('alter table dealwright.%I alter column %I add generated always as identity (start with %s)',
            item.name, item.id_column, drawn);
        execute format('alter sequence dealwright.%I start with 1', format('%s_%s_seq', item.name, item.id_column));
        foreach statement in array again loop
            execute statement;
        end loop;
        execute format('alter table dealwright_engine.%I rename to %I', item.name,
            format('%s_before_%s', item.name, to_char(last, 'YYYY_MM')));
        execute format('alter table dealwright.%I attach partition dealwright_engine.%I for values from (minvalue) to (%L)',
            item.name, format('%s_before_%s', item.name, to_char(last, 'YYYY_MM')), last);
    end loop;
    alter table dealwright_engine.agent_profile_log
        alter column position set default nextval('dealwright.event_position_seq');
end
$$;
