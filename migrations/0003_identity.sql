-- Organisations, people, and how they prove who they are.
create table org (
    id         uuid primary key,
    slug       text not null,
    name       text not null,
    created_at timestamptz not null default now(),
    constraint org_slug_taken unique (slug)
);
alter table org enable row level security;
alter table org force row level security;
create policy tenant on org to ralex_app
    using (id = (select nullif(current_setting('app.org', true), '')::uuid))
    with check (id = (select nullif(current_setting('app.org', true), '')::uuid));
create policy system on org to ralex_system using (true) with check (true);

-- A person, who may belong to several organisations. `email_key` is the one form in which
-- addresses are compared.
create table app_user (
    id                uuid primary key,
    email             text not null,
    email_key         text not null,
    name              text not null,
    password_hash     text not null,
    password_one_time boolean not null default false,
    created_at        timestamptz not null default now(),
    disabled_at       timestamptz,
    constraint user_email_taken unique (email_key)
);

create table membership (
    org_id    uuid not null references org (id),
    user_id   uuid not null references app_user (id),
    joined_at timestamptz not null default now(),
    primary key (org_id, user_id)
);
create index membership_user on membership (user_id);
select protect_tenant_table('membership');

-- Within an organisation only its own members are people at all.
alter table app_user enable row level security;
alter table app_user force row level security;
create policy tenant on app_user for select to ralex_app
    using (exists (
        select from membership m
        where m.org_id = (select nullif(current_setting('app.org', true), '')::uuid)
          and m.user_id = app_user.id));
create policy system on app_user to ralex_system using (true) with check (true);

create table session (
    id           uuid primary key,
    user_id      uuid not null references app_user (id),
    digest       bytea not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz,
    address      text,
    user_agent   text,
    constraint session_digest unique (digest)
);
create index session_of_user on session (user_id);

-- A person's own token, with the person's rights in all of their organisations.
create table personal_token (
    id           uuid primary key,
    user_id      uuid not null references app_user (id),
    name         text not null,
    digest       bytea not null,
    last_four    text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    constraint personal_token_digest unique (digest)
);
create index personal_token_user on personal_token (user_id, id);

create table team (
    org_id     uuid not null references org (id),
    id         uuid not null,
    slug       text not null,
    name       text not null,
    created_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint team_slug_taken unique (org_id, slug)
);
select protect_tenant_table('team');

create table project (
    org_id     uuid not null,
    id         uuid not null,
    team_id    uuid not null,
    slug       text not null,
    name       text not null,
    created_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint project_slug_taken unique (org_id, slug),
    constraint project_of_team unique (org_id, team_id, id),
    constraint project_team foreign key (org_id, team_id) references team (org_id, id)
);
select protect_tenant_table('project');

-- A team's token: a service account with the rights of its team or of one project of it.
create table token (
    org_id       uuid not null,
    id           uuid not null,
    team_id      uuid not null,
    project_id   uuid,
    name         text not null,
    models       text[],
    digest       bytea not null,
    last_four    text not null,
    created_by   uuid,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    primary key (org_id, id),
    constraint token_digest unique (digest),
    constraint token_team foreign key (org_id, team_id) references team (org_id, id),
    constraint token_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id)
);
create index token_team on token (org_id, team_id);
select protect_tenant_table('token');

grant select on org, app_user, membership, team, project, token to ralex_app;
grant insert, update, delete on membership, team, project, token to ralex_app;
grant update on org to ralex_app;
grant select, insert, update, delete on org, app_user, membership, session, personal_token, team, project, token to ralex_system;
