-- Providers and models: what can be called, where, and at which price (billionths of a US dollar
-- per million tokens).
create table provider (
    org_id     uuid not null references org (id),
    id         uuid not null,
    slug       text not null,
    kind       text not null,
    base_url   text,
    enabled    boolean not null default true,
    created_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint provider_slug_taken unique (org_id, slug),
    constraint provider_kind check (kind in ('openai', 'anthropic', 'openai_compatible', 'simulated')),
    constraint provider_address check ((kind = 'simulated') = (base_url is null))
);
select protect_tenant_table('provider');

create table model (
    org_id            uuid not null,
    id                uuid not null,
    provider_id       uuid not null,
    name              text not null,
    upstream_model    text not null,
    input_price       bigint not null,
    output_price      bigint not null,
    cache_read_price  bigint not null,
    cache_write_price bigint not null,
    context_window    integer not null,
    max_output        integer not null,
    created_at        timestamptz not null default now(),
    primary key (org_id, id),
    constraint model_name_taken unique (org_id, name),
    constraint model_prices check (input_price >= 0 and output_price >= 0 and cache_read_price >= 0 and cache_write_price >= 0),
    constraint model_sizes check (context_window > 0 and max_output > 0),
    constraint model_provider foreign key (org_id, provider_id) references provider (org_id, id)
);
create index model_provider on model (org_id, provider_id);
select protect_tenant_table('model');

grant select, insert, update, delete on provider, model to ralex_app, ralex_system;
