-- Dimensions that take new values, may be left out or are numbers in bins; how long an assignment is followed up. Never edited again once released.

alter table dealwright.dimension
    add column is_open boolean not null default false,
    add column required boolean not null default true,
    add column at_arrival boolean not null default true,
    add column edges double precision[] not null default '{}';
comment on column dealwright.dimension.is_open is 'Whether other values may come: each gets its slot the first time it is seen.';
comment on column dealwright.dimension.required is 'Whether a new lead must say something about it.';
comment on column dealwright.dimension.at_arrival is
    'Whether it is known when the lead arrives, else from the booking only. At arrival and not required: empty is a value of its own, "(empty)".';
comment on column dealwright.dimension.edges is
    'Of a number: the ascending inner edges of its bins; it is of bin i where edges[i - 1] < number <= edges[i].';

alter table dealwright.dimension_value add column bin integer;
comment on column dealwright.dimension_value.bin is
    'Of a number: the place of the bin. When the edges move, a bin keeps its slot and gets another name.';

create table dealwright.setting (
    only_row boolean primary key default true check (only_row),
    follow_up_days double precision
);
comment on table dealwright.setting is 'What the last import said of the company.';
comment on column dealwright.setting.follow_up_days is
    'Days after which an assignment without a booking is lost; null: never, until an import says.';
insert into dealwright.setting default values;

alter table dealwright.rule add column agents_differ boolean not null default false;

delete from dealwright.standing;  -- now kept under what was understood of a lead's attributes
