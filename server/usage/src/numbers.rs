//! The numbers of the first page.

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use ralex_access::Sight;
use ralex_api::overview::{HourTotals, Totals};
use ralex_api::usage::{GroupBy, UsageSums};
use ralex_kernel::Problem;
use ralex_store::problem;

use crate::Usage;
use crate::ask::{Ask, Only};
use crate::range::{Range, hour};
use crate::sql::sums::{Sums, sums};

const DAYS: TimeDelta = TimeDelta::days(30);

/// Today, 30 days and 24 hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    pub today: Totals,
    pub last_30_days: Totals,
    pub hours: Vec<HourTotals>,
}

impl Usage {
    /// What was called since midnight UTC, in the last 30 days, and in each of 24 hours.
    pub async fn numbers(&self, sight: &impl Sight) -> Result<Numbers, Problem> {
        let now = self.clock.now();
        let range = Range::between(hour(now - DAYS), now, now);
        let (by, only) = (GroupBy::Hour, Only::within(sight));
        let ask = Ask { parts: range.hours(), ..Ask::new(sight.org(), range, by, only) };
        let mut tx = self.db.tenant(sight.org()).await?;
        let found = sums(&mut tx, &ask).await.map_err(problem)?;
        let midnight = now.date_naive().and_time(NaiveTime::MIN).and_utc();
        Ok(Numbers {
            today: totals(&found, midnight),
            last_30_days: totals(&found, range.from),
            hours: hours(&found, hour(now) - TimeDelta::hours(23)),
        })
    }
}

fn since(found: &[Sums], from: DateTime<Utc>) -> UsageSums {
    let mut all = UsageSums::default();
    for sums in found.iter().filter(|sums| sums.part.is_some_and(|part| part >= from)) {
        all.add(&sums.api());
    }
    all
}

fn totals(found: &[Sums], from: DateTime<Utc>) -> Totals {
    let UsageSums { calls, failed, refused, cost, .. } = since(found, from);
    Totals { calls, failed, refused, cost }
}

/// 24 hours; those without calls are there too.
fn hours(found: &[Sums], first: DateTime<Utc>) -> Vec<HourTotals> {
    let begins = (0..24).map(|ahead| first + TimeDelta::hours(ahead));
    begins
        .map(|starts_at| {
            let sums = found.iter().find(|sums| sums.part == Some(starts_at));
            let sums = sums.map(Sums::api).unwrap_or_default();
            HourTotals { starts_at, calls: sums.calls, cost: sums.cost }
        })
        .collect()
}
