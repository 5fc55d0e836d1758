-- Counters, kept with every change so that a ranking never looks at the history.

create table dealwright.agent_stat (
    agent_id bigint primary key references dealwright.agent on delete cascade,
    -- one element per slot
    assigned integer[] not null default '{}',
    known integer[] not null default '{}',
    confirmed integer[] not null default '{}',
    expected_ppm bigint[] not null default '{}',
    -- whole cents and parts per million: adding and taking away leaves no rounding behind
    revenue_cents bigint not null default 0,
    base_cents bigint not null default 0,
    package_cents bigint not null default 0,
    base_expected_cents bigint not null default 0,
    package_expected_cents bigint not null default 0
) with (fillfactor = 50);
comment on table dealwright.agent_stat is
    'Per agent and slot: assignments given, outcomes known, outcomes won, wins expected from the leads alone.';

-- Confirmed bookings by the (UTC) day they were completed: recency without a look at the history.
create table dealwright_engine.agent_day (
    day date not null,
    agent_id bigint not null references dealwright.agent on delete cascade,
    confirmed integer not null,
    primary key (day, agent_id)
) with (fillfactor = 80);
