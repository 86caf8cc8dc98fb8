//! Kinds of budgets: of people, by fiscal years, and with more for a while.

use chrono::{TimeDelta, Utc};
use ralex_access::Access;
use ralex_api::budgets::{Budget, NewBudget, NewIncrease, UpdateBudget};
use ralex_kernel::{BudgetId, Clock, Code, Money, Period, ScopePath, UserId, YearStart};

use super::world::{World, at};
use crate::{Budgets, Charge, HoldOutcome, Spender};

const ANYBODY: Spender<'_> = Spender::anybody(ScopePath::Org);

pub(super) fn new(scope: &str, period: Period, limit: i64) -> NewBudget {
    NewBudget {
        scope: scope.into(),
        model: None,
        provider: None,
        period,
        limit: Money::nanos(limit),
        hard: true,
        days: None,
        carry_over: false,
        carry_over_at_most: None,
        time_zone: None,
        year_start: None,
        degrade_at: None,
    }
}

fn more(amount: i64) -> NewIncrease {
    NewIncrease {
        amount: Money::nanos(amount),
        until: Utc::now() + TimeDelta::hours(1),
        reason: " The launch ".into(),
    }
}

/// An organisation with one budget for all, and what a call counts against.
async fn world(limit: i64) -> (World, Budgets, BudgetId, Vec<Charge>) {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let scope = Access::internal(world.org);
    let id = budgets.create(&scope, new("org", Period::Total, limit)).await.unwrap().id;
    let on = budgets.applicable(world.org, &ANYBODY, Utc::now()).await.unwrap();
    (world, budgets, id, on)
}

async fn shown(world: &World, budgets: &Budgets, id: BudgetId) -> Budget {
    budgets.find(&Access::internal(world.org), id).await.unwrap()
}

/// Lets the time of all increases come.
async fn end_of_time(world: &World) {
    let mut tx = world.db.system("let a test's increases end").await.unwrap();
    sqlx::query!("update budget_increase set until = now() - interval '1 s'")
        .execute(&mut *tx)
        .await
        .unwrap();
    sqlx::query!("update budget_period set increase_until = now() - interval '1 s'")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

async fn limit_of(world: &World, id: BudgetId) -> i64 {
    let mut tx = world.db.system("read a test's limit").await.unwrap();
    sqlx::query_scalar!("select spend_limit from budget_period where budget_id = $1", id.uuid())
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_persons_budget_counts_their_calls_by_whatever_token_and_nobody_elses() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let scope = Access::internal(world.org);
    let token = world.personal_token("ann", "laptop").await;
    let mut tx = world.db.system("find a test's member").await.unwrap();
    let ann = sqlx::query_scalar!("select id from app_user where name = 'ann'")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    drop(tx);
    let ann = UserId::from_uuid(ann);
    let made = budgets.create(&scope, new(&format!("user:{ann}"), Period::Day, 10)).await.unwrap();
    assert_eq!((made.scope, made.scope_name.as_str()), (format!("user:{ann}"), "ann"));
    for (token, user, expected) in [
        (None, Some(ann), 1),
        (Some(token), Some(ann), 1),
        (Some(token), None, 0),
        (None, Some(UserId::generate()), 0),
    ] {
        let by = Spender { token, user, ..Spender::anybody(ScopePath::Team { team: world.team }) };
        let charges = budgets.applicable(world.org, &by, Utc::now()).await.unwrap();
        assert_eq!(charges.len(), expected, "{by:?}");
    }
    for nobody in [format!("user:{}", UserId::generate()), "user:bob@example.com".into()] {
        let refused = budgets.create(&scope, new(&nobody, Period::Day, 10)).await.unwrap_err();
        assert_eq!(refused.errors[0].path, "scope");
    }
}

#[tokio::test]
async fn a_fiscal_year_is_kept_and_refused_where_it_means_nothing() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::from_fn(|| at("2026-03-10T12:00:00Z"))).await;
    let scope = Access::internal(world.org);
    let year_start = YearStart::new(4, 6);
    let fiscal = |period| NewBudget { year_start, ..new("org", period, 10) };
    let made = budgets.create(&scope, fiscal(Period::Quarter)).await.unwrap();
    assert_eq!(made.year_start, year_start.unwrap());
    assert_eq!(made.period_starts_at, at("2026-01-06T00:00:00Z"));
    assert_eq!(made.period_ends_at, Some(at("2026-04-06T00:00:00Z")));
    let charges = budgets.applicable(world.org, &ANYBODY, at("2026-04-06T00:00:00Z")).await;
    assert_eq!(charges.unwrap()[0].starts_at, at("2026-04-06T00:00:00Z"));
    for period in [Period::Hour, Period::Day, Period::Week, Period::Total] {
        let refused = budgets.create(&scope, fiscal(period)).await.unwrap_err();
        assert_eq!(refused.errors[0].path, "year_start");
    }
    for degrade_at in [0, 100] {
        let bad = NewBudget { degrade_at: Some(degrade_at), ..new("org", Period::Hour, 10) };
        let refused = budgets.create(&scope, bad).await.unwrap_err();
        assert_eq!(refused.errors[0].path, "degrade_at");
    }
}

