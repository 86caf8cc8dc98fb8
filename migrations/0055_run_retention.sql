-- Runs go with the records of their calls: what counted them then says nothing that is not in the sums.
grant select, delete on budget_run, budget_period to ralex_pruner;
grant delete on budget_pruned to ralex_pruner;
grant select on budget, budget_adjustment to ralex_pruner;
create policy pruning on budget_run to ralex_pruner using (true);
create policy pruning on budget_period to ralex_pruner using (true);
create policy pruning on budget for select to ralex_pruner using (true);
create policy pruning on budget_adjustment for select to ralex_pruner using (true);

-- Removes runs that are over and of which no call is left, `at_most` so many, with what budgets per run
-- counted of them, and says how many there were. A run of which anything is under way
-- stays, and so does one that counts what no call does: an adjustment is never taken away.
create function run_prune(org uuid, at_most integer) returns bigint
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    gone bigint;
begin
    if exists (select from public.audit_hold h where h.org_id = org and h.lifted_at is null) then
        raise exception 'the records of % are held', org using errcode = 'check_violation';
    end if;
    with per_run as materialized (
        select b.id from public.budget b where b.org_id = org and b.period = 'run'),
    over as materialized (
        select r.starts_at
        from public.budget_run r
        join public.call_pruned c on c.org_id = r.org_id
        where r.org_id = org and r.ends_at <= now() and r.starts_at < c.before
          and not exists (select from public.call k
              where k.org_id = org and k.run = r.name and k.started_at < r.ends_at)
          and not exists (select from per_run b
              join public.budget_period p on p.org_id = org and p.budget_id = b.id
                  and p.starts_at = r.starts_at
              where p.held > 0 or p.leased > 0)
          and not exists (select from per_run b
              join public.budget_adjustment a on a.org_id = org and a.budget_id = b.id
                  and a.starts_at = r.starts_at)
        order by r.starts_at limit at_most),
    sums as (
        delete from public.budget_pruned d using per_run b, over o
        where d.org_id = org and d.budget_id = b.id and d.starts_at = o.starts_at),
    periods as (
        delete from public.budget_period p using per_run b, over o
        where p.org_id = org and p.budget_id = b.id and p.starts_at = o.starts_at)
    delete from public.budget_run r using over o where r.org_id = org and r.starts_at = o.starts_at;
    get diagnostics gone = row_count;
    return gone;
end
$$;
grant create on schema public to ralex_pruner;
alter function run_prune(uuid, integer) owner to ralex_pruner;
revoke create on schema public from ralex_pruner;
revoke execute on function run_prune(uuid, integer) from public;
grant execute on function run_prune(uuid, integer) to ralex_system;
