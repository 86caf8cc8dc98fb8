//! Reports: told apart, narrowed down, cut, and over time.

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::Access;
use ralex_api::usage::{Bucket, GroupBy, Usage as Report, UsageQuery};
use ralex_kernel::{Money, OrgId};
use uuid::Uuid;

use super::world::{Call, World};

const GROUPS: [GroupBy; 9] = [
    GroupBy::Model,
    GroupBy::Provider,
    GroupBy::Team,
    GroupBy::Project,
    GroupBy::User,
    GroupBy::Token,
    GroupBy::TaskType,
    GroupBy::Day,
    GroupBy::Hour,
];

fn keys(report: &Report) -> Vec<&str> {
    report.rows.iter().map(|row| row.key.as_str()).collect()
}

fn by(group_by: GroupBy) -> UsageQuery {
    UsageQuery { group_by, ..UsageQuery::default() }
}

/// A team and a project of it.
async fn team(world: &World) -> (Uuid, Uuid) {
    let (team, project) = (Uuid::now_v7(), Uuid::now_v7());
    let mut owner = world.database.owner().await;
    sqlx::query!(
        "insert into team (org_id, id, slug, name) values ($1, $2, 'blue', 'Blue')",
        world.org as _,
        team
    )
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::query!(
        "insert into project (org_id, id, team_id, slug, name) values ($1, $2, $3, 'web', 'Web')",
        world.org as _,
        project,
        team
    )
    .execute(&mut owner)
    .await
    .unwrap();
    (team, project)
}

#[tokio::test]
async fn every_grouping_adds_up_summed_up_or_not() {
    let world = World::new().await;
    let (team, project) = team(&world).await;
    for (number, model) in ["a", "b", "a", "c"].into_iter().enumerate() {
        let call = Call {
            model,
            team: (number > 0).then_some(team),
            project: (number > 1).then_some(project),
            token: (number > 2).then(Uuid::now_v7),
            state: if number == 3 { "error" } else { "success" },
            cost: 100 * i64::try_from(number).unwrap() + 1,
            ..Call::default()
        };
        world.write(call).await;
    }
    world.write(Call { state: "refused", cost: 0, ..Call::default() }).await;
    world.write(Call { state: "open", cost: 0, ..Call::default() }).await;
    world.write(Call { purpose: Some("count"), cost: 0, ..Call::default() }).await;
    for _ in ["as calls", "as sums"] {
        for group_by in GROUPS {
            let report = world.report(&by(group_by)).await;
            let total = &report.total;
            assert_eq!((total.calls, total.failed, total.refused), (4, 1, 1), "{group_by}");
            assert_eq!(total.cost, Money::nanos(604), "{group_by}");
            assert_eq!((total.input_tokens, total.cache_read_tokens), (4 * 10 + 10, 15));
            assert_eq!(report.rows.iter().map(|row| row.sums.cost).sum::<Money>(), total.cost);
            assert_eq!(report.rows.iter().map(|row| row.sums.calls).sum::<u64>(), 4);
        }
        assert_eq!(keys(&world.report(&by(GroupBy::Team)).await), ["blue", "-"]);
        let named = world.report(&by(GroupBy::Project)).await;
        assert_eq!((keys(&named), named.rows[0].name.as_str()), (vec!["web", "-"], "Web"));
        world.fold_all().await;
    }
}

#[tokio::test]
async fn filters_leave_out_all_else_and_unknown_names_are_told() {
    let world = World::new().await;
    let (team, project) = team(&world).await;
    let user = Uuid::now_v7();
    let mine = Call {
        model: "b",
        provider: "anthropic",
        task_type: Some("coding"),
        team: Some(team),
        project: Some(project),
        user: Some(user),
        token: Some(user),
        tags: vec!["nightly".to_owned()],
        cost: 5,
        ..Call::default()
    };
    world.write(mine).await;
    world.write(Call::default()).await;
    let named = |text: &str| Some(text.to_owned());
    let filters = [
        UsageQuery { team: named("blue"), ..UsageQuery::default() },
        UsageQuery { team: Some(team.to_string()), ..UsageQuery::default() },
        UsageQuery { project: named("web"), ..UsageQuery::default() },
        UsageQuery { user: Some(user.to_string()), ..UsageQuery::default() },
        UsageQuery { token: Some(user.to_string()), ..UsageQuery::default() },
        UsageQuery { provider: named("anthropic"), ..UsageQuery::default() },
        UsageQuery { model: named("b"), ..UsageQuery::default() },
        UsageQuery { task_type: named("coding"), ..UsageQuery::default() },
        UsageQuery { tag: named("nightly"), ..UsageQuery::default() },
    ];
    for _ in ["as calls", "as sums"] {
        for filter in &filters {
            assert_eq!(keys(&world.report(filter).await), ["b"], "{filter:?}");
        }
        world.fold_all().await;
    }
    for (field, query) in [
        ("team", UsageQuery { team: named("red"), ..UsageQuery::default() }),
        ("project", UsageQuery { project: named("red"), ..UsageQuery::default() }),
        ("user", UsageQuery { user: named("a@example.com"), ..UsageQuery::default() }),
        ("token", UsageQuery { token: named("red"), ..UsageQuery::default() }),
        ("top", UsageQuery { top: Some(0), ..UsageQuery::default() }),
    ] {
        let refused = world.usage.report(&world.scope(), &query).await.unwrap_err();
        assert_eq!(refused.errors[0].path, field);
    }
}

