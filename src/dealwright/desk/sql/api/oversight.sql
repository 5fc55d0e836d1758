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
    busy bigint;
    tasks integer;
    erased bigint[];
    kept bigint[] := '{}';
    block record;
    ids bigint[];
    begun boolean;
    done text;
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
    select l.lead_id into busy from dealwright.lead as l
    where l.lead_id = any (leads)
      and (l.is_waiting or exists (select from dealwright.assignment as s
                                   where s.lead_id = l.lead_id and s.status = 'open'))
    order by l.lead_id limit 1;
    if busy is not null then
        raise exception 'lead % of this customer is still at work', busy using errcode = 'DW001',
            hint = 'settle its booking or withdraw it first';
    end if;
    update dealwright.task as t
    set account_id = 'erased-' || t.task_id, account_name = null, reason = null, brief = null,
        card = null, note = null
    where t.account_id = erase_customer.customer;
    get diagnostics tasks = row_count;
    if leads is null and tasks = 0 then
        raise exception 'the desk has nothing of customer %', erase_customer.customer using errcode = 'DW003',
            hint = 'a customer is named by customer_id of their leads, or by account_id of their tasks';
    end if;
    begun := dealwright_engine.join_own_writes();
    update dealwright.lead as l
    set customer_name = 'erased', customer_id = null, external_id = null, idempotency_key = null, requirements = null
    where l.lead_id = any (leads);
    perform dealwright_engine.leave_own_writes(begun);
    -- of the record, block by block, what holds the customer's words; a block that is partly in the archive stays
    for block in
        select b.block_id, array_agg(d.decision_id order by d.decision_id) as ids
        from dealwright.decision as d
        left join dealwright.decision_seal as s using (decision_id)
        left join dealwright.decision_block as b using (block_id)
        where d.lead_id = any (leads) and d.requirements is not null
        group by b.block_id order by b.block_id
    loop
        if exists (select from dealwright.decision_block as b
                   where b.block_id = block.block_id and dealwright_engine.is_archived(b)) then
            kept := kept || block.ids;
            continue;
        end if;
        done := dealwright_engine.allow('erasing', 0);
        update dealwright.decision as d set requirements = null where d.decision_id = any (block.ids);
        done := dealwright_engine.end_allowance('erasing');
        perform dealwright_engine.seal_erasure(b, block.ids)
        from dealwright.decision_block as b where b.block_id = block.block_id;
        erased := erased || block.ids;
    end loop;
    -- the customer is not named in the log: who they were is what was erased
    perform dealwright_engine.note_change('erase', 'customer', 'erased', null,
        jsonb_build_object('lead_ids', coalesce(leads, '{}'), 'tasks', tasks), erase_customer.reason);
    return jsonb_build_object('leads', coalesce(cardinality(leads), 0), 'tasks', tasks,
        'decisions', coalesce(cardinality(erased), 0),
        'archived', (select count(*) from dealwright.archive_file as f where f.kind = 'decision'),
        'kept_decisions', kept);
end
$$;
comment on function dealwright.erase_customer(text, text, bigint[]) is
    'Takes out of the desk who a customer was and what they wrote: names, texts and outside ids of their leads, '
    'decisions and tasks. Amounts and attributes stay, for counters and learning. The chain of the record stays verifiable.';
