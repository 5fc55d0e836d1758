-- People come and go: who had a lead, who declined it, who had the customer before, when the customer was reached.
-- Never edited again once released.

alter table dealwright.lead
    add column customer_id text,
    add column declined_by bigint[],
    add column last_assignment_id bigint;
create index lead_customer_id on dealwright.lead (customer_id) where customer_id is not null;
comment on column dealwright.lead.customer_id is
    'What the company calls the customer: ties enquiries together; a returning customer goes to the former agent.';
comment on column dealwright.lead.declined_by is
    'The agents who declined the lead: it does not go to them. Set it to null to offer it to everybody again.';
comment on column dealwright.lead.last_assignment_id is
    'Of a lead that came back to the queue: the assignment it had; its pending booking waits there for the next one.';

alter table dealwright.assignment
    add column first_contact_at timestamptz,
    add column held_by bigint[];
comment on column dealwright.assignment.first_contact_at is
    'When the agent first reached the customer, as dealwright.contact or a settled booking says; null: not known to '
    'have been reached.';
comment on column dealwright.assignment.held_by is 'The agents who had the lead before, in this order; null: nobody.';

comment on column dealwright.policy.params is
    'value: objective (revenue|booking), sharpness of psi (> 0), fairness (0..1), seed. fair: seed, window_start '
    '(counting starts there). All: owner (prefer|ignore) says whether a returning customer goes to the former agent; '
    'respond_within_min, after how many minutes without a contact a lead goes to the next agent.';
alter table dealwright_engine.rule add column respond_within interval;

alter table dealwright.decision
    add column excluded_agent_ids bigint[],
    add column owner_agent_id bigint;
comment on column dealwright.decision.owner_agent_id is
    'The agent who had the customer before, and comes first if they can take the lead.';

create table dealwright_engine.response_due (
    assignment_id bigint primary key,
    due_at timestamptz not null
);
create index response_due_at on dealwright_engine.response_due (due_at);

alter type dealwright_engine.enquiry alter attribute excluded_agent_id type bigint[];
alter type dealwright_engine.enquiry rename attribute excluded_agent_id to excluded_agent_ids;
alter type dealwright_engine.enquiry add attribute owner_agent_id bigint;
alter type dealwright.placement add attribute duplicates bigint[], add attribute notices text[];
alter type dealwright.settlement add attribute notices text[];

-- Beside the new ones a call would be ambiguous. An edition between 0.1 and this one had them.
drop procedure if exists dealwright.assign(
    jsonb, text, bigint, bigint, bigint, text, double precision, double precision, double precision, bigint, bigint,
    text, text, text, text, integer, integer);
drop procedure if exists dealwright.settle(
    bigint, text, double precision, double precision, double precision, bigint, bigint, integer, integer, text, text,
    text, text);
drop procedure if exists dealwright.settle(
    text, text, double precision, double precision, double precision, bigint, bigint, integer, integer, text, text,
    text, text);
drop function if exists dealwright_engine.enquiry_of(dealwright.lead, bigint, bigint),
    dealwright_engine.place_lead(dealwright.lead, bigint);

-- who had the leads before
update dealwright.assignment as a set held_by = p.agent_ids
from (
    select r.lead_id, array_agg(r.agent_id order by r.assignment_id) as agent_ids
    from dealwright.assignment as r
    where r.status = 'reassigned'
    group by r.lead_id
) as p
where a.lead_id = p.lead_id and a.status <> 'reassigned';
