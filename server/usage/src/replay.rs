//! Replay: what a budget, a rate limit or other prices would have done to calls that were made.
//!
//! The calls are taken in the order in which they began, each with the worst case that was held for
//! it, for as long as it took, and what it cost. A call that would have been refused holds and costs
//! nothing, so those after it may fit; what its caller would have done instead, nobody knows.

mod budget;
mod price;
mod rate;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use ralex_access::Sight;
use ralex_api::replay::{NewReplay, Replay, ReplayedPeriod, ReplayedShare};
use ralex_api::usage::{GroupBy, UsageQuery};
use ralex_kernel::{Code, Money, Problem};
use ralex_store::{calls_from, problem};

use crate::Usage;
use crate::ask::{Ask, Only};
use crate::range::Range;
use crate::sql::calls::After;
use crate::sql::replay::{Recorded, page};
use crate::sql::sums::sums;

const PAGE: i64 = 5_000;
/// More calls than this take longer than anybody waits for an answer.
const MOST: i64 = 2_000_000;
const MOST_SHARES: usize = 20;

/// What would have become of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Passed { cost: Money },
    Refused,
    Cut { cost: Money },
}

/// What is tried.
trait Trial: Send {
    /// Takes calls in the order in which they began.
    fn take(&mut self, call: &Recorded) -> Fate;

    /// Period by period, where it has such.
    fn periods(self: Box<Self>) -> Vec<ReplayedPeriod> {
        Vec::new()
    }
}

impl Usage {
    /// # Errors
    /// Where not exactly one change is named, it makes no sense, or there are too many calls.
    pub async fn replay(&self, sight: &impl Sight, asked: NewReplay) -> Result<Replay, Problem> {
        let (org, now) = (sight.org(), self.clock.now());
        let range = Range::of(asked.from, asked.to, now)?;
        let (mut trial, query) = trial(asked)?;
        let mut tx = self.db.tenant(org).await?;
        let only = Only::of(&mut tx, sight, &query).await?;
        let all_from = calls_from(&mut tx, org).await.map_err(problem)?;
        if let Some(all_from) = all_from.filter(|all_from| range.from < *all_from) {
            let rule =
                format!("is before {}: records of earlier calls were pruned", said(all_from));
            return Err(Problem::field("from", rule));
        }
        let ask = Ask::new(org, range, GroupBy::Day, only);
        let found = sums(&mut tx, &ask).await.map_err(problem)?;
        drop(tx);
        let calls: i64 = found.iter().map(|sums| sums.calls).sum();
        if calls > MOST {
            let detail = format!(
                "{calls} calls would have to be replayed, and {MOST} are the most. Take a shorter \
                 time, or fewer callers."
            );
            return Err(Problem::new(Code::InvalidRequest, detail));
        }
        let mut tally = Tally::default();
        let mut after = After { at: range.from, id: None };
        loop {
            let mut tx = self.db.tenant(org).await?;
            let calls = page(&mut tx, org, &ask.only, after, range.to, PAGE).await;
            let calls = calls.map_err(problem)?;
            drop(tx);
            for call in &calls {
                let fate = trial.take(call);
                tally.count(call, fate);
            }
            match calls.last() {
                Some(last) if i64::try_from(calls.len()).is_ok_and(|many| many == PAGE) => {
                    after = After { at: last.started_at, id: Some(last.id) };
                }
                _ => return Ok(tally.told(range, trial.periods())),
            }
        }
    }
}

/// What is tried, and on whose calls.
fn trial(asked: NewReplay) -> Result<(Box<dyn Trial>, UsageQuery), Problem> {
    match (asked.budget, asked.rate_limit, asked.price) {
        (Some(budget), None, None) => {
            let query = of(&budget.scope, budget.model.as_deref(), budget.provider.as_deref())?;
            Ok((Box::new(budget::Trial::of(&budget)?), query))
        }
        (None, Some(limit), None) => {
            let query = of(&limit.scope, limit.model.as_deref(), limit.provider.as_deref())?;
            Ok((Box::new(rate::Trial::of(&limit)?), query))
        }
        (None, None, Some(price)) => {
            let query = UsageQuery { model: Some(price.model.clone()), ..UsageQuery::default() };
            Ok((Box::new(price::Trial::of(price)?), query))
        }
        _ => Err(Problem::field(
            "budget",
            "or `rate_limit` or `price` must say what is to be tried, and only one of them",
        )),
    }
}

