-- Operators: people who manage the organisations of a deployment, and see nothing inside them.
create table operator (
    user_id    uuid primary key references app_user (id),
    created_at timestamptz not null default now(),
    -- Who made them one; nothing where the deployment did.
    created_by uuid
);
grant select, insert, delete on operator to ralex_system;

-- Whom the first start made an owner. The owner of the tables has to see their rows for it, whoever that is.
alter table binding no force row level security;
alter table app_user no force row level security;
insert into operator (user_id)
select b.subject_id from binding b join app_user u on u.id = b.subject_id
where b.role = 'owner' and b.subject_kind = 'user' and b.created_by = 'system' and b.effect = 'allow'
  and u.disabled_at is null
order by b.org_id, b.id limit 1;
alter table binding force row level security;
alter table app_user force row level security;

-- An organisation is closed while it is suspended, and while it waits to be deleted.
alter table org
    add column suspended_at timestamptz,
    add column suspended_reason text,
    add column delete_after timestamptz,
    add column deletion_asked_at timestamptz,
    add column deletion_asked_by uuid,
    add column deletion_reason text,
    add constraint org_suspended check ((suspended_at is null) = (suspended_reason is null)),
    add constraint org_deletion check (
        (delete_after is null) = (deletion_asked_at is null) and (delete_after is null) = (deletion_reason is null));
create index org_deletion_due on org (delete_after) where delete_after is not null;

-- What is left of an organisation that was deleted: that there was one, and how its audit log ended.
create table deleted_org (
    id         uuid primary key,
    slug       text not null,
    name       text not null,
    created_at timestamptz not null,
    -- Nothing while it is under way.
    deleted_at timestamptz,
    asked_at   timestamptz not null,
    asked_by   uuid,
    reason     text not null,
    tree_size  bigint not null,
    root_hash  bytea
);
create index deleted_org_at on deleted_org (deleted_at, id);
grant select, insert, update on deleted_org to ralex_system;

-- Whoever removes all that an organisation has is nobody but one function: no session has this role.
do $$
begin
    begin
        create role ralex_eraser nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
    -- Two databases of one cluster may migrate at once; the grant is then made by the other.
    begin
        execute format('grant ralex_eraser to %I', current_user);
    exception when others then
        if not pg_has_role(current_user, 'ralex_eraser', 'member') then
            raise;
        end if;
    end;
end
$$;
grant usage on schema public to ralex_eraser;

create function let_erase(name regclass) returns void language plpgsql as $$
begin
    execute format('create policy erasing on %s to ralex_eraser using (true)', name);
    execute format('grant select, delete on %s to ralex_eraser', name);
end
$$;

-- From here on each table of tenants comes with it.
create or replace function protect_tenant_table(name regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);
    execute format('create policy tenant on %s to ralex_app
        using (org_id = (select nullif(current_setting(''app.org'', true), '''')::uuid))
        with check (org_id = (select nullif(current_setting(''app.org'', true), '''')::uuid))', name);
    execute format('create policy system on %s to ralex_system using (true) with check (true)', name);
    perform let_erase(name);
end
$$;

-- The log of logs goes on without the organisation: it holds hashes and nothing else, each whole in itself.
alter table audit_super_leaf drop constraint audit_super_leaf_head;
select let_erase(c.oid::regclass)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
  and c.relname <> 'audit_super_leaf';
select let_erase('org');
-- For the lock on the one row that two nodes at once meet at.
grant update (delete_after) on org to ralex_eraser;

create or replace function refuse_change() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_user = 'ralex_eraser' then
        return old;
    end if;
    raise exception 'the audit log is append-only: % on % is refused', tg_op, tg_table_name;
end
$$;
create or replace function refuse_all_but_pruning() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_user in ('ralex_pruner', 'ralex_eraser') then
        return old;
    end if;
    raise exception 'the audit log is append-only: % on % is refused', tg_op, tg_table_name;
end
$$;

-- Removes up to so many rows of an organisation whose time is over, and says how many; with the 0 at the end
-- the organisation itself is gone as well, and -1 says that it was gone before. What must never go stays,
-- whatever the caller believes: nothing before the time, and nothing under a hold.
create function org_erase(org uuid, at_most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    name text;
    gone bigint;
    all_of text;
begin
    perform from public.org o where o.id = $1 and o.delete_after <= now() for update;
    if not found then
        if not exists (select from public.org o where o.id = $1) then
            return -1;
        end if;
        raise exception 'organisation % is not to be deleted yet', $1 using errcode = 'check_violation';
    end if;
    if exists (select from public.audit_hold h where h.org_id = $1 and h.lifted_at is null) then
        raise exception 'the audit log of % is held', $1 using errcode = 'check_violation';
    end if;
    -- What grows with every call goes in parts, so that no transaction is long. Without a tree nobody looks
    -- for leaves to sign.
    foreach name in array array['audit_event', 'audit_tree', 'audit_leaf', 'audit_node', 'call_attempt', 'call', 'rate_slot']
    loop
        execute format('delete from public.%I where ctid = any (array (
                            select ctid from public.%I where org_id = $1 limit $2))', name, name)
            using $1, at_most;
        get diagnostics gone = row_count;
        if gone > 0 then
            return gone;
        end if;
    end loop;
    delete from public.usage_sum where org_id = $1
        and starts_at < (select min(s.starts_at) + interval '30 days' from public.usage_sum s where s.org_id = $1);
    get diagnostics gone = row_count;
    if gone > 0 then
        return gone;
    end if;
    -- The rest at once: what refers to each other is looked at when the statement has ended.
    select string_agg(format('%I as (delete from public.%I where org_id = $1)', 'gone_' || c.relname, c.relname), ', ')
        into all_of
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
        where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
          and c.relname <> 'audit_super_leaf';
    execute format('with %s delete from public.org where id = $1', all_of) using $1;
    return 0;
end
$$;
grant create on schema public to ralex_eraser;
alter function org_erase(uuid, integer) owner to ralex_eraser;
revoke create on schema public from ralex_eraser;
revoke execute on function org_erase(uuid, integer) from public;
grant execute on function org_erase(uuid, integer) to ralex_system;
