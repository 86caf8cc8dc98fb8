-- Alerts: what happened that a person should know of, who is told of it and how, and what came of
-- the telling. An alert is raised in the transaction that moves the cursor over the event it comes
-- from, and once for each thing it tells of.
create table alert (
    org_id          uuid not null references org (id),
    id              uuid not null,
    kind            text not null,
    severity        text not null,
    -- What it is about, as `kind:id`, and how that was called then.
    subject         text not null,
    subject_name    text not null,
    -- Where that belongs, so that those who see the place see the alert.
    team_id         uuid,
    project_id      uuid,
    title           text not null,
    detail          jsonb not null,
    -- One alert for each of these. Where a cause ends that can come back, the key is set free; until
    -- then the alert is of something that stands.
    dedup           text not null,
    standing        boolean not null default false,
    occurrences     bigint not null default 1,
    raised_at       timestamptz not null,
    last_at         timestamptz not null,
    -- When it is over by itself, as a budget's period.
    ends_at         timestamptz,
    -- The event of the audit log that it comes from.
    event_id        uuid,
    state           text not null default 'open',
    acknowledged_by uuid,
    acknowledged_at timestamptz,
    resolved_by     uuid,
    resolved_at     timestamptz,
    primary key (org_id, id),
    constraint alert_once unique (org_id, dedup),
    constraint alert_state check (state in ('open', 'acknowledged', 'resolved')),
    constraint alert_severity check (severity in ('info', 'warning', 'critical')),
    constraint alert_occurrences check (occurrences > 0),
    constraint alert_resolved check ((state = 'resolved') = (resolved_at is not null))
);
create index alert_state on alert (org_id, state, id);
create index alert_subject on alert (org_id, subject, id);
create index alert_ends on alert (ends_at) where state <> 'resolved' and ends_at is not null;
create index alert_standing on alert (kind, subject) where standing;
create index alert_raised on alert (raised_at);
select protect_tenant_table('alert');

-- Who is told of which alerts. What a rule is narrowed down to may be deleted; then it tells of
-- nothing, and shows that; so there is no foreign key.
create table alert_rule (
    org_id         uuid not null references org (id),
    id             uuid not null,
    name           text not null,
    name_key       text not null,
    enabled        boolean not null default true,
    -- None means all that are usual.
    kinds          text[] not null default '{}',
    least_severity text not null,
    team_id        uuid,
    project_id     uuid,
    budget_id      uuid,
    -- Minutes of the day, and days from 1 for Monday on; all or none.
    quiet_zone     text,
    quiet_from     smallint,
    quiet_to       smallint,
    quiet_days     smallint[],
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    primary key (org_id, id),
    constraint alert_rule_name unique (org_id, name_key),
    constraint alert_rule_severity check (least_severity in ('info', 'warning', 'critical')),
    constraint alert_rule_scope check (project_id is null or team_id is not null),
    constraint alert_rule_quiet check (num_nonnulls(quiet_zone, quiet_from, quiet_to, quiet_days) in (0, 4) and coalesce(quiet_from between 0 and 1439 and quiet_to between 0 and 1439, true))
);
select protect_tenant_table('alert_rule');

-- Where a rule tells of them.
create table alert_channel (
    org_id        uuid not null,
    id            uuid not null,
    rule_id       uuid not null,
    kind          text not null,
    -- An e-mail address, or the address of a webhook.
    target        text not null,
    -- What signs a webhook's deliveries, sealed by the vault.
    sealed_secret bytea,
    -- Deliveries that were given up since the last one that was taken.
    failures      integer not null default 0,
    failure       text,
    failed_at     timestamptz,
    delivered_at  timestamptz,
    created_at    timestamptz not null default now(),
    primary key (org_id, id),
    constraint alert_channel_once unique (org_id, rule_id, kind, target),
    constraint alert_channel_kind check (kind in ('email', 'webhook')),
    constraint alert_channel_secret check ((kind = 'webhook') = (sealed_secret is not null)),
    constraint alert_channel_rule foreign key (org_id, rule_id) references alert_rule (org_id, id) on delete cascade
);
select protect_tenant_table('alert_channel');

-- One alert on its way to one channel. It stays when the channel goes, so the target is written
-- down here as people may see it.
create table alert_delivery (
    org_id     uuid not null,
    id         uuid not null,
    alert_id   uuid not null,
    channel_id uuid,
    kind       text not null,
    target     text not null,
    -- Those that go in one message, by the id of its first; set when it is first tried.
    batch_id   uuid,
    -- Held back by quiet hours, and sent with all others that were.
    held       boolean not null,
    state      text not null default 'pending',
    attempts   integer not null default 0,
    -- When it is tried next. While it is tried, when another server may take it for lost.
    due_at     timestamptz not null,
    give_up_at timestamptz not null,
    failure    text,
    created_at timestamptz not null default now(),
    ended_at   timestamptz,
    primary key (org_id, id),
    constraint alert_delivery_once unique (org_id, alert_id, channel_id),
    constraint alert_delivery_state check (state in ('pending', 'sent', 'gave_up', 'canceled')),
    constraint alert_delivery_ended check ((state = 'pending') = (ended_at is null)),
    constraint alert_delivery_alert foreign key (org_id, alert_id) references alert (org_id, id) on delete cascade,
    constraint alert_delivery_channel foreign key (org_id, channel_id) references alert_channel (org_id, id) on delete set null (channel_id)
);
create index alert_delivery_due on alert_delivery (due_at) where state = 'pending';
create index alert_delivery_batch on alert_delivery (org_id, channel_id, id);
select protect_tenant_table('alert_delivery');

grant select, update on alert to ralex_app;
grant select, insert, update, delete on alert to ralex_system;
grant select, insert, update, delete on alert_rule, alert_channel to ralex_app;
grant select on alert_rule to ralex_system;
grant select, update on alert_channel to ralex_system;
grant select, update on alert_delivery to ralex_app;
grant select, insert, update on alert_delivery to ralex_system;