#[tokio::test]
async fn an_increase_gives_more_and_not_an_instant_longer_than_it_lasts() {
    let (world, budgets, id, on) = world(100).await;
    let scope = Access::internal(world.org);
    assert!(matches!(world.open(&[world.hold(150, &on)]).await[0], HoldOutcome::Refused(_)));
    let given = budgets.increase(&scope, id, more(100)).await.unwrap().now().unwrap();
    let increase = given.increase.unwrap();
    assert_eq!((increase.amount, increase.reason.as_str()), (Money::nanos(100), "The launch"));
    assert_eq!(given.limit, Money::nanos(100));
    let spent = world.opened(120, &on).await;
    let held = world.opened(60, &on).await;
    world.settle(spent, 90).await;

    end_of_time(&world).await;
    // Nobody has looked yet; what is held is covered and counts within, and nothing more is given.
    let outcome = &world.open(&[world.hold(11, &on)]).await[0];
    let HoldOutcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.limit, Money::nanos(100));
    assert_eq!(shown(&world, &budgets, id).await.increase, None);
    crate::sweep(&world.db).await.unwrap();
    crate::increase::sweep(&world.db).await.unwrap();
    assert_eq!(limit_of(&world, id).await, 150, "what is spent and held stays covered");
    assert!(world.settle(held, 30).await.overruns.is_empty());
    crate::increase::sweep(&world.db).await.unwrap();
    assert_eq!(limit_of(&world, id).await, 120, "what came free is gone");
    assert!(matches!(world.open(&[world.hold(1, &on)]).await[0], HoldOutcome::Refused(_)));
    let counts = world.counts(&on[0]).await;
    assert_eq!((counts.spent, counts.overrun), (120, 0));
    assert_eq!(world.events("budget.increased").await, 1);
    assert_eq!(world.events("budget.increase_ended").await, 1);
    world.assert_consistent().await;
}

#[tokio::test]
async fn an_increase_takes_the_place_of_the_last_and_can_be_ended() {
    let (world, budgets, id, on) = world(100).await;
    let scope = Access::internal(world.org);
    budgets.increase(&scope, id, more(100)).await.unwrap();
    world.opened(150, &on).await;
    let refused = budgets.increase(&scope, id, more(40)).await.unwrap_err();
    assert_eq!(refused.code, Code::LimitBelowSpent);
    budgets.increase(&scope, id, more(60)).await.unwrap();
    assert_eq!(limit_of(&world, id).await, 160);
    // A new limit has the increase on top of it.
    let change = UpdateBudget { limit: Some(Money::nanos(200)), hard: None, degrade_at: Some(20) };
    let changed = budgets.update(&scope, id, change).await.unwrap().now().unwrap();
    assert_eq!((changed.limit, changed.degrade_at), (Money::nanos(200), Some(20)));
    assert_eq!(limit_of(&world, id).await, 260);

    let ended = budgets.end_increase(&scope, id).await.unwrap();
    assert_eq!(ended.increase, None);
    assert_eq!(limit_of(&world, id).await, 200);
    let again = budgets.end_increase(&scope, id).await.unwrap_err();
    assert_eq!(again.code, Code::NotFound);
    assert_eq!(world.events("budget.increased").await, 2);
    assert_eq!(world.events("budget.increase_ended").await, 2);
    world.assert_consistent().await;
}

#[tokio::test]
async fn an_increase_says_how_much_until_when_and_why() {
    let (world, budgets, id, _) = world(100).await;
    let scope = Access::internal(world.org);
    let past = Utc::now() - TimeDelta::seconds(1);
    for (new, path) in [
        (NewIncrease { amount: Money::ZERO, ..more(1) }, "amount"),
        (NewIncrease { amount: Money::MAX, ..more(1) }, "amount"),
        (NewIncrease { until: past, ..more(1) }, "until"),
        (NewIncrease { reason: "  ".into(), ..more(1) }, "reason"),
        (NewIncrease { reason: "x".repeat(501), ..more(1) }, "reason"),
    ] {
        let refused = budgets.increase(&scope, id, new).await.unwrap_err();
        assert_eq!(refused.errors[0].path, path);
    }
    let stranger = Access::internal(world.another_org().await);
    let refused = budgets.increase(&stranger, id, more(1)).await.unwrap_err();
    assert_eq!(refused.code, Code::NotFound);
}

#[tokio::test]
async fn an_increase_ends_with_its_period() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let scope = Access::internal(world.org);
    let id = budgets.create(&scope, new("org", Period::Hour, 100)).await.unwrap().id;
    let until = Utc::now() + TimeDelta::days(3);
    let given = budgets.increase(&scope, id, NewIncrease { until, ..more(5) }).await;
    let given = given.unwrap().now().unwrap();
    assert_eq!(given.increase.map(|increase| increase.until), given.period_ends_at);
}

#[tokio::test]
async fn a_budget_that_runs_low_asks_for_cheaper_models_and_an_increase_puts_that_off() {
    let (world, budgets, id, on) = world(100).await;
    let scope = Access::internal(world.org);
    let change = UpdateBudget { limit: None, hard: None, degrade_at: Some(50) };
    budgets.update(&scope, id, change).await.unwrap();
    assert_eq!(budgets.left(world.org, &ANYBODY).await.unwrap().unwrap().degraded, None);
    let call = world.opened(60, &on).await;
    world.settle(call, 60).await;
    // What is known is a second old at most; another version of the policies is read anew.
    budgets.increase(&scope, id, more(50)).await.unwrap();
    let left = budgets.left(world.org, &ANYBODY).await.unwrap().unwrap();
    assert_eq!((left.amount, left.degraded), (Money::nanos(90), None));
    budgets.end_increase(&scope, id).await.unwrap();
    let left = budgets.left(world.org, &ANYBODY).await.unwrap().unwrap();
    assert_eq!(left.degraded.as_deref(), Some("a budget of org has less than 50 % left"));
}
