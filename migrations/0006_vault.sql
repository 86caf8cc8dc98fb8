-- The vault: one key an organisation, one data key a secret version, ciphertext only.
create table org_key (
    org_id       uuid not null references org (id),
    version      integer not null,
    root_version integer not null references root_key (version),
    wrapped      bytea not null,
    created_at   timestamptz not null default now(),
    primary key (org_id, version)
);
select protect_tenant_table('org_key');

create table secret (
    org_id      uuid not null,
    id          uuid not null,
    name        text not null,
    provider_id uuid not null,
    -- Scheme, host and port that the key may be sent to. Where the provider has moved since,
    -- the key is detached.
    origin      text not null,
    created_at  timestamptz not null default now(),
    primary key (org_id, id),
    constraint secret_name_taken unique (org_id, name),
    constraint secret_provider foreign key (org_id, provider_id) references provider (org_id, id)
);
create index secret_provider on secret (org_id, provider_id);
select protect_tenant_table('secret');

create table secret_version (
    org_id          uuid not null,
    secret_id       uuid not null,
    version         integer not null,
    state           text not null,
    org_key_version integer not null,
    blob            bytea not null,
    fingerprint     text not null,
    created_at      timestamptz not null default now(),
    primary key (org_id, secret_id, version),
    constraint secret_version_state check (state in ('active', 'superseded')),
    constraint secret_version_secret foreign key (org_id, secret_id) references secret (org_id, id) on delete cascade,
    constraint secret_version_key foreign key (org_id, org_key_version) references org_key (org_id, version)
);
create unique index secret_version_active on secret_version (org_id, secret_id) where state = 'active';
select protect_tenant_table('secret_version');

grant select, insert, update, delete on org_key, secret, secret_version to ralex_app, ralex_system;
