//! Forecasts: what is likely to be spent by the end, drawn from the weeks before.
//!
//! A seasonal block bootstrap: each day to come is taken to be like a day of the same weekday lately,
//! chosen by chance with the newer ones favoured, many times over; the spread of all ways is the
//! interval. It needs no shape of a distribution, keeps what hours of a day have to do with each
//! other, and follows weekly rhythms (Hyndman and Athanasopoulos, *Forecasting: Principles and
//! Practice*, 3rd edition, sections 5.5 and 12.5). The same question has the same answer all hour.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "estimates need no more than a few digits"
)]

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::forecast::{Band, Expected};
use ralex_kernel::Money;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const WAYS: usize = 600;
const DAY: usize = 24;
const WEEK: usize = 7 * DAY;
/// Days of the same weekday that there have to be; otherwise any day will do.
const LIKES: usize = 3;
/// A day counts half as much as one that is so many days newer.
const HALF_LIFE: f64 = 14.0;
const LOW: f64 = 0.1;
const HIGH: f64 = 0.9;

/// What is known when something is to be foretold.
#[derive(Clone, Debug)]
pub(crate) struct Known<'a> {
    /// What each whole hour cost, oldest first; the last one ended at `hour`.
    pub hours: &'a [i64],
    /// When the hour that runs began.
    pub hour: DateTime<Utc>,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub spent: Money,
    pub limit: Option<Money>,
    pub seed: u64,
}

/// What was foretold: the end, and the way there at each of `steps`.
pub(crate) fn foretell(
    known: &Known<'_>,
    steps: &[DateTime<Utc>],
) -> Option<(Expected, Vec<Band>)> {
    if known.hours.len() < DAY || known.until <= known.now {
        return None;
    }
    let ends = hour_ends(known.hour, known.until);
    let marks: Vec<usize> = steps
        .iter()
        .map(|step| ends.partition_point(|end| end < step).min(ends.len() - 1))
        .collect();
    let mut random = StdRng::seed_from_u64(known.seed);
    let ways: Vec<Way> = (0..WAYS).map(|_| way(known, &ends, &marks, &mut random)).collect();
    let mut finals: Vec<i64> = ways.iter().map(|way| way.total).collect();
    finals.sort_unstable();
    let mut passed: Vec<DateTime<Utc>> = ways.iter().filter_map(|way| way.passed).collect();
    passed.sort_unstable();
    let bands = steps.iter().enumerate().map(|(index, at)| {
        let mut spent: Vec<i64> =
            ways.iter().filter_map(|way| way.at.get(index).copied()).collect();
        spent.sort_unstable();
        Band {
            at: *at,
            low: at_part(&spent, LOW),
            middle: at_part(&spent, 0.5),
            high: at_part(&spent, HIGH),
        }
    });
    let expected = Expected {
        low: at_part(&finals, LOW),
        middle: at_part(&finals, 0.5),
        high: at_part(&finals, HIGH),
        passes_limit: known.limit.map(|_| passed.len() as f64 / WAYS as f64),
        passes_limit_at: passed.get(passed.len() / 2).copied(),
    };
    Some((expected, bands.collect()))
}

/// One way that it may go on.
struct Way {
    total: i64,
    /// What is spent at each mark.
    at: Vec<i64>,
    passed: Option<DateTime<Utc>>,
}

fn way(known: &Known<'_>, ends: &[DateTime<Utc>], marks: &[usize], random: &mut StdRng) -> Way {
    let limit = known.limit.map(Money::as_nanos);
    let mut spent = known.spent.as_nanos();
    let mut passed = limit.filter(|limit| spent > *limit).map(|_| known.now);
    let mut so_far = Vec::with_capacity(ends.len());
    for (block, hours) in ends.chunks(DAY).enumerate() {
        let from = alike(known.hours.len(), block * DAY, hours.len(), random);
        for (hour, end) in hours.iter().enumerate() {
            let whole = known.hours.get(from + hour).copied().unwrap_or(0);
            spent = spent.saturating_add((whole as f64 * share(known, *end)) as i64);
            if passed.is_none() && limit.is_some_and(|limit| spent > limit) {
                passed = Some(*end);
            }
            so_far.push(spent);
        }
    }
    let at = marks.iter().map(|mark| so_far.get(*mark).copied().unwrap_or(spent)).collect();
    Way { total: spent, at, passed }
}

/// The part of the hour before `end` that is still to come and before the end of all.
fn share(known: &Known<'_>, end: DateTime<Utc>) -> f64 {
    let begins = (end - TimeDelta::hours(1)).max(known.now);
    let ends = end.min(known.until);
    ((ends - begins).as_seconds_f64() / 3_600.0).clamp(0.0, 1.0)
}

/// Where in the history a stretch begins that is like the one that begins `ahead` hours from now.
fn alike(history: usize, ahead: usize, length: usize, random: &mut StdRng) -> usize {
    for season in [WEEK, DAY] {
        // The newest like stretch that is over, and those of every season before it.
        let seasons = (ahead + length).div_ceil(season);
        let Some(newest) = (history + ahead).checked_sub(seasons * season) else { continue };
        let count = newest / season + 1;
        if season == WEEK && count < LIKES {
            continue;
        }
        let weight = |age: usize| 0.5_f64.powf((age * season / DAY) as f64 / HALF_LIFE);
        let all: f64 = (0..count).map(weight).sum();
        let mut drawn = random.random::<f64>() * all;
        for age in 0..count {
            drawn -= weight(age);
            if drawn <= 0.0 {
                return newest - age * season;
            }
        }
        return newest;
    }
    history.saturating_sub(length)
}

