-- How long an organisation keeps what its audit log says, what it must keep whatever that says, and
-- what is asked for about both, which one person asks and another decides.
create table audit_retention (
    org_id uuid not null references org (id),
    class  text not null,
    days   integer not null,
    set_at timestamptz not null default now(),
    primary key (org_id, class),
    constraint audit_retention_days check (days between 30 and 36500)
);
select protect_tenant_table('audit_retention');

create table audit_hold (
    org_id    uuid not null references org (id),
    id        uuid not null,
    reason    text not null,
    set_at    timestamptz not null default now(),
    lifted_at timestamptz,
    primary key (org_id, id)
);
create index audit_hold_active on audit_hold (org_id) where lifted_at is null;
select protect_tenant_table('audit_hold');

create table audit_request (
    org_id     uuid not null references org (id),
    id         uuid not null,
    kind       text not null,
    -- Of a request about retention; no days means for ever.
    class      text,
    days       integer,
    -- Of a request to lift a hold.
    hold_id    uuid,
    reason     text not null,
    asked_by   uuid not null,
    asked_at   timestamptz not null default now(),
    expires_at timestamptz not null,
    state      text not null default 'pending',
    decided_by uuid,
    decided_at timestamptz,
    primary key (org_id, id),
    constraint audit_request_kind check (kind in ('retention', 'hold', 'lift')),
    constraint audit_request_class check ((kind = 'retention') = (class is not null)),
    constraint audit_request_days check (days is null or kind = 'retention'),
    constraint audit_request_lift check ((kind = 'lift') = (hold_id is not null)),
    constraint audit_request_hold foreign key (org_id, hold_id) references audit_hold (org_id, id),
    constraint audit_request_state check (state in ('pending', 'approved', 'denied')),
    constraint audit_request_decided check ((state = 'pending') = (decided_by is null) and (state = 'pending') = (decided_at is null)),
    -- The rule that all of this is for, where no mistake elsewhere can break it.
    constraint audit_request_two_people check (decided_by is null or decided_by <> asked_by or state = 'denied')
);
select protect_tenant_table('audit_request');

grant select, insert, update, delete on audit_retention to ralex_app;
grant select, insert, update on audit_hold, audit_request to ralex_app;
grant select on audit_retention, audit_hold to ralex_system;

-- Leaves keep their hashes when the event that they are of is pruned.
alter table audit_leaf drop constraint audit_leaf_event;

-- Whoever removes events is nobody but one function: no session has this role.
do $$
begin
    begin
        create role ralex_pruner nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
    -- Two databases of one cluster may migrate at once; the grant is then made by the other.
    begin
        execute format('grant ralex_pruner to %I', current_user);
    exception when others then
        if not pg_has_role(current_user, 'ralex_pruner', 'member') then
            raise;
        end if;
    end;
end
$$;
grant usage on schema public to ralex_pruner;
grant select, delete on audit_event to ralex_pruner;
grant select on audit_leaf, audit_super_leaf, audit_sink, audit_hold to ralex_pruner;
create policy pruning on audit_event to ralex_pruner using (true);
create policy pruning on audit_leaf for select to ralex_pruner using (true);
create policy pruning on audit_super_leaf for select to ralex_pruner using (true);
create policy pruning on audit_sink for select to ralex_pruner using (true);
create policy pruning on audit_hold for select to ralex_pruner using (true);

create function refuse_all_but_pruning() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_user = 'ralex_pruner' then
        return old;
    end if;
    raise exception 'the audit log is append-only: % on % is refused', tg_op, tg_table_name;
end
$$;
drop trigger append_only on audit_event;
create trigger append_only before update or delete on audit_event for each row execute function refuse_all_but_pruning();

-- Removes the events of these leaves, and says how many there were. What must never go stays,
-- whatever the caller believes: nothing under a hold, nothing that a sink has yet to send, nothing
-- beyond what the log of logs holds, nothing of the last 30 days, and nothing that the log says of
-- itself.
create function audit_prune(org uuid, indexes bigint[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    gone bigint;
begin
    if exists (select from public.audit_hold h where h.org_id = org and h.lifted_at is null) then
        raise exception 'the audit log of % is held', org using errcode = 'check_violation';
    end if;
    delete from public.audit_event e using public.audit_leaf l
    where l.org_id = org and l.leaf_index = any(indexes)
      and e.org_id = l.org_id and e.id = l.event_id
      and e.occurred_at < now() - interval '30 days'
      and e.action not like 'audit.%'
      and l.leaf_index < (select max(s.tree_size) from public.audit_super_leaf s where s.org_id = org)
      and not exists (select from public.audit_sink k
                      where k.org_id = org and k.next_index <= l.leaf_index);
    get diagnostics gone = row_count;
    return gone;
end
$$;
grant create on schema public to ralex_pruner;
alter function audit_prune(uuid, bigint[]) owner to ralex_pruner;
revoke create on schema public from ralex_pruner;
revoke execute on function audit_prune(uuid, bigint[]) from public;
grant execute on function audit_prune(uuid, bigint[]) to ralex_system;
