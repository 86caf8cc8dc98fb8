-- Reports that are made again and again, each over the week, month or quarter that has just ended.
create table report_schedule (
    org_id     uuid not null references org (id),
    id         uuid not null,
    name       text not null,
    kind       text not null,
    ask        jsonb not null,
    formats    text[] not null,
    every      text not null,
    -- The day of the week (1 is Monday), of the month or of the quarter, and its hour, on which the
    -- report about what has ended is made.
    day        smallint not null,
    hour       smallint not null,
    time_zone  text not null,
    recipients text[] not null,
    enabled    boolean not null default true,
    -- The person whose rights its reports are made with.
    made_by    uuid not null,
    created_at timestamptz not null default now(),
    next_at    timestamptz not null,
    primary key (org_id, id),
    constraint report_schedule_name_taken unique (org_id, name),
    constraint report_schedule_kind check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint report_schedule_every check (every in ('week', 'month', 'quarter')),
    constraint report_schedule_day check (day between 1 and case every when 'week' then 7 else 28 end),
    constraint report_schedule_hour check (hour between 0 and 23)
);
create index report_schedule_due on report_schedule (next_at) where enabled;
select protect_tenant_table('report_schedule');

grant select, insert, update, delete on report_schedule to ralex_app;
grant select, update on report_schedule to ralex_system;
