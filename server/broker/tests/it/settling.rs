//! Calls of one model: dropped, racing, and while the database does not answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use ralex_access::Access;
use ralex_api::usage::{CallState, UsageQuery};
use ralex_broker::Answered;
use ralex_kernel::{Clock, Code, Money};
use ralex_usage::Usage;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_call_dropped_at_any_moment_leaves_nothing_held() {
    let world = World::new().await;
    world.budget("1").await;
    // Moments from before the first step to after the last one, found by time because the steps
    // wait for the database.
    for moment in 0..60 {
        let patience = Duration::from_micros(moment * 150);
        let call = tokio::time::timeout(patience, async {
            let Ok(Answered::Stream { mut stream, .. }) = world.call(true).await else { return };
            while stream.next().await.is_some() {}
        });
        // Either way is right; what counts is what is left of it.
        call.await.ok();
    }
    // Calls that were under way when they were dropped are settled by the batches after them.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let mut budget = world.only_budget().await;
    while budget.held.is_positive() && std::time::Instant::now() < deadline {
        budget = world.only_budget().await;
    }
    assert_eq!(budget.held, Money::ZERO);
    assert!(!world.states().await.contains(&CallState::Open));
    world.adds_up().await;
}

#[tokio::test]
async fn what_costs_nothing_needs_nothing_left_in_a_budget() {
    let world = World::new().await;
    world.budget("0.000000001").await;
    let Err(refused) = world.call(false).await else { panic!("it does not fit") };
    assert_eq!(refused.problem.code, Code::BudgetExhausted);
    let Ok(Answered::Whole { cost, body, .. }) = world.count("simulated", "hello").await else {
        panic!("counting is free")
    };
    assert_eq!(cost, Money::ZERO);
    assert!(body.starts_with(br#"{"input_tokens":"#), "{body:?}");
    let budget = world.only_budget().await;
    assert_eq!((budget.spent, budget.held), (Money::ZERO, Money::ZERO));
    // It is in the record for what it is, and no call of those that usage counts.
    assert_eq!(world.log("call.opened").await.last().unwrap()["purpose"], "count");
    let (usage, scope) =
        (Usage::new(world.database.db(), Clock::system()), Access::internal(world.org));
    let report = usage.report(&scope, &UsageQuery::default()).await;
    assert_eq!(report.unwrap().total.calls, 0);
    let numbers = usage.numbers(&scope).await.unwrap();
    assert_eq!((numbers.today.calls, numbers.today.refused), (0, 1));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_an_answer_may_spend_at_once_what_it_did_not_cost() {
    let measured = World::new().await;
    measured.budget("1").await;
    let Ok(Answered::Whole { cost, .. }) = measured.call(false).await else { panic!("it fits") };
    let opened = measured.log("call.opened").await;
    let held: Money = opened[0]["held"].as_str().unwrap().parse().unwrap();
    assert!(held > cost, "{held} is held for what costs {cost}");

    // For the fifth there is room only once the fourth holds nothing more.
    let world = World::new().await;
    world.budget(&(held + cost + cost + cost + cost).to_string()).await;
    for turn in 1..=5 {
        let Ok(Answered::Whole { .. }) = world.call(false).await else { panic!("turn {turn}") };
    }
    let Err(refused) = world.call(false).await else { panic!("nothing is left for a sixth") };
    assert_eq!(refused.problem.code, Code::BudgetExhausted);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_calls_as_many_pass_as_the_budget_holds_and_no_more() {
    let world = Arc::new(World::new().await);
    world.budget("0.0002").await;
    let racing: Vec<_> = (0..40)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.call(false).await })
        })
        .collect();
    let (mut cost, mut refused) = (Money::ZERO, 0);
    for call in racing {
        match call.await.unwrap() {
            Ok(Answered::Whole { cost: one, .. }) => cost += one,
            Ok(Answered::Stream { .. }) => panic!("nobody asked for a stream"),
            Err(failure) => {
                assert_eq!(failure.problem.code, Code::BudgetExhausted, "{:?}", failure.problem);
                refused += 1;
            }
        }
    }
    let budget = world.only_budget().await;
    assert!(refused > 0 && cost.is_positive());
    assert_eq!(budget.spent, cost);
    assert!(budget.spent <= budget.limit);
    assert_eq!((budget.held, budget.refused), (Money::ZERO, refused));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_sent_and_the_next_call_works_again() {
    let world = World::new().await;
    world.call(false).await.map_err(|failure| failure.problem).unwrap();
    let mut owner = world.database.owner().await;
    // The log refuses new events, as it does on a full disk.
    let refuse = "alter table audit_event add constraint full_disk check (false) not valid";
    sqlx::raw_sql(refuse).execute(&mut owner).await.unwrap();
    let Err(failure) = world.call(false).await else { panic!("a call passed unrecorded") };
    assert_eq!(failure.problem.code, Code::Unavailable, "{:?}", failure.problem);
    assert_eq!(failure.problem.retry_after, Some(1));
    let repair = "alter table audit_event drop constraint full_disk";
    sqlx::raw_sql(repair).execute(&mut owner).await.unwrap();
    world.call(false).await.map_err(|failure| failure.problem).unwrap();
    world.broker.settle_before_reading().await;
    assert_eq!(world.states().await, [CallState::Success, CallState::Success]);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_turned_away_and_is_committed_late_holds_nothing_for_long() {
    let world = World::new().await;
    world.budget("1").await;
    let mut owner = world.database.owner().await;
    // The commit waits for a lock of ours, longer than the broker waits for the commit.
    let slow_commit = "select pg_advisory_lock(42);
        create function wait_for_owner() returns trigger language plpgsql as $$
        begin
            perform set_config('lock_timeout', '0', true);
            perform pg_advisory_xact_lock_shared(42);
            return null;
        end $$;
        create constraint trigger slow_commit after insert on call
            deferrable initially deferred for each row execute function wait_for_owner()";
    sqlx::raw_sql(slow_commit).execute(&mut owner).await.unwrap();
    let Err(failure) = world.call(false).await else { panic!("a call passed unrecorded") };
    assert_eq!(failure.problem.code, Code::Unavailable, "{:?}", failure.problem);
    // What was turned away is looked for, and is not there yet.
    world.broker.settle_before_reading().await;
    sqlx::raw_sql("select pg_advisory_unlock(42)").execute(&mut owner).await.unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(25);
    while world.states().await != [CallState::Error] && std::time::Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.states().await, [CallState::Error]);
    assert_eq!(world.only_budget().await.held, Money::ZERO);
    world.adds_up().await;
}
