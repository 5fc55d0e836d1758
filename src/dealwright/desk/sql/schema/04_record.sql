-- What was decided and what happened: append-only. Both tables are partitioned by month (engine/months.sql). The keys
-- are those of each partition: with the time in them, as a key of the whole would need, they would say less.

create table dealwright.event (
    position bigint generated always as identity,
    xid xid8 not null default dealwright_engine.xact_id(),
    at timestamptz not null default clock_timestamp(),
    kind text not null,
    agent_id bigint,
    lead_id bigint,
    assignment_id bigint,
    booking_id bigint,
    -- the agent's state after the event
    open integer,
    capacity integer,
    fair_count bigint,
    fair_compensation double precision,
    payload jsonb,
    fair_until timestamptz,
    last_assigned_at timestamptz
) partition by range (at);
create index event_agent on dealwright.event (agent_id, position);
comment on table dealwright.event is
    'Outbox. Read it with dealwright.read_events: in (xid, position) order and below the oldest running transaction, '
    'so that a late commit is never skipped.';

create index event_deleted_agent on dealwright.event (agent_id) where kind = 'agent_deleted';

-- When an agent must have accepted an offer or reached the customer. An entry stays until it is looked at when its
-- time is up: the lead may have been answered long since.
create table dealwright_engine.response_due (
    assignment_id bigint primary key,
    due_at timestamptz not null
);
create index response_due_at on dealwright_engine.response_due (due_at);

create table dealwright_engine.agent_profile_log (
    -- numbered together with the events, so that a replay can tell what came first within one transaction
    position bigint not null default nextval('dealwright.event_position_seq') primary key,
    xid xid8 not null default dealwright_engine.xact_id(),
    agent_id bigint not null,
    model_id bigint not null,
    profile vector not null,
    variance vector not null,
    base_ratio double precision not null,
    package_ratio double precision not null
);
create index agent_profile_log_agent on dealwright_engine.agent_profile_log (agent_id, position);

create table dealwright.decision (
    decision_id bigint generated always as identity,
    xid xid8 not null default dealwright_engine.xact_id(),
    decided_at timestamptz not null,
    lead_id bigint not null,
    assignment_id bigint,
    agent_id bigint,
    from_queue boolean not null default false,
    policy text not null,
    policy_params jsonb not null,
    model_id bigint,
    -- what the ranking could see: the transactions of this snapshot, and its own transaction's events before
    -- event_position
    snapshot pg_snapshot not null,
    event_position bigint,
    slots integer[] not null,
    requirements text,
    required_skills text[],
    required_department text,
    excluded_agent_id bigint,  -- until version 0.1; since then a set, below
    draw_seed bigint not null,
    -- classic only: what its nine features were, agent after agent
    feature_agent_ids bigint[],
    features double precision[],
    match_score double precision,
    win_probability double precision,
    expected_value double precision,
    fairness_price double precision,
    propensity double precision,
    -- what came after version 0.1 stands at the end and is null where it says nothing: a sealed row keeps its text
    -- (dealwright_engine.decision_text)
    excluded_agent_ids bigint[],
    owner_agent_id bigint,
    named_by text,
    named_reason text,
    overridden text[]
) partition by range (decided_at);
comment on column dealwright.decision.owner_agent_id is
    'The agent who had the customer before, and comes first if they can take the lead.';
comment on column dealwright.decision.excluded_agent_ids is
    'Who could not get the lead: who had it before or declined it, and who had no room for its channel.';
comment on column dealwright.decision.named_by is
    'Who named the agent; null: the policy chose.';
comment on column dealwright.decision.overridden is
    'The limits that were overridden for it: capacity, channel, shift, skills, department, declined; null: none.';

create table dealwright_engine.event_kept (
    xid xid8 not null,
    position bigint not null,
    kind text not null,
    agent_id bigint,
    open integer,
    capacity integer,
    fair_count bigint,
    fair_compensation double precision,
    payload jsonb,
    fair_until timestamptz,
    last_assigned_at timestamptz,
    primary key (xid, position)
);
create index event_kept_agent on dealwright_engine.event_kept (agent_id, position);
comment on table dealwright_engine.event_kept is
    'Of the events that are in the archive those that decisions which are not have to be recomputed from.';

create table dealwright.archive_file (
    file text primary key,
    -- the partition it comes from: of decision or event, and from when (null: the beginning) to when
    kind text not null check (kind in ('decision', 'event')),
    partition text not null,
    from_time timestamptz,
    to_time timestamptz not null,
    rows bigint not null,
    first_id bigint not null,
    last_id bigint not null,
    last_xid xid8 not null,
    sha256 text not null,
    archived_at timestamptz not null default now()
);
comment on table dealwright.archive_file is
    'What is no longer in this database but in Parquet files, and their digests: `dealwright archive` writes both.';

create table dealwright.decision_block (
    block_id bigint generated always as identity primary key,
    first_decision_id bigint not null,
    last_decision_id bigint not null,
    decisions integer not null,
    previous_hash text not null,
    hash text not null,
    sealed_at timestamptz not null default now()
);

create table dealwright.decision_seal (
    decision_id bigint primary key,
    block_id bigint not null references dealwright.decision_block
);
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
