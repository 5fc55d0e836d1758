-- Standings; word checks moved from constraints to triggers, and needless predicates dropped: each was compiled anew by every insert. Never edited again once released.

alter table dealwright.agent add column profile_xid xid8 not null default pg_current_xact_id();
comment on column dealwright.agent.profile_xid is 'The transaction that last changed the profile; kept with it.';
create index agent_profile_xid on dealwright.agent (profile_xid);

create table dealwright.standing (
    model_id bigint not null references dealwright.model on delete cascade,
    -- a kind of lead, and what the model makes of it
    attributes jsonb not null,
    slots integer[] not null,
    query vector not null,
    lead_logit double precision not null,
    base double precision not null,
    package double precision not null,
    made_xmin xid8 not null,
    agents integer not null,  -- how many there were
    -- best first
    agent_ids bigint[] storage plain not null,
    standings double precision[] storage plain not null,
    constraint standing_pkey primary key (model_id, attributes)
);
comment on table dealwright.standing is
    'For each kind of lead the agents of highest expected value, whatever their workload: a list to look at first (functions/16_standing.sql).';

alter table dealwright.agent drop constraint agent_numbers;
alter table dealwright.lead drop constraint lead_words;
alter table dealwright.assignment drop constraint assignment_words;
alter table dealwright.booking drop constraint booking_values;

drop index dealwright.lead_external_id, dealwright.lead_idempotency_key, dealwright.assignment_external_id,
    dealwright.booking_external_id, dealwright.decision_assignment;
create unique index lead_external_id on dealwright.lead (external_id);
create unique index lead_idempotency_key on dealwright.lead (idempotency_key);
create unique index assignment_external_id on dealwright.assignment (external_id);
create unique index booking_external_id on dealwright.booking (external_id);
create unique index decision_assignment on dealwright.decision (assignment_id);