/// Whose calls a scope counts.
fn of(scope: &str, model: Option<&str>, provider: Option<&str>) -> Result<UsageQuery, Problem> {
    let mut query = UsageQuery {
        model: model.map(str::to_owned),
        provider: provider.map(str::to_owned),
        ..UsageQuery::default()
    };
    if model.is_some() && provider.is_some() {
        return Err(Problem::field("provider", "cannot be named beside a model, which has one"));
    }
    let place = match scope.split_once(':') {
        None if scope == "org" => return Ok(query),
        Some(("team", name)) => (&mut query.team, name),
        Some(("project", name)) => (&mut query.project, name),
        Some(("service_account", name)) => (&mut query.service_account, name),
        Some(("token", id)) => (&mut query.token, id),
        Some(("user", name)) => (&mut query.user, name),
        _ => {
            let forms = "is not `org`, `team:<slug>`, `project:<slug>`, `service_account:<slug>`, \
                         `token:<id>` or `user:<e-mail>`";
            return Err(Problem::field("scope", forms));
        }
    };
    *place.0 = Some(place.1.to_owned());
    Ok(query)
}

fn said(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// What has come of the calls so far.
#[derive(Default)]
struct Tally {
    all: Counts,
    first_refused_at: Option<DateTime<Utc>>,
    shares: BTreeMap<(Option<String>, String), Counts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    calls: u64,
    refused: u64,
    cut: u64,
    cost: Money,
    then: Money,
}

impl Counts {
    fn count(&mut self, call: &Recorded, fate: Fate) {
        self.calls += 1;
        self.cost += call.cost;
        match fate {
            Fate::Passed { cost } => self.then += cost,
            Fate::Refused => self.refused += 1,
            Fate::Cut { cost } => {
                self.cut += 1;
                self.then += cost;
            }
        }
    }

    /// How much it changes: calls first, money second.
    const fn change(&self) -> (u64, u64) {
        let money = self.cost.as_nanos().abs_diff(self.then.as_nanos());
        (self.refused + self.cut, money)
    }
}

impl Tally {
    fn count(&mut self, call: &Recorded, fate: Fate) {
        self.all.count(call, fate);
        let share = self.shares.entry((call.team.clone(), call.model.clone()));
        share.or_default().count(call, fate);
        if fate == Fate::Refused {
            self.first_refused_at.get_or_insert(call.started_at);
        }
    }

    fn told(self, range: Range, periods: Vec<ReplayedPeriod>) -> Replay {
        let Counts { calls, refused, cut, cost, then } = self.all;
        let mut shares: Vec<_> =
            self.shares.into_iter().filter(|(_, counts)| counts.change() != (0, 0)).collect();
        shares.sort_by_key(|(_, counts)| Reverse(counts.change()));
        let most = shares.into_iter().take(MOST_SHARES).map(|((team, model), counts)| {
            let Counts { calls, refused, cut, cost, then } = counts;
            ReplayedShare { team, model, calls, refused, cut, cost, cost_then: then }
        });
        Replay {
            from: range.from,
            to: range.to,
            calls,
            passed: calls - refused - cut,
            refused,
            cut,
            cost,
            cost_then: then,
            first_refused_at: self.first_refused_at,
            periods,
            most: most.collect(),
        }
    }
}

/// When a call ended.
fn ended_at(call: &Recorded) -> DateTime<Utc> {
    call.started_at + TimeDelta::milliseconds(call.duration_ms.unwrap_or(0).max(0).into())
}
