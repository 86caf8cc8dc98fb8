-- What people are to be told by mail of reviews of access and of requests for access: of each occasion each of
-- them once. Neither of these is ever deleted but with its organisation.
create table access_letter (
    org_id   uuid not null references org (id),
    about    text not null,
    about_id uuid not null,
    occasion text not null,
    user_id  uuid not null,
    state    text not null,
    tries    integer not null default 0,
    next_at  timestamptz not null,
    constraint access_letter_once primary key (org_id, about_id, occasion, user_id),
    constraint access_letter_about check (about in ('request', 'review')),
    constraint access_letter_occasion check (occasion in ('asked', 'decided', 'opened', 'soon', 'closed')),
    constraint access_letter_state check (state in ('waiting', 'sent', 'failed'))
);
create index access_letter_waiting on access_letter (next_at) where state = 'waiting';
select protect_tenant_table('access_letter');
grant select, insert, update on access_letter to ralex_app, ralex_system;
-- The owner of the tables has to see their rows for it, whoever that is.
alter table access_review_letter no force row level security;
alter table access_letter no force row level security;
insert into access_letter (org_id, about, about_id, occasion, user_id, state, tries, next_at)
select org_id, 'review', review_id, occasion, user_id, state, tries, next_at from access_review_letter;
alter table access_letter force row level security;
drop table access_review_letter;
select let_export('access_letter');

-- While an organisation is closed, what it does by schedule rests; since when it is open again says what was
-- missed meanwhile.
alter table org
    add column is_closed boolean not null generated always as (suspended_at is not null or delete_after is not null) stored,
    add column reopened_at timestamptz;
grant select (is_closed, reopened_at) on org to ralex_exporter;

-- A directory's token ends with the role by which alone its maker could make it, as other tokens do; and each
-- has room for so many requests at a time: until when what it took counts.
alter table scim_token
    add column rests_on uuid,
    add column room_at timestamptz;
grant select (rests_on) on scim_token to ralex_exporter;
comment on column scim_token.rests_on is 'The binding that its maker held for a while, or the break-glass opening that it was made under. It is no key: the token ends with it.';

-- Which state of a role somebody has read.
alter table own_role add column version bigint not null default 1;
grant select (version) on own_role to ralex_exporter;

-- Whether what somebody came in by still stands for them: nothing, where it was no organisation's provider, and
-- else a provider that is switched on and knows them.
create function sign_on_lives(org uuid, provider uuid, person uuid) returns boolean
language sql stable as $$
    select $1 is null or exists (
        select from sso_provider p
        join sso_link l on l.org_id = p.org_id and l.provider_id = p.id
        where p.org_id = $1 and p.id = $2 and p.enabled and l.user_id = $3)
$$;

-- Whether what something rests on still stands: nothing, or a binding that is there, or an access by break-glass
-- that is open.
create function still_rests(org uuid, rests_on uuid, at timestamptz) returns boolean
language sql stable as $$
    select $2 is null
        or exists (select from binding b where b.org_id = $1 and b.id = $2)
        or exists (select from break_glass_opening g
                   where g.org_id = $1 and g.id = $2 and g.state = 'open' and $3 < g.until)
$$;
