-- Four eyes: what takes two people. One asks by doing it, another one confirms, and only then it is done.

-- Which of the marked actions an organisation has put under it; without a row, none.
create table four_eyes (
    org_id          uuid primary key references org (id),
    actions         text[] not null,
    -- Budgets may be raised up to here by one person, in billionths of a US dollar; nothing where no raise may.
    budget_limit    bigint,
    pending_minutes integer not null,
    updated_at      timestamptz not null default now(),
    constraint four_eyes_range check (pending_minutes between 5 and 10080 and (budget_limit is null or budget_limit > 0))
);
select protect_tenant_table('four_eyes');

-- A change that waits for a second person. It is never edited: whoever wants something else withdraws it and
-- asks anew, so that nobody confirms what they have not read.
create table change_request (
    org_id        uuid not null references org (id),
    id            uuid not null,
    action        text not null,
    -- What both people need, and where.
    permission    text not null,
    team_id       uuid,
    project_id    uuid,
    -- What would be done and what it rests on. It has ids of people and never a secret.
    change        jsonb not null,
    -- What it would be done to, as kind:id.
    target        text not null,
    state         text not null,
    asked_by      uuid not null references app_user (id),
    asked_at      timestamptz not null,
    pending_until timestamptz not null,
    -- Since when its state is what it is.
    changed_at    timestamptz not null,
    decided_by    uuid,
    -- Why it was confirmed or refused, or why it can no longer be done.
    reason        text,
    -- The letters to those who may confirm: how often they were tried, and when again. Nothing when that is over.
    tell_tries    smallint not null default 0,
    tell_after    timestamptz,
    primary key (org_id, id),
    constraint change_request_state check (state in ('pending', 'confirmed', 'refused', 'withdrawn', 'expired', 'stale')),
    constraint change_request_scope check (project_id is null or team_id is not null),
    constraint change_request_decided check ((decided_by is not null) = (state in ('confirmed', 'refused'))),
    constraint change_request_reason check (state not in ('refused', 'stale') or reason is not null),
    constraint change_request_second check (decided_by is distinct from asked_by)
);
-- The same is asked once at a time.
create unique index change_request_waits on change_request (org_id, action, target) where state = 'pending';
create index change_request_due on change_request (pending_until) where state = 'pending';
create index change_request_letters on change_request (tell_after) where tell_after is not null;
select protect_tenant_table('change_request');

grant select, insert, update on four_eyes, change_request to ralex_app, ralex_system;

-- Who made an account, or handed over its invitation, and so may have come in by it: for a while they are not
-- two people.
alter table app_user
    add column made_by uuid,
    add column made_at timestamptz,
    add constraint user_made check ((made_by is null) = (made_at is null));
