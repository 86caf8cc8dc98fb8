-- Call rules: which calls are allowed, asked about or denied, by what they are, who makes them, when and
-- with what. They narrow what roles give and never add to it. A scope column that is null does not narrow;
-- both null is the whole organisation.
create table call_rule (
    org_id      uuid   not null references org (id),
    id          uuid   not null,
    team_id     uuid,
    project_id  uuid,
    name        text   not null,
    description text   not null,
    effect      text   not null,
    -- Whether it is about what is shown, about what is called, or about both.
    phase       text   not null,
    -- Patterns of actions (`model.call`), and of what is called (`model:gpt-*`, `provider:openai`).
    actions     text[] not null,
    resources   text[] not null,
    -- `user:ID`, `group:ID`, `service_account:ID`, `token:ID` or `role:NAME`. None is everybody. Ids and no
    -- foreign keys: a rule whose group is gone is about nobody, and not suddenly about everybody.
    subjects    text[] not null,
    -- In CEL; absent: always.
    condition   text,
    -- What the caller is told.
    message     text   not null,
    enabled     boolean not null,
    version     bigint not null default 1,
    created_by  text   not null,
    updated_by  text   not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    primary key (org_id, id),
    constraint call_rule_effect_name check (effect in ('allow', 'ask', 'deny')),
    constraint call_rule_phase_name check (phase in ('list', 'call', 'both')),
    constraint call_rule_has_actions check (cardinality(actions) > 0),
    constraint call_rule_has_resources check (cardinality(resources) > 0),
    constraint call_rule_scope check (project_id is null or team_id is not null),
    constraint call_rule_team foreign key (org_id, team_id) references team (org_id, id) on delete cascade,
    constraint call_rule_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id) on delete cascade
);
create index call_rule_team on call_rule (org_id, team_id);
select protect_tenant_table('call_rule');

grant select, insert, update, delete on call_rule to ralex_app, ralex_system;

-- What holds for a call that no rule is about; an organisation without a row allows it.
create table call_rule_settings (
    org_id         uuid not null references org (id),
    default_effect text not null,
    updated_by     text not null,
    updated_at     timestamptz not null default now(),
    primary key (org_id),
    constraint call_rule_settings_effect_name check (default_effect in ('allow', 'ask', 'deny'))
);
select protect_tenant_table('call_rule_settings');

grant select, insert, update, delete on call_rule_settings to ralex_app, ralex_system;
