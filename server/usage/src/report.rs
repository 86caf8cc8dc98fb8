//! The report: sums under keys, those that cost most first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ralex_access::Sight;
use ralex_api::usage::{
    Bucket, GroupBy, Usage as Report, UsageFormat, UsageQuery, UsageRest, UsageRow, UsageSums,
};
use ralex_kernel::{Money, Problem};
use ralex_store::{calls_from, problem};

use crate::Usage;
use crate::ask::{Ask, Only};
use crate::range::Range;
use crate::sql::sums::{Sums, sums};

const MOST_ROWS: usize = 1_000;
/// Of a table, which nobody reads with their eyes.
const MOST_LINES: usize = 100_000;
const MOST_SERIES: usize = 50;
const USUAL_SERIES: usize = 10;

impl Usage {
    /// Sums over the calls that ended. Rows and rest add up to the total exactly.
    pub async fn report(&self, sight: &impl Sight, query: &UsageQuery) -> Result<Report, Problem> {
        let now = self.clock.now();
        let range = Range::of(query.from, query.to, now)?;
        let top = top(query)?;
        let mut tx = self.db.tenant(sight.org()).await?;
        let all_from = calls_from(&mut tx, sight.org()).await.map_err(problem)?;
        let range = range.before_pruning(all_from, now);
        let (zone, by) = (zone(query)?, query.group_by);
        if by == GroupBy::Hour {
            range.parts(Bucket::Hour, zone)?;
        }
        let only = Only::of(&mut tx, sight, query).await?;
        let mut ask = Ask { calls_from: all_from, ..Ask::new(sight.org(), range, by, only) };
        if by == GroupBy::Day {
            ask.days = range.days(zone);
        }
        if let Some(bucket) = query.series {
            ask.parts = range.parts(bucket, zone)?;
        }
        let mut found = sums(&mut tx, &ask).await.map_err(problem)?;
        if by == GroupBy::Day {
            name_days(&mut found, &ask.days, zone);
        }
        let mut keyed = keyed(found, &ask.parts);
        let total = total(&mut keyed, &ask);
        let (kept, rest) = cut(keyed, by, top);
        let keys = kept.iter().map(|row| row.key.as_str());
        let names = self.names(tx, sight.org(), by, keys).await?;
        let rows = kept.into_iter().map(|mut row| {
            (row.key, row.name) = names.of(row.key);
            row
        });
        let rows = rows.collect();
        Ok(Report { from: range.from, to: range.to, rows, rest, total, series: ask.parts })
    }
}

/// How many rows at most.
fn top(query: &UsageQuery) -> Result<usize, Problem> {
    let (most, usual) = match (query.format, query.series) {
        (UsageFormat::Csv, _) => (MOST_LINES, MOST_LINES),
        (UsageFormat::Json, Some(_)) => (MOST_SERIES, USUAL_SERIES),
        (UsageFormat::Json, None) => (MOST_ROWS, MOST_ROWS),
    };
    let asked = query.top.map_or(usual, |top| usize::try_from(top).unwrap_or(usize::MAX));
    if (1..=most).contains(&asked) {
        return Ok(asked);
    }
    Err(Problem::field("top", format!("must be from 1 to {most}")))
}

/// Whose days are told apart.
fn zone(query: &UsageQuery) -> Result<Tz, Problem> {
    let Some(name) = &query.time_zone else { return Ok(Tz::UTC) };
    name.parse().map_err(|_| {
        Problem::field("time_zone", "is not an IANA time zone such as `Europe/Berlin` or `UTC`")
    })
}

/// Puts the dates of days in the place of their numbers.
fn name_days(found: &mut [Sums], days: &[DateTime<Utc>], zone: Tz) {
    for sums in found {
        let number = sums.key.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(day) = number.and_then(|number| days.get(number)) {
            sums.key = day.with_timezone(&zone).date_naive().to_string();
        }
    }
}

/// Puts the parts of each key together.
fn keyed(found: Vec<Sums>, parts: &[DateTime<Utc>]) -> BTreeMap<String, UsageRow> {
    let mut rows = BTreeMap::new();
    for sums in found {
        let row = rows.entry(sums.key.clone()).or_insert_with(|| UsageRow {
            key: sums.key.clone(),
            name: String::new(),
            sums: UsageSums::default(),
            series: vec![Money::ZERO; parts.len()],
        });
        row.sums.add(&sums.api());
        let part = sums.part.and_then(|part| parts.binary_search(&part).ok());
        if let Some(cost) = part.and_then(|part| row.series.get_mut(part)) {
            *cost = cost.saturating_add(sums.cost);
        }
    }
    rows
}

/// The total, which with tags is a row of its own.
fn total(rows: &mut BTreeMap<String, UsageRow>, ask: &Ask) -> UsageSums {
    if ask.by == GroupBy::Tag && ask.only.tag.is_none() {
        return rows.remove("").map(|row| row.sums).unwrap_or_default();
    }
    let mut total = UsageSums::default();
    for row in rows.values() {
        total.add(&row.sums);
    }
    total
}

/// The rows that cost most, and the sum of the others. Times stay in their order, and all there.
fn cut(
    rows: BTreeMap<String, UsageRow>,
    by: GroupBy,
    top: usize,
) -> (Vec<UsageRow>, Option<UsageRest>) {
    let mut rows: Vec<UsageRow> = rows.into_values().collect();
    if matches!(by, GroupBy::Day | GroupBy::Hour) {
        return (rows, None);
    }
    rows.sort_by(|one, other| {
        let rank = |row: &UsageRow| Reverse((row.sums.cost, row.sums.calls));
        rank(one).cmp(&rank(other)).then_with(|| one.key.cmp(&other.key))
    });
    if rows.len() <= top {
        return (rows, None);
    }
    let others = rows.split_off(top);
    let mut sums = UsageSums::default();
    for row in &others {
        sums.add(&row.sums);
    }
    (rows, Some(UsageRest { rows: others.len() as u64, sums }))
}
