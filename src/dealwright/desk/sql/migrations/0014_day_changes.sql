-- Days of a plan that people change by hand: what they did, undid and published.

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
