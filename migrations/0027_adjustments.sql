-- Who adjusted what a budget counts as spent, and what a reconciliation compared.
alter table budget_adjustment
    -- The person or the team token; null where the deployment did it by itself.
    add column created_by uuid,
    -- Of what was `reconciled`: the day of UTC and the provider that an export told of. There are
    -- several entries of one day where a later export told something else.
    add column day        date,
    add column provider   text,
    add constraint budget_adjustment_reconciled check ((reason = 'reconciled') = (day is not null) and (day is null) = (provider is null));
create index budget_adjustment_listed on budget_adjustment (org_id, budget_id, id);

-- Periods that are not over, which are looked through every minute.
create index budget_period_ends on budget_period (ends_at);
