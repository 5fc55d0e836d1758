-- People over the machine: pause it, contest what it learns from, take a customer out of it.

create or replace function dealwright.pause_automation(reason text, agent_id bigint default null,
    team text default null)
returns integer language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    paused bigint[];
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_reason(reason);
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    -- in the order in which everybody locks agents
    perform from dealwright.agent as a
    where (pause_automation.agent_id is null or a.agent_id = pause_automation.agent_id)
      and (pause_automation.team is null or a.department = pause_automation.team)
    order by a.agent_id for no key update;
    with chosen as (
        insert into dealwright.pause (agent_id, was_active, reason)
        select a.agent_id, a.active, pause_automation.reason
        from dealwright.agent as a
        where (pause_automation.agent_id is null or a.agent_id = pause_automation.agent_id)
          and (pause_automation.team is null or a.department = pause_automation.team)
        on conflict on constraint pause_pkey do nothing
        returning pause.agent_id
    )
    select array_agg(c.agent_id order by c.agent_id) into paused from chosen as c;
    if paused is null then
        raise exception 'nobody was paused: there is no such agent or team, or all are paused already'
            using errcode = 'DW001', hint = '`dealwright agents` shows agents and teams';
    end if;
    update dealwright.agent as a set active = false where a.agent_id = any (paused) and a.active;
    perform dealwright_engine.note_change('pause', p.object, p.object_id, null,
        jsonb_build_object('agents', cardinality(paused)), pause_automation.reason)
    from (select case when pause_automation.agent_id is not null then 'agent' when team is not null then 'team'
                      else 'desk' end as object,
                 coalesce(pause_automation.agent_id::text, team, 'all') as object_id) as p;
    return cardinality(paused);
end
$$;
comment on function dealwright.pause_automation(text, bigint, text) is
    'The desk gives no leads to an agent, to a team (a department), or to anybody: what comes goes to others or waits. '
    'What they have stays with them. Returns how many agents were paused.';

create or replace function dealwright.resume_automation(reason text, agent_id bigint default null,
    team text default null)
returns integer language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    resumed bigint[];
    back bigint[];
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_reason(reason);
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    perform from dealwright.agent as a join dealwright.pause as p using (agent_id)
    where (resume_automation.agent_id is null or a.agent_id = resume_automation.agent_id)
      and (resume_automation.team is null or a.department = resume_automation.team)
    order by a.agent_id for no key update of a;
    with gone as (
        delete from dealwright.pause as p using dealwright.agent as a
        where a.agent_id = p.agent_id
          and (resume_automation.agent_id is null or a.agent_id = resume_automation.agent_id)
          and (resume_automation.team is null or a.department = resume_automation.team)
        returning p.agent_id, p.was_active
    )
    select array_agg(g.agent_id), array_agg(g.agent_id order by g.agent_id) filter (where g.was_active)
    into resumed, back from gone as g;
    if resumed is null then
        raise exception 'nobody is paused who is meant' using errcode = 'DW001',
            hint = 'select from dealwright.pause shows who is';
    end if;
    update dealwright.agent as a set active = true where a.agent_id = any (back) and not a.active;
    perform dealwright_engine.note_change('resume', p.object, p.object_id, null,
        jsonb_build_object('agents', cardinality(resumed)), resume_automation.reason)
    from (select case when resume_automation.agent_id is not null then 'agent' when team is not null then 'team'
                      else 'desk' end as object,
                 coalesce(resume_automation.agent_id::text, team, 'all') as object_id) as p;
    return cardinality(resumed);
end
$$;
comment on function dealwright.resume_automation(text, bigint, text) is
    'Those who were active before get leads again, at once those that wait. Returns how many are no longer paused.';

