-- What the page of a day shows of the account that a task is about.

alter table dealwright.task add column card jsonb;
alter table dealwright.task
    add constraint task_card check (
        jsonb_typeof(card) = 'object' and not jsonb_path_exists(card, 'strict $.**{5}')
        and pg_column_size(card) <= 100000) not valid;
comment on column dealwright.task.card is
    'What the page of a day shows of the account: address, contact, phone, lat_deg, lon_deg; why, what, careful, more.';
