//! Nodes that keep money in hand: what they send before it is recorded is covered, whatever happens.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ralex_access::Access;
use ralex_kernel::{Clock, Money};
use tokio::sync::Mutex;

use super::node::Node;
use super::world::{World, pick};
use crate::{Charge, Claim, Committed, Extended, HoldOutcome, give_back, in_living_hands, verify};

#[tokio::test]
async fn the_second_call_goes_out_by_what_the_first_one_left_in_hand() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await, world.daily(8_000, true).await];
    let node = Node::new(&world).await;
    let hold = world.hold(10, &charges);
    assert_eq!(node.promise(hold.clone()).claim, Claim::Patient);
    node.write(Some(&hold), false).await;
    let next = node.promise(world.hold(10, &charges));
    assert_eq!(next.claim, Claim::Promised);
    world.assert_consistent().await;
    let before = (world.counts(&charges[0]).await.held, world.leased(&charges[0]).await);
    node.write(Some(&next), false).await;
    assert_eq!(world.counts(&charges[0]).await.held, before.0 + 10);
    assert_eq!(world.leased(&charges[0]).await, before.1, "what was taken is put back");
    world.assert_consistent().await;
}

#[tokio::test]
async fn what_is_in_hand_is_no_more_than_a_part_of_what_is_left() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(120, &charges).await;
    assert_eq!(world.leased(&charges[0]).await, (1_000 - 120) / 8);
    assert_eq!(node.promise(world.hold(120, &charges)).claim, Claim::Patient);
}

#[tokio::test]
async fn soft_budgets_need_nothing_in_hand() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, false).await];
    let node = Node::new(&world).await;
    node.open(world.hold(5_000, &charges)).await;
    let next = node.promise(world.hold(5_000, &charges));
    assert_eq!(next.claim, Claim::Promised);
    node.write(Some(&next), false).await;
    assert_eq!(
        (world.counts(&charges[0]).await.held, world.leased(&charges[0]).await),
        (10_000, 0)
    );
}

#[tokio::test]
async fn nobody_is_refused_what_another_node_has_in_hand() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let (one, other) = (Node::new(&world).await, Node::new(&world).await);
    one.warm_up(20, &charges).await;
    let rest = world.hold(980, &charges);
    let held = other.open(rest.clone()).await;
    let HoldOutcome::Later(keys) = held else { panic!("{held:?}") };
    assert_eq!(world.counts(&charges[0]).await.refused, 0);
    one.leases.recall(keys[0]);
    assert!(one.leases.owe());
    one.write(None, false).await;
    assert_eq!(world.leased(&charges[0]).await, 0);
    assert!(matches!(other.open(rest).await, HoldOutcome::Held { .. }));
    // Whoever was short of it once is not hindered again at once.
    let refused = one.write(Some(&world.hold(1, &charges)), true).await;
    assert!(matches!(refused.held[0], HoldOutcome::Refused(_)), "{refused:?}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_call_that_waits_is_told_of_every_budget_that_others_have_in_hand() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await, world.daily(900, true).await];
    let (one, other) = (Node::new(&world).await, Node::new(&world).await);
    one.warm_up(20, &charges).await;
    let held = other.open(world.hold(880, &charges)).await;
    assert!(matches!(held, HoldOutcome::Later(ref keys) if keys.len() == 1), "{held:?}");
    let both = [charges[1].clone(), world.daily(890, true).await];
    one.warm_up(10, &both).await;
    let held = other.open(world.hold(869, &both)).await;
    assert!(matches!(held, HoldOutcome::Later(ref keys) if keys.len() == 2), "{held:?}");
}

#[tokio::test]
async fn a_call_under_way_waits_for_what_another_node_has_in_hand() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    let call = world.hold(100, &charges);
    node.open(call.clone()).await;
    let (left, leased) = (1_000 - 120, world.leased(&charges[0]).await);
    let too_much = world.extend_patiently(call.call, left + 1).await;
    assert_eq!(too_much, Extended::Refused { short: Some(charges[0].budget) });
    let more = world.extend_patiently(call.call, left).await;
    let Extended::Later(keys) = more else { panic!("{more:?}") };
    assert_eq!(world.extend_patiently(call.call, left - leased).await, held(100 + left - leased));
    node.leases.recall(keys[0]);
    node.write(None, false).await;
    assert_eq!(world.extend_patiently(call.call, leased).await, held(100 + left));
    world.assert_consistent().await;
}

fn held(amount: i64) -> Extended {
    Extended::Held { held: Money::nanos(amount) }
}

#[tokio::test]
async fn nodes_that_die_one_after_another_withhold_no_more_than_a_share() {
    let world = Arc::new(World::new().await);
    let left = 10_000;
    let charges = [world.daily(left, true).await];
    for _ in 0..30 {
        let node = Node::new(&world).await;
        let hold = world.hold(100, &charges);
        node.open(hold.clone()).await;
        world.settle(hold.call, 0).await;
    }
    let leased = world.leased(&charges[0]).await;
    assert!(leased > 0 && leased <= left / 4, "{leased} of {left}");
    let rest = Node::new(&world).await.open(world.hold(left - leased, &charges)).await;
    assert!(matches!(rest, HoldOutcome::Held { .. }), "{rest:?}");
    world.assert_consistent().await;
}

