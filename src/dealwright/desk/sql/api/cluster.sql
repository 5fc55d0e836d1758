-- Asked by everybody who opens a desk.
create or replace function dealwright.knows_cluster()
returns boolean language sql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select dealwright_engine.knows_cluster()
$$;
comment on function dealwright.knows_cluster() is
    'Whether the desk is where its transaction ids come from; if not, it was restored, and `dealwright init` lets new '
    'ids follow the old ones.';
