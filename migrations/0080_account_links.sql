-- Links by which somebody chooses a password: one for who was invited, one for who forgot theirs. They
-- belong to an account and to no organisation. Of each only a keyed digest is kept, and of each kind one.
create table account_link (
    id         uuid primary key,
    user_id    uuid not null references app_user (id) on delete cascade,
    purpose    text not null,
    digest     bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- When the mail server took it, so that who has it reads that mailbox.
    mailed_at  timestamptz,
    constraint account_link_digest unique (digest),
    constraint account_link_one unique (user_id, purpose),
    constraint account_link_purpose check (purpose in ('invited', 'forgotten'))
);
create index account_link_age on account_link (expires_at);
grant select, insert, update, delete on account_link to ralex_system;

-- An organisation sees who of its people has yet to use an invitation, and never what opens it.
alter table account_link enable row level security;
alter table account_link force row level security;
create policy tenant on account_link for select to ralex_app
    using (exists (
        select from membership m
        where m.org_id = (select nullif(current_setting('app.org', true), '')::uuid)
          and m.user_id = account_link.user_id));
create policy system on account_link to ralex_system using (true) with check (true);
grant select (user_id, purpose, expires_at) on account_link to ralex_app;
