-- Budgets by the hour and by the year, and years that begin on another day than 1 January.
alter table budget drop constraint budget_period_name;
alter table budget add constraint budget_period_name check (period in ('hour', 'day', 'week', 'month', 'quarter', 'year', 'total'));
alter table budget add column year_month smallint not null default 1;
alter table budget add column year_day smallint not null default 1;
alter table budget add constraint budget_year check (year_month between 1 and 12 and year_day between 1 and 28);

-- Below this part of what is left, in percent, routing turns to cheaper models.
alter table budget add column degrade_at smallint;
alter table budget add constraint budget_degrade check (degrade_at between 1 and 99);

-- Budgets of people. Who leaves keeps theirs, for the records; so there is no foreign key.
alter table budget add column user_id uuid;
alter table budget drop constraint budget_one_scope;
alter table budget add constraint budget_one_scope check (num_nonnulls(project_id, token_id, user_id) <= 1 and (project_id is null or team_id is not null) and (num_nonnulls(token_id, user_id) = 0 or team_id is null));

-- What a period has for a while beyond its budget's limit. It is part of `spend_limit`, until it
-- has ended and nothing of it is spent, held or leased any more.
alter table budget_period add column increase bigint not null default 0;
alter table budget_period add column increase_until timestamptz;
alter table budget_period add constraint budget_increase_ends check (increase >= 0 and (increase = 0 or increase_until is not null));
create index budget_period_increase on budget_period (increase_until) where increase > 0;

-- Who was given how much more, until when, and why. One at a time for a period.
create table budget_increase (
    org_id     uuid not null,
    id         uuid not null,
    budget_id  uuid not null,
    starts_at  timestamptz not null,
    amount     bigint not null,
    until      timestamptz not null,
    reason     text not null,
    created_at timestamptz not null default now(),
    ended_at   timestamptz,
    primary key (org_id, id),
    constraint budget_increase_amount check (amount > 0),
    constraint budget_increase_period foreign key (org_id, budget_id, starts_at) references budget_period (org_id, budget_id, starts_at) on delete cascade
);
create unique index budget_increase_one on budget_increase (org_id, budget_id, starts_at) where ended_at is null;
create index budget_increase_due on budget_increase (until) where ended_at is null;
select protect_tenant_table('budget_increase');

grant select, insert, update on budget_increase to ralex_app, ralex_system;
