-- The whole story of a call: what was asked for, why this model answered, and every try.
-- `model`, `provider` and the prices of a call are those of the one that answered.
alter table call
    add column asked_model      text,
    add column route            text,
    add column task_type        text,
    add column difficulty       smallint,
    add column choice           jsonb,
    add column attempts         integer not null default 0,
    add column secret_id        uuid,
    add column reasoning_tokens bigint not null default 0,
    -- Rules that found something and how often; never what they found.
    add column guardrails       jsonb,
    add column cached           text,
    add column cost_saved       bigint not null default 0,
    add column priority         text,
    add column queued_ms        integer,
    add constraint call_cached check (cached in ('exact', 'semantic')),
    add constraint call_difficulty check (difficulty between 1 and 10),
    add constraint call_saved check (cost_saved >= 0);

-- One try of a call at one model with one key. A call that was answered at once has no rows here:
-- its own row says all of it.
create table call_attempt (
    org_id         uuid not null,
    call_id        uuid not null,
    n              integer not null,
    model          text not null,
    provider       text not null,
    upstream_model text not null,
    secret_id      uuid,
    -- Why it was made: the choice, a retry, a fallback, a hedge.
    cause          text not null,
    outcome        text not null,
    status         integer,
    input_tokens   bigint not null default 0,
    output_tokens  bigint not null default 0,
    cost           bigint not null default 0,
    started_at     timestamptz not null,
    duration_ms    integer not null,
    primary key (org_id, call_id, n),
    constraint call_attempt_call foreign key (org_id, call_id) references call (org_id, id) on delete cascade,
    constraint call_attempt_cause check (cause in ('choice', 'retry', 'key', 'fallback', 'hedge')),
    constraint call_attempt_amounts check (cost >= 0 and n > 0)
);
create index call_attempt_started on call_attempt (org_id, started_at);
select protect_tenant_table('call_attempt');

grant select on call_attempt to ralex_app;
grant select, insert on call_attempt to ralex_system;

-- Circuits that are open or were lately, so that every node learns from every other's failures.
create table circuit (
    org_id     uuid not null references org (id),
    -- The provider, model or key that it guards.
    kind       text not null,
    part_id    uuid not null,
    state      text not null,
    -- While open: when the next probe may go out.
    until      timestamptz not null,
    openings   integer not null,
    reason     text not null,
    node_id    uuid not null,
    changed_at timestamptz not null default now(),
    primary key (org_id, kind, part_id),
    constraint circuit_kind check (kind in ('provider', 'model', 'key')),
    constraint circuit_state check (state in ('open', 'closed'))
);
create index circuit_changed on circuit (changed_at);
select protect_tenant_table('circuit');

grant select on circuit to ralex_app;
grant select, insert, update, delete on circuit to ralex_system;

-- Whether an organisation's answers are kept to be given again.
create table response_cache (
    org_id      uuid primary key references org (id),
    mode        text not null,
    ttl_seconds integer not null,
    updated_at  timestamptz not null default now(),
    constraint response_cache_mode check (mode in ('off', 'deterministic', 'all')),
    constraint response_cache_ttl check (ttl_seconds between 1 and 604800)
);
select protect_tenant_table('response_cache');

grant select, insert, update, delete on response_cache to ralex_app, ralex_system;
