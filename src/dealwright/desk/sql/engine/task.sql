-- Tasks of the nightly plan: published as a whole, settled one by one, read back as touches.

-- invariants ------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.keep_task()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    was text := case when tg_op = 'UPDATE' then old.status end;
begin
    if was in ('done', 'failed', 'cancelled') and new.status in ('planned', 'started', 'replaced')
            and not dealwright_engine.is_allowed('reopening', new.task_id) then
        raise exception 'task % is %', new.task_id, was using errcode = 'DW001',
            hint = 'reopening it (dealwright.reopen_task) takes that back, and records why';
    elsif was in ('done', 'failed') and new.status = 'cancelled' then
        raise exception 'task % is %', new.task_id, was using errcode = 'DW001',
            hint = 'the contact was made and stays a touch; correct its outcome, or reopen the task first';
    elsif was in ('done', 'failed') and (old.account_id, old.action, old.channel) is distinct
        from (new.account_id, new.action, new.channel)
            and not (dealwright_engine.is_allowed('erasing', 0)
                     and (old.action, old.channel) = (new.action, new.channel)) then
        raise exception 'task % is %: its account, action and channel stay', new.task_id, was using errcode = 'DW001',
            hint = 'they say what was done with whom';
    end if;
    if new.status = 'done' and new.outcome is null then
        raise exception 'task % is done: with what outcome?', new.task_id using errcode = 'DW002',
            hint = 'outcome is responded, no_response or rejected';
    elsif new.status = 'failed' then
        new.outcome := coalesce(new.outcome, 'not_reached');
    end if;
    if new.status in ('done', 'failed', 'cancelled') then
        new.done_at := coalesce(new.done_at, clock_timestamp());
    end if;
    if not dealwright_engine.is_moment(new.done_at) then
        raise exception 'done_at of task % must be a time from 1970 to 2199, not %', new.task_id, new.done_at
            using errcode = 'DW002',
            hint = 'look at the year, or leave it out: then it is now';
    end if;
    if new.status <> 'replaced' then
        new.replaced_by := null;
    end if;
    return new;
end
$$;

create or replace function dealwright_engine.erase_tasks(ids bigint[])
returns integer language plpgsql as $$
declare
    erased integer;
    done text;
begin
    done := dealwright_engine.allow('erasing', 0);
    update dealwright.task as t
    set account_id = 'erased-' || t.task_id, account_name = null, reason = null, brief = null,
        card = null, note = null
    where t.task_id = any (ids);
    get diagnostics erased = row_count;
    if erased > 0 then
        -- what the outbox says of them; not before they were published
        update dealwright.event as e
        set payload = (e.payload - 'reason') || jsonb_build_object('account_id', 'erased-' || (e.payload ->> 'task_id'))
        where e.kind like 'task\_%' and (e.payload ->> 'task_id')::bigint = any (ids)
          and e.at >= (select min(r.published_at) from dealwright.task as t join dealwright.plan_run as r using (run_id)
                       where t.task_id = any (ids));
    end if;
    done := dealwright_engine.end_allowance('erasing');
    return erased;
end
$$;
comment on function dealwright_engine.erase_tasks(bigint[]) is
    'Takes out of tasks, also those that are done, and of their events who the customer was and what was written of them.';

create or replace function dealwright_engine.record_task()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    perform dealwright_engine.write_event(
        case when new.status in ('done', 'failed', 'cancelled') and old.status in ('done', 'failed')
            then 'task_corrected'
             when old.status in ('done', 'failed', 'cancelled') and new.status in ('planned', 'started')
                 then 'task_reopened'
             else 'task_' || new.status end,
        jsonb_strip_nulls(jsonb_build_object(
            'task_id', new.task_id, 'account_id', new.account_id, 'rep_id', new.rep_id, 'action', new.action, 'channel',
                new.channel,
            'day', new.day, 'status', new.status, 'outcome', new.outcome, 'done_at', new.done_at,
            'was', jsonb_build_object('status', old.status, 'outcome', old.outcome, 'done_at', old.done_at),
            'reason', case when dealwright_engine.is_allowed('reopening', new.task_id)
                           then nullif(current_setting('dealwright.reopening_reason', true), '') end)));
    return null;
end
$$;

create or replace function dealwright_engine.keep_finished_tasks()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    raise exception 'task % is %: it is not deleted', old.task_id, old.status using errcode = 'DW001',
        hint = 'what was done with a customer stays on record; planned, cancelled and replaced tasks may be deleted';
end
$$;

create or replace function dealwright_engine.keep_all_tasks()
returns trigger language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
begin
    raise exception 'tasks are not truncated' using errcode = 'DW001',
        hint = 'delete the planned, cancelled or replaced ones';
end
$$;

-- settling --------------------------------------------------------------------------------------------------------

create or replace function dealwright_engine.task_of(task_id bigint)
returns dealwright.task language plpgsql as $$
declare
    found_task dealwright.task;
begin
    select * into found_task from dealwright.task as t where t.task_id = task_of.task_id for update;
    if not found then
        raise exception 'there is no task %', task_of.task_id using errcode = 'DW003',
            hint = 'dealwright task list shows the tasks';
    end if;
    return found_task;
end
$$;
comment on function dealwright_engine.task_of(bigint)
    is 'A task, locked until the end of the transaction; an error where there is none.';
