-- Budgets per run: each run of an agent is a period of its own, which begins with its first call.
alter table budget drop constraint budget_period_name;
alter table budget add constraint budget_period_name check (period in ('hour', 'day', 'week', 'month', 'quarter', 'year', 'total', 'rolling', 'run'));

-- Runs as their callers name them, where a budget counts them. A run is known by its first instant,
-- which no other run of the organisation has, so that it can be that of its periods.
create table budget_run (
    org_id     uuid not null references org (id),
    starts_at  timestamptz not null,
    -- The same name is another run from then on.
    ends_at    timestamptz not null,
    name       text not null,
    -- Whose it is: two teams, or two people, may give theirs the same name. Kept for the records
    -- when they are gone, so none of these has a foreign key.
    team_id    uuid,
    project_id uuid,
    user_id    uuid,
    primary key (org_id, starts_at),
    constraint budget_run_lasts check (ends_at > starts_at),
    constraint budget_run_name check (char_length(name) between 1 and 128)
);
create index budget_run_name on budget_run (org_id, name, starts_at desc);
select protect_tenant_table('budget_run');
grant select, insert on budget_run to ralex_app;
grant select, update on budget_run to ralex_system;

alter table call add column run text;
create index call_run on call (org_id, run, id) where run is not null;
