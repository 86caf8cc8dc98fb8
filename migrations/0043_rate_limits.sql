-- Rate limits: how many requests and tokens calls may take within any window of so many seconds.
create table rate_limit (
    org_id          uuid not null references org (id),
    id              uuid not null,
    team_id         uuid,
    project_id      uuid,
    -- A personal token belongs to no organisation, and a model or provider that was deleted leaves its
    -- limit for the records; so none of these has a foreign key.
    token_id        uuid,
    user_id         uuid,
    model_id        uuid,
    provider_id     uuid,
    measure         text not null,
    amount          bigint not null,
    window_seconds  integer not null,
    -- A window is counted in up to sixty slots, none shorter than a tenth of a second.
    slot_ms         integer not null generated always as (greatest(window_seconds::bigint * 1000 / 60, 100)) stored,
    refused         bigint not null default 0,
    last_refused_at timestamptz,
    created_at      timestamptz not null default now(),
    primary key (org_id, id),
    constraint rate_limit_measure check (measure in ('requests', 'input_tokens', 'output_tokens', 'tokens')),
    constraint rate_limit_amount check (amount between 1 and 1000000000000000),
    constraint rate_limit_window check (window_seconds between 1 and 2678400),
    constraint rate_limit_one_part check (num_nonnulls(model_id, provider_id) <= 1),
    constraint rate_limit_one_scope check (num_nonnulls(project_id, token_id, user_id) <= 1 and (project_id is null or team_id is not null) and (num_nonnulls(token_id, user_id) = 0 or team_id is null)),
    constraint rate_limit_team foreign key (org_id, team_id) references team (org_id, id),
    constraint rate_limit_project foreign key (org_id, team_id, project_id) references project (org_id, team_id, id)
);
create index rate_limit_team on rate_limit (org_id, team_id);
select protect_tenant_table('rate_limit');
grant select, insert, update, delete on rate_limit to ralex_app;
grant select, update on rate_limit to ralex_system;

-- What nodes have taken of a limit in one slot, to give to calls of that slot. It counts until the slot
-- has left the window, whatever becomes of the node.
create table rate_slot (
    org_id   uuid not null,
    limit_id uuid not null,
    node_id  uuid not null,
    slot     bigint not null,
    taken    bigint not null,
    primary key (org_id, limit_id, slot, node_id),
    constraint rate_slot_limit foreign key (org_id, limit_id) references rate_limit (org_id, id) on delete cascade
);
select protect_tenant_table('rate_slot');
grant select on rate_slot to ralex_app;
grant select, insert, update, delete on rate_slot to ralex_system;

-- Gives a node what it asks of each limit, as far as there is room in the window, after what it no
-- longer needs of earlier slots went back. The clock is read once the limit is locked, so that slots
-- are those of one clock and never go backwards for a limit.
--
-- `smallest` is the least that anybody waits for, 0 where nobody does; `needed` is what all that wait need
-- together; `spare` is what the node would like beside that, of which it gets an eighth of the rest at
-- most. `free_ms` says when there will be room for the smallest, where there is none; other nodes are
-- then asked for what they have in hand, if they may have anything.
create function take_rates(
    node uuid,
    orgs uuid[], limits uuid[], smallest bigint[], needed bigint[], spare bigint[], refusals bigint[],
    used_orgs uuid[], used_limits uuid[], used_slots bigint[], used bigint[]
) returns table (
    org_id uuid, limit_id uuid, amount bigint, slot bigint, slot_ms integer, slots integer,
    slot_left_ms double precision, given bigint, room bigint, free_ms double precision,
    asked_back boolean
) language plpgsql as $$
#variable_conflict use_column
declare
    l record;
    now_ms double precision;
begin
    -- What is lost with the last moments before a crash of the database is less than its restart takes.
    perform set_config('synchronous_commit', 'off', true);
    for l in
        select r.org_id, r.id, r.amount, r.slot_ms, a.smallest, a.needed, a.spare, a.refusals,
            ceil(r.window_seconds * 1000.0 / r.slot_ms)::integer as slots
        from unnest(orgs, limits, smallest, needed, spare, refusals)
            as a (org_id, id, smallest, needed, spare, refusals)
        join rate_limit r on r.org_id = a.org_id and r.id = a.id
        order by r.org_id, r.id
        for no key update of r
    loop
        now_ms := extract(epoch from clock_timestamp()) * 1000;
        org_id := l.org_id;
        limit_id := l.id;
        amount := l.amount;
        slot_ms := l.slot_ms;
        slots := l.slots;
        slot := floor(now_ms / l.slot_ms);
        slot_left_ms := (slot + 1) * l.slot_ms::double precision - now_ms;
        update rate_slot s set taken = u.used
            from unnest(used_orgs, used_limits, used_slots, used) as u (org_id, limit_id, slot, used)
            where u.org_id = l.org_id and u.limit_id = l.id
              and s.org_id = l.org_id and s.limit_id = l.id and s.node_id = node and s.slot = u.slot;
        delete from rate_slot s
            where s.org_id = l.org_id and s.limit_id = l.id and s.slot < take_rates.slot - l.slots;
        select l.amount - coalesce(sum(s.taken), 0) into room
            from rate_slot s where s.org_id = l.org_id and s.limit_id = l.id;
        given := 0;
        free_ms := null;
        asked_back := false;
        if l.smallest > 0 and room >= l.smallest then
            given := least(room, l.needed + greatest(least(l.spare, (room - l.needed) / 8), 0));
            insert into rate_slot as s (org_id, limit_id, node_id, slot, taken)
                values (l.org_id, l.id, node, take_rates.slot, given)
                on conflict (org_id, limit_id, slot, node_id) do update set taken = s.taken + excluded.taken;
            room := room - given;
        elsif l.smallest > 0 then
            select (min(g.slot) + l.slots + 1) * l.slot_ms::double precision - now_ms into free_ms
                from (select s.slot, sum(sum(s.taken)) over (order by s.slot) as gone
                      from rate_slot s where s.org_id = l.org_id and s.limit_id = l.id
                      group by s.slot) g
                where g.gone >= l.smallest - room;
            asked_back := exists (
                select from rate_slot s
                where s.org_id = l.org_id and s.limit_id = l.id and s.node_id <> node
                  and s.slot >= take_rates.slot - 1);
            if asked_back then
                perform pg_notify('ralex_rate', l.org_id || ' ' || l.id);
            end if;
        end if;
        room := greatest(room, 0);
        if l.refusals > 0 then
            update rate_limit r set refused = r.refused + l.refusals, last_refused_at = clock_timestamp()
                where r.org_id = l.org_id and r.id = l.id;
        end if;
        return next;
    end loop;
end
$$;
