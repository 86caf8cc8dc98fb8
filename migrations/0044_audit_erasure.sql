-- What is personal in the audit log stands in its leaves as commitments. What they commit to is
-- kept beside them, sealed under a key of the person's own, which can be destroyed: then nobody can
-- tell any more what it was, and every hash, proof and signed head stays what it is.
create table audit_subject_key (
    org_id       uuid not null references org (id),
    id           uuid not null,
    -- A person by their id, or an e-mail address by a name that only the vault can make of it.
    kind         text not null,
    subject      uuid not null,
    -- The key, sealed by the vault; none once it is destroyed.
    wrapped      bytea,
    fingerprint  text not null,
    created_at   timestamptz not null default now(),
    destroyed_at timestamptz,
    primary key (org_id, id),
    constraint audit_subject_key_kind check (kind in ('user', 'contact')),
    constraint audit_subject_key_destroyed check ((wrapped is null) = (destroyed_at is not null))
);
create unique index audit_subject_key_live on audit_subject_key (org_id, kind, subject)
    where destroyed_at is null;
select protect_tenant_table('audit_subject_key');

-- What a commitment of an event is about. Written with each batch of calls, so without the locks
-- that a foreign key would take; a key is never deleted.
create table audit_disclosure (
    org_id   uuid not null references org (id),
    event_id uuid not null,
    place    smallint not null,
    key_id   uuid not null,
    sealed   bytea not null,
    primary key (org_id, event_id, place)
);
create index audit_disclosure_key on audit_disclosure (org_id, key_id);
select protect_tenant_table('audit_disclosure');

grant select, insert on audit_subject_key, audit_disclosure to ralex_app, ralex_system;
grant update on audit_subject_key to ralex_system;

-- What was erased: of whom by their id only, and what two people agreed about.
create table audit_erasure (
    org_id      uuid not null references org (id),
    -- The request's.
    id          uuid not null,
    user_id     uuid not null,
    event_id    uuid not null,
    erased_at   timestamptz not null default now(),
    -- Keys with their fingerprints and counts, and what was removed beside them.
    destroyed   jsonb not null,
    -- Events from before there were commitments, which name the person in their text.
    mentions    bigint not null,
    primary key (org_id, id)
);
select protect_tenant_table('audit_erasure');
grant select on audit_erasure to ralex_app;
grant select, insert on audit_erasure to ralex_system;

alter table audit_request
    add column subject uuid,
    drop constraint audit_request_kind,
    add constraint audit_request_kind check (kind in ('retention', 'hold', 'lift', 'erasure')),
    add constraint audit_request_subject check ((kind = 'erasure') = (subject is not null));
grant select, update on audit_request to ralex_system;

-- Pruning an event takes what its commitments are about along.
grant select, delete on audit_disclosure to ralex_pruner;
create policy pruning on audit_disclosure to ralex_pruner using (true);
create or replace function audit_prune(org uuid, indexes bigint[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    gone bigint;
begin
    if exists (select from public.audit_hold h where h.org_id = org and h.lifted_at is null) then
        raise exception 'the audit log of % is held', org using errcode = 'check_violation';
    end if;
    with pruned as (
        delete from public.audit_event e using public.audit_leaf l
        where l.org_id = org and l.leaf_index = any(indexes)
          and e.org_id = l.org_id and e.id = l.event_id
          and e.occurred_at < now() - interval '30 days'
          and e.action not like 'audit.%'
          and l.leaf_index < (select max(s.tree_size) from public.audit_super_leaf s where s.org_id = org)
          and not exists (select from public.audit_sink k
                          where k.org_id = org and k.next_index <= l.leaf_index)
        returning e.id),
    undisclosed as (
        delete from public.audit_disclosure d using pruned p where d.org_id = org and d.event_id = p.id)
    select count(*) into gone from pruned;
    return gone;
end
$$;
