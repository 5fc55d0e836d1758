-- The two things done most, as commands that commit by themselves: the same answers as from the functions, sooner when many ask at once.
--
-- An agent's row is locked from the claim until the transaction is over, and for most of that time the transaction only waits for the
-- disk. Leads that want the same agent would wait for one another's disk. So the work is committed without that wait, which lets
-- go of the row at once; then a second, tiny transaction is committed with it, and only then does the caller get the answer.
-- The log is written in order: when the second transaction is on the disk, the first is too, and what anybody else made of it in
-- between comes after both (docs/decisions/0068-commands-that-commit.md).
--
-- They have no SET clause (nothing that commits may have one), so every name is written out.

create or replace procedure dealwright.assign(
    lead jsonb,
    inout policy text default null,
    inout assignment_id bigint default null,
    inout booking_id bigint default null,
    inout agent_id bigint default null,
    inout agent_name text default null,
    inout match_score double precision default null,
    inout win_probability double precision default null,
    inout expected_value double precision default null,
    inout model_id bigint default null,
    inout lead_id bigint default null,
    inout status text default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
begin
    select p.policy, p.assignment_id, p.booking_id, p.agent_id, p.agent_name, p.match_score, p.win_probability, p.expected_value,
           p.model_id, p.lead_id, p.status
    into policy, assignment_id, booking_id, agent_id, agent_name, match_score, win_probability, expected_value, model_id, lead_id, status
    from dealwright.assign_lead(lead, policy) as p;
    commit;
    -- the second one, as durable as the caller's synchronous_commit asks for: a commit waits for the disk if there is something to write
    perform pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
end
$$;
comment on procedure dealwright.assign(jsonb, text, bigint, bigint, bigint, text, double precision, double precision, double precision,
    bigint, bigint, text) is
    'dealwright.assign_lead as a command that commits by itself: call dealwright.assign(''{"customer_name": ...}''). Not for use inside a transaction.';

create or replace procedure dealwright.settle(
    inout booking_id bigint,
    inout status text,
    base_revenue numeric default null,
    package_revenue numeric default null,
    inout total_revenue numeric default null,
    inout assignment_id bigint default null,
    inout agent_id bigint default null,
    inout open integer default null
)
language plpgsql as $$
declare
    done text := pg_catalog.set_config('synchronous_commit', 'off', true);
begin
    select s.booking_id, s.status, s.total_revenue, s.assignment_id, s.agent_id, s.open
    into booking_id, status, total_revenue, assignment_id, agent_id, open
    from dealwright.settle_booking(booking_id, status, base_revenue, package_revenue, total_revenue) as s;
    commit;
    -- as above
    perform pg_catalog.pg_logical_emit_message(true, 'dealwright', '');
end
$$;
comment on procedure dealwright.settle(bigint, text, numeric, numeric, numeric, bigint, bigint, integer) is
    'dealwright.settle_booking as a command that commits by itself. Not for use inside a transaction.';
