-- The keys of the HTTP service: made, found, replaced and revoked. Whoever serves finds a key; the owner makes them.

create or replace function dealwright.create_key(key_id text, name text, scopes text[], hash text,
    agent_id bigint default null, expires_at timestamptz default null)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if create_key.expires_at <= clock_timestamp() then
        raise exception 'the key would have expired at %', create_key.expires_at using errcode = 'DW002',
            hint = 'give a time to come';
    end if;
    insert into dealwright_engine.api_key (key_id, name, scopes, hash, agent_id, expires_at)
    values (create_key.key_id, create_key.name, create_key.scopes, create_key.hash, create_key.agent_id,
            create_key.expires_at);
    perform dealwright_engine.note_change('create_key', 'key', create_key.key_id, null,
        jsonb_build_object('name', create_key.name, 'scopes', create_key.scopes, 'agent_id', create_key.agent_id,
            'expires_at', create_key.expires_at));
end
$$;
comment on function dealwright.create_key(text, text, text[], text, bigint, timestamptz) is
    'Registers a key of the HTTP service by the Argon2 hash of its secret. Scopes: ingest, agent (with an agent_id), '
    'planner, manager, admin.';

create or replace function dealwright.find_key(key_id text)
returns table (
    key_id text, name text, scopes text[], agent_id bigint, own_agent_id text, hash text, expires_at timestamptz,
    is_valid boolean
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select k.key_id, k.name, k.scopes, k.agent_id, coalesce(a.external_id, a.agent_id::text), k.hash, k.expires_at,
           k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
    from dealwright_engine.api_key as k
    left join dealwright.agent as a using (agent_id)
    where k.key_id = find_key.key_id
$$;
comment on function dealwright.find_key(text) is
    'A key with the hash of its secret, for whoever checks a request; is_valid: neither expired nor revoked.';

create or replace function dealwright.list_keys()
returns table (
    key_id text, name text, scopes text[], own_agent_id text, created_at timestamptz, expires_at timestamptz,
    revoked_at timestamptz, replaces text, is_valid boolean
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select k.key_id, k.name, k.scopes, coalesce(a.external_id, a.agent_id::text), k.created_at, k.expires_at,
           k.revoked_at, k.replaces,
           k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
    from dealwright_engine.api_key as k
    left join dealwright.agent as a using (agent_id)
    order by k.created_at, k.key_id
$$;
comment on function dealwright.list_keys() is 'The keys of the HTTP service, oldest first, without their hashes.';

create or replace function dealwright.revoke_key(key_id text)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    revoked timestamptz;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    update dealwright_engine.api_key as k set revoked_at = coalesce(k.revoked_at, clock_timestamp())
    where k.key_id = revoke_key.key_id
    returning k.revoked_at into revoked;
    if not found then
        raise exception 'there is no key %', revoke_key.key_id using errcode = 'DW003',
            hint = '`dealwright key list` shows them';
    end if;
    perform dealwright_engine.note_change('revoke_key', 'key', revoke_key.key_id, null,
        jsonb_build_object('revoked_at', revoked));
    return revoked;
end
$$;
comment on function dealwright.revoke_key(text) is 'Ends a key for good; returns when that first happened.';

create or replace function dealwright.replace_key(key_id text, new_key_id text, hash text, keep_for interval)
returns void language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    old dealwright_engine.api_key;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    select * into old from dealwright_engine.api_key as k where k.key_id = replace_key.key_id for update;
    if not found then
        raise exception 'there is no key %', replace_key.key_id using errcode = 'DW003',
            hint = '`dealwright key list` shows them';
    end if;
    if old.revoked_at is not null or old.expires_at <= clock_timestamp() then
        raise exception 'key % is no longer valid', replace_key.key_id using errcode = 'DW001',
            hint = 'make a new one with `dealwright key create`';
    end if;
    insert into dealwright_engine.api_key (key_id, name, scopes, hash, agent_id, expires_at, replaces)
    values (replace_key.new_key_id, old.name, old.scopes, replace_key.hash, old.agent_id, old.expires_at, old.key_id);
    update dealwright_engine.api_key as k
    set expires_at = least(k.expires_at, clock_timestamp() + replace_key.keep_for)
    where k.key_id = old.key_id;
    perform dealwright_engine.note_change('replace_key', 'key', old.key_id, null,
        jsonb_build_object('replaced_by', replace_key.new_key_id));
end
$$;
comment on function dealwright.replace_key(text, text, text, interval) is
    'Registers a key with the name, scopes and expiry of another, which stays valid for a while.';
