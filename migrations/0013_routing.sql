-- Names that mean a choice of models, and what teams and projects want of it.
create table route (
    org_id      uuid not null references org (id),
    id          uuid not null,
    name        text not null,
    description text not null,
    enabled     boolean not null default true,
    -- Steps, shares and fallbacks, in the form of the API.
    spec        jsonb not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    primary key (org_id, id),
    constraint route_name_taken unique (org_id, name),
    constraint route_spec_object check (jsonb_typeof(spec) = 'object')
);
select protect_tenant_table('route');

-- Another name of a model or a route. Targets are names: what they mean is looked up when a call
-- comes, so that a model can be replaced under its name.
create table model_alias (
    org_id     uuid not null references org (id),
    name       text not null,
    target     text not null,
    created_at timestamptz not null default now(),
    primary key (org_id, name)
);
select protect_tenant_table('model_alias');

-- What a scope wants: preferred and banned models, a default, residency and labels. A scope column
-- that is null does not narrow.
create table routing_preference (
    org_id     uuid not null references org (id),
    id         uuid not null,
    team_id    uuid,
    project_id uuid,
    rules      jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint routing_preference_scope_taken unique nulls not distinct (org_id, team_id, project_id),
    constraint routing_preference_scope check (project_id is null or team_id is not null),
    constraint routing_preference_object check (jsonb_typeof(rules) = 'object'),
    constraint routing_preference_team foreign key (org_id, team_id) references team (org_id, id) on delete cascade,
    constraint routing_preference_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id) on delete cascade
);
select protect_tenant_table('routing_preference');

create table routing_setting (
    org_id     uuid not null references org (id),
    settings   jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (org_id),
    constraint routing_setting_object check (jsonb_typeof(settings) = 'object')
);
select protect_tenant_table('routing_setting');

-- What calls of one kind of task came to, per model and day: what the ranking learns from. Days are
-- written whole, from the calls themselves, so that writing one again changes nothing.
create table routing_day (
    org_id        uuid not null references org (id),
    day           date not null,
    task          text not null,
    model         text not null,
    calls         bigint not null,
    succeeded     bigint not null,
    failed        bigint not null,
    escalated     bigint not null,
    cost          bigint not null,
    input_tokens  bigint not null,
    output_tokens bigint not null,
    duration_ms   bigint not null,
    difficulty    bigint not null,
    primary key (org_id, day, task, model),
    constraint routing_day_counts check (calls >= 0 and succeeded >= 0 and failed >= 0 and escalated >= 0 and cost >= 0)
);
select protect_tenant_table('routing_day');

grant select, insert, update, delete on route, model_alias, routing_preference, routing_setting, routing_day to ralex_app, ralex_system;
