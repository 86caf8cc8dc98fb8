//! Outlooks: forecasts of what calls cost, for a budget or for whatever is asked.

use chrono::{DateTime, Datelike, Days, Months, NaiveTime, TimeDelta, Utc};
use ralex_access::Sight;
use ralex_api::budgets::Budget;
use ralex_api::forecast::{Band, Forecast, ForecastQuery, SpentBy};
use ralex_api::usage::{GroupBy, UsageQuery};
use ralex_kernel::{Code, Money, Period, Problem};
use ralex_store::problem;

use crate::Usage;
use crate::ask::{Ask, Only};
use crate::forecast::{Known, foretell};
use crate::range::{Range, hour};
use crate::sql::sums::sums;

/// What is gone by at most.
const HISTORY: TimeDelta = TimeDelta::weeks(8);
/// A budget without an end is foretold for so long.
const ENDLESS: TimeDelta = TimeDelta::days(30);
const FARTHEST: TimeDelta = TimeDelta::days(400);
/// Up to so long a time is shown by the hour, a longer one by the day.
const BY_THE_HOUR: TimeDelta = TimeDelta::days(8);

/// What is to be foretold.
struct Wanted {
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: Option<Money>,
    /// What is spent where that is not only what calls cost.
    spent: Option<Money>,
    seed: u64,
}

impl Usage {
    /// What calls will have cost by a moment.
    pub async fn forecast(
        &self,
        sight: &impl Sight,
        query: &ForecastQuery,
    ) -> Result<Forecast, Problem> {
        let now = self.clock.now();
        let from = query.from.unwrap_or_else(|| month(now));
        let until = query.until.unwrap_or_else(|| next_month(now));
        if from > now {
            return Err(Problem::field("from", "is in the future"));
        }
        if until < from {
            return Err(Problem::field("until", "is earlier than `from`"));
        }
        if until - now > FARTHEST {
            return Err(Problem::field("until", "is more than 400 days ahead"));
        }
        let named = UsageQuery {
            team: query.team.clone(),
            project: query.project.clone(),
            user: query.user.clone(),
            service_account: query.service_account.clone(),
            token: query.token.clone(),
            provider: query.provider.clone(),
            model: query.model.clone(),
            task_type: query.task_type.clone(),
            tag: query.tag.clone(),
            ..UsageQuery::default()
        };
        let wanted = Wanted { from, until, now, limit: query.limit, spent: None, seed: 0 };
        self.foretold(sight, &named, &wanted).await
    }

