-- Passkeys (WebAuthn): key pairs whose private half an authenticator keeps. They belong to a person and to no
-- organisation, as the other second factors do.
create table passkey (
    id            uuid primary key,
    user_id       uuid not null references app_user (id) on delete cascade,
    -- What the authenticator calls it. One authenticator's word can stand for one person only.
    credential_id bytea not null,
    -- The public key, the newest count of signatures and what the authenticator said of itself: nothing secret.
    credential    jsonb not null,
    name          text not null,
    created_at    timestamptz not null,
    last_used_at  timestamptz,
    constraint passkey_taken unique (credential_id)
);
create index passkey_user on passkey (user_id, id);

-- What an authenticator was asked and has not answered. One answer ends it, and it counts for one purpose: for the
-- session that registers or proves itself anew, for the login that waits, or for whoever comes without a name.
create table passkey_ceremony (
    digest       bytea primary key,
    purpose      text not null,
    user_id      uuid references app_user (id) on delete cascade,
    session_id   uuid references session (id) on delete cascade,
    login_digest bytea references login_challenge (digest) on delete cascade,
    network      text,
    state        jsonb not null,
    expires_at   timestamptz not null,
    constraint passkey_ceremony_bound check (case purpose
        when 'register' then user_id is not null and session_id is not null and login_digest is null
        when 'step_up' then user_id is not null and session_id is not null and login_digest is null
        when 'second_factor' then user_id is not null and session_id is null and login_digest is not null
        when 'login' then user_id is null and session_id is null and login_digest is null and network is not null
        else false end)
);
create index passkey_ceremony_user on passkey_ceremony (user_id);
create index passkey_ceremony_session on passkey_ceremony (session_id);
create index passkey_ceremony_login on passkey_ceremony (login_digest);
create index passkey_ceremony_network on passkey_ceremony (network, expires_at) where network is not null;
create index passkey_ceremony_age on passkey_ceremony (expires_at);

-- The passkey that alone opened a session, which ends with it.
alter table session add column passkey_id uuid references passkey (id) on delete set null;
create index session_passkey on session (passkey_id) where passkey_id is not null;

-- Whoever is asked for more than the password: the one place that knows what counts.
create view second_factor with (security_invoker = true) as
    select user_id from totp where confirmed_at is not null
    union
    select user_id from passkey;

grant select, insert, update, delete on passkey, passkey_ceremony to ralex_system;
grant select on second_factor to ralex_system;
