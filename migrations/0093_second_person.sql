-- Who has had a secret of a token in their hands: whoever made it or gave it another one, or who made the token
-- by which that was done. What a token asks for is also the question of all of them.
alter table token add column known_to uuid[] not null default '{}';
grant select (known_to) on token to ralex_exporter;
comment on column token.known_to is 'Beside created_by: everybody to whom any of its secrets was ever shown.';

-- That an operator wants an organisation deleted, until another one confirms it: nothing is closed yet.
alter table org
    add column deletion_wanted_at timestamptz,
    add column deletion_wanted_by uuid,
    add column deletion_wanted_reason text,
    add column deletion_wanted_days integer,
    add column deletion_confirmed_by uuid,
    add constraint org_deletion_wanted check (
        (deletion_wanted_at is null) = (deletion_wanted_by is null)
        and (deletion_wanted_at is null) = (deletion_wanted_reason is null)
        and (deletion_wanted_at is null) = (deletion_wanted_days is null)),
    add constraint org_deletion_wanted_or_set check (deletion_wanted_at is null or delete_after is null),
    add constraint org_deletion_confirmed check (deletion_confirmed_by is null or delete_after is not null),
    add constraint org_deletion_two_people check (deletion_confirmed_by <> deletion_asked_by);
grant select (deletion_wanted_at, deletion_wanted_by, deletion_wanted_reason, deletion_wanted_days,
    deletion_confirmed_by) on org to ralex_exporter;
alter table deleted_org add column confirmed_by uuid;

-- Who was an operator until another one took that away: or whoever wants to delete alone would only have to see
-- to it that they are.
create table operator_removal (
    user_id    uuid primary key references app_user (id),
    removed_by uuid not null,
    removed_at timestamptz not null
);
grant select, insert, update, delete on operator_removal to ralex_system;

-- Whether an operator counts beside another one: not before a day has passed, and for a week not where that one
-- has made them one, or their account, whose first password they may have.
create function operator_counts(operator uuid, beside uuid, at timestamptz) returns boolean
language sql stable as $$
    select exists (
        select from operator o join app_user u on u.id = o.user_id
        where o.user_id = $1 and o.user_id <> $2 and u.disabled_at is null
          and o.created_at <= $3 - interval '24 hours'
          and (o.created_by is distinct from $2 or o.created_at <= $3 - interval '7 days')
          and (u.made_by is distinct from $2 or u.made_at <= $3 - interval '7 days'))
$$;
