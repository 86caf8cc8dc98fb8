//! Holds and settlements, one rule at a time.

use chrono::TimeDelta;
use ralex_kernel::{CallId, Code, Money, OrgId, Period};

use super::world::{Counts, World};
use crate::{Charge, Counted, Extended, HoldOutcome, Overrun, hold_all, sweep};

fn counts(spent: i64, held: i64, overrun: i64, refused: i64) -> Counts {
    Counts { spent, held, overrun, refused }
}

#[tokio::test]
async fn a_refused_call_leaves_nothing_held_on_any_of_its_budgets() {
    let world = World::new().await;
    let charges = [world.daily(100, true).await, world.daily(5, true).await];
    let outcomes = world.open(&[world.hold(6, &charges), world.hold(5, &charges)]).await;
    let HoldOutcome::Refused(refusal) = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!((refusal.budget, refusal.needed), (charges[1].budget, Money::nanos(6)));
    assert_eq!(refusal.problem().code, Code::BudgetExhausted);
    assert!(matches!(&outcomes[1], HoldOutcome::Held { periods } if periods.len() == 2));
    assert_eq!(world.counts(&charges[0]).await, counts(0, 5, 0, 0));
    assert_eq!(world.counts(&charges[1]).await, counts(0, 5, 0, 1));
    world.assert_consistent().await;
}

#[tokio::test]
async fn holds_of_one_batch_are_decided_in_their_order_to_the_last_nano_dollar() {
    let world = World::new().await;
    let charge = world.daily(10, true).await;
    let on = std::slice::from_ref(&charge);
    let holds = [4, 7, 6, 1, 0].map(|amount| world.hold(amount, on));
    let held: Vec<bool> = world
        .open(&holds)
        .await
        .iter()
        .map(|outcome| matches!(outcome, HoldOutcome::Held { .. }))
        .collect();
    assert_eq!(held, [true, false, true, false, true]);
    assert_eq!(world.counts(&charge).await, counts(0, 10, 0, 2));
}