create or replace function dealwright.contest_outcome(assignment_id bigint, reason text)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    contested timestamptz;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_own_work(contest_outcome.assignment_id);
    perform dealwright_engine.check_reason(reason);
    if not exists (select from dealwright.assignment as s
                   where s.assignment_id = contest_outcome.assignment_id and s.outcome is not null) then
        raise exception 'assignment % has no outcome to contest', contest_outcome.assignment_id using errcode = 'DW001',
            hint = 'an outcome is contested once the booking is settled or the follow-up time is over';
    end if;
    insert into dealwright.contest as c (assignment_id, reason)
    values (contest_outcome.assignment_id, contest_outcome.reason)
    on conflict on constraint contest_pkey do update set
        contested_at = clock_timestamp(), reason = excluded.reason, resolved_at = null
    returning c.contested_at into contested;
    perform dealwright_engine.note_change('contest', 'assignment', contest_outcome.assignment_id::text, null, null,
        contest_outcome.reason);
    return contested;
end
$$;
comment on function dealwright.contest_outcome(bigint, text) is
    'The agent does not accept an outcome: training leaves it out until somebody has resolved that.';

create or replace function dealwright.resolve_contest(assignment_id bigint, reason text)
returns timestamptz language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    resolved timestamptz;
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_reason(reason);
    update dealwright.contest as c set resolved_at = clock_timestamp()
    where c.assignment_id = resolve_contest.assignment_id and c.resolved_at is null
    returning c.resolved_at into resolved;
    if not found then
        raise exception 'the outcome of assignment % is not contested', resolve_contest.assignment_id
            using errcode = 'DW001',
            hint = 'select from dealwright.contest where resolved_at is null shows those that are';
    end if;
    perform dealwright_engine.note_change('resolve_contest', 'assignment', resolve_contest.assignment_id::text, null,
        null, resolve_contest.reason);
    return resolved;
end
$$;
comment on function dealwright.resolve_contest(bigint, text) is
    'The outcome stands, perhaps corrected: training takes it in again.';

create or replace function dealwright.erase_customer(customer text, reason text, lead_ids bigint[] default '{}')
returns jsonb language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    leads bigint[];
    named record;
    busy bigint;
    task_ids bigint[];
    tasks integer;
    changes integer;
    erased bigint[];
    kept bigint[];
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    perform dealwright_engine.check_reason(reason);
    -- one sealer at a time (dealwright.seal_decisions), and the leads' writers
    perform pg_advisory_xact_lock(hashtextextended('dealwright.seal_decisions', 0));
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    select array_agg(l.lead_id) into leads from (
        select o.lead_id from dealwright.lead as o
        where o.customer_id = erase_customer.customer or o.lead_id = any (erase_customer.lead_ids)
        order by o.lead_id for update) as l;
    select n.lead_id, l.customer_id as holder, l.lead_id is null as is_missing into named
    from unnest(erase_customer.lead_ids) as n (lead_id)
    left join dealwright.lead as l using (lead_id)
    where l.lead_id is null or l.customer_id <> erase_customer.customer
    order by n.lead_id limit 1;
    if named.is_missing then
        raise exception 'there is no lead %', named.lead_id using errcode = 'DW003',
            hint = 'nothing was erased: correct its number or leave it out';
    elsif named.holder is not null then
        raise exception 'lead % is of customer %, not of %', named.lead_id, named.holder, erase_customer.customer
            using errcode = 'DW001',
            hint = 'nothing was erased: name that customer, or leave the lead out; leads without a customer_id are named';
    end if;
    select l.lead_id into busy from dealwright.lead as l
    where l.lead_id = any (leads)
      and (l.is_waiting or exists (select from dealwright.assignment as s
                                   where s.lead_id = l.lead_id and s.status = 'open'))
    order by l.lead_id limit 1;
    if busy is not null then
        raise exception 'lead % of this customer is still at work', busy using errcode = 'DW001',
            hint = 'settle its booking or withdraw it first';
    end if;
    task_ids := array(
        select t.task_id from dealwright.task as t
        where t.account_id = erase_customer.customer order by t.task_id for update);
    tasks := dealwright_engine.erase_tasks(task_ids);
    changes := dealwright_engine.erase_from_plans(erase_customer.customer);
    if leads is null and tasks = 0 and changes = 0 then
        raise exception 'the desk has nothing of customer %', erase_customer.customer using errcode = 'DW003',
            hint = 'a customer is named by customer_id of their leads, or by account_id of their tasks';
    end if;
    select * into erased, kept from dealwright_engine.erase_leads(leads);
    -- the customer is not named in the log: who they were is what was erased
    perform dealwright_engine.note_change('erase', 'customer', 'erased', null,
        jsonb_build_object('lead_ids', coalesce(leads, '{}'), 'tasks', tasks, 'changes', changes), erase_customer.reason);
    return jsonb_build_object('leads', coalesce(cardinality(leads), 0), 'tasks', tasks, 'changes', changes,
        'decisions', coalesce(cardinality(erased), 0),
        'archived', (select count(*) from dealwright.archive_file as f where f.kind = 'decision'),
        'archived_files', dealwright_engine.archive_files_of(leads)
            || dealwright_engine.archive_files_of_tasks(task_ids),
        'kept_decisions', kept);