/// When each hour that is to come ends, from the one that runs to the one that `until` is in.
fn hour_ends(hour: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let count = ((until - hour).num_seconds() + 3_599).div_euclid(3_600).max(1);
    (1..=count).map(|ahead| hour + TimeDelta::hours(ahead)).collect()
}

/// The value below which this part of all is.
fn at_part(sorted: &[i64], part: f64) -> Money {
    let at = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    Money::nanos(sorted.get(at).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-02T00:00:00Z".parse().unwrap()
    }

    fn known(hours: &[i64], days: i64) -> Known<'_> {
        let now = now();
        let until = now + TimeDelta::days(days);
        Known { hours, hour: now, now, until, spent: Money::nanos(1_000), limit: None, seed: 7 }
    }

    /// Weeks that end before a Monday: working hours cost 100, nights 10, weekends nothing.
    fn weekly(weeks: usize) -> Vec<i64> {
        (0..weeks * WEEK)
            .map(|hour| match (hour / DAY % 7, hour % DAY) {
                (5 | 6, _) => 0,
                (_, 8..18) => 100,
                _ => 10,
            })
            .collect()
    }

    #[test]
    fn what_repeats_every_week_is_foretold_to_the_last_cent() {
        let hours = weekly(5);
        let day = 10 * 100 + 14 * 10;
        for (days, spent) in [(1, day), (5, 5 * day), (7, 5 * day), (30, 22 * day)] {
            let (expected, _) = foretell(&known(&hours, days), &[]).unwrap();
            let all = Money::nanos(1_000 + spent);
            assert_eq!((expected.low, expected.middle, expected.high), (all, all, all), "{days}");
        }
    }

    #[test]
    fn the_hour_that_runs_counts_only_for_what_is_left_of_it() {
        let hours = weekly(5);
        let half = Known {
            now: now() + TimeDelta::minutes(30),
            until: now() + TimeDelta::minutes(90),
            ..known(&hours, 1)
        };
        let (expected, _) = foretell(&half, &[]).unwrap();
        assert_eq!(expected.middle, Money::nanos(1_000 + 5 + 5));
    }

    #[test]
    fn a_limit_is_told_by_when_and_how_likely_it_is_passed() {
        let hours = weekly(4);
        let at = |limit: i64| {
            let known = Known { limit: Some(Money::nanos(limit)), ..known(&hours, 7) };
            let (expected, _) = foretell(&known, &[]).unwrap();
            (expected.passes_limit.unwrap(), expected.passes_limit_at)
        };
        assert_eq!(at(1_000 + 80 + 99), (1.0, Some(now() + TimeDelta::hours(9))));
        assert_eq!(at(1_000_000), (0.0, None));
        assert_eq!(at(999), (1.0, Some(now())), "it is passed already");
    }

    #[test]
    fn the_way_there_never_falls_and_ends_where_the_forecast_does() {
        let hours: Vec<i64> = (0..6 * 168).map(|hour| hour * 37 % 101).collect();
        let steps: Vec<_> = (1..=14).map(|day| now() + TimeDelta::days(day)).collect();
        let (expected, bands) = foretell(&known(&hours, 14), &steps).unwrap();
        let last = bands.last().unwrap();
        assert_eq!(
            (last.low, last.middle, last.high),
            (expected.low, expected.middle, expected.high)
        );
        assert!(bands.iter().all(|band| band.low <= band.middle && band.middle <= band.high));
        assert!(bands.windows(2).all(|pair| pair[0].middle <= pair[1].middle));
    }

    #[test]
    fn the_interval_holds_about_as_often_as_it_says() {
        let mut random = StdRng::seed_from_u64(3);
        let mut held = 0;
        for seed in 0..200 {
            let mut day = 0.0;
            let hours: Vec<i64> = (0..9 * WEEK)
                .map(|hour| {
                    if hour % DAY == 0 {
                        day = 0.5 + random.random::<f64>();
                    }
                    (day * (100.0 + 100.0 * random.random::<f64>())) as i64
                })
                .collect();
            let (before, after) = hours.split_at(8 * WEEK);
            let known = Known { seed, ..known(before, 7) };
            let (expected, _) = foretell(&known, &[]).unwrap();
            let really = Money::nanos(1_000 + after.iter().sum::<i64>());
            held += u32::from(expected.low <= really && really <= expected.high);
        }
        assert!((130..=190).contains(&held), "{held} of 200, where 160 were to be expected");
    }

    #[test]
    fn without_a_day_of_history_or_anything_ahead_nothing_is_foretold() {
        let hours = weekly(1);
        assert!(foretell(&known(&hours[..23], 1), &[]).is_none());
        assert!(foretell(&known(&hours, 0), &[]).is_none());
        assert!(foretell(&known(&hours[..24], 3), &[]).is_some());
    }
}
