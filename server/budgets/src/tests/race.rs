//! Many nodes at once: whatever they race for, no limit is passed and no cost is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ralex_access::Access;
use ralex_api::budgets::UpdateBudget;
use ralex_kernel::{Clock, Money};

use super::world::{World, pick};
use crate::{
    Batch, Charge, Extended, HoldOutcome, KnownPeriods, OpenCall, commit, hold_all, open_calls,
    sweep, verify,
};

const RACERS: u64 = 200;
const ROUNDS: u64 = 4;

async fn tree(world: &World) -> Vec<Charge> {
    let (team, project, token) = (world.team, world.project, world.token);
    vec![
        world.budget((None, None, None), 60_000, true).await,
        world.budget((Some(team), None, None), 30_000, true).await,
        world.budget((Some(team), Some(project), None), 20_000, true).await,
        world.budget((None, None, Some(token)), 25_000, true).await,
        world.budget((None, None, None), 5_000, false).await,
        world.of_model(15_000, true).await,
        world.of_model(15_000, true).await,
    ]
}

/// Holds, holds more at times, and then settles, settles late, settles twice, or forgets the call.
async fn race(world: Arc<World>, charges: Arc<Vec<Charge>>, racer: u64) {
    for round in 0..ROUNDS {
        let seed = racer * 1_000 + round;
        let depth = usize::try_from(1 + pick(seed, 5)).unwrap();
        let amount = 1 + pick(seed + 1, 900);
        // Charges come in any order; locks are taken in one.
        let mut on: Vec<Charge> = charges[..depth].to_vec();
        // Begun at one model, and gone on with at the other where it is tried again.
        let (begun, next) = if pick(seed + 7, 2) == 0 { (5, 6) } else { (6, 5) };
        let (begun, next) = (&charges[begun], &charges[next]);
        on.push(begun.clone());
        if pick(seed + 2, 2) == 0 {
            on.reverse();
        }
        let hold = world.hold(amount, &on);
        let HoldOutcome::Held { .. } = &world.open(std::slice::from_ref(&hold)).await[0] else {
            continue;
        };
        let cost = pick(seed + 3, amount + amount / 4 + 1);
        let mut apart = vec![(begun, cost)];
        match pick(seed + 5, 4) {
            // Tried again: the call holds more now, or as much as before.
            0 => drop(world.extend(hold.call, 1 + pick(seed + 6, 300)).await),
            1 => {
                let more = 1 + pick(seed + 6, 300);
                let more = world.extend_apart(hold.call, more, &[(begun, 0), (next, more)]).await;
                if matches!(more, Extended::Held { .. }) {
                    apart = vec![(begun, cost / 3), (next, cost - cost / 3)];
                }
            }
            _ => {}
        }
        match pick(seed + 4, 4) {
            0 => {}
            1 => {
                world.settle_all(&[world.in_parts(hold.call, cost, &apart)]).await;
                world.settle(hold.call, cost + 5).await;
            }
            2 => {
                let settlement = world.in_parts(hold.call, cost, &apart);
                world.settle_all(&[settlement.clone(), settlement]).await;
            }
            _ => {
                let next = world.hold(amount, &on);
                let mut tx = world.db.system("settle and hold in a test").await.unwrap();
                let settlements = [world.in_parts(hold.call, cost, &apart)];
                let (known, next_one) = (KnownPeriods::default(), std::slice::from_ref(&next));
                let batch = Batch {
                    settlements: &settlements,
                    holds: next_one,
                    known: Some(&known),
                    ..Batch::default()
                };
                let done = commit(&mut tx, &batch).await.unwrap();
                let row: OpenCall = world.row(&next, &done.held[0]);
                open_calls(&mut tx, &[row]).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    }
}

/// Looks until the racers are done; every look sees one instant of the whole.
async fn observe(world: Arc<World>, done: Arc<AtomicBool>) -> u64 {
    let mut looks = 0;
    while !done.load(Ordering::Relaxed) {
        world.assert_consistent().await;
        looks += 1;
    }
    looks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_racing_callers_never_pass_a_limit_and_lose_no_cost() {
    let world = Arc::new(World::new().await);
    let charges = Arc::new(tree(&world).await);
    let done = Arc::new(AtomicBool::new(false));
    let observer = tokio::spawn(observe(Arc::clone(&world), Arc::clone(&done)));
    let sweeper = tokio::spawn({
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        async move {
            while !done.load(Ordering::Relaxed) {
                sweep(&world.db).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let permits = Arc::new(tokio::sync::Semaphore::new(6));
    let racers = (0..RACERS).map(|racer| {
        let (world, charges) = (Arc::clone(&world), Arc::clone(&charges));
        let permits = Arc::clone(&permits);
        tokio::spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            race(world, charges, racer).await;
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(observer.await.unwrap() > 0);
    sweeper.await.unwrap();
    sweep(&world.db).await.unwrap();

    world.assert_consistent().await;
    for charge in charges.iter() {
        let counts = world.counts(charge).await;
        assert_eq!(counts.held, 0, "{counts:?}");
        assert!(counts.spent > 0, "{counts:?}");
        assert!(!charge.hard || Money::nanos(counts.spent) <= charge.limit, "{counts:?}");
    }
    let seen = verify(&world.db, Some(world.org)).await.unwrap();
    assert_eq!(seen.periods, charges.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_dropped_holds_nothing() {
    let world = World::new().await;
    let charge = world.daily(100, true).await;
    world.opened(10, std::slice::from_ref(&charge)).await;
    let mut tx = world.db.system("hold and vanish in a test").await.unwrap();
    hold_all(&mut tx, &[world.hold(80, std::slice::from_ref(&charge))]).await.unwrap();
    drop(tx);
    world.opened(90, std::slice::from_ref(&charge)).await;
    assert_eq!(world.counts(&charge).await.held, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn limits_that_change_and_budgets_that_go_while_calls_race_stop_no_call() {
    let world = Arc::new(World::new().await);
    let charges = Arc::new(tree(&world).await);
    let budgets = world.budgets(Clock::system()).await;
    let scope = Access::internal(world.org);
    let racers = (0..12).map(|racer| {
        let (world, charges) = (Arc::clone(&world), Arc::clone(&charges));
        tokio::spawn(async move { race(world, charges, racer).await })
    });
    let racers: Vec<_> = racers.collect();
    for turn in 0..10 {
        let change =
            UpdateBudget { limit: Some(Money::nanos(50_000 + turn)), hard: None, degrade_at: None };
        budgets.update(&scope, charges[0].budget, change).await.unwrap();
        if turn == 5 {
            budgets.delete(&scope, charges[2].budget).await.unwrap();
        }
    }
    for racer in racers {
        racer.await.unwrap();
    }
    world.assert_consistent().await;
    world.opened(1, &charges).await;
    let mut tx = world.db.system("read a test's limits").await.unwrap();
    let stale = sqlx::query_scalar!(
        r#"select count(*) as "n!" from budget b
           join budget_period p on p.org_id = b.org_id and p.budget_id = b.id
           where p.spend_limit <> b.spend_limit"#
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(stale, 0);
}
