//! Days of a time zone: each call is in the day that its zone's clocks showed, summed up or not.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_api::usage::{Bucket, GroupBy, Usage as Report, UsageQuery};
use ralex_kernel::{Money, Problem};

use super::world::{Call, World};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// One call a quarter of an hour, from one time to another, each a nano-dollar.
async fn every_quarter(world: &World, from: &str, to: &str) {
    let mut started_at = at(from);
    while started_at < at(to) {
        world.write(Call { started_at, cost: 1, ..Call::default() }).await;
        started_at += TimeDelta::minutes(15);
    }
}

fn by_day(zone: &str, from: &str, to: &str) -> UsageQuery {
    UsageQuery {
        group_by: GroupBy::Day,
        from: Some(at(from)),
        to: Some(at(to)),
        time_zone: Some(zone.to_owned()),
        ..UsageQuery::default()
    }
}

fn days(report: &Report) -> Vec<(&str, u64)> {
    report.rows.iter().map(|row| (row.key.as_str(), row.sums.calls)).collect()
}

#[tokio::test]
async fn a_days_calls_are_those_of_its_zone_also_where_clocks_are_set() {
    // Where zones are not whole hours off, an hour of UTC is of two days. Berlin's Sunday has 23 hours in spring and
    // Lord Howe's 24 and a half in autumn; Santiago's begins at one o'clock in spring.
    for (zone, from, to, told) in [
        (
            "Asia/Kolkata",
            "2026-03-01T18:30:00Z",
            "2026-03-03T18:30:00Z",
            [("2026-03-02", 96), ("2026-03-03", 96)],
        ),
        (
            "Asia/Kathmandu",
            "2026-03-01T18:20:00Z",
            "2026-03-02T20:00:00Z",
            [("2026-03-02", 96), ("2026-03-03", 7)],
        ),
        (
            "Europe/Berlin",
            "2026-03-28T23:00:00Z",
            "2026-03-30T10:00:00Z",
            [("2026-03-29", 92), ("2026-03-30", 48)],
        ),
        (
            "Europe/Berlin",
            "2025-10-25T22:00:00Z",
            "2025-10-27T10:00:00Z",
            [("2025-10-26", 100), ("2025-10-27", 44)],
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-04T13:00:00Z",
            "2026-04-06T00:00:00Z",
            [("2026-04-05", 98), ("2026-04-06", 42)],
        ),
        (
            "America/Santiago",
            "2025-09-07T04:00:00Z",
            "2025-09-08T05:30:00Z",
            [("2025-09-07", 92), ("2025-09-08", 10)],
        ),
        (
            "America/Los_Angeles",
            "2026-03-01T08:00:00Z",
            "2026-03-02T20:00:00Z",
            [("2026-03-01", 96), ("2026-03-02", 48)],
        ),
    ] {
        let world = World::new().await;
        every_quarter(&world, from, to).await;
        for round in ["as calls", "as sums"] {
            let report = world.report(&by_day(zone, from, to)).await;
            assert_eq!(
                report.rows.iter().map(|row| row.sums.calls).sum::<u64>(),
                report.total.calls
            );
            assert_eq!(days(&report), told, "{zone} {round}");
            world.fold_all().await;
        }
    }
}

#[tokio::test]
async fn a_series_of_days_adds_up_to_its_rows_in_every_zone() {
    let world = World::new().await;
    let (from, to) = ("2026-03-27T09:20:00Z", "2026-03-31T07:10:00Z");
    every_quarter(&world, "2026-03-27T09:30:00Z", "2026-03-31T07:00:00Z").await;
    for _ in ["as calls", "as sums"] {
        for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham", "America/St_Johns"]
        {
            let series = by_day(zone, from, to);
            let told = world.report(&series).await;
            let query =
                UsageQuery { group_by: GroupBy::Model, series: Some(Bucket::Day), ..series };
            let report = world.report(&query).await;
            let per_day: Vec<_> = told.rows.iter().map(|row| row.sums.cost).collect();
            assert_eq!(report.rows[0].series, per_day, "{zone}");
            assert_eq!(report.series.len(), told.rows.len(), "{zone}");
            assert_eq!(report.total.cost, Money::nanos(374), "{zone}");
        }
        world.fold_all().await;
    }
}

#[tokio::test]
async fn an_hour_whose_calls_were_pruned_is_of_the_day_it_begins_in() {
    let world = World::new().await;
    let (from, to) = ("2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z");
    every_quarter(&world, from, to).await;
    world.fold_all().await;
    world
        .execute(
            "insert into call_pruned (org_id, before, calls, pruned_at)
             select id, '2026-03-02T00:00:00Z', 0, now() from org",
        )
        .await;
    let report = world.report(&by_day("Asia/Kolkata", from, to)).await;
    assert_eq!(days(&report), [("2026-03-01", 28), ("2026-03-02", 68)]);
}

#[tokio::test]
async fn a_zone_that_is_none_is_refused_with_what_one_is() {
    let world = World::new().await;
    let query = by_day("Europe/Nowhere", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z");
    let refused: Problem = world.usage.report(&world.scope(), &query).await.unwrap_err();
    assert_eq!(refused.status, 422);
    assert!(format!("{refused:?}").contains("Europe/Berlin"), "{refused:?}");
}
