-- What people ask to hold for a while, and what was decided about it. An approval makes an ordinary
-- binding that ends by itself; the request only remembers who wanted it, why, and who agreed.
create table access_request (
    org_id        uuid not null references org (id),
    id            uuid not null,
    user_id       uuid not null references app_user (id),
    role          text not null,
    team_id       uuid,
    project_id    uuid,
    -- For how long, as far as the organisation's longest allowed when it was asked.
    minutes       integer not null,
    reason        text not null,
    state         text not null,
    -- How many must approve.
    needed        smallint not null,
    asked_at      timestamptz not null,
    -- Until when it can be decided.
    pending_until timestamptz not null,
    -- Since when its state is what it is.
    changed_at    timestamptz not null,
    denied_by     uuid,
    denied_reason text,
    -- Until when what it gave holds, since it was given.
    expires_at    timestamptz,
    ending        text,
    ended_by      uuid,
    primary key (org_id, id),
    constraint access_request_role check (role ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint access_request_state check (state in ('pending', 'active', 'denied', 'withdrawn', 'expired', 'ended')),
    constraint access_request_scope check (project_id is null or team_id is not null),
    constraint access_request_minutes check (minutes between 1 and 20160),
    constraint access_request_needed check (needed between 1 and 5),
    constraint access_request_given check ((expires_at is not null) = (state in ('active', 'ended'))),
    constraint access_request_denied check ((denied_by is not null) = (state = 'denied') and (denied_reason is not null) = (state = 'denied')),
    constraint access_request_ending check ((ending is not null) = (state = 'ended') and ending in ('expired', 'revoked'))
);
-- The same is asked once at a time.
create unique index access_request_waits on access_request (org_id, user_id, role, team_id, project_id) nulls not distinct where state = 'pending';
create index access_request_user on access_request (org_id, user_id, id);
create index access_request_state on access_request (org_id, state, id);
create index access_request_due on access_request (org_id) where state in ('pending', 'active');
select protect_tenant_table('access_request');

-- Who agreed, each once. One denial ends a request and stands in its own row.
create table access_approval (
    org_id      uuid not null,
    request_id  uuid not null,
    user_id     uuid not null references app_user (id),
    reason      text not null,
    approved_at timestamptz not null,
    constraint access_approval_once primary key (org_id, request_id, user_id),
    constraint access_approval_request foreign key (org_id, request_id) references access_request (org_id, id) on delete cascade
);
select protect_tenant_table('access_approval');

-- The request that a binding came of. A request makes one at most, and where that is gone it has ended,
-- whoever took it away and by whatever way.
alter table binding add column request_id uuid;
alter table binding add constraint binding_request foreign key (org_id, request_id) references access_request (org_id, id);
-- What is given for a while stands beside what is given for good.
alter table binding drop constraint binding_exists;
alter table binding add constraint binding_exists unique nulls not distinct (org_id, subject_kind, subject_id, role, team_id, project_id, effect, managed_by, request_id);
create unique index binding_of_request on binding (org_id, request_id) where request_id is not null;

-- What an organisation allows of it; without a row as the server's defaults say.
create table access_request_settings (
    org_id          uuid primary key references org (id),
    approvals       smallint not null,
    default_minutes integer not null,
    longest_minutes integer not null,
    pending_minutes integer not null,
    updated_at      timestamptz not null default now(),
    constraint access_request_settings_range check (approvals between 1 and 5 and default_minutes between 1 and longest_minutes and longest_minutes <= 20160 and pending_minutes between 1 and 10080)
);
select protect_tenant_table('access_request_settings');

grant select, insert, update on access_request, access_approval, access_request_settings to ralex_app, ralex_system;
