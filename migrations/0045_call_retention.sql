-- How long single calls are recorded. What goes leaves its sums: what it cost on each budget, so that
-- budgets still add up, and what it was in the usage of its hour, so that usage can still be proved
-- and made anew.

-- How far an organisation's calls were pruned.
create table call_pruned (
    org_id    uuid primary key references org (id),
    -- Calls that began before this and ended need not be there any more; all others are.
    before    timestamptz not null,
    calls     bigint not null,
    pruned_at timestamptz not null,
    constraint call_pruned_calls check (calls >= 0)
);
select protect_tenant_table('call_pruned');

-- What pruned calls cost in a period of a budget, which may have been deleted since.
create table budget_pruned (
    org_id    uuid not null references org (id),
    budget_id uuid not null,
    starts_at timestamptz not null,
    -- However much it comes to: a sum is only cut where it is compared.
    cost      numeric not null,
    primary key (org_id, budget_id, starts_at)
);
select protect_tenant_table('budget_pruned');

-- Pruned calls, summed up by all that tells them apart and by the hour that they began in: once
-- without a tag, and once under each of their tags.
create table usage_pruned (
    org_id             uuid not null references org (id),
    hour               timestamptz not null,
    tag                text not null,
    model              text not null,
    provider           text not null,
    task_type          text not null,
    team_id            uuid not null,
    project_id         uuid not null,
    user_id            uuid not null,
    token_id           uuid not null,
    calls              bigint not null,
    failed             bigint not null,
    refused            bigint not null,
    input_tokens       bigint not null,
    output_tokens      bigint not null,
    cache_read_tokens  bigint not null,
    cache_write_tokens bigint not null,
    reasoning_tokens   bigint not null,
    duration_ms        bigint not null,
    cost               bigint not null,
    saved              bigint not null,
    primary key (org_id, hour, tag, model, provider, task_type, team_id, project_id, user_id, token_id)
);
select protect_tenant_table('usage_pruned');

-- As it was, and which call each line is of.
create or replace view usage_of_calls with (security_invoker = true) as
    select c.org_id, c.settled_xid, c.started_at, date_trunc('hour', c.started_at, 'UTC') as hour,
        t.tag, c.model, c.provider, coalesce(c.task_type, '') as task_type,
        coalesce(c.team_id, '00000000-0000-0000-0000-000000000000') as team_id,
        coalesce(c.project_id, '00000000-0000-0000-0000-000000000000') as project_id,
        coalesce(c.user_id, '00000000-0000-0000-0000-000000000000') as user_id,
        coalesce(c.token_id, '00000000-0000-0000-0000-000000000000') as token_id,
        (c.state <> 'refused')::int::bigint as calls,
        (c.state not in ('success', 'refused'))::int::bigint as failed,
        (c.state = 'refused')::int::bigint as refused,
        c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as input_tokens,
        c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.reasoning_tokens,
        coalesce(c.duration_ms, 0)::bigint as duration_ms, c.cost, c.cost_saved as saved,
        c.id as call_id
    from call c
    cross join lateral unnest('{""}'::text[] || c.tags) as t (tag)
    where c.state <> 'open' and c.purpose is distinct from 'count';

