-- What is nobody's but the engine's: caches, counters, all functions that no client calls.
create schema dealwright_engine;

-- Its numbers are the engine's mark on what it writes (engine/writer.sql): nobody else may read them, and nobody can
-- guess where they are.
create sequence dealwright_engine.writer;
select setval('dealwright_engine.writer',
    ('x' || translate(left(gen_random_uuid()::text, 13), '-', ''))::bit(48)::bigint);

-- The id of the transaction, as it is stored: made by engine/cluster.sql.
create function dealwright_engine.xact_id() returns xid8 language sql stable as $$ select pg_current_xact_id() $$;
grant execute on function dealwright_engine.xact_id() to public;  -- tables have it for a default

create table dealwright_engine.cluster (
    only_row boolean primary key default true check (only_row),
    system_identifier bigint not null,
    xid_offset bigint not null check (xid_offset >= 0),
    since timestamptz not null default now()
);
comment on table dealwright_engine.cluster is
    'The cluster the desk is at work in, and by how much its transaction ids are raised where they are stored.';
