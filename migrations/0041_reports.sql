-- Compliance reports: what was asked for, how far it is, and the files that came of it.
create table report (
    org_id      uuid not null references org (id),
    id          uuid not null,
    kind        text not null,
    -- Filters and sample, in the form of the API.
    ask         jsonb not null,
    formats     text[] not null,
    from_at     timestamptz not null,
    to_at       timestamptz not null,
    state       text not null default 'queued',
    percent     smallint not null default 0,
    -- What is done at the moment, in words.
    step        text not null default '',
    tries       integer not null default 0,
    next_try_at timestamptz not null default now(),
    failure     text,
    -- The person whose rights it is made with.
    asked_by    uuid not null,
    asked_at    timestamptz not null default now(),
    started_at  timestamptz,
    ended_at    timestamptz,
    -- Of a schedule; it may be gone by now, so there is no foreign key.
    schedule_id uuid,
    -- To whom it goes when it is done, and how that went.
    recipients  text[] not null default '{}',
    mail        text,
    mail_why    text,
    mail_tries  integer not null default 0,
    mail_at     timestamptz,
    -- The signed head of the audit log when it was made.
    tree_size   bigint,
    root        bytea,
    key         text,
    row_count   bigint,
    -- Of whom or what a sample was taken, and the seed that was drawn.
    seed        text,
    population  bigint,
    expires_at  timestamptz,
    primary key (org_id, id),
    constraint report_kind check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
    constraint report_state check (state in ('queued', 'running', 'done', 'failed')),
    constraint report_period check (from_at < to_at),
    constraint report_percent check (percent between 0 and 100),
    constraint report_ended check ((state in ('done', 'failed')) = (ended_at is not null)),
    constraint report_mail check (mail in ('waiting', 'sent', 'failed')),
    -- Each period of a schedule once.
    constraint report_of_schedule unique (org_id, schedule_id, from_at)
);
create index report_due on report (next_try_at) where state in ('queued', 'running');
create index report_mail_due on report (mail_at) where mail = 'waiting';
create index report_old on report (expires_at) where expires_at is not null;
select protect_tenant_table('report');

create table report_file (
    org_id    uuid not null,
    report_id uuid not null,
    format    text not null,
    bytes     bigint not null,
    sha256    bytea not null,
    primary key (org_id, report_id, format),
    constraint report_file_format check (format in ('pdf', 'csv', 'json', 'bundle')),
    constraint report_file_bytes check (bytes >= 0 and octet_length(sha256) = 32),
    constraint report_file_report foreign key (org_id, report_id) references report (org_id, id) on delete cascade
);
select protect_tenant_table('report_file');

-- A file's content, each chunk compressed (deflate) on its own.
create table report_chunk (
    org_id    uuid not null,
    report_id uuid not null,
    format    text not null,
    n         integer not null,
    data      bytea not null,
    primary key (org_id, report_id, format, n),
    constraint report_chunk_file foreign key (org_id, report_id, format) references report_file (org_id, report_id, format) on delete cascade
);
-- It is compressed already.
alter table report_chunk alter column data set storage external;
select protect_tenant_table('report_chunk');

grant select, insert, update, delete on report, report_file, report_chunk to ralex_app, ralex_system;
