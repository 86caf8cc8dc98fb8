-- Sinks: where an organisation's audit log is sent as it grows. Each has a cursor of its own, which
-- moves only over what was taken, or over what a person said to leave out.
create table audit_sink (
    org_id          uuid not null references org (id),
    id              uuid not null,
    name            text not null,
    name_key        text not null,
    kind            text not null,
    url             text not null,
    -- What signs deliveries, sealed by the vault.
    sealed_secret   bytea not null,
    batch_size      integer not null,
    flush_seconds   integer not null,
    enabled         boolean not null default true,
    -- The index that is sent next: all below it were taken.
    next_index      bigint not null default 0,
    -- At most so many at once for now: less than a batch while what is refused is looked for.
    at_once         integer not null,
    failures        integer not null default 0,
    failure         text,
    next_attempt_at timestamptz not null default now(),
    -- Set where one record is refused for good; nothing is sent until a person decides.
    parked_at       timestamptz,
    delivered_at    timestamptz,
    created_at      timestamptz not null default now(),
    primary key (org_id, id),
    constraint audit_sink_name unique (org_id, name_key),
    constraint audit_sink_kind check (kind in ('webhook')),
    constraint audit_sink_batch check (batch_size between 1 and 1000 and at_once between 1 and batch_size),
    constraint audit_sink_flush check (flush_seconds between 0 and 3600),
    constraint audit_sink_index check (next_index >= 0),
    constraint audit_sink_failures check (failures >= 0)
);
create index audit_sink_due on audit_sink (next_attempt_at) where enabled and parked_at is null;
select protect_tenant_table('audit_sink');

grant select, insert, update, delete on audit_sink to ralex_app;
grant select, update on audit_sink to ralex_system;
