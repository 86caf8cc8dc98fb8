-- How an organisation's rights were: every row that decisions rest on, for the time that it was so. Triggers
-- write it in the transaction of the change, whatever makes it. There is nobody's name in it, only ids.
create table access_history (
    org_id uuid not null references org (id),
    kind   text not null,
    -- The row's own key among those of its kind.
    key    text not null,
    since  timestamptz not null,
    -- Up to then, not included; still so where it is absent.
    until  timestamptz,
    value  jsonb not null,
    primary key (org_id, kind, key, since),
    constraint access_history_kind check (kind in ('team', 'project', 'member', 'group', 'group_member', 'role', 'binding', 'account', 'token')),
    constraint access_history_time check (until is null or since < until)
);
create unique index access_history_now on access_history (org_id, kind, key) where until is null;
create index access_history_ended on access_history (org_id, until) where until is not null;
select protect_tenant_table('access_history');

-- Since when all of it is known of an organisation.
create table access_history_start (
    org_id uuid primary key references org (id),
    since  timestamptz not null
);
select protect_tenant_table('access_history_start');

grant select, insert, update, delete on access_history, access_history_start to ralex_app, ralex_system;

-- Says what a row is from now on; that it is no more, without a value. All that one transaction changes
-- changes at one moment, so that there is never a right without the denial that came with it.
create function access_history_put(org uuid, what text, which text, what_is jsonb) returns void language plpgsql as $$
declare
    moment timestamptz := nullif(current_setting('app.history_at', true), '')::timestamptz;
    last record;
begin
    -- An organisation that is removed with all it has leaves no history.
    if current_user = 'ralex_eraser' then
        return;
    end if;
    if moment is null then
        moment := clock_timestamp();
        perform set_config('app.history_at', moment::text, true);
    end if;
    select since, value into last from access_history h
        where h.org_id = org and h.kind = what and h.key = which and h.until is null;
    if found then
        if last.value = what_is then
            return;
        end if;
        if last.since < moment then
            update access_history h set until = moment
                where h.org_id = org and h.kind = what and h.key = which and h.until is null;
        else
            -- What did not last for a moment never was.
            delete from access_history h
                where h.org_id = org and h.kind = what and h.key = which and h.until is null;
            moment := last.since;
        end if;
    end if;
    if what_is is not null then
        insert into access_history (org_id, kind, key, since, value) values (org, what, which, moment, what_is);
    end if;
end
$$;

-- Some columns of a row, by their names.
create function access_history_columns(value jsonb, names text[]) returns jsonb language sql immutable as $$
    select jsonb_object_agg(name, value -> name) from unnest(names) as name
$$;

-- `tg_argv`: the kind, the columns of the key, and the columns that are kept.
create function access_history_keep() returns trigger language plpgsql as $$
declare
    before jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    after  jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    keys   text[] := string_to_array(tg_argv[1], ',');
    names  text[] := string_to_array(tg_argv[2], ',');
    row    jsonb := coalesce(after, before);
begin
    perform access_history_put((row ->> 'org_id')::uuid, tg_argv[0],
        (select string_agg(row ->> name, '/' order by place) from unnest(keys) with ordinality as k (name, place)),
        case when after is not null then access_history_columns(after, names) end);
    return null;
end
$$;

create trigger access_history after insert or update or delete on team
    for each row execute function access_history_keep('team', 'id', 'id,slug');
create trigger access_history after insert or update or delete on project
    for each row execute function access_history_keep('project', 'id', 'id,team_id,slug');
create trigger access_history after insert or update or delete on people_group
    for each row execute function access_history_keep('group', 'id', 'id,slug');
create trigger access_history after insert or delete on group_member
    for each row execute function access_history_keep('group_member', 'group_id,user_id', 'group_id,user_id');
create trigger access_history after insert or update or delete on own_role
    for each row execute function access_history_keep('role', 'name', 'name,title,description,permissions,includes');
create trigger access_history after insert or update or delete on binding
    for each row execute function access_history_keep('binding', 'id',
        'id,subject_kind,subject_id,role,team_id,project_id,effect,not_before,expires_at,created_by,created_at,managed_by,request_id');
create trigger access_history after insert or update or delete on service_account
    for each row execute function access_history_keep('account', 'id', 'id,slug,team_id,project_id,disabled_at');

