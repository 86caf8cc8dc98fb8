-- What nodes keep in hand of a budget, so that a call can be sent while its record is on its way.
-- A lease is part of the period as holds are: nothing beside it can be given away.
alter table budget_period add column leased bigint not null default 0;
alter table budget_period drop constraint budget_not_overspent;
alter table budget_period add constraint budget_not_overspent check (not hard or spent + held + leased <= spend_limit);
alter table budget_period add constraint budget_leased check (leased >= 0);

-- The lease of one node. Changed only by who has locked its period.
create table budget_lease (
    org_id     uuid not null,
    budget_id  uuid not null,
    starts_at  timestamptz not null,
    node_id    uuid not null,
    amount     bigint not null,
    updated_at timestamptz not null default now(),
    primary key (org_id, budget_id, starts_at, node_id),
    constraint budget_lease_amount check (amount > 0),
    constraint budget_lease_period foreign key (org_id, budget_id, starts_at) references budget_period (org_id, budget_id, starts_at) on delete cascade
);
create index budget_lease_node on budget_lease (node_id);
select protect_tenant_table('budget_lease');

-- What counts on a budget beside its calls. Never changed: what is taken back is an entry of its own.
create table budget_adjustment (
    org_id     uuid not null,
    id         uuid not null,
    budget_id  uuid not null,
    starts_at  timestamptz not null,
    -- Adds to what is spent, or takes away from it.
    amount     bigint not null,
    -- `lease_lost`: a node went silent with this in hand, and may have spent it.
    reason     text not null,
    node_id    uuid,
    -- The entry that this one takes back.
    reverses   uuid,
    note       text not null default '',
    created_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint budget_adjustment_reason check (reason in ('lease_lost', 'reconciled', 'reversed')),
    constraint budget_adjustment_once unique (org_id, reverses),
    constraint budget_adjustment_reverses foreign key (org_id, reverses) references budget_adjustment (org_id, id) on delete cascade,
    constraint budget_adjustment_period foreign key (org_id, budget_id, starts_at) references budget_period (org_id, budget_id, starts_at) on delete cascade
);
create index budget_adjustment_period on budget_adjustment (org_id, budget_id, starts_at);
select protect_tenant_table('budget_adjustment');

grant select, insert, update, delete on budget_lease to ralex_app, ralex_system;
grant select, insert on budget_adjustment to ralex_app, ralex_system;
