-- What people and programs look at.

create or replace view dealwright.outcome as
select a.assignment_id, a.agent_id, a.assigned_at, a.known_at,
       case a.outcome when 'won' then true when 'lost' then false end as won,
       a.status = 'unknown' or exists (select from dealwright.booking as b where b.assignment_id = a.assignment_id) as contacted,
       a.base_revenue, a.package_revenue, l.attributes, a.slots
from dealwright.assignment as a
join dealwright.lead as l using (lead_id)
where a.status <> 'reassigned';
comment on view dealwright.outcome is 'One row per assignment for learning: won is null while it is not known.';

create or replace view dealwright.agent_profile as
select agent_id, profile_model_id as model_id, profile, variance, base_ratio, package_ratio from dealwright.agent;
comment on view dealwright.agent_profile is 'The vector of each agent under the promoted model (elements: traits, then slots).';

create or replace view dealwright.waiting_lead as
select l.lead_id, l.external_id, l.customer_name, l.attributes, l.requirements, l.priority, l.received_at,
       clock_timestamp() - l.received_at as waited, l.required_skills, l.required_department,
       row_number() over (order by l.priority desc, l.received_at, l.lead_id) as place,
       (select count(*) from dealwright.agent as a
        where a.active and (l.required_skills is null or a.skills @> l.required_skills)
          and (l.required_department is null or a.department = l.required_department)) as agents_who_could
from dealwright.lead as l
where l.is_waiting;
comment on view dealwright.waiting_lead is 'The queue, most urgent first; agents_who_could = 0 means that nobody has what the lead requires.';

create or replace function dealwright.read_events(after_xid xid8 default '0', after_position bigint default 0, most integer default 1000)
returns setof dealwright.event language plpgsql set search_path = dealwright, public, extensions, pg_temp as $$
#variable_conflict use_column
begin
    return query
    -- Only below the oldest running transaction: nothing can still appear before what was read.
    select e.* from dealwright.event as e
    where (e.xid, e.position) > (after_xid, after_position) and e.xid < pg_snapshot_xmin(pg_current_snapshot())
    order by e.xid, e.position
    limit most;
    -- What was seen may not be on the disk yet (18_commands.sql), and after a power cut its numbers would be given out again. So the
    -- reader writes something as well, and when its transaction is over, all it has read is there to stay.
    if not current_setting('transaction_read_only')::boolean then
        if pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() then
            perform pg_logical_emit_message(true, 'dealwright', '');
        end if;
    end if;
end
$$;
comment on function dealwright.read_events(xid8, bigint, integer) is
    'The outbox after a position (the xid and position of the last event read), never missing a late commit. '
    'What was read is there to stay when the reading transaction is over (not where that may only read).';