-- A team's own token is somebody as long as it is not revoked; one of a service account is the account.
create function access_history_keep_token() returns trigger language plpgsql as $$
begin
    perform access_history_put(new.org_id, 'token', new.id::text,
        case when new.account_id is null and new.revoked_at is null then
            access_history_columns(to_jsonb(new), '{id,team_id,project_id,expires_at}') end);
    return null;
end
$$;
create trigger access_history after insert or update of team_id, project_id, account_id, expires_at, revoked_at on token
    for each row execute function access_history_keep_token();

-- Whether a member counts is said by two tables.
create function access_history_member(org uuid, who uuid) returns void language sql as $$
    select access_history_put(org, 'member', who::text, (
        select jsonb_build_object('user_id', m.user_id, 'suspended', m.suspended_at is not null,
                   'disabled', coalesce(u.disabled_at is not null, false))
        from membership m left join app_user u on u.id = m.user_id
        where m.org_id = org and m.user_id = who))
$$;
create function access_history_keep_member() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        perform access_history_put(old.org_id, 'member', old.user_id::text, null);
    else
        perform access_history_member(new.org_id, new.user_id);
    end if;
    return null;
end
$$;
create trigger access_history after insert or update or delete on membership
    for each row execute function access_history_keep_member();
create function access_history_keep_person() returns trigger language plpgsql as $$
begin
    perform access_history_member(m.org_id, m.user_id) from membership m where m.user_id = new.id;
    return null;
end
$$;
create trigger access_history after update of disabled_at on app_user
    for each row when (old.disabled_at is distinct from new.disabled_at) execute function access_history_keep_person();

create function access_history_begin() returns trigger language plpgsql as $$
begin
    insert into access_history_start (org_id, since) values (new.id, clock_timestamp());
    return null;
end
$$;
create trigger access_history after insert on org for each row execute function access_history_begin();

-- What is so now is known from now on. How it was before was never kept. The owner of the tables has to see
-- their rows for it, whoever that is.
do $$
declare name text;
begin
    foreach name in array array['org', 'team', 'project', 'people_group', 'group_member', 'own_role', 'binding', 'service_account', 'token', 'membership', 'app_user', 'access_history', 'access_history_start'] loop
        execute format('alter table %I no force row level security', name);
    end loop;
end
$$;
insert into access_history_start (org_id, since) select id, now() from org;
insert into access_history (org_id, kind, key, since, value)
    select org_id, 'team', id::text, now(), access_history_columns(to_jsonb(t), '{id,slug}') from team t
    union all
    select org_id, 'project', id::text, now(), access_history_columns(to_jsonb(t), '{id,team_id,slug}') from project t
    union all
    select org_id, 'group', id::text, now(), access_history_columns(to_jsonb(t), '{id,slug}') from people_group t
    union all
    select org_id, 'group_member', group_id || '/' || user_id, now(), access_history_columns(to_jsonb(t), '{group_id,user_id}') from group_member t
    union all
    select org_id, 'role', name, now(), access_history_columns(to_jsonb(t), '{name,title,description,permissions,includes}') from own_role t
    union all
    select org_id, 'binding', id::text, now(), access_history_columns(to_jsonb(t),
        '{id,subject_kind,subject_id,role,team_id,project_id,effect,not_before,expires_at,created_by,created_at,managed_by,request_id}') from binding t
    union all
    select org_id, 'account', id::text, now(), access_history_columns(to_jsonb(t), '{id,slug,team_id,project_id,disabled_at}') from service_account t
    union all
    select org_id, 'token', id::text, now(), access_history_columns(to_jsonb(t), '{id,team_id,project_id,expires_at}') from token t
        where account_id is null and revoked_at is null
    union all
    select m.org_id, 'member', m.user_id::text, now(), jsonb_build_object('user_id', m.user_id,
        'suspended', m.suspended_at is not null, 'disabled', u.disabled_at is not null)
        from membership m join app_user u on u.id = m.user_id;
do $$
declare name text;
begin
    foreach name in array array['org', 'team', 'project', 'people_group', 'group_member', 'own_role', 'binding', 'service_account', 'token', 'membership', 'app_user', 'access_history', 'access_history_start'] loop
        execute format('alter table %I force row level security', name);
    end loop;
end
$$;
