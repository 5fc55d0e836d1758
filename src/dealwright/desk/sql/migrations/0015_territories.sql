-- Territories that people edit and approve. Never edited again once released.

create table dealwright_engine.territory_scenario (
    scenario_id bigint generated always as identity primary key,
    name text not null,
    -- whose plan it is a copy of
    night_id bigint not null references dealwright_engine.night (night_id),
    status text not null default 'draft',
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    approved_by text,
    approved_at timestamptz,
    -- nights that plan this day or a later one keep it, until another one is effective
    effective_from date,
    retired_at timestamptz,
    -- what it came to when it was approved
    figures jsonb,
    constraint territory_scenario_name unique (name),
    constraint territory_scenario_words check (
        status in ('draft', 'approved', 'retired')
        and (status <> 'approved' or (approved_by is not null and approved_at is not null and effective_from is not null))
        and (status = 'retired') = (retired_at is not null)),
    constraint territory_scenario_texts check (
        name <> '' and length(name) <= 200 and name !~ '[\x01-\x1f\x7f-\x9f]'
        and created_by <> '' and length(created_by) <= 500 and length(approved_by) <= 500)
);
create unique index territory_scenario_date on dealwright_engine.territory_scenario (effective_from)
    where status = 'approved';
comment on table dealwright_engine.territory_scenario is
    'Copies of a night''s territories that people edit, compare and approve.';

create table dealwright_engine.territory_edit (
    scenario_id bigint not null references dealwright_engine.territory_scenario (scenario_id),
    number integer not null,
    edit jsonb not null,
    made_by text not null,
    made_at timestamptz not null default clock_timestamp(),
    undone_by text,
    undone_at timestamptz,
    constraint territory_edit_pkey primary key (scenario_id, number),
    constraint territory_edit_words check (
        number > 0 and (undone_at is null) = (undone_by is null)
        and made_by <> '' and length(made_by) <= 500 and length(undone_by) <= 500
        and jsonb_typeof(edit) = 'object' and octet_length(edit::text) <= 10000000)
);
comment on table dealwright_engine.territory_edit is
    'What was changed of a scenario, in its order: rows are added, and marked when they are undone.';

create table dealwright_engine.territory_holder (
    scenario_id bigint not null references dealwright_engine.territory_scenario (scenario_id),
    territory text not null,
    -- null: nobody has it
    rep_id text,
    constraint territory_holder_pkey primary key (scenario_id, territory)
);
comment on table dealwright_engine.territory_holder is 'The territories of a scenario that was approved, and who has each.';

create table dealwright_engine.territory_account (
    scenario_id bigint not null,
    account_id text not null,
    territory text not null,
    constraint territory_account_pkey primary key (scenario_id, account_id),
    constraint territory_account_territory foreign key (scenario_id, territory)
        references dealwright_engine.territory_holder (scenario_id, territory)
);
comment on table dealwright_engine.territory_account is 'The accounts of a scenario that was approved.';
