-- Who holds which role where. Roles and permissions are data under policies/access/.
create table binding (
    org_id       uuid not null references org (id),
    id           uuid not null,
    subject_kind text not null,
    subject_id   uuid not null,
    role         text not null,
    team_id      uuid,
    project_id   uuid,
    effect       text not null default 'allow',
    not_before   timestamptz,
    expires_at   timestamptz,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    primary key (org_id, id),
    constraint binding_subject_kind check (subject_kind in ('user', 'sa')),
    constraint binding_effect check (effect in ('allow', 'deny')),
    constraint binding_role_name check (role ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint binding_project_in_team check (project_id is null or team_id is not null),
    constraint binding_time check (not_before is null or expires_at is null or not_before < expires_at),
    constraint binding_team foreign key (org_id, team_id) references team (org_id, id) on delete cascade,
    constraint binding_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id) on delete cascade,
    constraint binding_exists unique nulls not distinct (org_id, subject_kind, subject_id, role, team_id, project_id, effect)
);
create index binding_team on binding (org_id, team_id);
select protect_tenant_table('binding');

-- Raised in the same transaction as every change of what a node holds in memory of an
-- organisation; nodes poll it each second and drop what is older.
create table policy_version (
    org_id  uuid primary key references org (id),
    version bigint not null default 1
);
select protect_tenant_table('policy_version');

grant select, insert, update, delete on binding to ralex_app, ralex_system;
grant select, insert, update on policy_version to ralex_app, ralex_system;
