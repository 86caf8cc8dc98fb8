-- How far alerts are read: by the engine in the audit log, and by people in their inbox.
create table alert_cursor (
    org_id     uuid primary key references org (id),
    -- The leaf that is read next.
    next_index bigint not null default 0,
    -- When forecasts and anomalies were looked at last.
    looked_at  timestamptz,
    constraint alert_cursor_index check (next_index >= 0)
);
select protect_tenant_table('alert_cursor');

-- What happened before there were alerts is no news.
insert into alert_cursor (org_id, next_index) select org_id, size from audit_tree;

-- Up to which alert a person has read all; single ones beyond that are in alert_read.
create table alert_reader (
    org_id  uuid not null references org (id),
    user_id uuid not null references app_user (id),
    read_to uuid not null,
    primary key (org_id, user_id)
);
select protect_tenant_table('alert_reader');

create table alert_read (
    org_id   uuid not null,
    user_id  uuid not null references app_user (id),
    alert_id uuid not null,
    primary key (org_id, user_id, alert_id),
    constraint alert_read_alert foreign key (org_id, alert_id) references alert (org_id, id) on delete cascade
);
create index alert_read_alert on alert_read (org_id, alert_id);
select protect_tenant_table('alert_read');

grant select, insert, update on alert_cursor to ralex_system;
grant select, insert, update on alert_reader to ralex_app;
grant select, insert, delete on alert_read to ralex_app;
