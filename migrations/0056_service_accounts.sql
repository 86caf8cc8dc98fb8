-- Service accounts: what programs are, whichever of their tokens they show. Each is at home in a team, or
-- in one project of it, and has the rights of a team's token there.
create table service_account (
    org_id      uuid not null,
    id          uuid not null,
    team_id     uuid not null,
    project_id  uuid,
    slug        text not null,
    name        text not null,
    created_by  uuid,
    created_at  timestamptz not null default now(),
    -- From then on none of its tokens works, until it is enabled again.
    disabled_at timestamptz,
    primary key (org_id, id),
    constraint service_account_slug_taken unique (org_id, slug),
    constraint service_account_at_home unique (org_id, team_id, id),
    constraint service_account_team foreign key (org_id, team_id) references team (org_id, id),
    constraint service_account_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id)
);
select protect_tenant_table('service_account');
grant select, insert, update on service_account to ralex_app;
grant select on service_account to ralex_system;

-- Whose token it is, where it is not the team's own.
alter table token add column account_id uuid;
alter table token add constraint token_account foreign key (org_id, team_id, account_id) references service_account (org_id, team_id, id);
create index token_account on token (org_id, account_id) where account_id is not null;

-- What all tokens of a service account may spend and take together.
alter table budget add column account_id uuid;
alter table budget add constraint budget_account foreign key (org_id, account_id) references service_account (org_id, id);
alter table budget drop constraint budget_one_scope;
alter table budget add constraint budget_one_scope check (num_nonnulls(project_id, token_id, user_id, account_id) <= 1 and (project_id is null or team_id is not null) and (num_nonnulls(token_id, user_id, account_id) = 0 or team_id is null));
alter table rate_limit add column account_id uuid;
alter table rate_limit add constraint rate_limit_account foreign key (org_id, account_id) references service_account (org_id, id);
alter table rate_limit drop constraint rate_limit_one_scope;
alter table rate_limit add constraint rate_limit_one_scope check (num_nonnulls(project_id, token_id, user_id, account_id) <= 1 and (project_id is null or team_id is not null) and (num_nonnulls(token_id, user_id, account_id) = 0 or team_id is null));
