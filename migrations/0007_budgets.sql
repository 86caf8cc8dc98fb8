-- What may be spent. Amounts are billionths of a US dollar. A scope column that is null does not
-- narrow; all null is the whole organisation.
create table budget (
    org_id      uuid not null references org (id),
    id          uuid not null,
    team_id     uuid,
    project_id  uuid,
    -- A personal token belongs to no organisation, so a token's id has no foreign key.
    token_id    uuid,
    period      text not null,
    time_zone   text not null default 'UTC',
    spend_limit bigint not null,
    hard        boolean not null,
    created_at  timestamptz not null default now(),
    primary key (org_id, id),
    constraint budget_limit_positive check (spend_limit > 0),
    constraint budget_period_name check (period in ('day', 'week', 'month', 'quarter', 'total')),
    constraint budget_one_scope check (num_nonnulls(project_id, token_id) <= 1 and (project_id is null or team_id is not null) and (token_id is null or team_id is null)),
    constraint budget_team foreign key (org_id, team_id) references team (org_id, id),
    constraint budget_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id)
);
create index budget_team on budget (org_id, team_id);
select protect_tenant_table('budget');

-- One period of a budget; a new period is a new row. Limit and hardness are copied from the
-- budget, so that the table itself can refuse to overspend.
create table budget_period (
    org_id      uuid not null,
    budget_id   uuid not null,
    starts_at   timestamptz not null,
    ends_at     timestamptz not null,
    spend_limit bigint not null,
    hard        boolean not null,
    -- Settled within what was held or left.
    spent       bigint not null default 0,
    -- Worst cases of calls under way.
    held        bigint not null default 0,
    -- Settled beyond both: what a provider billed above the worst case.
    overrun     bigint not null default 0,
    refused     bigint not null default 0,
    -- The highest threshold, in percent, that was told of.
    alerted     integer not null default 0,
    primary key (org_id, budget_id, starts_at),
    constraint budget_not_overspent check (not hard or spent + held <= spend_limit),
    constraint budget_amounts check (spent >= 0 and held >= 0 and overrun >= 0),
    constraint budget_period_budget foreign key (org_id, budget_id) references budget (org_id, id) on delete cascade
);
select protect_tenant_table('budget_period');

grant select, insert, update, delete on budget, budget_period to ralex_app, ralex_system;
