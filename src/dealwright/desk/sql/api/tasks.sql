-- publishing: the client copies rows into the temporary table, then calls publish_tasks -----------------------------

create or replace function dealwright.begin_publishing()
returns void language sql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    -- times are the company's clock
    create temporary table published_task (
        account_id text not null, day date not null, action text not null, channel text not null, rep_id text,
            account_name text,
        stop integer, start_at timestamp, end_at timestamp, window_start timestamp, window_end timestamp,
        value_eur numeric(14, 2), cost_eur numeric(14, 2), propensity double precision, reason text, brief text,
        card jsonb
    ) on commit drop;
    grant select, insert on published_task to public;  -- of this session: nobody else reaches it
$$;
comment on function dealwright.begin_publishing() is 'Creates the temporary table published_task for this transaction.';

create or replace function dealwright.publish_tasks(run_id text, as_of timestamp, time_zone text, first_day date,
    last_day date)
returns jsonb language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
#variable_conflict use_column
declare
    run dealwright.plan_run;
    other dealwright.plan_run;
    size integer;
    fresh bigint;
    kept bigint;
    replaced bigint;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_filled('{published_task}', 'dealwright.begin_publishing()');
    -- one publisher at a time; readers, and those who settle tasks, are not held up
    lock table dealwright.plan_run in share row exclusive mode;
    select count(*) into size from published_task;
    select * into run from dealwright.plan_run as r where r.run_id = publish_tasks.run_id;
    -- the run that counts on these days now
    select * into other from dealwright.plan_run as r
    where r.first_day <= publish_tasks.last_day and r.last_day >= publish_tasks.first_day
    order by r.published_at desc limit 1;
    if run.run_id is not null and other.run_id = run.run_id then
        return jsonb_build_object('published', false, 'tasks', size, 'new', 0, 'kept', size, 'replaced', 0, 'settled',
            0);
    elsif other.as_of > publish_tasks.as_of then
        raise exception 'the desk has run % for %, planned as of %: this one, as of %, is older', other.run_id,
            case when other.first_day = other.last_day then other.first_day::text
                else other.first_day || ' to ' || other.last_day end,
            to_char(other.as_of, 'YYYY-MM-DD HH24:MI'), to_char(publish_tasks.as_of, 'YYYY-MM-DD HH24:MI')
            using errcode = 'DW001', hint = 'plan again with a cut-off (--as-of) that is not before that';
    end if;
    insert into dealwright.plan_run as r (run_id, as_of, time_zone, first_day, last_day, tasks)
    values (publish_tasks.run_id, publish_tasks.as_of, publish_tasks.time_zone, publish_tasks.first_day,
        publish_tasks.last_day, size)
    on conflict (run_id) do update set published_at = clock_timestamp();
    analyze published_task;

    -- a task that both runs have keeps its id: somebody may have it on a list already
    with same as (
        update dealwright.task as t set
            run_id = publish_tasks.run_id, rep_id = p.rep_id, account_name = p.account_name, stop = p.stop,
            start_at = p.start_at at time zone publish_tasks.time_zone,
                end_at = p.end_at at time zone publish_tasks.time_zone,
            window_start = p.window_start at time zone publish_tasks.time_zone,
            window_end = p.window_end at time zone publish_tasks.time_zone,
            value_eur = p.value_eur, cost_eur = p.cost_eur, propensity = p.propensity, reason = p.reason,
                brief = p.brief, card = p.card
        from published_task as p
        where (t.day, t.account_id, t.channel, t.action) = (p.day, p.account_id, p.channel, p.action)
            and t.status = 'planned'
        returning t.task_id
    )
    select count(*) into kept from same;

    -- what the older runs asked for and nobody began: on the days of this run; on days that were over at its cut-off
    -- (on the day of the cut-off people may still be at work, or report the next morning); and for accounts that this
    -- run contacts
    with gone as (
        update dealwright.task as t set status = 'replaced', replaced_by = publish_tasks.run_id
        where t.status = 'planned' and t.run_id <> publish_tasks.run_id
          and (t.day between publish_tasks.first_day and publish_tasks.last_day or t.day < publish_tasks.as_of::date
               or t.account_id in (select p.account_id from published_task as p))
        returning t.task_id
    )
    select count(*) into replaced from gone;

    with added as (
        insert into dealwright.task (run_id, day, account_id, rep_id, account_name, action, channel, stop, start_at,
            end_at,
                                     window_start, window_end, value_eur, cost_eur, propensity, reason, brief,
                                     card)
        select publish_tasks.run_id, p.day, p.account_id, p.rep_id, p.account_name, p.action, p.channel, p.stop,
               p.start_at at time zone publish_tasks.time_zone, p.end_at at time zone publish_tasks.time_zone,
               p.window_start at time zone publish_tasks.time_zone, p.window_end at time zone publish_tasks.time_zone,
               p.value_eur, p.cost_eur, p.propensity, p.reason, p.brief, p.card
        from published_task as p
        -- nobody is asked twice a day: what was begun, done or called off for this account on this day stands
        where not exists (
            select from dealwright.task as t
            where t.day = p.day and t.account_id = p.account_id
              and (t.status in ('started', 'done', 'failed', 'cancelled')
                  or (t.status = 'planned' and t.channel = p.channel)))
        order by p.day, p.rep_id, p.start_at
        returning task_id
    )
    select count(*) into fresh from added;

    perform dealwright_engine.write_event('plan_published', jsonb_build_object(
        'run_id', publish_tasks.run_id, 'first_day', publish_tasks.first_day, 'last_day', publish_tasks.last_day,
        'tasks', size, 'new', fresh, 'kept', kept, 'replaced', replaced, 'settled', size - fresh - kept));
    return jsonb_build_object('published', true, 'tasks', size, 'new', fresh, 'kept', kept, 'replaced', replaced,
                              'settled', size - fresh - kept);
