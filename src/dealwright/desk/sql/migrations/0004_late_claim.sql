-- A standing is read whole by every lead: nothing of it is compressed or kept elsewhere. Never edited again once released.

alter table dealwright.standing set (toast_tuple_target = 8160);
alter table dealwright.standing alter column query set storage plain;
delete from dealwright.standing;  -- each is made anew by the next lead of its kind

-- What a placement goes by, in one row; the functions fill it.
create table dealwright.rule (
    wanted text primary key,
    name text not null,
    params jsonb not null,
    seed bigint not null,
    sharpness double precision not null,
    by_worth boolean not null,  -- orders by worth alone, so that standings bound it
    model_id bigint,
    fair_window_start timestamptz not null
);

-- An assignment is written before its place is claimed: looked up at once, the agent would be locked too early.
alter table dealwright.assignment alter constraint assignment_agent_id_fkey deferrable initially deferred;
