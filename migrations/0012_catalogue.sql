-- What is known of a model beyond its name: what it does, how well, where, and every part of its
-- price, with the history of those prices.

-- Which kinds of providers there are is data of the program (policies/providers), not of the schema.
alter table provider
    drop constraint provider_kind,
    add constraint provider_kind check (kind ~ '^[a-z][a-z0-9_]{0,62}$');

-- Models and prices that are there already are read below, also by an owner whom row level security
-- would hold back.
alter table model no force row level security;

alter table model
    -- Null stands for "as the plain price", only until this migration has filled it in.
    add column cache_write_1h_price bigint,
    add column audio_input_price    bigint,
    add column audio_output_price   bigint,
    -- What is paid besides tokens, and for how much of it.
    add column unit                 text     not null default 'none',
    add column unit_price           bigint   not null default 0,
    -- What a call in a batch costs, of a hundred.
    add column batch_percent        smallint not null default 100,
    -- Prices of calls with more input than so many tokens: [{above, input_price, …}].
    add column price_tiers          jsonb    not null default '[]',
    add column price_version        integer  not null default 1,
    add column operations           text[]   not null default '{generate}',
    add column input_modalities     text[]   not null default '{text}',
    add column output_modalities    text[]   not null default '{text}',
    add column supports             text[]   not null default '{}',
    add column speed                smallint,
    add column quality              smallint,
    add column qualities            jsonb    not null default '{}',
    add column specialities         text[]   not null default '{}',
    add column residency            text[]   not null default '{}',
    add column labels               text[]   not null default '{}',
    add column enabled              boolean  not null default true,
    add column retires_on           date;

update model set cache_write_1h_price = cache_write_price, audio_input_price = input_price,
    audio_output_price = output_price;

alter table model
    alter column cache_write_1h_price set not null,
    alter column audio_input_price set not null,
    alter column audio_output_price set not null,
    -- A model that only embeds, ranks or listens has no output of tokens.
    drop constraint model_sizes,
    add constraint model_sizes check (context_window > 0 and max_output >= 0),
    add constraint model_more_prices check (cache_write_1h_price >= 0 and audio_input_price >= 0
        and audio_output_price >= 0 and unit_price >= 0),
    add constraint model_unit check (unit in ('none', 'request', 'search', 'image', 'second', 'million_characters')),
    add constraint model_batch check (batch_percent between 0 and 100),
    add constraint model_tiers check (jsonb_typeof(price_tiers) = 'array'),
    add constraint model_operations check (cardinality(operations) > 0),
    add constraint model_speed check (speed between 1 and 5),
    add constraint model_quality check (quality between 0 and 100),
    add constraint model_qualities check (jsonb_typeof(qualities) = 'object');

-- Every price that a model ever had. Written once; a call copies what it was made at.
create table model_price (
    org_id               uuid        not null,
    model_id             uuid        not null,
    version              integer     not null,
    input_price          bigint      not null,
    output_price         bigint      not null,
    cache_read_price     bigint      not null,
    cache_write_price    bigint      not null,
    cache_write_1h_price bigint      not null,
    audio_input_price    bigint      not null,
    audio_output_price   bigint      not null,
    unit                 text        not null,
    unit_price           bigint      not null,
    batch_percent        smallint    not null,
    price_tiers          jsonb       not null,
    valid_from           timestamptz not null default now(),
    -- The person or token that set it; null where Ralex itself did.
    set_by               uuid,
    primary key (org_id, model_id, version),
    constraint model_price_model foreign key (org_id, model_id) references model (org_id, id) on delete cascade
);

insert into model_price (org_id, model_id, version, input_price, output_price, cache_read_price,
    cache_write_price, cache_write_1h_price, audio_input_price, audio_output_price, unit, unit_price,
    batch_percent, price_tiers, valid_from)
select org_id, id, price_version, input_price, output_price, cache_read_price, cache_write_price,
    cache_write_1h_price, audio_input_price, audio_output_price, unit, unit_price, batch_percent,
    price_tiers, created_at
from model;

alter table model force row level security;
select protect_tenant_table('model_price');
-- Nobody changes a price that was.
grant select, insert, delete on model_price to ralex_app, ralex_system;

-- How calls are spread over several keys of one provider: by weight, within what the vendor allows
-- each key a minute.
alter table secret
    add column weight              smallint not null default 1,
    add column requests_per_minute integer,
    add column tokens_per_minute   integer,
    add constraint secret_weight check (weight between 0 and 100),
    add constraint secret_limits check (requests_per_minute > 0 and tokens_per_minute > 0);