end
$$;
comment on function dealwright.publish_tasks(text, timestamp, text, date, date) is
    'Takes in what was copied into published_task; the same run twice changes nothing, a newer one replaces what '
    'nobody began.';

create or replace function dealwright.start_task(task_id bigint, rep_id text default null)
returns dealwright.task language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    t dealwright.task;
    former dealwright.task;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_task(start_task.task_id, start_task.rep_id);
    t := dealwright_engine.task_of(start_task.task_id);
    former := t;
    if t.status in ('done', 'failed', 'cancelled') then
        raise exception 'task % is %', t.task_id, t.status using errcode = 'DW001',
            hint = 'reopening it (dealwright.reopen_task) takes that back';
    end if;
    begin
        update dealwright.task as s set status = 'started', rep_id = coalesce(start_task.rep_id, s.rep_id)
        where s.task_id = t.task_id returning * into t;
    exception when unique_violation then
        raise exception 'task % was replaced, and account % has another open one', t.task_id, t.account_id
            using errcode = 'DW001',
            hint = 'see dealwright task list --account';
    end;
    perform dealwright_engine.note_task('start_task', former, t, null);
    return t;
end
$$;
comment on function dealwright.start_task(bigint, text) is 'Somebody is at it: no newer run takes the task away.';

create or replace function dealwright.finish_task(
    task_id bigint, outcome text, done_at timestamptz default null, note text default null, rep_id text default null
)
returns dealwright.task language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    t dealwright.task;
    former dealwright.task;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_task(finish_task.task_id, finish_task.rep_id);
    t := dealwright_engine.task_of(finish_task.task_id);
    former := t;
    if finish_task.outcome is null or finish_task.outcome not in ('responded', 'no_response', 'rejected', 'not_reached')
        then
        raise exception 'unknown outcome %', coalesce(quote_literal(finish_task.outcome), 'null')
            using errcode = 'DW002',
            hint = 'use responded, no_response, rejected, or not_reached for a contact that failed';
    elsif not dealwright_engine.is_moment(finish_task.done_at) then
        raise exception 'done_at must be a time from 1970 to 2199, not %', finish_task.done_at using errcode = 'DW002',
            hint = 'look at the year, or leave it out: then it is now';
    end if;
    -- for one that is finished this is a correction; said twice, it changes nothing
    update dealwright.task as s set
        status = case when finish_task.outcome = 'not_reached' then 'failed' else 'done' end,
        outcome = finish_task.outcome,
        done_at = coalesce(finish_task.done_at, case when s.status <> 'cancelled' then s.done_at end,
            clock_timestamp()),
        note = coalesce(finish_task.note, s.note),
        rep_id = coalesce(finish_task.rep_id, s.rep_id)
    where s.task_id = t.task_id returning * into t;
    perform dealwright_engine.note_task('finish_task', former, t, null);
    return t;
