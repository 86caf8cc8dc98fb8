//! Anomalies: hours that cost far more than their likes.
//!
//! The likes of an hour are the same hours of the day in the weeks before, on weekdays or on weekends.
//! What is usual is their median, and how far it usually strays their median absolute deviation,
//! neither of which an earlier outlier moves (Rousseeuw and Croux, *Alternatives to the Median
//! Absolute Deviation*, 1993, for the scale). How far is far stands in `policies/usage`.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "estimates need no more than a few digits"
)]

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc, Weekday};
use ralex_access::Sight;
use ralex_api::forecast::{Anomalies, Anomaly, AnomalyQuery};
use ralex_api::usage::GroupBy;
use ralex_kernel::{Code, Money, Problem};
use ralex_store::problem;
use serde::Deserialize;

use crate::Usage;
use crate::ask::{Ask, Only};
use crate::range::{Range, hour};
use crate::sql::hours::{Hour, Which, hours};

const BUILT_IN: &str = include_str!("../../../policies/usage/anomalies.toml");
const USUAL_DAYS: u32 = 7;
const MOST_DAYS: u32 = 31;
/// Beyond this the newest say enough.
const MOST_TOLD: usize = 500;
/// A normal distribution's standard deviation, in median absolute deviations.
const SCALE: f64 = 1.4826;

/// When an hour is told.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    deviations: f64,
    ratio: f64,
    least: f64,
    history_days: u32,
    least_history: usize,
}

impl Rule {
    pub fn built_in() -> Result<Self, Problem> {
        toml::from_str(BUILT_IN)
            .map_err(|error| Problem::new(Code::Internal, format!("policies/usage: {error}")))
    }

    fn least(&self) -> Money {
        Money::nanos((self.least * 1e9) as i64)
    }

    /// What an hour with these likes may cost, and what is usual.
    fn threshold(&self, likes: &mut [f64]) -> Option<(f64, f64)> {
        if likes.len() < self.least_history {
            return None;
        }
        let usual = median(likes);
        let mut strays: Vec<f64> = likes.iter().map(|like| (like - usual).abs()).collect();
        let stray = median(&mut strays) * SCALE;
        let least = self.least().as_nanos() as f64;
        let far = (usual + self.deviations * stray).max(usual * self.ratio).max(least);
        Some((far, usual))
    }
}

/// Zero of none. Sorts.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.get(values.len().saturating_sub(1) / 2)) {
        (Some(upper), Some(lower)) => f64::midpoint(*upper, *lower),
        _ => 0.0,
    }
}

/// What one key cost in each hour that it cost anything in.
type Hours = BTreeMap<DateTime<Utc>, (Money, u64)>;

impl Usage {
    /// The hours of the last days that cost far more than their likes.
    pub async fn anomalies(
        &self,
        sight: &impl Sight,
        query: &AnomalyQuery,
    ) -> Result<Anomalies, Problem> {
        let days = query.days.unwrap_or(USUAL_DAYS);
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(Problem::field("days", format!("must be from 1 to {MOST_DAYS}")));
        }
        if matches!(query.group_by, GroupBy::Day | GroupBy::Hour) {
            return Err(Problem::field(
                "group_by",
                "must not be a time: hours are what is looked at",
            ));
        }
        let rule = Rule::built_in()?;
        let now = self.clock.now();
        let (from, to) = (hour(now) - TimeDelta::days(i64::from(days)), hour(now));
        let earliest = from - TimeDelta::days(i64::from(rule.history_days));
        let mut tx = self.db.tenant(sight.org()).await?;
        let range = Range::between(from, to, now);
        let mut ask = Ask::new(sight.org(), range, query.group_by, Only::within(sight));
        // Only those with an hour that may be told are worth the look at weeks of history.
        let dear = Which::Dear { least: rule.least() };
        let lately = hours(&mut tx, &ask, dear).await.map_err(problem)?;
        let mut keys: Vec<String> = lately.into_iter().map(|hour| hour.key).collect();
        keys.dedup();
        ask.range = Range::between(earliest, to, now);
        let found = hours(&mut tx, &ask, Which::Of { keys: &keys }).await.map_err(problem)?;
        let mut told: Vec<(String, Found)> = by_key(found)
            .into_iter()
            .flat_map(|(key, hours)| {
                find(&rule, &hours, from, to).into_iter().map(move |found| (key.clone(), found))
            })
            .collect();
        told.sort_by_key(|(_, found)| Reverse((found.at, found.cost)));
        told.truncate(MOST_TOLD);
        let keys = told.iter().map(|(key, _)| key.as_str());
        let names = self.names(tx, sight.org(), query.group_by, keys).await?;
        let items = told.into_iter().map(|(key, found)| {
            let (key, name) = names.of(key);
            let Found { at, cost, calls, usual, threshold } = found;
            Anomaly { at, key, name, cost, calls, usual, threshold }
        });
        Ok(Anomalies { from, to, items: items.collect() })
    }
}

