-- A member who is suspended holds nothing until they are let back in; all that they were given stays. Who
-- says so ('person', 'directory') takes it back: neither lets in whom the other keeps out.
alter table membership add column suspended_at timestamptz, add column suspended_by text[] not null default '{}';
alter table membership add constraint membership_suspended check ((suspended_at is null) = (suspended_by = '{}'));
alter table membership add constraint membership_suspended_by check (suspended_by <@ array['person', 'directory']);

-- The organisation whose directory made the account. It has no password, and may be taken up again by the
-- same directory as long as it is nobody anywhere else.
alter table app_user add column provisioned_by uuid references org (id);

-- That an organisation's directory may say over SCIM who its people are.
create table scim_connection (
    org_id     uuid primary key references org (id),
    id         uuid not null,
    enabled    boolean not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    -- When the directory was heard last.
    used_at    timestamptz
);
select protect_tenant_table('scim_connection');

-- What the directory shows. Of a token only a keyed digest is kept.
create table scim_token (
    org_id       uuid not null,
    id           uuid not null,
    name         text not null,
    digest       bytea not null,
    last_four    text not null,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    primary key (org_id, id),
    constraint scim_token_digest unique (digest),
    constraint scim_token_connection foreign key (org_id) references scim_connection (org_id)
);
select protect_tenant_table('scim_token');

-- What one organisation's directory says of a member. No other organisation sees it, and it ends with the
-- membership.
create table scim_user (
    org_id        uuid not null,
    user_id       uuid not null,
    user_name     text not null,
    user_name_key text not null,
    external_id   text,
    -- All that the directory says beside, as it is told back.
    attributes    jsonb not null,
    version       bigint not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (org_id, user_id),
    constraint scim_user_name_taken unique (org_id, user_name_key),
    constraint scim_user_member foreign key (org_id, user_id) references membership (org_id, user_id) on delete cascade
);
create index scim_user_external on scim_user (org_id, external_id);
select protect_tenant_table('scim_user');

-- Groups whose people a directory decides about.
create table scim_group (
    org_id      uuid not null,
    group_id    uuid not null,
    name_key    text not null,
    external_id text,
    version     bigint not null default 1,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    primary key (org_id, group_id),
    constraint scim_group_name_taken unique (org_id, name_key),
    constraint scim_group_group foreign key (org_id, group_id) references people_group (org_id, id) on delete cascade
);
create index scim_group_external on scim_group (org_id, external_id);
select protect_tenant_table('scim_group');

grant select, insert, update, delete on scim_connection, scim_token, scim_user, scim_group to ralex_app, ralex_system;
