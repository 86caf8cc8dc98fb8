-- Break-glass: a dormant way in for an emergency. Some people are named beforehand; two of them open it together.

-- That it is armed, and with what; without a row it is not. The permissions are written out when it is armed, so
-- that opening it needs no roles: neither a change of the role nor rights that cannot be read make a difference.
create table break_glass (
    org_id          uuid primary key references org (id),
    role            text not null,
    permissions     text[] not null,
    longest_minutes integer not null,
    armed_by        uuid not null references app_user (id),
    armed_at        timestamptz not null,
    constraint break_glass_minutes check (longest_minutes between 5 and 60)
);
select protect_tenant_table('break_glass');

-- Who may open it.
create table break_glass_person (
    org_id  uuid not null,
    user_id uuid not null references app_user (id),
    primary key (org_id, user_id),
    constraint break_glass_person_armed foreign key (org_id) references break_glass (org_id) on delete cascade
);
select protect_tenant_table('break_glass_person');

-- One use, from being asked for to its end and its review. It is never deleted by what is armed later.
create table break_glass_opening (
    org_id        uuid not null references org (id),
    id            uuid not null,
    -- A drill goes all the way and gives nothing.
    drill         boolean not null,
    state         text not null,
    role          text not null,
    permissions   text[] not null,
    minutes       integer not null,
    reason        text not null,
    asked_by      uuid not null references app_user (id),
    asked_at      timestamptz not null,
    confirm_until timestamptz not null,
    confirmed_by  uuid references app_user (id),
    opened_at     timestamptz,
    -- Both hold the permissions up to then, not included, unless it ends before.
    until         timestamptz,
    ended_at      timestamptz,
    -- Nobody where its time was over.
    ended_by      uuid references app_user (id),
    reviewed_by   uuid references app_user (id),
    reviewed_at   timestamptz,
    note          text,
    primary key (org_id, id),
    constraint break_glass_opening_state check (state in ('asked', 'open', 'withdrawn', 'expired', 'ended')),
    constraint break_glass_opening_drill check (not drill or state <> 'open'),
    constraint break_glass_opening_minutes check (minutes between 5 and 60),
    constraint break_glass_opening_second check (confirmed_by is distinct from asked_by),
    constraint break_glass_opening_opened check (state in ('open', 'ended') = (opened_at is not null)
        and num_nonnulls(confirmed_by, opened_at, until) in (0, 3) and opened_at < confirm_until
        and until <= opened_at + interval '60 minutes'),
    constraint break_glass_opening_ended check (state in ('asked', 'open') = (ended_at is null) and (ended_by is null or ended_at is not null)),
    constraint break_glass_opening_reviewed check (num_nonnulls(reviewed_by, reviewed_at, note) in (0, 3)
        and (reviewed_by is null or (state = 'ended' and not drill and reviewed_by <> asked_by and reviewed_by <> confirmed_by)))
);
-- One at a time.
create unique index break_glass_opening_current on break_glass_opening (org_id) where state in ('asked', 'open');
create index break_glass_opening_due on break_glass_opening (state, coalesce(until, confirm_until)) where state in ('asked', 'open');
create index break_glass_opening_review on break_glass_opening (org_id) where state = 'ended' and not drill and reviewed_at is null;
select protect_tenant_table('break_glass_opening');

-- Letters that are still to be sent of it: how often each was tried, and when again.
create table break_glass_letter (
    org_id     uuid not null,
    opening_id uuid not null,
    step       text not null,
    tries      smallint not null default 0,
    tell_after timestamptz not null,
    primary key (org_id, opening_id, step),
    constraint break_glass_letter_step check (step in ('asked', 'opened', 'ended', 'review')),
    constraint break_glass_letter_opening foreign key (org_id, opening_id) references break_glass_opening (org_id, id) on delete cascade
);
create index break_glass_letter_due on break_glass_letter (tell_after);
select protect_tenant_table('break_glass_letter');

grant select, insert, update, delete on break_glass, break_glass_person, break_glass_letter to ralex_app, ralex_system;
grant select, insert, update on break_glass_opening to ralex_app, ralex_system;

-- A passkey opens it or confirms it by a signature that was asked for just that.
alter table passkey_ceremony
    add column about uuid,
    drop constraint passkey_ceremony_bound,
    add constraint passkey_ceremony_bound check (case purpose
        when 'register' then user_id is not null and session_id is not null and login_digest is null and about is null
        when 'step_up' then user_id is not null and session_id is not null and login_digest is null and about is null
        when 'glass_open' then user_id is not null and session_id is not null and login_digest is null and about is not null
        when 'glass_confirm' then user_id is not null and session_id is not null and login_digest is null and about is not null
        when 'second_factor' then user_id is not null and session_id is null and login_digest is not null and about is null
        when 'login' then user_id is null and session_id is null and login_digest is null and network is not null and about is null
        else false end);
comment on column token.rests_on is 'The binding that its maker held for a while, or the break-glass opening that it was made under. It is no key: the token ends with it.';