    /// How a budget is likely to end, or would with another limit.
    pub async fn budget_forecast(
        &self,
        sight: &impl Sight,
        budget: &Budget,
        limit: Option<Money>,
    ) -> Result<Forecast, Problem> {
        if limit.is_some_and(|limit| !limit.is_positive()) {
            return Err(Problem::field("limit", "must be more than nothing"));
        }
        if budget.period == Period::Run {
            let detail = "A budget per run has no end to foretell: each run is counted by itself.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let now = self.clock.now();
        let wanted = Wanted {
            from: budget.period_starts_at.min(now),
            until: budget.period_ends_at.unwrap_or(now + ENDLESS),
            now,
            limit: Some(limit.unwrap_or(budget.limit).saturating_add(beside(budget))),
            spent: Some(budget.spent),
            seed: budget.id.uuid().as_u64_pair().1,
        };
        self.foretold(sight, &spenders(budget), &wanted).await
    }

    async fn foretold(
        &self,
        sight: &impl Sight,
        named: &UsageQuery,
        wanted: &Wanted,
    ) -> Result<Forecast, Problem> {
        let &Wanted { from, until, now, limit, .. } = wanted;
        let current = hour(now);
        let earliest = (current - HISTORY).min(from);
        let mut tx = self.db.tenant(sight.org()).await?;
        let only = Only::of(&mut tx, sight, named).await?;
        let range = Range::between(earliest, now, now);
        let all = Ask::new(sight.org(), range, GroupBy::Hour, only);
        let ask = Ask { parts: range.hours(), ..all };
        let found = sums(&mut tx, &ask).await.map_err(problem)?;
        drop(tx);
        let spend: Vec<(DateTime<Utc>, Money)> =
            found.iter().filter_map(|sums| Some((sums.part?, sums.cost))).collect();
        let hours = history(&spend, current);
        let mut past = past(&spend, from, now, until);
        let counted = past.last().map_or(Money::ZERO, |point| point.spent);
        let spent = wanted.spent.unwrap_or(counted);
        // A budget that was made later has not counted what was before it.
        let uncounted = counted.saturating_sub(spent);
        for point in &mut past {
            point.spent = point.spent.saturating_sub(uncounted).max(Money::ZERO);
        }
        let seed = wanted.seed ^ current.timestamp().unsigned_abs();
        let known = Known { hours: &hours, hour: current, now, until, spent, limit, seed };
        let steps = steps(now, until, step(from, until));
        let (expected, bands) = foretell(&known, &steps).unzip();
        let start = Band { at: now, low: spent, middle: spent, high: spent };
        let ahead = bands.map(|bands| [vec![start], bands].concat()).unwrap_or_default();
        Ok(Forecast {
            from,
            now,
            until,
            spent,
            limit,
            history_hours: hours.len() as u64,
            expected,
            trend_percent: trend(&hours),
            past,
            ahead,
        })
    }
}

/// What the period has beside its limit.
fn beside(budget: &Budget) -> Money {
    let increase = budget.increase.as_ref().map_or(Money::ZERO, |increase| increase.amount);
    budget.carried.saturating_add(increase)
}

/// A budget's scope, as usage is narrowed down to it.
fn spenders(budget: &Budget) -> UsageQuery {
    let (kind, name) = budget.scope.split_once(':').unwrap_or((&budget.scope, ""));
    let only = |wanted: &str| (kind == wanted).then(|| name.to_owned());
    UsageQuery {
        team: only("team"),
        project: only("project"),
        user: only("user"),
        service_account: only("service_account"),
        token: only("token"),
        model: budget.model.clone(),
        provider: budget.provider.clone(),
        ..UsageQuery::default()
    }
}

/// What each whole hour cost, from the first one that cost anything.
fn history(spend: &[(DateTime<Utc>, Money)], current: DateTime<Utc>) -> Vec<i64> {
    let since = current - HISTORY;
    let lately =
        spend.iter().filter(|(at, cost)| *at >= since && *at < current && cost.is_positive());
    let Some((first, _)) = lately.clone().next() else { return Vec::new() };
    let count = usize::try_from((current - *first).num_hours()).unwrap_or(0);
    let mut hours = vec![0; count];
    for (at, cost) in lately {
        let index = usize::try_from((*at - *first).num_hours()).unwrap_or(0);
        if let Some(hour) = hours.get_mut(index) {
            *hour = cost.as_nanos();
        }
    }
    hours
}

/// What was spent by the end of each step until now.
fn past(
    spend: &[(DateTime<Utc>, Money)],
    from: DateTime<Utc>,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Vec<SpentBy> {
    let step = step(from, until);
    let mut points = vec![SpentBy { at: from, spent: Money::ZERO }];
    let mut spent = Money::ZERO;
    let mut next = spend.iter().filter(|(at, _)| *at + TimeDelta::hours(1) > from).peekable();
    let mut at = from;
    while at < now {
        at = (at + step).min(now);
        while let Some((_, cost)) = next.next_if(|(hour, _)| *hour < at) {
            spent = spent.saturating_add(*cost);
        }
        points.push(SpentBy { at, spent });
    }
    points
}

fn step(from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
    if until - from <= BY_THE_HOUR { TimeDelta::hours(1) } else { TimeDelta::days(1) }
}

fn steps(now: DateTime<Utc>, until: DateTime<Utc>, step: TimeDelta) -> Vec<DateTime<Utc>> {
    let mut steps = Vec::new();
    let mut at = now;
    while at < until {
        at = (at + step).min(until);
        steps.push(at);
    }
    steps
}

/// The last seven days against the seven before.
fn trend(hours: &[i64]) -> Option<f64> {
    const WEEK: usize = 168;
    let newest = hours.len().checked_sub(WEEK)?;
    let before = newest.checked_sub(WEEK)?;
    let sum = |hours: &[i64]| Money::nanos(hours.iter().copied().fold(0, i64::saturating_add));
    let (older, newer) = (sum(hours.get(before..newest)?), sum(hours.get(newest..)?));
    older.is_positive().then(|| (newer.share_of(older) - 1.0) * 100.0)
}

fn month(now: DateTime<Utc>) -> DateTime<Utc> {
    let day = now.date_naive();
    let first = day.checked_sub_days(Days::new(u64::from(day.day0()))).unwrap_or(day);
    first.and_time(NaiveTime::MIN).and_utc()
}

fn next_month(now: DateTime<Utc>) -> DateTime<Utc> {
    month(now).checked_add_months(Months::new(1)).unwrap_or(now)
}
