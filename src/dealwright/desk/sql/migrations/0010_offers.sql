-- Offers that an agent accepts or declines, and agents who are named by a person. Never edited again once released.

alter table dealwright.assignment
    add column offered_until timestamptz,
    add column accepted_at timestamptz;
comment on column dealwright.assignment.offered_until is
    'Until when the agent may accept (accept_within_min of the policy); null: assigned at once.';
comment on column dealwright.assignment.accepted_at is
    'When the agent accepted what was offered, or reached the customer; null: not yet, or it was never an offer.';

comment on column dealwright.policy.params is
    'value: objective (revenue|booking), sharpness of psi (> 0), fairness (0..1), seed. workload: ties '
    '(seniority|longest_idle). fair: seed, window_start (counting starts there). All: owner (prefer|ignore) says '
    'whether a returning customer goes to the former agent; respond_within_min, after how many minutes without a '
    'contact a lead goes to the next agent; accept_within_min, after how many without an acceptance.';
alter table dealwright_engine.rule add column accept_within interval;

alter table dealwright.decision
    add column named_by text,
    add column named_reason text,
    add column overridden text[];
comment on column dealwright.decision.named_by is
    'Who named the agent; null: the policy chose.';
comment on column dealwright.decision.overridden is
    'The limits that were overridden for it: capacity, shift, skills, department, declined; null: none.';

alter type dealwright_engine.recorded add attribute offered_until timestamptz;
