-- Budgets of the last N days, and what is left of a period going on to the next.
--
-- A row of `budget_period` of a rolling budget is one day. Its `spend_limit` is what the days before
-- it in the window leave, with all that they hold counted as spent. A day that is over gives away
-- nothing any more: its own limit is what is gone of it. So all rows of a window together never
-- pass the budget's limit, and each of them is still fenced by the table itself. What an ended period
-- leaves to the next goes the same way.
alter table budget drop constraint budget_period_name;
alter table budget add constraint budget_period_name check (period in ('hour', 'day', 'week', 'month', 'quarter', 'year', 'total', 'rolling'));
alter table budget add column days smallint;
alter table budget add constraint budget_days check ((period = 'rolling') = (days is not null) and coalesce(days, 1) between 1 and 366);
alter table budget add column carry_over boolean not null default false;
alter table budget add column carry_over_at_most bigint;
alter table budget add constraint budget_carry_over check (not carry_over or period not in ('total', 'rolling'));
alter table budget add constraint budget_carry_over_at_most check (carry_over_at_most is null or (carry_over_at_most > 0 and carry_over));

-- What the period was given, its part of what went on from the one before included, and no increase.
alter table budget_period add column allowance bigint;
-- What went on to it from the one before.
alter table budget_period add column carried bigint not null default 0;
-- What its limit was worked out from: what the days before it in the window had taken, or what the
-- period before it had left.
alter table budget_period add column before_it bigint;
