-- People who are signed in with a browser: whoever serves begins, finds and ends their sessions.

create or replace function dealwright.begin_session(digest bytea, lasts interval, key_id text default null,
    issuer text default null, subject text default null, name text default null, scopes text[] default null,
    agent_id bigint default null)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    now_at timestamptz := clock_timestamp();
    until timestamptz;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    delete from dealwright_engine.web_session as s where s.expires_at < now_at;
    if begin_session.key_id is null then
        insert into dealwright_engine.web_session (digest, issuer, subject, name, scopes, agent_id, created_at, expires_at)
        values (begin_session.digest, begin_session.issuer, begin_session.subject, begin_session.name,
                begin_session.scopes, begin_session.agent_id, now_at, now_at + begin_session.lasts)
        returning expires_at into until;
    else
        insert into dealwright_engine.web_session (digest, key_id, name, scopes, agent_id, created_at, expires_at)
        select begin_session.digest, k.key_id, k.name, k.scopes, k.agent_id, now_at,
               least(now_at + begin_session.lasts, k.expires_at)
        from dealwright_engine.api_key as k
        where k.key_id = begin_session.key_id and k.revoked_at is null
          and (k.expires_at is null or k.expires_at > now_at)
        returning expires_at into until;
        if until is null then
            raise exception 'key % is unknown, expired or revoked', begin_session.key_id using errcode = 'DW001',
                hint = 'sign in with another one';
        end if;
    end if;
    perform dealwright_engine.note_sign('sign_in', s) from dealwright_engine.web_session as s
    where s.digest = begin_session.digest;
    return until;
end
$$;
comment on function dealwright.begin_session(bytea, interval, text, text, text, text, text[], bigint) is
    'Signs somebody in: with a key, whose scopes they get, or as an OpenID provider says. Returns when it ends.';

create or replace function dealwright.find_session(digest bytea)
returns table (
    key_id text, issuer text, subject text, name text, scopes text[], agent_id bigint, own_agent_id text,
    expires_at timestamptz
) language sql stable security definer set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select s.key_id, s.issuer, s.subject, s.name, s.scopes, s.agent_id, coalesce(a.external_id, a.agent_id::text),
           s.expires_at
    from dealwright_engine.web_session as s
    left join dealwright.agent as a using (agent_id)
    left join dealwright_engine.api_key as k using (key_id)
    where s.digest = find_session.digest and s.expires_at > clock_timestamp()
      and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())
$$;
comment on function dealwright.find_session(bytea) is
    'Who is signed in with a cookie of this SHA-256 digest; nobody once the session or its key has ended.';

create or replace function dealwright.end_session(digest bytea)
returns boolean language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    ended dealwright_engine.web_session;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    delete from dealwright_engine.web_session as s where s.digest = end_session.digest returning * into ended;
    if not found then
        return false;
    end if;
    perform dealwright_engine.note_sign('sign_out', ended);
    return true;
end
$$;
comment on function dealwright.end_session(bytea) is 'Signs somebody out; returns whether they were signed in.';

create or replace function dealwright.agent_with_email(email text)
returns bigint language sql stable security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    -- two agents with one address are nobody
    select case when count(*) = 1 then min(a.agent_id) end
    from dealwright.agent as a
    where lower(a.email) = lower(agent_with_email.email)
$$;
comment on function dealwright.agent_with_email(text) is 'The only agent who has this address.';
