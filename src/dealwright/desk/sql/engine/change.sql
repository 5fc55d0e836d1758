-- Who did what: each function that a person or a program calls to change something writes a row here.

create or replace function dealwright_engine.acting()
returns jsonb language plpgsql stable as $$
declare
    said constant text := nullif(current_setting('dealwright.actor', true), '');
begin
    -- a login that may see and change all anyway is believed; others are who they are
    if said is not null and (
            pg_has_role(session_user, (
                select n.nspowner from pg_namespace as n where n.nspname = 'dealwright'), 'MEMBER')
            or (to_regrole('dealwright_app') is not null
                and pg_has_role(session_user, to_regrole('dealwright_app'), 'MEMBER'))) then
        return said::jsonb;
    end if;
    return jsonb_build_object('id', 'user ' || dealwright_engine.caller(), 'name', dealwright_engine.caller());
end
$$;
comment on function dealwright_engine.acting() is
    'Who acts: a key or a person for whom the service speaks, or a user of the database; with id, name and request_id.';

create or replace function dealwright_engine.note_change(action text, object text, object_id text,
    before jsonb default null, after jsonb default null, reason text default null, who jsonb default null)
returns void language plpgsql as $$
declare
    begun constant boolean := not dealwright_engine.writes_itself();
    -- mostly nobody is named, and it is the user of the database: said below without a document
    actor constant jsonb := coalesce(who, case when current_setting('dealwright.actor', true) <> ''
        then dealwright_engine.acting() end);
    done text;
begin
    if begun then
        done := dealwright_engine.begin_own_writes();
    end if;
    insert into dealwright.change (actor, actor_name, action, object, object_id, before, after, reason, request_id)
    values (coalesce(actor ->> 'id', 'user ' || dealwright_engine.caller()),
            coalesce(actor ->> 'name', dealwright_engine.caller()),
            note_change.action, note_change.object, note_change.object_id, note_change.before, note_change.after,
            left(note_change.reason, 10000), actor ->> 'request_id');
    if begun then
        done := dealwright_engine.end_own_writes();
    end if;
end
$$;
comment on function dealwright_engine.note_change(text, text, text, jsonb, jsonb, text, jsonb) is
    'Records who did what, in the transaction in which it is done.';

create or replace function dealwright_engine.note_policy()
returns trigger language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform dealwright_engine.note_change('change_policy', 'policy', new.name,
        jsonb_build_object('params', old.params, 'is_default', old.is_default),
        jsonb_build_object('params', new.params, 'is_default', new.is_default));
    return null;
end
$$;
comment on function dealwright_engine.note_policy() is 'Records who changed a policy, whichever way.';

create or replace function dealwright_engine.note_task(action text, former dealwright.task, present dealwright.task,
    reason text)
returns void language plpgsql as $$
begin
    if (former).status is distinct from (present).status or (former).outcome is distinct from (present).outcome
            or (former).note is distinct from (present).note or (former).rep_id is distinct from (present).rep_id then
        perform dealwright_engine.note_change(note_task.action, 'task', (present).task_id::text,
            jsonb_build_object('status', (former).status, 'outcome', (former).outcome, 'rep_id', (former).rep_id),
            jsonb_build_object('status', (present).status, 'outcome', (present).outcome, 'rep_id', (present).rep_id),
            note_task.reason);
    end if;
end
$$;
comment on function dealwright_engine.note_task(text, dealwright.task, dealwright.task, text) is
    'Records who reported on a task; of its note, which may name a customer, nothing.';

create or replace function dealwright_engine.note_sign(action text, session dealwright_engine.web_session)
returns void language plpgsql as $$
declare
    id constant text := coalesce('key ' || (session).key_id,
                                 format('person %s of %s', (session).subject, (session).issuer));
begin
    perform dealwright_engine.note_change(note_sign.action, 'session', id, null,
        jsonb_build_object('scopes', (session).scopes), null, jsonb_build_object('id', id, 'name', (session).name));
end
$$;
comment on function dealwright_engine.note_sign(text, dealwright_engine.web_session) is
    'Records that somebody signed in or out with a browser.';

create or replace function dealwright_engine.check_reason(reason text)
returns void language plpgsql immutable as $$
begin
    if dealwright_engine.is_blank(coalesce(reason, '')) then
        raise exception 'this needs a reason' using errcode = 'DW002', hint = 'it goes into the record';
    end if;
end
$$;