end
$$;
comment on function dealwright.finish_task(bigint, text, timestamptz, text, text) is
    'What came of a task: responded, no_response, rejected, not_reached; now, unless said when. Corrects one that is '
    'finished.';

create or replace function dealwright.cancel_task(task_id bigint, note text default null)
returns dealwright.task language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    t dealwright.task;
    former dealwright.task;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_task(cancel_task.task_id);
    t := dealwright_engine.task_of(cancel_task.task_id);
    former := t;
    if t.status <> 'cancelled' or cancel_task.note is distinct from t.note then
        update dealwright.task as s set status = 'cancelled', note = coalesce(cancel_task.note, s.note)
        where s.task_id = t.task_id returning * into t;
    end if;
    perform dealwright_engine.note_task('cancel_task', former, t, null);
    return t;
end
$$;
comment on function dealwright.cancel_task(bigint, text)
    is 'The task is not to be done, and no run of that day asks for it again.';

create or replace function dealwright.reopen_task(task_id bigint, reason text)
returns dealwright.task language plpgsql security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    t dealwright.task;
    former dealwright.task;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    t := dealwright_engine.task_of(reopen_task.task_id);
    former := t;
    if t.status not in ('done', 'failed', 'cancelled') then
        raise exception 'task % is %, not finished', t.task_id, t.status using errcode = 'DW001';
    elsif coalesce(btrim(reopen_task.reason), '') = '' then
        raise exception 'reopening task % needs a reason', t.task_id using errcode = 'DW002',
            hint = 'it goes into the record';
    end if;
    perform dealwright_engine.allow('reopening', t.task_id),
        set_config('dealwright.reopening_reason', reopen_task.reason, true);
    begin
        update dealwright.task as s set status = 'planned', outcome = null, done_at = null
        where s.task_id = t.task_id returning * into t;
    exception when unique_violation then
        raise exception 'account % has another open task on %', t.account_id, t.day using errcode = 'DW001',
            hint = 'cancel that one first';
    end;
    perform dealwright_engine.end_allowance('reopening'), set_config('dealwright.reopening_reason', '', true);
    perform dealwright_engine.note_task('reopen_task', former, t, reopen_task.reason);
    return t;
end
$$;
comment on function dealwright.reopen_task(bigint, text)
    is 'Takes back that a task was finished: it is planned again, and no touch any more.';

create or replace view dealwright.touch as
select t.account_id,
       t.done_at at time zone r.time_zone as touched_at,  -- on the company's clock
       t.channel, t.action,
       t.outcome = 'responded' as response,
       t.outcome = 'rejected' as rejected,
       t.cost_eur::double precision as cost_eur,
       t.propensity,
       t.rep_id, t.task_id, t.done_at
from dealwright.task as t
join dealwright.plan_run as r using (run_id)
where t.status in ('done', 'failed');
comment on view dealwright.touch is
    'Finished tasks as the plan reads past contacts. One that failed counts: it was tried, and not answered. A '
    'cancelled one does not.';

create or replace function dealwright.touches(since timestamptz default '-infinity',
    until timestamptz default 'infinity')
returns setof dealwright.touch language sql stable security definer
set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
    select t.* from dealwright.touch as t where t.done_at >= since and t.done_at <= until order by t.done_at, t.task_id
$$;
comment on function dealwright.touches(timestamptz, timestamptz) is 'The touches of a time.';
