-- Limits per channel. Only functions of the desk write here (api/channels.sql): what follows from a row, follows with it.

create table dealwright.channel (
    slot integer primary key references dealwright.dimension_value,
    capacity integer,
    places integer not null default 1,
    constraint channel_numbers check (capacity >= 0 and places between 1 and 1000)
);
comment on table dealwright.channel is
    'The channels with limits: values of one dimension of a lead, for example of communication_method.';
comment on column dealwright.channel.capacity is
    'How many open leads of the channel an agent may have who has no number of their own; null: no limit.';
comment on column dealwright.channel.places is 'How many places of an agent''s capacity one lead of the channel takes.';

create table dealwright.agent_channel (
    agent_id bigint not null references dealwright.agent on delete cascade,
    slot integer not null references dealwright.channel on delete cascade,
    capacity integer not null,
    primary key (agent_id, slot),
    constraint agent_channel_numbers check (capacity >= 0)
);
comment on table dealwright.agent_channel is
    'How many open leads of a channel an agent may have, where it is not the number of the channel.';

-- One row for each agent and channel, also where nothing is open, as a capacity of 0 must be found.
create table dealwright_engine.channel_open (
    agent_id bigint not null references dealwright.agent on delete cascade,
    slot integer not null references dealwright.channel on delete cascade,
    open integer not null,
    capacity integer,
    primary key (agent_id, slot),
    constraint channel_open_number check (open >= 0)
) with (fillfactor = 50);
create index channel_full on dealwright_engine.channel_open (slot, agent_id) where open >= capacity;
comment on table dealwright_engine.channel_open is
    'The open leads of each agent and channel, equal to a recount at every commit, and how many there may be.';
