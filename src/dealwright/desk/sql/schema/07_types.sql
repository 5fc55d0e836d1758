-- Rows that functions hand to one another, and to their callers. A change of one is a migration.

-- Counters: moved by differences in the live loop, recounted in one sweep after an import or a promotion.

create type dealwright_engine.contribution as (
    open integer,
    assigned integer,
    counted_fairly integer,
    known integer,
    confirmed integer,
    expected_ppm bigint,
    total_cents bigint,
    base_cents bigint,
    package_cents bigint,
    base_expected_cents bigint,
    package_expected_cents bigint
);

-- Rankings. Inside these functions the tables agent, agent_stat, agent_day and assignment are named without their
-- schema on purpose: dealwright.replay puts the agents of an earlier moment in front of the live ones, as a temporary
-- table of the same name, so that a decision is recomputed by the very code that took it. Their callers set the search
-- path.

create type dealwright_engine.ranked as (
    rank integer,
    agent_id bigint,
    match_score double precision,
    win_probability double precision,
    win_low double precision,
    win_high double precision,
    expected_value double precision,
    open integer,
    capacity integer,
    eligible boolean,
    tied integer,
    fairness_price double precision,
    -- up to how many open assignments the agent stays the first, all else equal
    open_limit integer,
    snapshot pg_snapshot,
    feature_agent_ids bigint[],
    features double precision[]
);

-- Where those stand who can take work (engine/fair.sql).
create type dealwright_engine.fair_level as (
    -- leads received per unit of weight, by those whose share is counted
    received double precision,
    -- the weight of all who can take work, and how many they are
    weight double precision,
    agents integer
);

-- What a lead asks of the ranking.
create type dealwright_engine.enquiry as (
    slots integer[],
    requirements text,
    skills text[],
    department text,
    draw_seed bigint,
    asked_at timestamptz,
    excluded_agent_ids bigint[],
    -- set in a replay: the model of that time (null: the promoted one) and the classic features as they were recorded
    model_id bigint,
    feature_agent_ids bigint[],
    features double precision[],
    -- who had the customer before, and comes first
    owner_agent_id bigint,
    -- of the excluded, those who had no room for the lead's channel
    full_agent_ids bigint[]
);

-- The lead's half of the inner product.
create type dealwright_engine.lead_query as (
    model_id bigint,
    agents_differ boolean,
    query vector,
    lead_logit double precision,
    slope double precision,
    intercept double precision,
    logit_variance double precision,
    base double precision,
    package double precision
);

create type dealwright_engine.claimed as (
    agent_name text,
    own_id text,
    open integer,
    capacity integer,
    fair_count bigint,
    fair_compensation double precision,
    fair_until timestamptz,
    last_assigned_at timestamptz,
    -- of the profile: what it leaves open
    variance vector
);

create type dealwright_engine.recorded as (
    assignment_id bigint,
    booking_id bigint,
    claim dealwright_engine.claimed,
    -- null: assigned at once
    offered_until timestamptz
);

-- What the functions of the interface answer.
create type dealwright.placement as (
    assignment_id bigint,
    booking_id bigint,
    agent_id bigint,
    agent_name text,
    match_score double precision,
    win_probability double precision,
    expected_value double precision,
    policy text,
    model_id bigint,
    lead_id bigint,
    status text,
    -- the ids that the user's own tables have
    own_assignment_id text,
    own_booking_id text,
    own_agent_id text,
    open integer,
    capacity integer,
    -- other open leads that may be the same enquiry; looked for where the lead has a customer_id
    duplicates bigint[],
    -- what is worth a word, in words
    notices text[],
    -- the 90 % interval of win_probability
    win_low double precision,
    win_high double precision
);

-- What the reasons of all agents have in common, worked out once per ranking.
create type dealwright_engine.reason_context as (
    policy text,
    model_id bigint,
    agents_differ boolean,
    -- value: the elements of the profile that the lead asks for, with their weights on the log-odds
    places integer[],
    labels text[],
    weights double precision[],
    -- classic: the contributions of the nine features, agent after agent
    agent_ids bigint[],
    parts double precision[],
    -- fair: leads received per unit of weight by those who can take work
    received double precision
);

-- The first of those looked at.
create type dealwright_engine.look as (
    agent_id bigint,
    open integer,
    capacity integer,
    worth double precision,
    -- what the best of the others is worth, or can be; null when there are none
    next_worth double precision,
    win_logit double precision,
    revenue double precision,
    -- what was seen: that of the function's caller may be a later one
    snapshot pg_snapshot
);

create type dealwright.settlement as (
    booking_id bigint,
    assignment_id bigint,
    agent_id bigint,
    status text,
    total_revenue numeric,
    open integer,
    capacity integer,
    agent_name text,
    -- the ids that the user's own tables have
    own_booking_id text,
    own_assignment_id text,
    own_agent_id text,
    notices text[]
);
