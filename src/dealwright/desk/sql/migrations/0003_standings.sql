-- Standings, and word checks moved from constraints to triggers. Never edited again once released.

alter table dealwright.agent add column profile_xid xid8 not null default pg_current_xact_id();
comment on column dealwright.agent.profile_xid is 'The transaction that last changed the profile; kept with it.';
create index agent_profile_xid on dealwright.agent (profile_xid);

create table dealwright.standing (
    model_id bigint not null references dealwright.model on delete cascade,
    slots integer[] not null,
    made_xmin xid8 not null,
    agents integer not null,  -- how many there were
    -- best first
    agent_ids bigint[] storage plain not null,
    standings double precision[] storage plain not null,
    constraint standing_pkey primary key (model_id, slots)
);
comment on table dealwright.standing is
    'For each kind of lead the agents of highest expected value, whatever their workload: a list to look at first (functions/16_standing.sql).';

alter table dealwright.agent drop constraint agent_numbers;
alter table dealwright.lead drop constraint lead_words;
alter table dealwright.assignment drop constraint assignment_words;
alter table dealwright.booking drop constraint booking_values;