end
$$;
comment on function dealwright.erase_customer(text, text, bigint[]) is
    'Takes out of the desk who a customer was and what they wrote: names, texts and outside ids of their leads, '
    'decisions and tasks, and what people changed of their days and territories. Amounts and attributes stay, for counters and learning. The chain of the record stays verifiable.';

create or replace function dealwright.erase_older(before timestamptz, most integer default 1000)
returns bigint language plpgsql security definer
    set search_path = dealwright, dealwright_engine, @vector_schema@, pg_temp as $$
declare
    leads bigint[];
    tasks integer;
    kept bigint[];
begin
    perform pg_advisory_xact_lock_shared(hashtext('dealwright upgrade'), 0);  -- see desk/upgrade.py
    if erase_older.before is null or not dealwright_engine.is_moment(erase_older.before) then
        raise exception 'the time must lie from 1970 to 2199, not %', coalesce(erase_older.before::text, 'null')
            using errcode = 'DW002', hint = 'what came before that time is erased: name a day such as 2024-01-01';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('dealwright.seal_decisions', 0));
    lock table dealwright.lead in row exclusive mode;  -- who holds all writers must see this one before it locks a row
    select array_agg(l.lead_id order by l.lead_id) into leads from (
        select o.lead_id from dealwright.lead as o
        where o.received_at < erase_older.before and not o.is_waiting
          and (o.customer_name, o.customer_id, o.external_id, o.idempotency_key, o.requirements)
              is distinct from ('erased'::text, null::text, null::text, null::text, null::text)
          and not exists (select from dealwright.assignment as s
                          where s.lead_id = o.lead_id
                            and (s.status = 'open' or s.ended_at >= erase_older.before
                                 or s.known_at >= erase_older.before))
        order by o.lead_id limit erase_older.most for update) as l;
    tasks := dealwright_engine.erase_tasks(array(
        select k.task_id from dealwright.task as k
        where k.day < (erase_older.before at time zone 'UTC')::date and k.status not in ('planned', 'started')
          and k.account_id <> 'erased-' || k.task_id
        order by k.task_id limit erase_older.most for update));
    if leads is null and tasks = 0 then
        return 0;
    end if;
    select e.kept into kept from dealwright_engine.erase_leads(leads) as e;
    perform dealwright_engine.note_change('erase', 'retention', to_char(erase_older.before at time zone 'UTC',
            'YYYY-MM-DD'), null,
        jsonb_build_object('leads', coalesce(cardinality(leads), 0), 'tasks', tasks, 'kept_decisions', kept),
        'its time is over');
    return coalesce(cardinality(leads), 0) + tasks;
end
$$;
comment on function dealwright.erase_older(timestamptz, integer) is
    'Takes out of the desk, as erase_customer does, who the customers were of leads that came before a time and were '
    'settled before it, and of tasks for days before it; as many as asked for at once. Returns how many: 0 at the end.';
