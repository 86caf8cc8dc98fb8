-- Programs that ask a person for a token of theirs: by a code that the person's browser brings back to
-- them (RFC 8252 with RFC 7636), or by one that the person types in (RFC 8628). They belong to no
-- organisation. Of every code only a keyed digest is kept.
create table program_login (
    id              uuid primary key,
    -- What the program says that it runs on, which becomes the name of the token.
    name            text not null,
    -- Of the authorization code, or of the device code.
    digest          bytea not null,
    -- Of the code that somebody types; nothing where a browser brings one.
    user_code       bytea,
    -- What the program proves itself with (S256), and where the browser brings the code to.
    challenge       text,
    redirect_uri    text,
    state           text not null,
    user_id         uuid references app_user (id) on delete cascade,
    -- By whose word the person came in who said yes.
    sso_org_id      uuid,
    sso_provider_id uuid,
    -- The token that came of it, which ends where the code is shown a second time.
    token_id        uuid,
    network         text not null,
    address         text,
    poll_seconds    integer not null default 5,
    polled_at       timestamptz,
    created_at      timestamptz not null,
    expires_at      timestamptz not null,
    constraint program_login_digest unique (digest),
    constraint program_login_user_code unique (user_code),
    constraint program_login_state check (state in ('waiting', 'approved', 'denied', 'used')),
    constraint program_login_way check ((user_code is null) = (challenge is not null and redirect_uri is not null)),
    constraint program_login_person check (state in ('waiting', 'denied') or user_id is not null),
    constraint program_login_sso foreign key (sso_org_id, sso_provider_id) references sso_provider (org_id, id) on delete cascade
);
create index program_login_network on program_login (network, expires_at);
create index program_login_age on program_login (expires_at);
create index program_login_user on program_login (user_id) where user_id is not null;
grant select, insert, update, delete on program_login to ralex_system;

-- Whether tokens that came of a typed code count in an organisation. Whoever sends somebody such a code
-- and has them type it holds their token, so it is off until an administrator says otherwise.
alter table org add column device_login boolean not null default false;
alter table personal_token add column by_device boolean not null default false;
