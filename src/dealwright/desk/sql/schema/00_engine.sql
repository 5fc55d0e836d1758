-- What is nobody's but the engine's: caches, counters, all functions that no client calls.
create schema dealwright_engine;

-- Its numbers are the engine's mark on what it writes (engine/writer.sql): nobody else may read them, and nobody can guess where they are.
create sequence dealwright_engine.writer;
select setval('dealwright_engine.writer', ('x' || translate(left(gen_random_uuid()::text, 13), '-', ''))::bit(48)::bigint);