#[tokio::test]
async fn what_a_silent_node_has_in_hand_is_not_waited_for() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    let keys = [charges[0].key(world.org)];
    let mut tx = world.db.system("ask in a test").await.unwrap();
    assert_eq!(in_living_hands(&mut tx, &keys).await.unwrap(), HashSet::from(keys));
    let (id, silent) = (node.id.uuid(), "update node set seen_at = now() - interval '16 seconds'");
    let silent = format!("{silent} where id = '{id}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(silent)).execute(&mut *tx).await.unwrap();
    assert_eq!(in_living_hands(&mut tx, &keys).await.unwrap(), HashSet::new());
}

#[tokio::test]
async fn what_this_node_has_in_hand_is_not_withheld_from_its_own_calls() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    let rest = node.promise(world.hold(980, &charges));
    assert!(matches!(node.write(Some(&rest), true).await.held[0], HoldOutcome::Held { .. }));
    assert_eq!(world.leased(&charges[0]).await, 0);
    world.assert_consistent().await;
}

#[tokio::test]
async fn what_a_dead_node_had_in_hand_counts_as_spent_once() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    let leased = world.leased(&charges[0]).await;
    node.die().await;
    node.die().await;
    assert_eq!(
        (world.leased(&charges[0]).await, world.counts(&charges[0]).await.spent),
        (0, leased)
    );
    assert_eq!(world.events("budget.lease_lost").await, 1);
    world.assert_consistent().await;
    // It was not dead after all: what it promised since is held beside what was given up.
    let late = node.promise(world.hold(20, &charges));
    assert_eq!(late.claim, Claim::Promised);
    assert!(matches!(node.write(Some(&late), false).await.held[0], HoldOutcome::Held { .. }));
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_promise_that_nothing_is_left_for_is_kept_beyond_the_limit_and_told_as_such() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let (node, other) = (Node::new(&world).await, Node::new(&world).await);
    node.warm_up(20, &charges).await;
    node.die().await;
    let spent = world.counts(&charges[0]).await.spent;
    let rest = other.open(world.hold(980 - spent, &charges)).await;
    assert!(matches!(rest, HoldOutcome::Held { .. }), "{rest:?}");
    let late = node.promise(world.hold(20, &charges));
    assert!(matches!(node.write(Some(&late), false).await.held[0], HoldOutcome::Beyond { .. }));
    world.assert_consistent().await;
    world.settle(late.call, 15).await;
    assert_eq!(world.counts(&charges[0]).await.overrun, 15);
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_node_that_ends_gives_everything_back() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    give_back(&world.db, node.id).await.unwrap();
    assert_eq!(world.leased(&charges[0]).await, 0);
    assert_eq!(world.counts(&charges[0]).await.spent, 0);
    world.assert_consistent().await;
}

#[tokio::test]
async fn a_node_that_is_about_to_end_gives_back_at_once_and_sends_nothing_ahead() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    let under_way = node.promise(world.hold(20, &charges));
    node.leases.retire();
    assert_eq!(node.promise(world.hold(20, &charges)).claim, Claim::Patient);
    node.write(None, false).await;
    assert_eq!(world.leased(&charges[0]).await, 20, "what it promised");
    assert!(matches!(node.write(Some(&under_way), false).await.held[0], HoldOutcome::Held { .. }));
    assert_eq!(world.leased(&charges[0]).await, 0);
    world.assert_consistent().await;
}

#[tokio::test]
async fn nobody_is_taken_for_dead_while_none_can_say_that_they_live() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(1_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(10, &charges).await;
    let leased = world.leased(&charges[0]).await;
    node.silence().await;
    // Nothing could be said for twenty seconds, which the first who can say something again notes.
    world.hush(20, 40).await;
    Node::new(&world).await;
    world.sweep_leases().await;
    assert_eq!(world.leased(&charges[0]).await, leased);
    // Nodes came and went, none of them for long, and one or the other could always say so.
    world.hush(8, 40).await;
    Node::new(&world).await;
    world.sweep_leases().await;
    assert_eq!((world.leased(&charges[0]).await, world.lost(&charges[0]).await), (0, leased));
}

#[tokio::test]
async fn after_a_batch_in_doubt_nothing_is_in_hand_until_one_is_written() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    let promised = node.promise(world.hold(20, &charges));
    node.leases.unsure();
    assert_eq!(node.promise(world.hold(20, &charges)).claim, Claim::Patient);
    assert!(node.leases.owe() && !node.leases.are_settled());
    let done = node.write(Some(&promised), false).await;
    assert!(matches!(done.held[0], HoldOutcome::Held { .. }), "{done:?}");
    world.assert_consistent().await;
    assert!(node.leases.are_settled());
}

#[tokio::test]
async fn what_is_not_used_goes_back_at_the_second_look() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(20, &charges).await;
    node.leases.look();
    node.leases.look();
    assert!(node.leases.owe());
    node.write(None, false).await;
    assert_eq!(world.leased(&charges[0]).await, 0);
}

