-- Proofs: what is needed to show a part of the log to somebody who does not have all of it.

-- Roots of the perfect subtrees of 256, 65,536, … leaves, so that a proof reads a few hundred
-- hashes however large the log is. They follow from the leaves: a wrong one makes a proof fail.
create table audit_node (
    org_id     uuid not null references org (id),
    level      smallint not null,
    node_index bigint not null,
    hash       bytea not null,
    primary key (org_id, level, node_index),
    constraint audit_node_level check (level between 1 and 7),
    constraint audit_node_index check (node_index >= 0),
    constraint audit_node_hash check (length(hash) = 32)
);
select protect_tenant_table('audit_node');

-- The public halves of the keys that sign; the newest one does. Earlier ones stay, for what they signed.
create table audit_key (
    version    integer primary key,
    verifier   text not null,
    created_at timestamptz not null default now(),
    constraint audit_key_version check (version > 0),
    constraint audit_key_once unique (verifier)
);

-- Which key signed. The first head after a change of keys is signed by the earlier ones too.
alter table audit_checkpoint add column key_version integer not null default 1;
create index audit_checkpoint_key on audit_checkpoint (org_id, key_version, tree_size);

-- The deployment's own log: its leaves are the organisations' signed heads (their text without
-- the signatures), so that one small number, kept elsewhere, vouches for every log.
create table audit_super_leaf (
    leaf_index bigint primary key,
    org_id     uuid not null,
    tree_size  bigint not null,
    leaf       bytea not null,
    leaf_hash  bytea not null,
    constraint audit_super_leaf_once unique (org_id, tree_size),
    constraint audit_super_leaf_head foreign key (org_id, tree_size) references audit_checkpoint (org_id, tree_size),
    constraint audit_super_leaf_index check (leaf_index >= 0),
    constraint audit_super_leaf_hash check (length(leaf_hash) = 32)
);
select protect_tenant_table('audit_super_leaf');

create table audit_super_node (
    level      smallint not null,
    node_index bigint not null,
    hash       bytea not null,
    primary key (level, node_index),
    constraint audit_super_node_level check (level between 1 and 7),
    constraint audit_super_node_index check (node_index >= 0),
    constraint audit_super_node_hash check (length(hash) = 32)
);

create table audit_super_checkpoint (
    tree_size   bigint primary key,
    root        bytea not null,
    note        text not null,
    peaks       bytea[] not null,
    key_version integer not null,
    signed_at   timestamptz not null default now()
);

-- Witnesses (C2SP tlog-witness): what each one has seen, and its newest statement about each head.
create table audit_witness (
    verifier     text primary key,
    seen_size    bigint not null default 0,
    asked_at     timestamptz,
    cosigned_at  timestamptz,
    -- Why the last attempt failed.
    failure      text,
    -- Set where the witness has seen another history than this one.
    conflict     text,
    constraint audit_witness_seen check (seen_size >= 0)
);
create table audit_cosignature (
    tree_size bigint not null references audit_super_checkpoint (tree_size),
    witness   text not null,
    line      text not null,
    signed_at timestamptz not null,
    primary key (tree_size, witness)
);

create trigger append_only before update or delete on audit_node for each row execute function refuse_change();
create trigger append_only before update or delete on audit_key for each row execute function refuse_change();
create trigger append_only before update or delete on audit_super_leaf for each row execute function refuse_change();
create trigger append_only before update or delete on audit_super_node for each row execute function refuse_change();
create trigger append_only before update or delete on audit_super_checkpoint for each row execute function refuse_change();
create trigger never_truncated before truncate on audit_node execute function refuse_change();
create trigger never_truncated before truncate on audit_key execute function refuse_change();
create trigger never_truncated before truncate on audit_super_leaf execute function refuse_change();
create trigger never_truncated before truncate on audit_super_node execute function refuse_change();
create trigger never_truncated before truncate on audit_super_checkpoint execute function refuse_change();

grant select on audit_node, audit_super_leaf to ralex_app;
grant select, insert on audit_node, audit_key, audit_super_leaf, audit_super_node, audit_super_checkpoint to ralex_system;
grant select, insert, update on audit_witness, audit_cosignature to ralex_system;
