-- Groups: people who are given roles together. No group is in another one, so what belonging gives is
-- what the group's own bindings say.
create table people_group (
    org_id     uuid not null references org (id),
    id         uuid not null,
    slug       text not null,
    name       text not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint people_group_slug_taken unique (org_id, slug)
);
select protect_tenant_table('people_group');

create table group_member (
    org_id   uuid not null,
    group_id uuid not null,
    user_id  uuid not null,
    added_by text not null,
    added_at timestamptz not null default now(),
    constraint group_member_once primary key (org_id, group_id, user_id),
    constraint group_member_group foreign key (org_id, group_id) references people_group (org_id, id) on delete cascade,
    -- Who leaves the organisation leaves its groups.
    constraint group_member_membership foreign key (org_id, user_id) references membership (org_id, user_id) on delete cascade
);
create index group_member_user on group_member (org_id, user_id);
select protect_tenant_table('group_member');

-- An organisation's own roles, beside those of policies/access/. The permissions and the roles that one
-- includes are names; one that the program no longer knows gives nothing.
create table own_role (
    org_id      uuid not null references org (id),
    name        text not null,
    title       text not null,
    description text not null,
    permissions text[] not null,
    includes    text[] not null,
    created_by  text not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    constraint own_role_exists primary key (org_id, name),
    constraint own_role_name check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint own_role_allows_something check (cardinality(permissions) + cardinality(includes) > 0)
);
select protect_tenant_table('own_role');

grant select, insert, update, delete on people_group, group_member, own_role to ralex_app, ralex_system;

alter table binding drop constraint binding_subject_kind;
alter table binding add constraint binding_subject_kind check (subject_kind in ('user', 'sa', 'grp'));
create index binding_subject on binding (org_id, subject_kind, subject_id);
