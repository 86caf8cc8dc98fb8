-- The audit log. Events are inserted in the transaction that they tell of; one sequencer gives
-- them their places in the organisation's Merkle tree (RFC 6962). `leaf` is the exact text that
-- is hashed; the columns beside it are derived from it, for search only.
create table audit_event (
    org_id      uuid not null references org (id),
    id          uuid not null,
    occurred_at timestamptz not null,
    -- The writing transaction, so that the sequencer takes only what has surely committed.
    xid         xid8 not null default pg_current_xact_id(),
    actor_kind  text not null,
    actor_id    uuid,
    action      text not null,
    outcome     text not null,
    target      text,
    call_id     uuid,
    leaf        bytea not null,
    primary key (org_id, id)
);
create index audit_event_xid on audit_event (xid);
create index audit_event_action on audit_event (org_id, action, id);
create index audit_event_actor on audit_event (org_id, actor_id, id);
create index audit_event_call on audit_event (org_id, call_id) where call_id is not null;
select protect_tenant_table('audit_event');

create table audit_leaf (
    org_id     uuid not null,
    leaf_index bigint not null,
    event_id   uuid not null,
    leaf_hash  bytea not null,
    primary key (org_id, leaf_index),
    constraint audit_leaf_once unique (org_id, event_id),
    constraint audit_leaf_event foreign key (org_id, event_id) references audit_event (org_id, id),
    constraint audit_leaf_index check (leaf_index >= 0),
    constraint audit_leaf_hash check (length(leaf_hash) = 32)
);
select protect_tenant_table('audit_leaf');

-- How far an organisation's tree has grown: its size and the roots of its perfect subtrees, the
-- largest first (a compact range).
create table audit_tree (
    org_id uuid primary key references org (id),
    size   bigint not null default 0,
    peaks  bytea[] not null default '{}',
    constraint audit_tree_size check (size >= 0)
);
select protect_tenant_table('audit_tree');

-- Signed heads (C2SP tlog-checkpoint). Never two for one size.
create table audit_checkpoint (
    org_id    uuid not null references org (id),
    tree_size bigint not null,
    root      bytea not null,
    note      text not null,
    signed_at timestamptz not null default now(),
    primary key (org_id, tree_size)
);
select protect_tenant_table('audit_checkpoint');

-- Up to which transaction events have their places.
create table audit_cursor (
    one boolean primary key default true,
    xid xid8 not null,
    constraint audit_cursor_is_one check (one)
);

-- What is written stays. (A superuser can still alter it; the tree is what shows that.)
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only: % on % is refused', tg_op, tg_table_name;
end
$$;
create trigger append_only before update or delete on audit_event for each row execute function refuse_change();
create trigger append_only before update or delete on audit_leaf for each row execute function refuse_change();
create trigger append_only before update or delete on audit_checkpoint for each row execute function refuse_change();
create trigger never_truncated before truncate on audit_event execute function refuse_change();
create trigger never_truncated before truncate on audit_leaf execute function refuse_change();
create trigger never_truncated before truncate on audit_checkpoint execute function refuse_change();

grant select, insert on audit_event to ralex_app, ralex_system;
grant select on audit_leaf, audit_tree, audit_checkpoint to ralex_app;
grant select, insert on audit_leaf, audit_checkpoint to ralex_system;
grant select, insert, update on audit_tree, audit_cursor to ralex_system;
