//! Rolling windows, and what goes on from one period to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use ralex_access::Access;
use ralex_api::budgets::{Budget, NewBudget, NewIncrease, UpdateBudget};
use ralex_kernel::{BudgetId, Clock, Code, Money, Period, ScopePath};

use super::world::{World, pick};
use crate::{Budgets, Charge, HoldOutcome, Spender, follow};

const ANYBODY: Spender<'_> = Spender::anybody(ScopePath::Org);

fn new(period: Period, limit: i64) -> NewBudget {
    NewBudget {
        scope: "org".into(),
        model: None,
        provider: None,
        period,
        limit: Money::nanos(limit),
        hard: true,
        days: (period == Period::Rolling).then_some(3),
        carry_over: period != Period::Rolling,
        carry_over_at_most: None,
        time_zone: None,
        year_start: None,
        degrade_at: None,
    }
}

/// A budget of which no period has begun, so that a test may begin in the past.
async fn made(world: &World, new: NewBudget) -> (Budgets, Budget) {
    let budget = world.budgets(Clock::system()).await;
    let budget = budget.create(&Access::internal(world.org), new).await.unwrap();
    let mut tx = world.db.system("begin a test's budget anew").await.unwrap();
    sqlx::query!("delete from budget_period where budget_id = $1", budget.id.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (world.budgets(Clock::system()).await, budget)
}

/// The only budget's charge so many days from now, as a call gets it.
async fn on(world: &World, budgets: &Budgets, days: i64) -> Vec<Charge> {
    let at = Utc::now() + TimeDelta::days(days);
    budgets.applicable(world.org, &ANYBODY, at).await.unwrap()
}

/// A call that costs so much, if it fits.
async fn spend(world: &World, charges: &[Charge], cost: i64) -> bool {
    let hold = world.hold(cost, charges);
    let held = matches!(world.open(std::slice::from_ref(&hold)).await[0], HoldOutcome::Held { .. });
    if held {
        world.settle(hold.call, cost).await;
    }
    held
}

async fn born(world: &World, budget: BudgetId, at: DateTime<Utc>) {
    let mut tx = world.db.system("make a test's budget older").await.unwrap();
    sqlx::query!("update budget set created_at = $2 where id = $1", budget.uuid(), at)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_window_has_what_the_days_in_it_leave_and_gets_back_what_leaves_it() {
    let world = World::new().await;
    let (budgets, budget) = made(&world, new(Period::Rolling, 100)).await;
    assert!(spend(&world, &on(&world, &budgets, -3).await, 50).await);
    assert!(spend(&world, &on(&world, &budgets, -1).await, 30).await);
    // Three days ago counts no more, and the day before yesterday had no call.
    let today = on(&world, &budgets, 0).await;
    assert!(!spend(&world, &today, 71).await);
    assert!(spend(&world, &today, 70).await);
    assert!(!spend(&world, &today, 1).await);
    let shown = budgets.find(&Access::internal(world.org), budget.id).await.unwrap();
    assert_eq!((shown.limit, shown.spent), (Money::nanos(100), Money::nanos(100)));
    assert_eq!(shown.period_ends_at.unwrap() - shown.period_starts_at, TimeDelta::days(3));
    let left = budgets.left(world.org, &ANYBODY).await.unwrap().unwrap();
    assert_eq!(left.amount, Money::ZERO);
    let refused = world.open(&[world.hold(5, &today)]).await;
    let HoldOutcome::Refused(refusal) = &refused[0] else { panic!("{refused:?}") };
    let said = refusal.problem().detail;
    assert!(said.contains("rolling budget of org") && said.contains("oldest day"), "{said}");
    assert_eq!((refusal.limit, refusal.spent), (Money::nanos(100), Money::nanos(100)));
    assert!(spend(&world, &on(&world, &budgets, 2).await, 30).await);
    assert!(!spend(&world, &on(&world, &budgets, 2).await, 1).await, "today's 70 still count");
    assert!(spend(&world, &on(&world, &budgets, 3).await, 70).await);
    world.assert_consistent().await;
}

#[tokio::test]
async fn what_a_day_that_is_over_holds_counts_in_full_until_it_is_settled_for_less() {
    let world = World::new().await;
    let (budgets, _) = made(&world, new(Period::Rolling, 100)).await;
    let yesterday = on(&world, &budgets, -1).await;
    let late = world.opened(90, &yesterday).await;
    let today = on(&world, &budgets, 0).await;
    assert!(!spend(&world, &today, 11).await && spend(&world, &today, 10).await);
    world.settle(late, 20).await;
    follow::sweep(&world.db).await.unwrap();
    assert!(!spend(&world, &yesterday, 1).await, "what it does not need is not its own any more");
    assert!(!spend(&world, &today, 71).await && spend(&world, &today, 70).await);
    let events = world.events("budget.threshold_crossed").await;
    follow::sweep(&world.db).await.unwrap();
    assert_eq!(world.events("budget.threshold_crossed").await, events);
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_window_s_limit_is_changed_and_raised_for_a_while_like_any_other() {
    let world = World::new().await;
    let (budgets, budget) = made(&world, new(Period::Rolling, 100)).await;
    let scope = Access::internal(world.org);
    assert!(spend(&world, &on(&world, &budgets, -1).await, 60).await);
    let today = on(&world, &budgets, 0).await;
    assert!(!spend(&world, &today, 41).await);
    let limit =
        |limit| UpdateBudget { limit: Some(Money::nanos(limit)), hard: None, degrade_at: None };
    let problem = budgets.update(&scope, budget.id, limit(59)).await.unwrap_err();
    assert_eq!(problem.code, Code::LimitBelowSpent, "{problem:?}");
    budgets.update(&scope, budget.id, limit(80)).await.unwrap();
    assert!(!spend(&world, &today, 21).await && spend(&world, &today, 20).await);
    let more = NewIncrease {
        amount: Money::nanos(15),
        until: Utc::now() + TimeDelta::hours(1),
        reason: "The launch".into(),
    };
    budgets.increase(&scope, budget.id, more).await.unwrap();
    assert!(!spend(&world, &today, 16).await && spend(&world, &today, 15).await);
    follow::sweep(&world.db).await.unwrap();
    assert!(!spend(&world, &today, 1).await);
    world.assert_consistent().await;
}

#[tokio::test]
async fn what_is_left_goes_on_to_the_next_period_and_so_does_what_is_settled_for_less() {
    let world = World::new().await;
    let (budgets, budget) = made(&world, new(Period::Day, 100)).await;
    let scope = Access::internal(world.org);
    let yesterday = on(&world, &budgets, -1).await;
    assert!(spend(&world, &yesterday, 30).await);
    let late = world.opened(50, &yesterday).await;
    let today = on(&world, &budgets, 0).await;
    let shown = budgets.find(&scope, budget.id).await.unwrap();
    assert_eq!((shown.limit, shown.carried), (Money::nanos(100), Money::nanos(20)));
    assert!(!spend(&world, &today, 121).await && spend(&world, &today, 120).await);
    world.settle(late, 10).await;
    follow::sweep(&world.db).await.unwrap();
    assert!(!spend(&world, &yesterday, 1).await, "it is not spent in both");
    let left = budgets.left(world.org, &ANYBODY).await.unwrap();
    assert!(!spend(&world, &today, 41).await && spend(&world, &today, 40).await, "{left:?}");
    let limit = UpdateBudget { limit: Some(Money::nanos(90)), hard: None, degrade_at: None };
    let problem = budgets.update(&scope, budget.id, limit).await.unwrap_err();
    assert_eq!(problem.code, Code::LimitBelowSpent);
    world.assert_consistent().await;
}

#[tokio::test]
async fn periods_without_a_call_leave_all_they_had_and_no_more_than_may_go_on() {
    let world = World::new().await;
    let most = Some(Money::nanos(250));
    let (budgets, budget) =
        made(&world, NewBudget { carry_over_at_most: most, ..new(Period::Day, 100) }).await;
    born(&world, budget.id, Utc::now() - TimeDelta::days(10)).await;
    let first = on(&world, &budgets, -9).await;
    assert!(!spend(&world, &first, 201).await && spend(&world, &first, 150).await);
    // Of 200, 50 are left; then a day without a call, and 50 + 100 go on to the day after it.
    let then = on(&world, &budgets, -7).await;
    assert!(!spend(&world, &then, 251).await && spend(&world, &then, 250).await);
    let today = on(&world, &budgets, 0).await;
    assert!(!spend(&world, &today, 351).await && spend(&world, &today, 350).await);
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_window_has_days_and_only_periods_that_follow_each_other_carry_over() {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let rolling = || new(Period::Rolling, 100);
    let day = || new(Period::Day, 100);
    let nothing = Some(Money::ZERO);
    for (wrong, field) in [
        (NewBudget { days: None, ..rolling() }, "days"),
        (NewBudget { days: Some(0), ..rolling() }, "days"),
        (NewBudget { days: Some(367), ..rolling() }, "days"),
        (NewBudget { days: Some(3), ..day() }, "days"),
        (NewBudget { carry_over: true, ..rolling() }, "carry_over"),
        (new(Period::Total, 100), "carry_over"),
        (NewBudget { carry_over_at_most: nothing, ..day() }, "carry_over_at_most"),
        (
            NewBudget { carry_over: false, carry_over_at_most: Some(Money::nanos(1)), ..day() },
            "carry_over_at_most",
        ),
    ] {
        let problem = budgets.create(&Access::internal(world.org), wrong).await.unwrap_err();
        assert_eq!(problem.errors[0].path, field, "{problem:?}");
    }
}

/// The most that any three days following each other come to, in one look.
async fn fullest(world: &World) -> i64 {
    let mut tx = world.db.system("look at a test's windows").await.unwrap();
    sqlx::query_scalar!(
        r#"select coalesce(max(n), 0)::bigint as "n!" from (
               select sum(spent + held + leased) over (
                   order by starts_at range between '2 days' preceding and current row) as n
               from budget_period) as days"#
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_that_race_over_the_ends_of_days_never_pass_the_limit_of_any_window() {
    let world = Arc::new(World::new().await);
    let (budgets, budget) = made(&world, new(Period::Rolling, 5_000)).await;
    let done = Arc::new(AtomicBool::new(false));
    let observer = tokio::spawn({
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                assert!(fullest(&world).await <= 5_000);
                world.assert_consistent().await;
            }
        }
    });
    let permits = Arc::new(tokio::sync::Semaphore::new(6));
    let racers = (0..60_u64).map(|racer| {
        let (world, budgets, permits) = (Arc::clone(&world), budgets.clone(), Arc::clone(&permits));
        tokio::spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            let mut late = None;
            for round in 0..8_u64 {
                let seed = racer * 1_000 + round;
                // Some are a day behind others.
                let day = i64::try_from(racer / 10).unwrap() - pick(seed, 2);
                let amount = 1 + pick(seed + 1, 400);
                let hold = world.hold(amount, &on(&world, &budgets, day).await);
                let outcomes = world.open(std::slice::from_ref(&hold)).await;
                if matches!(outcomes[0], HoldOutcome::Held { .. }) {
                    let before = late.replace((hold.call, pick(seed + 2, amount + 1)));
                    if let Some((call, cost)) = before {
                        world.settle(call, cost).await;
                    }
                }
                if pick(seed + 3, 4) == 0 {
                    follow::sweep(&world.db).await.unwrap();
                }
            }
            if let Some((call, cost)) = late {
                world.settle(call, cost).await;
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    observer.await.unwrap();
    assert!(fullest(&world).await > 4_000, "there was something to race for");
    let shown = budgets.find(&Access::internal(world.org), budget.id).await.unwrap();
    assert_eq!(shown.held, Money::ZERO, "{shown:?}");
    world.assert_consistent().await;
}