#[tokio::test]
async fn a_call_is_in_the_row_of_each_of_its_tags_and_once_in_the_total() {
    let world = World::new().await;
    let tags = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
    world.write(Call { tags: tags(&["nightly", "team=a"]), cost: 5, ..Call::default() }).await;
    world.write(Call { tags: tags(&["nightly"]), cost: 6, ..Call::default() }).await;
    world.write(Call { cost: 7, ..Call::default() }).await;
    for _ in ["as calls", "as sums"] {
        let report = world.report(&by(GroupBy::Tag)).await;
        assert_eq!(keys(&report), ["nightly", "team=a"]);
        assert_eq!(report.rows[0].sums.cost, Money::nanos(11));
        assert_eq!((report.total.calls, report.total.cost), (3, Money::nanos(18)));
        world.fold_all().await;
    }
}

#[tokio::test]
async fn the_dearest_are_shown_and_the_rest_is_summed_up() {
    let world = World::new().await;
    for (model, cost) in [("a", 1), ("b", 300), ("c", 20), ("d", 4)] {
        world.write(Call { model, cost, ..Call::default() }).await;
    }
    let report = world.report(&UsageQuery { top: Some(2), ..UsageQuery::default() }).await;
    assert_eq!(keys(&report), ["b", "c"]);
    let rest = report.rest.unwrap();
    assert_eq!(
        (rest.rows, rest.sums.cost, report.total.cost),
        (2, Money::nanos(5), Money::nanos(325))
    );
}

#[tokio::test]
async fn a_range_that_cuts_hours_counts_exactly_what_started_in_it() {
    let world = World::new().await;
    let midnight: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    let at = |minutes: i64| midnight + TimeDelta::minutes(minutes);
    for minutes in (0..600).step_by(10) {
        let cost = 1 << (minutes / 10);
        world.write(Call { started_at: at(minutes), cost, ..Call::default() }).await;
    }
    for _ in ["as calls", "as sums"] {
        for (from, to) in
            [(0, 600), (5, 55), (10, 20), (70, 185), (61, 119), (120, 125), (300, 300)]
        {
            let (from, to) = (Some(at(from)), Some(at(to)));
            let report = world.report(&UsageQuery { from, to, ..UsageQuery::default() }).await;
            let within =
                (0..600i64).step_by(10).filter(|it| Some(at(*it)) >= from && Some(at(*it)) < to);
            let cost = Money::nanos(within.map(|it| 1 << (it / 10)).sum());
            assert_eq!(report.total.cost, cost, "from {from:?} to {to:?}");
        }
        world.fold_all().await;
    }
    let (from, to) = (Some(at(30)), Some(at(150)));
    let series = UsageQuery { from, to, series: Some(Bucket::Hour), ..UsageQuery::default() };
    let report = world.report(&series).await;
    assert_eq!(report.series, [at(0), at(60), at(120)]);
    let row = &report.rows[0];
    assert_eq!(row.series.iter().copied().sum::<Money>(), row.sums.cost);
    assert_eq!(row.series[0], Money::nanos(0b11_1000));
}

#[tokio::test]
async fn the_first_page_has_today_the_month_and_every_hour() {
    let world = World::new().await;
    let now = Utc::now();
    world.write(Call { started_at: now, cost: 1, ..Call::default() }).await;
    let yesterday = now - TimeDelta::hours(26);
    world.write(Call { started_at: yesterday, cost: 20, state: "error", ..Call::default() }).await;
    world.write(Call { started_at: now, state: "refused", cost: 0, ..Call::default() }).await;
    for _ in ["as calls", "as sums"] {
        let numbers = world.usage.numbers(&world.scope()).await.unwrap();
        assert_eq!((numbers.today.calls, numbers.today.refused), (1, 1));
        let month = &numbers.last_30_days;
        assert_eq!((month.calls, month.failed, month.cost), (2, 1, Money::nanos(21)));
        assert_eq!(numbers.hours.len(), 24);
        assert_eq!(numbers.hours.iter().map(|hour| hour.cost).sum::<Money>(), Money::nanos(1));
        world.fold_all().await;
    }
}

#[tokio::test]
async fn another_organisations_calls_are_nowhere() {
    let world = World::new().await;
    world.write(Call::default()).await;
    let other = sqlx::query_scalar!(r#"select id as "id: OrgId" from org where slug = 'other'"#)
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap();
    for _ in ["as calls", "as sums"] {
        let foreign = Access::internal(other);
        let report = world.usage.report(&foreign, &UsageQuery::default()).await.unwrap();
        assert_eq!((report.rows, report.total.calls), (vec![], 0));
        world.fold_all().await;
    }
}