#[tokio::test]
async fn a_limit_can_be_lowered_to_what_is_gone_though_nodes_have_more_in_hand() {
    let world = Arc::new(World::new().await);
    let charges = [world.daily(10_000, true).await];
    let node = Node::new(&world).await;
    node.warm_up(1_000, &charges).await;
    let budgets = world.budgets(Clock::system()).await;
    let hears = tokio::spawn({
        let node = Arc::clone(&node);
        async move {
            let hears = node.leases.hear(&node.world.db);
            let gives = async {
                loop {
                    node.leases.due().await;
                    node.write(None, false).await;
                }
            };
            tokio::join!(hears, gives)
        }
    });
    let scope = Access::internal(world.org);
    let limit = Some(Money::nanos(1_000));
    let change = ralex_api::budgets::UpdateBudget { limit, hard: None, degrade_at: None };
    let changed = budgets.update(&scope, charges[0].budget, change).await;
    let changed = changed.unwrap().now().unwrap();
    assert_eq!((changed.limit, changed.held), (Money::nanos(1_000), Money::nanos(1_000)));
    world.assert_consistent().await;
    hears.abort();
}

fn is_later(done: &Committed) -> bool {
    matches!(done.held[0], HoldOutcome::Later(_))
}

const CALLERS: u64 = 120;
const ROUNDS: u64 = 6;

struct Race {
    world: Arc<World>,
    charges: Vec<Charge>,
    nodes: Vec<Mutex<Arc<Node>>>,
    /// What was sent and never written down, for each charge.
    unrecorded: Vec<AtomicI64>,
}

async fn call(race: Arc<Race>, caller: u64) {
    let Race { world, charges, nodes, unrecorded } = &*race;
    for round in 0..ROUNDS {
        let seed = caller * 1_000 + round;
        let at = usize::try_from(pick(seed, 3)).unwrap();
        let depth = usize::try_from(1 + pick(seed + 1, 3)).unwrap();
        let amount = 1 + pick(seed + 2, 100);
        let node = Arc::clone(&*nodes[at].lock().await);
        let hold = node.promise(world.hold(amount, &charges[..depth]));
        let mut written = None;
        if hold.claim == Claim::Promised && pick(seed + 3, 40) == 0 {
            // Sent, and the node dies before anybody writes that down.
            let mut place = nodes[at].lock().await;
            // Another call of the same node may have ended it before this one.
            if Arc::ptr_eq(&place, &node) {
                *place = Node::new(world).await;
            }
            drop(place);
            node.stop().await;
            node.die().await;
        } else {
            written = node.try_write(Some(&hold), false).await;
            if written.as_ref().is_some_and(is_later) {
                written = node.try_write(Some(&hold), true).await;
            }
        }
        let Some(written) = written else {
            for counted in &unrecorded[..depth] {
                let sent = if hold.claim == Claim::Promised { amount } else { 0 };
                counted.fetch_add(sent, Ordering::Relaxed);
            }
            continue;
        };
        let held = &written.held[0];
        if let HoldOutcome::Held { .. } = held {
            world.settle(hold.call, pick(seed + 4, amount + 1)).await;
        }
        world.assert_consistent().await;
    }
}

/// Three nodes, callers that race on a tree of limits, and nodes that die between sending and
/// recording.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_dying_nodes_sent_without_a_record_is_covered_and_no_limit_is_passed() {
    let world = Arc::new(World::new().await);
    let (team, token) = (world.team, world.token);
    let charges = vec![
        world.budget((None, None, None), 60_000, true).await,
        world.budget((Some(team), None, None), 40_000, true).await,
        world.budget((None, None, Some(token)), 30_000, true).await,
    ];
    let mut first = Vec::new();
    for _ in 0..3 {
        first.push(Node::new(&world).await);
    }
    let nodes = first.into_iter().map(Mutex::new).collect();
    let unrecorded = charges.iter().map(|_| AtomicI64::default()).collect();
    let race = Arc::new(Race { world: Arc::clone(&world), charges, nodes, unrecorded });
    // One surely dies in the middle, whatever the race makes of the others.
    let first = Node::new(&world).await;
    first.warm_up(100, &race.charges).await;
    assert_eq!(first.promise(world.hold(100, &race.charges)).claim, Claim::Promised);
    first.stop().await;
    first.die().await;
    for counted in &race.unrecorded {
        counted.fetch_add(100, Ordering::Relaxed);
    }
    let callers = (0..CALLERS).map(|caller| tokio::spawn(call(Arc::clone(&race), caller)));
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    for place in &race.nodes {
        place.lock().await.die().await;
    }
    let found = verify(&world.db, None).await.unwrap();
    assert_eq!(found.differences, []);
    for (charge, unrecorded) in race.charges.iter().zip(&race.unrecorded) {
        let sent = unrecorded.load(Ordering::Relaxed);
        assert!(sent > 0 && world.lost(charge).await >= sent, "{sent}");
        assert_eq!(world.leased(charge).await, 0);
    }
}
