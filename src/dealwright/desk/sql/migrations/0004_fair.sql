-- A share counts only while an agent can take work (engine/fair.sql).

-- it lists the column that goes; it is put in place again with the others
drop trigger if exists check_agent_numbers on dealwright.agent;
alter table dealwright.agent
    add column fair_until timestamptz,
    add column last_assigned_at timestamptz,
    drop column fair_shortfall_at_leave;
comment on column dealwright.agent.fair_until is
    'Until when the agent''s share is counted from fair_compensation on: the end of its shift (2200: no end). From '
    'then '
    'on, and where it is null, it starts level with the others as soon as it can take work (engine/fair.sql).';
comment on column dealwright.agent.last_assigned_at is 'When the agent last got a lead, for ties = longest_idle.';
update dealwright.agent as a
set last_assigned_at = (select max(s.assigned_at) from dealwright.assignment as s where s.agent_id = a.agent_id);

alter table dealwright.event add column fair_until timestamptz, add column last_assigned_at timestamptz;

alter type dealwright_engine.claimed
    add attribute fair_until timestamptz, add attribute last_assigned_at timestamptz, add attribute variance vector;
create type dealwright_engine.fair_level as (
    received double precision,
    weight double precision,
    agents integer
);
comment on column dealwright.policy.params is
    'value: objective (revenue|booking), sharpness of psi (> 0), fairness (0..1), seed. workload: ties '
    '(seniority|longest_idle). fair: seed, window_start (counting starts there). All: owner (prefer|ignore) says '
    'whether a returning customer goes to the former agent; respond_within_min, after how many minutes without a '
    'contact a lead goes to the next agent.';
alter type dealwright_engine.reason_context add attribute received double precision;

-- a block is checked by itself
create index decision_seal_block on dealwright.decision_seal (block_id);

create table dealwright_engine.sealing (
    only_row boolean primary key default true check (only_row),
    sealed_through bigint not null default 0,
    drawn_through bigint not null default 0,
    drawn_before xid8 not null default '0'
);
comment on table dealwright_engine.sealing is
    'Up to which number every decision is sealed; and the numbers that were drawn by transactions before one, which '
    'may '
    'have been under way: once none of them is, sealed_through moves up to there.';
insert into dealwright_engine.sealing default values;

-- the interval comes with the placement
alter table dealwright_engine.rule add column logit_variance double precision;
alter type dealwright.placement add attribute win_low double precision, add attribute win_high double precision;
-- beside the new one a call would be ambiguous
drop procedure if exists dealwright.assign(
    jsonb, text, bigint, bigint, bigint, text, double precision, double precision, double precision, bigint, bigint,
    text, text, text, text, integer, integer, bigint[], text[]);
