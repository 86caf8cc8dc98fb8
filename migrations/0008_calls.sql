-- Every model call, from the moment it is decided. Names and prices are copied, so that a later
-- change of a model never changes what a call cost.
create table call (
    org_id             uuid not null references org (id),
    id                 uuid not null,
    node_id            uuid not null,
    user_id            uuid,
    token_id           uuid,
    team_id            uuid,
    project_id         uuid,
    model              text not null,
    model_id           uuid,
    provider_id        uuid,
    provider           text not null,
    upstream_model     text not null,
    dialect            text not null,
    streamed           boolean not null,
    state              text not null,
    problem            text,
    input_price        bigint not null,
    output_price       bigint not null,
    cache_read_price   bigint not null,
    cache_write_price  bigint not null,
    held               bigint not null,
    -- The budget periods that the hold was taken on, index by index.
    budget_ids         uuid[] not null,
    budget_starts      timestamptz[] not null,
    cost               bigint not null default 0,
    input_tokens       bigint not null default 0,
    output_tokens      bigint not null default 0,
    cache_read_tokens  bigint not null default 0,
    cache_write_tokens bigint not null default 0,
    estimated          boolean not null default false,
    started_at         timestamptz not null,
    settled_at         timestamptz,
    first_byte_ms      integer,
    duration_ms        integer,
    primary key (org_id, id),
    constraint call_state check (state in ('open', 'success', 'error', 'canceled', 'lost', 'refused')),
    constraint call_settled check ((state = 'open') = (settled_at is null)),
    constraint call_amounts check (held >= 0 and cost >= 0),
    constraint call_budgets check (cardinality(budget_ids) = cardinality(budget_starts))
);
create index call_started on call (org_id, started_at);
create index call_open on call (org_id, node_id) where state = 'open';
select protect_tenant_table('call');

grant select on call to ralex_app;
grant select, insert, update on call to ralex_system;
