-- Budgets of one model, or of one provider, within a scope. Who deletes a model or a provider keeps
-- its budget, for the records; so there is no foreign key.
alter table budget add column model_id uuid;
alter table budget add column provider_id uuid;
alter table budget add constraint budget_one_part check (num_nonnulls(model_id, provider_id) <= 1);

-- What a call holds and has cost on each of its budgets, in the order of `budget_ids`, where that is
-- not the same on all of them: its tries went to several models. New rows alone need the check.
alter table call add column budget_held bigint[];
alter table call add column budget_costs bigint[];
alter table call add constraint call_budget_parts check (coalesce(cardinality(budget_held) = cardinality(budget_ids), true) and coalesce(cardinality(budget_costs) = cardinality(budget_ids), true)) not valid;

-- Why a candidate was passed over without being asked, which counts as no try.
alter table call_attempt add column note text;
