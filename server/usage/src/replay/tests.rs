//! Trials on calls that are made up.

use chrono::DurationRound;
use ralex_api::budgets::NewBudget;
use ralex_api::rate_limits::{Measure, NewRateLimit};
use ralex_api::replay::ReplayPrice;
use ralex_kernel::{CallId, Period, Price};

use super::*;

fn at(minute: i64) -> DateTime<Utc> {
    let day = DateTime::<Utc>::UNIX_EPOCH.duration_trunc(TimeDelta::days(1)).unwrap();
    day + TimeDelta::minutes(minute)
}

/// A call of a thousand tokens of output that takes a minute.
fn call(minute: i64, held: i64, cost: i64) -> Recorded {
    Recorded {
        id: CallId::generate(),
        started_at: at(minute),
        duration_ms: Some(60_000),
        model: "m".to_owned(),
        team: None,
        streamed: false,
        held: Money::nanos(held),
        cost: Money::nanos(cost),
        input_tokens: 0,
        output_tokens: 1_000,
        cache_read_tokens: 0,
        cache_write_tokens: 0,
        input_price: Price::ZERO,
        output_price: Price::nanos_per_million(cost * 1_000),
        cache_read_price: Price::ZERO,
        cache_write_price: Price::ZERO,
    }
}

fn budget(period: Period, limit: i64) -> NewBudget {
    NewBudget {
        scope: "org".into(),
        model: None,
        provider: None,
        period,
        days: None,
        limit: Money::nanos(limit),
        hard: true,
        carry_over: false,
        carry_over_at_most: None,
        time_zone: None,
        year_start: None,
        degrade_at: None,
    }
}

fn played(mut trial: impl Trial, calls: &[Recorded]) -> (Vec<Fate>, Vec<ReplayedPeriod>) {
    let fates = calls.iter().map(|call| trial.take(call)).collect();
    (fates, Box::new(trial).periods())
}

const fn passed(cost: i64) -> Fate {
    Fate::Passed { cost: Money::nanos(cost) }
}

#[test]
fn what_is_held_stands_in_the_way_until_its_call_has_ended() {
    let trial = budget::Trial::of(&budget(Period::Total, 100)).unwrap();
    // The second comes while the first is under way, the third when that has cost a little.
    let calls = [call(0, 80, 10), call(0, 80, 10), call(1, 80, 10), call(2, 81, 10)];
    let (fates, periods) = played(trial, &calls);
    assert_eq!(fates, [passed(10), Fate::Refused, passed(10), Fate::Refused]);
    assert_eq!(periods.len(), 1);
    assert_eq!((periods[0].calls, periods[0].refused, periods[0].spent), (4, 2, Money::nanos(20)));
}

#[test]
fn each_period_has_its_own_limit_and_what_went_on_to_it() {
    let days = [call(0, 60, 60), call(1_440, 100, 100), call(2 * 1_440, 140, 140)];
    let (fates, _) = played(budget::Trial::of(&budget(Period::Day, 100)).unwrap(), &days);
    assert_eq!(fates, [passed(60), passed(100), Fate::Refused]);
    let carrying = NewBudget { carry_over: true, ..budget(Period::Day, 100) };
    let (fates, periods) = played(budget::Trial::of(&carrying).unwrap(), &days);
    assert_eq!(fates, [passed(60), passed(100), passed(140)]);
    assert_eq!(periods[2].limit, Money::nanos(140));
    let rolling = NewBudget { days: Some(2), ..budget(Period::Rolling, 170) };
    let (fates, _) = played(budget::Trial::of(&rolling).unwrap(), &days);
    assert_eq!(fates, [passed(60), passed(100), Fate::Refused], "60 of the first day have left");
}

#[test]
fn a_stream_begins_where_its_first_slice_fits_and_ends_where_the_money_does() {
    let streamed = |held, cost| Recorded { streamed: true, ..call(0, held, cost) };
    let of = |call: Recorded| {
        played(budget::Trial::of(&budget(Period::Total, 700)).unwrap(), &[call]).0[0]
    };
    assert_eq!(of(streamed(4_000, 600)), passed(600), "its own cost fits");
    assert_eq!(of(streamed(4_000, 1_000)), Fate::Cut { cost: Money::nanos(700) });
    assert_eq!(of(streamed(4_000, 2_000)), Fate::Refused, "512 tokens of it cost 1,024");
    assert_eq!(of(call(0, 4_000, 600)), Fate::Refused, "it can only be had as a whole");
    let soft = NewBudget { hard: false, ..budget(Period::Total, 1) };
    assert_eq!(played(budget::Trial::of(&soft).unwrap(), &[call(0, 9, 9)]).0, [passed(9)]);
}

#[test]
fn a_rate_limit_lets_through_so_many_in_any_window() {
    let limit = NewRateLimit {
        scope: "org".into(),
        model: None,
        provider: None,
        measure: Measure::Requests,
        amount: 2,
        window_seconds: Some(600),
    };
    let calls = [0, 1, 2, 10, 10, 11].map(|minute| call(minute, 1, 1));
    let (fates, _) = played(rate::Trial::of(&limit).unwrap(), &calls);
    let let_through: Vec<bool> = fates.iter().map(|fate| *fate != Fate::Refused).collect();
    assert_eq!(let_through, [true, true, false, true, false, true]);
}

#[test]
fn other_prices_change_what_tokens_cost_and_nothing_else() {
    let price = ReplayPrice {
        model: "m".into(),
        input_price: None,
        output_price: Some(Price::nanos_per_million(30_000)),
        cache_read_price: None,
        cache_write_price: None,
    };
    // Ten of its output, and five of something else.
    let one = Recorded {
        cost: Money::nanos(15),
        output_price: Price::nanos_per_million(10_000),
        ..call(0, 20, 10)
    };
    let kept = Recorded { cost: Money::ZERO, ..one.clone() };
    let (fates, _) = played(price::Trial::of(price).unwrap(), &[one, kept]);
    assert_eq!(fates, [passed(35), passed(0)]);
}
