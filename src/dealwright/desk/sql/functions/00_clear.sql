-- All functions, views and row types are dropped and made anew, so that a changed signature leaves nothing behind.
-- Triggers go with their functions; 08_triggers.sql puts them back in the same transaction.
do $$
declare
    thing text;
begin
    -- all names before the first drop: what a cascade has taken along has none any more
    foreach thing in array array(
        select format('drop view if exists %s cascade', c.oid::regclass)
        from pg_class as c where c.relnamespace = 'dealwright'::regnamespace and c.relkind = 'v'
        union all
        select format('drop routine if exists %s cascade', p.oid::regprocedure)
        from pg_proc as p where p.pronamespace = 'dealwright'::regnamespace
          and not exists (select from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
        union all
        select format('drop type if exists %s cascade', t.oid::regtype)
        from pg_type as t join pg_class as c on c.oid = t.typrelid
        where t.typnamespace = 'dealwright'::regnamespace and c.relkind = 'c'
    ) loop
        execute thing;
    end loop;
end
$$;
