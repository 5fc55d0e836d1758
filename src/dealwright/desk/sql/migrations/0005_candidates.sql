-- The lists of agents to look at first go by the field's name (engine/candidates.sql).

drop trigger if exists forget_standings on dealwright.dimension;
drop trigger if exists forget_standings on dealwright.dimension_value;
alter table dealwright_engine.standing rename to candidate_list;
alter table dealwright_engine.candidate_list rename column standings to unloaded_worths;
do $$
declare
    name text;
begin
    -- from PostgreSQL 18 on every "not null" has a name, too
    for name in
        select c.conname from pg_constraint as c
        where c.conrelid = 'dealwright_engine.candidate_list'::regclass and c.conname like 'standing\_%'
    loop
        execute format('alter table dealwright_engine.candidate_list rename constraint %I to %I', name,
            replace(replace(name, 'standings', 'unloaded_worths'), 'standing_', 'candidate_list_'));
    end loop;
end
$$;
-- functions of the edition before are dropped by the names that the books have of them
update dealwright.schema_functions as f set
    objects = array(
        select regexp_replace(o, '\mdealwright(_engine)?\.standing\M', 'dealwright_engine.candidate_list', 'g')
        from unnest(f.objects) as o),
    retired = array(
        select regexp_replace(o, '\mdealwright(_engine)?\.standing\M', 'dealwright_engine.candidate_list', 'g')
        from unnest(f.retired) as o);