/// An hour that is told.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    at: DateTime<Utc>,
    cost: Money,
    calls: u64,
    usual: Money,
    threshold: Money,
}

fn by_key(found: Vec<Hour>) -> BTreeMap<String, Hours> {
    let mut keys: BTreeMap<String, Hours> = BTreeMap::new();
    for Hour { key, at, calls, cost } in found {
        keys.entry(key).or_default().insert(at, (cost, u64::try_from(calls).unwrap_or(0)));
    }
    keys
}

/// The hours from `from` to `to` that are far from their likes. What a key did before it first cost
/// anything says nothing of it.
fn find(rule: &Rule, hours: &Hours, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Found> {
    let Some(first) = hours.keys().next().copied() else { return Vec::new() };
    let mut found = Vec::new();
    for (at, (cost, calls)) in hours.range(from..to) {
        let days = (1..=i64::from(rule.history_days)).map(|back| *at - TimeDelta::days(back));
        let likes = days.filter(|day| *day >= first && is_weekend(*day) == is_weekend(*at));
        let mut likes: Vec<f64> = likes
            .map(|day| hours.get(&day).map_or(0.0, |(cost, _)| cost.as_nanos() as f64))
            .collect();
        let Some((threshold, usual)) = rule.threshold(&mut likes) else { continue };
        if cost.as_nanos() as f64 > threshold {
            found.push(Found {
                at: *at,
                cost: *cost,
                calls: *calls,
                usual: Money::nanos(usual as i64),
                threshold: Money::nanos(threshold as i64),
            });
        }
    }
    found
}

fn is_weekend(at: DateTime<Utc>) -> bool {
    matches!(at.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monday() -> DateTime<Utc> {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    /// Four weeks of ten-dollar working hours with a little noise, and one more week.
    fn weeks() -> Hours {
        (0..5 * 168)
            .map(|hour| (monday() - TimeDelta::hours(4 * 168) + TimeDelta::hours(hour), hour))
            .filter(|(at, _)| !is_weekend(*at))
            .map(|(at, hour)| (at, (Money::nanos(10_000_000_000 + hour % 7 * 500_000_000), 3)))
            .collect()
    }

    fn found(hours: &Hours) -> Vec<Found> {
        find(&Rule::built_in().unwrap(), hours, monday(), monday() + TimeDelta::days(7))
    }

    #[test]
    fn hours_like_their_likes_are_not_told() {
        assert_eq!(found(&weeks()), []);
    }

    #[test]
    fn an_hour_far_above_its_likes_is_told_with_what_is_usual() {
        let mut hours = weeks();
        let at = monday() + TimeDelta::hours(34);
        hours.insert(at, (Money::dollars(90), 40));
        // A weekend's hours are held against weekends, which cost nothing.
        let saturday = monday() + TimeDelta::hours(5 * 24 + 3);
        hours.insert(saturday, (Money::dollars(9), 1));
        let told = found(&hours);
        assert_eq!(told.iter().map(|it| it.at).collect::<Vec<_>>(), [at, saturday]);
        assert!(
            told[0].usual > Money::dollars(9) && told[0].usual < Money::dollars(14),
            "{told:?}"
        );
        assert!(told[0].threshold < Money::dollars(90));
        assert_eq!((told[1].usual, told[1].calls), (Money::ZERO, 1));
    }

    #[test]
    fn pennies_and_what_has_no_history_are_not_told() {
        let mut hours = weeks();
        let saturday = monday() + TimeDelta::hours(5 * 24 + 3);
        hours.insert(saturday, (Money::nanos(900_000_000), 1));
        assert_eq!(found(&hours), []);
        let fresh: Hours = (0..60)
            .map(|hour| (monday() + TimeDelta::hours(hour), (Money::dollars(hour * hour), 1)))
            .collect();
        assert_eq!(found(&fresh), []);
    }

    #[test]
    fn an_earlier_outlier_does_not_hide_a_later_one() {
        let mut hours = weeks();
        for back in [7, 14] {
            let at = monday() + TimeDelta::hours(34) - TimeDelta::days(back);
            hours.insert(at, (Money::dollars(500), 40));
        }
        hours.insert(monday() + TimeDelta::hours(34), (Money::dollars(90), 40));
        assert_eq!(found(&hours).len(), 1);
    }
}