-- As it was, and what was pruned. That is of transactions before any cursor, so who adds up from a
-- cursor on sees none of it, and who sums up from the first transaction on sees all.
create or replace view usage_line with (security_invoker = true) as
    select org_id, settled_xid, started_at, hour, tag, model, provider, task_type, team_id, project_id,
        user_id, token_id, calls, failed, refused, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, reasoning_tokens, duration_ms, cost, saved
    from usage_of_calls
    union all
    select x.org_id, x.settled_xid, x.started_at, date_trunc('hour', x.started_at, 'UTC'), t.tag,
        x.model, x.provider, coalesce(x.task_type, ''),
        coalesce(x.team_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(x.project_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(x.user_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(x.token_id, '00000000-0000-0000-0000-000000000000'),
        x.sign::bigint, (x.sign * x.failed)::bigint, 0::bigint, x.sign * x.input_tokens,
        x.sign * x.output_tokens, x.sign * x.cache_read_tokens, x.sign * x.cache_write_tokens,
        x.sign * x.reasoning_tokens, x.sign * x.duration_ms, x.sign * x.cost, x.sign * x.saved
    from usage_correction x
    cross join lateral unnest('{""}'::text[] || x.tags) as t (tag)
    union all
    select p.org_id, '0'::xid8, p.hour, p.hour, p.tag, p.model, p.provider, p.task_type, p.team_id,
        p.project_id, p.user_id, p.token_id, p.calls, p.failed, p.refused, p.input_tokens,
        p.output_tokens, p.cache_read_tokens, p.cache_write_tokens, p.reasoning_tokens, p.duration_ms,
        p.cost, p.saved
    from usage_pruned p;

grant select on call_pruned, budget_pruned, usage_pruned to ralex_app, ralex_system;

-- Whoever removes calls is nobody but one function, as with events of the audit log.
grant select, delete on call to ralex_pruner;
-- Of one column, only so that it may lock the rows that it removes.
grant update (settled_xid) on call to ralex_pruner;
grant select, delete on usage_correction to ralex_pruner;
grant select, insert, update on call_pruned, budget_pruned, usage_pruned to ralex_pruner;
grant select on usage_of_calls, usage_cursor, audit_retention to ralex_pruner;
create policy pruning on call to ralex_pruner using (true);
create policy pruning on usage_correction to ralex_pruner using (true);
create policy pruning on call_pruned to ralex_pruner using (true) with check (true);
create policy pruning on budget_pruned to ralex_pruner using (true) with check (true);
create policy pruning on usage_pruned to ralex_pruner using (true) with check (true);
create policy pruning on audit_retention for select to ralex_pruner using (true);

-- Removes the oldest calls of those whose time is over, from `since` on and `at_most` so many, and
-- says how many there were and when the first and the last of them began. What must never go stays,
-- whatever the caller believes: nothing while anything of the organisation is held, nothing that
-- nobody has said how long to keep, nothing younger than that or than 35 days, nothing that is under
-- way, and nothing that is not in the sums of usage yet.
create function call_prune(org uuid, at_least integer, since timestamptz, at_most integer,
    out calls bigint, out first_at timestamptz, out last_at timestamptz)
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    kept integer;
    ids uuid[];
begin
    -- Whoever sums all calls up anew waits for this, and is waited for.
    lock table public.call in row exclusive mode;
    if exists (select from public.audit_hold h where h.org_id = org and h.lifted_at is null) then
        raise exception 'the records of % are held', org using errcode = 'check_violation';
    end if;
    select r.days into kept from public.audit_retention r where r.org_id = org and r.class = 'records';
    calls := 0;
    if kept is null then
        return;
    end if;
    kept := greatest(kept, at_least, 35);
    select array_agg(k.id), min(k.started_at), max(k.started_at) into ids, first_at, last_at
    from (select c.id, c.started_at from public.call c
          where c.org_id = org and c.started_at >= since
            and c.started_at < now() - make_interval(days => kept)
            and c.state <> 'open' and c.settled_xid < (select u.xid from public.usage_cursor u)
          order by c.started_at limit at_most for update of c skip locked) as k;
    if ids is null then
        return;
    end if;
    insert into public.usage_pruned as p
    select u.org_id, u.hour, u.tag, u.model, u.provider, u.task_type, u.team_id, u.project_id, u.user_id,
        u.token_id, sum(u.calls), sum(u.failed), sum(u.refused), least(sum(u.input_tokens), n.most),
        least(sum(u.output_tokens), n.most), least(sum(u.cache_read_tokens), n.most),
        least(sum(u.cache_write_tokens), n.most), least(sum(u.reasoning_tokens), n.most),
        least(sum(u.duration_ms), n.most), least(sum(u.cost), n.most), least(sum(u.saved), n.most)
    from public.usage_of_calls u cross join (values (9223372036854775807::numeric)) as n (most)
    where u.org_id = org and u.call_id = any (ids)
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, n.most
    on conflict (org_id, hour, tag, model, provider, task_type, team_id, project_id, user_id, token_id)
    do update set calls = p.calls + excluded.calls, failed = p.failed + excluded.failed,
        refused = p.refused + excluded.refused,
        input_tokens = least(p.input_tokens::numeric + excluded.input_tokens, 9223372036854775807),
        output_tokens = least(p.output_tokens::numeric + excluded.output_tokens, 9223372036854775807),
        cache_read_tokens =
            least(p.cache_read_tokens::numeric + excluded.cache_read_tokens, 9223372036854775807),
        cache_write_tokens =
            least(p.cache_write_tokens::numeric + excluded.cache_write_tokens, 9223372036854775807),
        reasoning_tokens =
            least(p.reasoning_tokens::numeric + excluded.reasoning_tokens, 9223372036854775807),
        duration_ms = least(p.duration_ms::numeric + excluded.duration_ms, 9223372036854775807),
        cost = least(p.cost::numeric + excluded.cost, 9223372036854775807),
        saved = least(p.saved::numeric + excluded.saved, 9223372036854775807);
    insert into public.budget_pruned as p
    select c.org_id, k.budget_id, k.starts_at, sum(coalesce(k.cost, c.cost))
    from public.call c
    cross join lateral unnest(c.budget_ids, c.budget_starts, c.budget_costs) as k (budget_id, starts_at, cost)
    where c.org_id = org and c.id = any (ids) and c.state <> 'refused'
    group by 1, 2, 3
    on conflict (org_id, budget_id, starts_at) do update set cost = p.cost + excluded.cost;
    delete from public.usage_correction x where x.org_id = org and x.call_id = any (ids);
    delete from public.call c where c.org_id = org and c.id = any (ids);
    get diagnostics calls = row_count;
    insert into public.call_pruned as p (org_id, before, calls, pruned_at)
    values (org, last_at + interval '1 microsecond', calls, now())
    on conflict (org_id) do update set before = greatest(p.before, excluded.before),
        calls = p.calls + excluded.calls, pruned_at = excluded.pruned_at;
end
$$;
grant create on schema public to ralex_pruner;
alter function call_prune(uuid, integer, timestamptz, integer) owner to ralex_pruner;
revoke create on schema public from ralex_pruner;
revoke execute on function call_prune(uuid, integer, timestamptz, integer) from public;
grant execute on function call_prune(uuid, integer, timestamptz, integer) to ralex_system;
