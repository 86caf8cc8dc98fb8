-- The installation itself: who it is, and what its processes share.
create table deployment (
    one        boolean primary key default true,
    id         uuid not null,
    created_at timestamptz not null default now(),
    constraint deployment_is_one check (one)
);

-- Which node leads a background job. The epoch fences an old leader's late commit.
create table leader (
    name  text primary key,
    epoch bigint not null default 0
);

-- Server processes that are alive. Calls of a node that went silent are counted as lost.
create table node (
    id         uuid primary key,
    started_at timestamptz not null default now(),
    seen_at    timestamptz not null default now()
);

-- The root key of the vault, wrapped by the seal; one row a generation.
create table root_key (
    version     integer primary key,
    wrapped     bytea not null,
    fingerprint text not null,
    created_at  timestamptz not null default now()
);

-- Keys of the deployment itself (audit signing, token digests), sealed under the root key.
create table sealed_value (
    name         text primary key,
    root_version integer not null references root_key (version),
    blob         bytea not null,
    created_at   timestamptz not null default now()
);

-- Failed tries per account, address or organisation.
create table throttle (
    key           text primary key,
    failures      integer not null default 0,
    last_at       timestamptz not null default now(),
    blocked_until timestamptz
);

-- Answers to writes that carried an Idempotency-Key, sealed, for 24 hours.
create table idempotency (
    caller       text not null,
    key          text not null,
    request_hash bytea not null,
    status       integer,
    answer       bytea,
    created_at   timestamptz not null default now(),
    primary key (caller, key)
);

grant select, insert on deployment to ralex_system;
grant select on deployment to ralex_app;
grant select, insert, update on leader, node, throttle, idempotency to ralex_system;
grant delete on node, throttle, idempotency to ralex_system;
grant select, insert on root_key, sealed_value to ralex_system;
