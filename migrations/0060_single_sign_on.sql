-- Single sign-on by OpenID Connect: who vouches for an organisation's people, and who came in that way.
create table sso_provider (
    org_id          uuid not null references org (id),
    id              uuid not null,
    slug            text not null,
    name            text not null,
    -- Never changed: links are to what this issuer says of people.
    issuer          text not null,
    client_id       text not null,
    sealed_secret   bytea not null,
    scopes          text[] not null,
    email_claim     text not null,
    verified_claim  text not null,
    name_claim      text not null,
    groups_claim    text not null,
    -- Domains of the addresses that people may be new with.
    domains         text[] not null,
    enabled         boolean not null,
    create_members  boolean not null,
    session_minutes integer not null,
    version         bigint not null default 1,
    -- When its answers made sense last, and when somebody came in by it; both as it is set now.
    tested_at       timestamptz,
    used_at         timestamptz,
    created_at      timestamptz not null default now(),
    primary key (org_id, id),
    constraint sso_provider_slug_taken unique (org_id, slug),
    constraint sso_provider_session check (session_minutes between 5 and 10080)
);
create index sso_provider_domains on sso_provider using gin (domains);
select protect_tenant_table('sso_provider');

-- Which role a group means. A row without a group is for everybody.
create table sso_mapping (
    org_id      uuid not null,
    provider_id uuid not null,
    position    integer not null,
    claim_value text,
    role        text not null,
    team_id     uuid,
    project_id  uuid,
    -- Who wrote it without holding all that the role allows; it gives them nothing.
    by_name_of  uuid,
    primary key (org_id, provider_id, position),
    constraint sso_mapping_role_name check (role ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint sso_mapping_project_in_team check (project_id is null or team_id is not null),
    constraint sso_mapping_provider foreign key (org_id, provider_id) references sso_provider (org_id, id) on delete cascade,
    constraint sso_mapping_team foreign key (org_id, team_id) references team (org_id, id) on delete cascade,
    constraint sso_mapping_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id) on delete cascade,
    constraint sso_mapping_exists unique nulls not distinct (org_id, provider_id, claim_value, role, team_id, project_id)
);
create index sso_mapping_team on sso_mapping (org_id, team_id);
select protect_tenant_table('sso_mapping');

-- Who somebody is to a provider: its word for them, never their e-mail address. It ends with the membership.
create table sso_link (
    org_id        uuid not null,
    id            uuid not null,
    provider_id   uuid not null,
    issuer        text not null,
    subject       text not null,
    user_id       uuid not null,
    created_by    text not null,
    created_at    timestamptz not null default now(),
    last_login_at timestamptz,
    primary key (org_id, id),
    constraint sso_link_taken unique (org_id, provider_id, issuer, subject),
    constraint sso_link_of_person unique (org_id, provider_id, user_id),
    constraint sso_link_provider foreign key (org_id, provider_id) references sso_provider (org_id, id) on delete cascade,
    constraint sso_link_member foreign key (org_id, user_id) references membership (org_id, user_id) on delete cascade
);
create index sso_link_user on sso_link (user_id);
select protect_tenant_table('sso_link');

-- Somebody who was sent to a provider and has not come back. Of what they carry only keyed digests are kept.
create table sso_flow (
    org_id         uuid not null,
    id             uuid not null,
    provider_id    uuid not null,
    state_digest   bytea not null,
    browser_digest bytea not null,
    network        text not null,
    -- Who is to be linked, and by which session they said so; nothing where somebody logs in.
    user_id        uuid,
    session_id     uuid,
    expires_at     timestamptz not null,
    primary key (org_id, id),
    constraint sso_flow_state unique (state_digest),
    constraint sso_flow_linking check ((user_id is null) = (session_id is null)),
    constraint sso_flow_provider foreign key (org_id, provider_id) references sso_provider (org_id, id) on delete cascade
);
create index sso_flow_network on sso_flow (network, expires_at);
create index sso_flow_age on sso_flow (expires_at);
select protect_tenant_table('sso_flow');

-- That an organisation's people come in by one provider and in no other way, and who still may if it fails.
create table sso_enforcement (
    org_id      uuid primary key references org (id),
    provider_id uuid not null,
    break_glass uuid not null,
    created_by  text not null,
    created_at  timestamptz not null default now(),
    constraint sso_enforcement_provider foreign key (org_id, provider_id) references sso_provider (org_id, id),
    constraint sso_enforcement_break_glass foreign key (org_id, break_glass) references membership (org_id, user_id)
);
select protect_tenant_table('sso_enforcement');

grant select, insert, update, delete on sso_provider, sso_mapping, sso_link, sso_enforcement to ralex_app, ralex_system;
grant select, insert, update, delete on sso_flow to ralex_system;

-- Who is known by a provider alone has no password.
alter table app_user alter column password_hash drop not null;

-- The organisation that a session counts in, where its provider opened it, and nowhere else. It must never
-- outlive the provider: without these columns it would count everywhere.
alter table session add column sso_org_id uuid, add column sso_provider_id uuid, add column sso_sid text;
alter table session add constraint session_sso check ((sso_org_id is null) = (sso_provider_id is null));
alter table session add constraint session_sso_provider foreign key (sso_org_id, sso_provider_id) references sso_provider (org_id, id) on delete cascade;
create index session_sso on session (sso_org_id, sso_provider_id, user_id) where sso_org_id is not null;
-- Likewise a token that was made in such a session.
alter table personal_token add column sso_org_id uuid, add column sso_provider_id uuid;
alter table personal_token add constraint personal_token_sso check ((sso_org_id is null) = (sso_provider_id is null));
alter table personal_token add constraint personal_token_sso_provider foreign key (sso_org_id, sso_provider_id) references sso_provider (org_id, id) on delete cascade;
create index personal_token_sso on personal_token (sso_org_id, sso_provider_id) where sso_org_id is not null;

-- Roles that a provider's groups give stand beside those that people give, so that neither ends the other.
alter table binding add column managed_by uuid;
alter table binding add constraint binding_managed_by foreign key (org_id, managed_by) references sso_provider (org_id, id);
create index binding_managed on binding (org_id, managed_by, subject_id) where managed_by is not null;
alter table binding drop constraint binding_exists;
alter table binding add constraint binding_exists unique nulls not distinct (org_id, subject_kind, subject_id, role, team_id, project_id, effect, managed_by);
