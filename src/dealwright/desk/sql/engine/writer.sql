-- Who keeps the counters. An import counts everything anew, and the function that places a lead moves the counters itself, which is
-- sooner done; for these the triggers stand back. That is said in a setting, because it must end with a transaction that fails, and
-- its value is the number this session last drew from a sequence that nobody else may read: a plain writer who sets it is not believed.

create or replace function dealwright_engine.writes_itself()
returns boolean language sql as $$
    select coalesce(current_setting('dealwright.writer', true), '') <> ''
        and current_setting('dealwright.writer', true) = currval('dealwright_engine.writer')::text
$$;
comment on function dealwright_engine.writes_itself() is 'Whether the engine is at work, which keeps the counters itself.';

create or replace function dealwright_engine.begin_own_writes()
returns text language sql as $$
    select set_config('dealwright.writer', nextval('dealwright_engine.writer')::text, true)
$$;

create or replace function dealwright_engine.end_own_writes()
returns text language sql as $$ select set_config('dealwright.writer', '', true) $$;

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
comment on function dealwright_engine.is_allowed(text, bigint) is 'Whether a function of the engine has allowed a deed on a row (dealwright_engine.allow).';

create or replace function dealwright_engine.end_allowance(deed text)
returns text language sql as $$ select set_config('dealwright.' || deed, '', true) $$;
