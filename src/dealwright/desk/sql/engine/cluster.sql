-- Which transaction came before which, also in a desk that was restored into another cluster. Events, decisions and
-- profiles keep the id of their transaction, and another cluster counts its transactions from somewhere else. What is
-- stored stays as it is. Where it does not lie below the ids of this cluster, all new ids, and the snapshots they are
-- compared with, are raised above it by an offset (docs/decisions/record.md#replay-and-restore).
--
-- So whatever is stored, or compared with something stored, comes from the three functions made here: xact_id,
-- snapshot and snapshot_xmin. Without an offset they are PostgreSQL's own, which the planner writes out in place.

create or replace function dealwright_engine.raised(seen pg_snapshot, xid_offset bigint)
returns pg_snapshot language plpgsql immutable parallel safe as $$
declare
    parts text[] := string_to_array(seen::text, ':');  -- oldest running, first not given out, running in between
    running bigint[] := '{}';
    id bigint;
begin
    -- without a query: a placement does this
    foreach id in array string_to_array(parts[3], ',')::bigint[] loop
        running := running || (id + xid_offset);
    end loop;
    return format('%s:%s:%s', parts[1]::bigint + xid_offset, parts[2]::bigint + xid_offset,
                  array_to_string(running, ','));
end
$$;
comment on function dealwright_engine.raised(pg_snapshot, bigint) is 'A snapshot with all its transaction ids raised.';

create or replace function dealwright_engine.number_transactions()
returns void language plpgsql as $$
declare
    raised_by bigint := coalesce((select c.xid_offset from dealwright_engine.cluster as c), 0);
    id text := 'pg_current_xact_id()';
    seen text := 'pg_current_snapshot()';
    oldest text := 'pg_snapshot_xmin(pg_current_snapshot())';
begin
    if raised_by > 0 then
        id := format('(%s::text::bigint + %s)::text::xid8', id, raised_by);
        seen := format('dealwright_engine.raised(%s, %s)', seen, raised_by);
        oldest := format('(%s::text::bigint + %s)::text::xid8', oldest, raised_by);
    end if;
    execute format('create or replace function dealwright_engine.xact_id() returns xid8 language sql stable '
                   'as %L', 'select ' || id);
    execute format('create or replace function dealwright_engine.snapshot() returns pg_snapshot language sql stable '
                   'parallel safe as %L', 'select ' || seen);
    execute format('create or replace function dealwright_engine.snapshot_xmin() returns xid8 language sql stable '
                   'parallel safe as %L', 'select ' || oldest);
    comment on function dealwright_engine.xact_id() is 'The id of this transaction, as it is stored.';
    comment on function dealwright_engine.snapshot() is 'The current snapshot, as it is stored.';
    comment on function dealwright_engine.snapshot_xmin() is
        'The oldest transaction that may still be running, to be compared with stored ids.';
end
$$;
comment on function dealwright_engine.number_transactions() is
    'Makes xact_id, snapshot and snapshot_xmin, with the offset of dealwright_engine.cluster in them as a constant.';

create or replace function dealwright_engine.next_id()
returns bigint language sql stable as $$
    -- what is visible is below the first id that was not given out yet, or this transaction's own
    select greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
                    pg_current_xact_id_if_assigned()::text::bigint + 1)
$$;
comment on function dealwright_engine.next_id() is
    'A transaction id of this cluster that is above all it has stored anywhere, without any offset.';

create or replace function dealwright_engine.highest_id()
returns bigint language sql stable as $$
    -- what a decision's snapshot could not see yet counts as well: no new id may look like one that it saw
    select coalesce(greatest((select max(e.xid) from dealwright.event as e),
                             (select greatest(max(d.xid), max(pg_snapshot_xmax(d.snapshot)))
                              from dealwright.decision as d),
                             (select max(f.last_xid) from dealwright.archive_file as f),
                             (select max(l.xid) from dealwright_engine.agent_profile_log as l),
                             (select max(a.profile_xid) from dealwright.agent as a))::text::bigint, 0)
$$;
comment on function dealwright_engine.highest_id() is
    'The highest transaction id that is stored anywhere; reads the whole record.';

create or replace function dealwright_engine.knows_cluster()
returns boolean language sql stable as $$
    select coalesce((
        select c.system_identifier = s.system_identifier
               -- the last entries of a few indexes
               and coalesce(greatest((select e.xid from dealwright.event as e
                                      order by e.xid desc limit 1),
                                     (select max(f.last_xid) from dealwright.archive_file as f),
                                     (select a.profile_xid from dealwright.agent as a
                                      order by a.profile_xid desc limit 1))::text::bigint
                            < dealwright_engine.next_id() + c.xid_offset, true)
        from dealwright_engine.cluster as c, pg_control_system() as s), false)
$$;
comment on function dealwright_engine.knows_cluster() is
    'Whether new transaction ids follow those that are stored; asked whenever a desk is opened.';

create or replace function dealwright_engine.rebase_ids()
returns bigint language plpgsql as $$
declare
    known dealwright_engine.cluster;
    highest bigint;
    needed bigint := 0;
begin
    lock table dealwright_engine.cluster in share row exclusive mode;  -- one at a time: the others find it done
    select * into known from dealwright_engine.cluster;
    if dealwright_engine.knows_cluster() then
        return known.xid_offset;
    end if;
    highest := dealwright_engine.highest_id();
    -- a desk from before clusters were noted: where its ids may all be this cluster's own, they are
    if known.system_identifier is not null or highest >= dealwright_engine.next_id() then
        needed := greatest(highest + 1 - pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0);
    end if;
    insert into dealwright_engine.cluster (system_identifier, xid_offset)
    select s.system_identifier, needed from pg_control_system() as s
    on conflict (only_row) do update
    set system_identifier = excluded.system_identifier, xid_offset = excluded.xid_offset, since = excluded.since;
    perform dealwright_engine.number_transactions();
    delete from dealwright_engine.candidate_list;  -- a profile that has changed here looks older than a list from there
    return needed;
end
$$;
comment on function dealwright_engine.rebase_ids() is
    'Raises new transaction ids above all that are stored, where they are not above them anyway; returns by how much.';

select dealwright_engine.number_transactions();

-- pg_restore fills materialized views when all else is in place. So a restored desk is right before anybody can write
-- to it, whichever program restored it; Desk.open asks as well, for ways to copy a desk that leave this out.
create materialized view if not exists dealwright_engine.restored as
    select dealwright_engine.rebase_ids() as xid_offset;
comment on materialized view dealwright_engine.restored is 'Makes pg_restore call rebase_ids.';