#[tokio::test]
async fn a_settlement_counts_once_however_often_it_comes() {
    let world = World::new().await;
    let charge = world.daily(100, true).await;
    let call = world.opened(40, std::slice::from_ref(&charge)).await;
    let twice = [world.settlement(call, 30), world.settlement(call, 31)];
    let counted: Vec<Counted> =
        world.settle_all(&twice).await.iter().map(|outcome| outcome.counted).collect();
    assert_eq!(counted, [Counted::Settled, Counted::Already]);
    assert_eq!(world.settle(call, 35).await.counted, Counted::Already);
    assert_eq!(world.counts(&charge).await, counts(30, 0, 0, 0));
    assert_eq!(world.call(call).await, ("success".to_owned(), 30));
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_lost_call_is_counted_at_its_worst_case_until_it_settles_late() {
    let world = World::new().await;
    let charge = world.daily(100, true).await;
    let call = world.opened(40, std::slice::from_ref(&charge)).await;
    assert_eq!(sweep(&world.db).await.unwrap(), 1);
    assert_eq!(world.counts(&charge).await, counts(40, 0, 0, 0));
    assert_eq!(world.settle(call, 12).await.counted, Counted::Corrected);
    assert_eq!(world.settle(call, 13).await.counted, Counted::Already);
    assert_eq!(world.counts(&charge).await, counts(12, 0, 0, 0));
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_call_that_nobody_opened_or_that_was_refused_settles_nothing() {
    let world = World::new().await;
    let charge = world.daily(5, true).await;
    let refused = world.hold(6, std::slice::from_ref(&charge));
    world.open(std::slice::from_ref(&refused)).await;
    assert_eq!(world.settle(refused.call, 3).await.counted, Counted::Already);
    let unknown = world.hold(1, &[]).call;
    assert_eq!(world.settle(unknown, 3).await.counted, Counted::Unknown);
    // Another organisation's id does not reach this one's call.
    let call = world.opened(1, std::slice::from_ref(&charge)).await;
    let mut foreign = world.settlement(call, 1);
    foreign.org = OrgId::generate();
    assert_eq!(world.settle_all(&[foreign]).await[0].counted, Counted::Unknown);
    assert_eq!(world.counts(&charge).await, counts(0, 1, 0, 1));
}

#[tokio::test]
async fn what_a_provider_bills_beyond_the_worst_case_is_an_overrun_of_a_hard_budget_only() {
    let world = World::new().await;
    let (hard, soft) = (world.daily(100, true).await, world.daily(100, false).await);
    let call = world.opened(60, &[hard.clone(), soft.clone()]).await;
    let outcome = world.settle(call, 130).await;
    let overrun = Overrun { budget: hard.budget, amount: Money::nanos(30) };
    assert_eq!(outcome.overruns, [overrun]);
    assert_eq!(world.counts(&hard).await, counts(100, 0, 30, 0));
    assert_eq!(world.counts(&soft).await, counts(130, 0, 0, 0));
    assert_eq!(world.events("budget.overrun").await, 1);
    let outcomes = world.open(&[world.hold(1, &[hard]), world.hold(1, &[soft])]).await;
    assert!(
        matches!(&outcomes[0], HoldOutcome::Refused(refusal) if refusal.spent == Money::nanos(130))
    );
    assert!(matches!(outcomes[1], HoldOutcome::Held { .. }));
    world.assert_consistent().await;
}

#[tokio::test]
async fn each_threshold_is_told_once_a_period() {
    let world = World::new().await;
    let charge = world.daily(100, true).await;
    let on = std::slice::from_ref(&charge);
    let mut told = Vec::new();
    for cost in [49, 1, 29, 1, 19, 1] {
        let call = world.opened(cost, on).await;
        let crossings = world.settle(call, cost).await.crossings;
        told.push(crossings.iter().map(|crossing| crossing.percent).collect::<Vec<_>>());
    }
    assert_eq!(told, [vec![], vec![50], vec![], vec![80], vec![], vec![100]]);
    assert_eq!(world.events("budget.threshold_crossed").await, 3);
}

#[tokio::test]
async fn a_new_period_is_a_new_row_and_the_old_one_settles_where_it_held() {
    let world = World::new().await;
    let today = world.daily(100, true).await;
    let tomorrow = Charge {
        starts_at: today.ends_at,
        ends_at: Period::Day
            .bounds(chrono_tz::UTC, ralex_kernel::YearStart::CALENDAR, today.ends_at)
            .ends_at,
        ..today.clone()
    };
    let old = world.opened(100, std::slice::from_ref(&today)).await;
    let new = world.opened(100, std::slice::from_ref(&tomorrow)).await;
    world.settle(old, 70).await;
    assert_eq!(world.counts(&today).await, counts(70, 0, 0, 0));
    assert_eq!(world.counts(&tomorrow).await, counts(0, 100, 0, 0));
    world.settle(new, 90).await;
    assert_eq!(world.counts(&tomorrow).await, counts(90, 0, 0, 0));
    assert_eq!(tomorrow.starts_at - today.starts_at, TimeDelta::days(1));
    world.assert_consistent().await;
}

#[tokio::test]
async fn an_absurd_amount_is_refused_and_fails_no_one_elses_call() {
    let world = World::new().await;
    let soft = world.daily(1_000, false).await;
    let on = std::slice::from_ref(&soft);
    let holds = [world.hold(i64::MAX, on), world.hold(1, on), world.hold(5, on)];
    let outcomes = world.open(&holds).await;
    assert!(matches!(outcomes[0], HoldOutcome::Held { .. }));
    assert!(matches!(outcomes[1], HoldOutcome::Refused(_)));
    world.settle_all(&[world.settlement(holds[0].call, i64::MAX)]).await;
    assert_eq!(world.counts(&soft).await, counts(i64::MAX, 0, 0, 2));
}

#[tokio::test]
async fn a_budget_that_is_deleted_meanwhile_no_longer_counts() {
    let world = World::new().await;
    let (kept, deleted) = (world.daily(100, true).await, world.daily(1, true).await);
    let call = world.opened(1, &[kept.clone(), deleted.clone()]).await;
    let mut tx = world.db.system("delete a test's budget").await.unwrap();
    sqlx::query!("delete from budget where id = $1", deleted.budget.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.settle(call, 1).await;
    let late = world.opened(50, &[kept.clone(), deleted]).await;
    world.settle(late, 50).await;
    assert_eq!(world.counts(&kept).await, counts(51, 0, 0, 0));
    world.assert_consistent().await;
}

#[tokio::test]
async fn more_is_held_for_a_call_while_it_fits_and_only_while_the_call_is_open() {
    let world = World::new().await;
    let (wide, narrow) = (world.daily(1_000, true).await, world.daily(100, true).await);
    let call = world.opened(60, &[wide.clone(), narrow.clone()]).await;
    let refused = world.extend(call, 41).await;
    assert!(matches!(refused, Extended::Refused { short: Some(_) }), "one of two has no room");
    assert_eq!(world.counts(&wide).await, counts(0, 60, 0, 0));
    assert_eq!(world.extend(call, 40).await, Extended::Held { held: Money::nanos(100) });
    assert_eq!(world.counts(&narrow).await, counts(0, 100, 0, 0));
    world.assert_consistent().await;
    world.settle(call, 70).await;
    assert_eq!(world.counts(&narrow).await, counts(70, 0, 0, 0));
    assert_eq!(world.extend(call, 1).await, Extended::Refused { short: None }, "it has ended");
    assert_eq!(
        world.extend(CallId::generate(), 1).await,
        Extended::Refused { short: None },
        "there is none"
    );
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_limit_changed_since_the_charge_was_made_is_the_one_that_counts() {
    let world = World::new().await;
    let charge = world.daily(100, true).await;
    let mut tx = world.db.system("change a test's limit").await.unwrap();
    sqlx::query!("update budget set spend_limit = 10 where id = $1", charge.budget.uuid())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let outcomes = world.open(&[world.hold(11, std::slice::from_ref(&charge))]).await;
    assert!(
        matches!(&outcomes[0], HoldOutcome::Refused(refusal) if refusal.limit == Money::nanos(10))
    );
}

#[tokio::test]
async fn the_table_itself_refuses_to_overspend() {
    let world = World::new().await;
    let charge = world.daily(100, true).await;
    world.opened(60, std::slice::from_ref(&charge)).await;
    let mut tx = world.db.system("overspend in a test").await.unwrap();
    let refused = sqlx::query!(
        "update budget_period set spent = spent + 41 where budget_id = $1",
        charge.budget.uuid()
    )
    .execute(&mut *tx)
    .await
    .unwrap_err();
    assert_eq!(ralex_store::violated(&refused), Some("budget_not_overspent"));
}

#[tokio::test]
async fn a_hold_of_no_calls_touches_nothing() {
    let world = World::new().await;
    let mut tx = world.db.system("hold nothing in a test").await.unwrap();
    assert_eq!(hold_all(&mut tx, &[]).await.unwrap(), []);
}
