-- Runs of the plan that were asked for, and by which schedule they are due. Private: api/nights.sql reads and writes.

create table dealwright_engine.night (
    night_id bigint generated always as identity primary key,
    -- who sends the same request twice gets the same night, and so does each of several workers by the clock
    key text not null,
    requested_by text not null,
    -- of the call that asked for it: logs of all that follows carry it
    request_id text,
    requested_at timestamptz not null default clock_timestamp(),
    -- the moment of the schedule; null: somebody asked for it
    due_at timestamptz,
    options jsonb not null,
    status text not null default 'queued',
    -- when it may begin: of a night that failed, after a pause
    begin_at timestamptz not null,
    attempts integer not null default 0,
    worker text,
    begun_at timestamptz,
    ended_at timestamptz,
    stage text,
    share double precision not null default 0,
    cancelled_by text,
    folder text,
    result jsonb,
    error text,
    constraint night_key unique (key),
    constraint night_words check (
        status in ('queued', 'running', 'done', 'failed', 'cancelled', 'missed')
        and (ended_at is null) = (status in ('queued', 'running'))
        and (status <> 'done' or folder is not null)
        and share >= 0 and share <= 1 and attempts >= 0),
    constraint night_texts check (
        key <> '' and length(key) <= 500 and key !~ '[\x01-\x1f\x7f-\x9f]'
        and requested_by <> '' and length(requested_by) <= 500
        and length(request_id) <= 100 and length(error) <= 10000
        and jsonb_typeof(options) = 'object' and not jsonb_path_exists(options, 'strict $.**{100}'))
);
create index night_open on dealwright_engine.night (night_id) where status in ('queued', 'running');
comment on table dealwright_engine.night is
    'Runs of the plan that were asked for: a queue, of which one at a time is worked on, and its past.';

create table dealwright_engine.night_schedule (
    only_row boolean primary key default true check (only_row),
    schedule text not null,
    since timestamptz not null
);
comment on table dealwright_engine.night_schedule is
    'By which schedule nights are due, and since when: what was due before was nobody''s.';

create table dealwright_engine.day_change (
    change_id bigint generated always as identity primary key,
    night_id bigint not null references dealwright_engine.night,
    day date not null,
    kind text not null,
    -- of a change: what is asked for; of a publication: which version of the run it became
    change jsonb,
    -- of what is undone, or done again
    of_change bigint references dealwright_engine.day_change,
    made_at timestamptz not null default clock_timestamp(),
    made_by text not null,
    constraint day_change_words check (
        kind in ('change', 'undo', 'redo', 'publish') and (change is null) = (kind in ('undo', 'redo'))
        and (of_change is not null) = (kind in ('undo', 'redo'))),
    constraint day_change_texts check (
        made_by <> '' and length(made_by) <= 500
        and jsonb_typeof(change) = 'object' and not jsonb_path_exists(change, 'strict $.**{10}')
        and length(change::text) <= 1000000)
);
create index day_change_of on dealwright_engine.day_change (night_id, day, change_id);
comment on table dealwright_engine.day_change is
    'What people changed of a planned day, one row for each change, never altered: undoing is a change as well.';
