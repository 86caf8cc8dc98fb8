-- What is looked for in prompts and answers, and what is done about it. A scope column that is
-- null does not narrow; both null is the whole organisation.
create table guardrail (
    org_id     uuid not null references org (id),
    id         uuid not null,
    team_id    uuid,
    project_id uuid,
    name       text not null,
    -- A pack, a pattern or a topic, in the form of the API.
    looks_for  jsonb not null,
    action     text not null,
    direction  text not null,
    enabled    boolean not null default true,
    created_at timestamptz not null default now(),
    -- Compiled forms are kept by it.
    updated_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint guardrail_looks_for_object check (jsonb_typeof(looks_for) = 'object'),
    constraint guardrail_action_name check (action in ('advised', 'flag', 'redact', 'block')),
    constraint guardrail_direction_name check (direction in ('in', 'out', 'both')),
    constraint guardrail_scope check (project_id is null or team_id is not null),
    constraint guardrail_team foreign key (org_id, team_id) references team (org_id, id) on delete cascade,
    constraint guardrail_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id) on delete cascade
);
create index guardrail_team on guardrail (org_id, team_id);
select protect_tenant_table('guardrail');

grant select, insert, update, delete on guardrail to ralex_app, ralex_system;
