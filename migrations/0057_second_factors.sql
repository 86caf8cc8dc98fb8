-- What people prove beside their password. All of it belongs to a person and to no organisation.

-- An authenticator app. The secret is sealed for the person; a begun one counts for nothing yet.
create table totp (
    user_id      uuid primary key references app_user (id) on delete cascade,
    secret       bytea not null,
    created_at   timestamptz not null,
    confirmed_at timestamptz,
    last_used_at timestamptz,
    -- The step of 30 s of the newest code that was accepted: only a later one is accepted after it.
    last_step    bigint not null default 0
);

-- Codes for those who lost the app, kept as keyed digests. Each works once.
create table recovery_code (
    user_id    uuid not null references app_user (id) on delete cascade,
    digest     bytea not null,
    created_at timestamptz not null,
    used_at    timestamptz,
    primary key (user_id, digest)
);

-- A login whose password was right and whose second factor is still to come. Not a session: nothing
-- but the completion of that login takes it, and it goes with it.
create table login_challenge (
    digest     bytea primary key,
    user_id    uuid not null references app_user (id) on delete cascade,
    expires_at timestamptz not null,
    -- Counted before a code is looked at, so that no race buys another try.
    tries      int not null default 0
);
create index login_challenge_user on login_challenge (user_id);

-- When and by what the person behind a session last proved who they are. Its cookie is another one
-- after each proof; what was on its way with the old one is still answered for a moment.
alter table session add column authenticated_at timestamptz;
update session set authenticated_at = created_at;
alter table session alter column authenticated_at set not null;
alter table session add column methods text[] not null default '{password}';
alter table session add column previous_digest bytea;
create index session_previous on session (previous_digest) where previous_digest is not null;

grant select, insert, update, delete on totp, recovery_code, login_challenge to ralex_system;
