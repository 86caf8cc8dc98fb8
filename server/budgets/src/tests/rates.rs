//! Rate limits on one and several nodes over one database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_access::{Access, Policies};
use ralex_api::rate_limits::{Measure, NewRateLimit, RateLimit, UpdateRateLimit};
use ralex_kernel::{Clock, Code, NodeId, ScopePath};
use tokio::task::{JoinHandle, JoinSet};

use super::world::{World, pick};
use crate::{Demand, Rates, Shortage, Spender, Taken};

/// A node of its own: it shares nothing with others but the database.
async fn node(world: &World) -> (Rates, JoinHandle<()>) {
    let policies = Policies::load(None).unwrap();
    let access = Access::open(world.db.clone(), policies, Clock::system()).await.unwrap();
    Rates::start(&world.db, Arc::new(access), NodeId::generate())
}

fn new(scope: &str, measure: Measure, amount: u64, window: u32) -> NewRateLimit {
    let (scope, window_seconds) = (scope.to_owned(), Some(window));
    NewRateLimit { scope, model: None, provider: None, measure, amount, window_seconds }
}

async fn made(rates: &Rates, world: &World, new: NewRateLimit) -> RateLimit {
    rates.create(&Access::internal(world.org), new).await.unwrap()
}

/// What a call in the team needs.
async fn demands(rates: &Rates, world: &World, input: u64, output: u64) -> Vec<Demand> {
    let at = ScopePath::Team { team: world.team };
    let spender = Spender::anybody(at);
    let limits = rates.applicable(world.org, &spender).await.unwrap();
    let demand = |limit: Arc<crate::Limit>| {
        let units = limit.units(1, input, output);
        Demand { limit, units }
    };
    limits.into_iter().map(demand).collect()
}

async fn used(rates: &Rates, world: &World, limit: &RateLimit) -> u64 {
    rates.find(&Access::internal(world.org), limit.id).await.unwrap().used
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_nodes_never_let_through_more_than_a_limit_and_hardly_less() {
    let world = World::new().await;
    let (first, first_task) = node(&world).await;
    let wide = made(&first, &world, new("org", Measure::Tokens, 50_000, 3_600)).await;
    let tight = made(&first, &world, new("team:platform", Measure::Requests, 100, 3_600)).await;
    let (second, second_task) = node(&world).await;
    let (third, _third) = node(&world).await;
    let mut racing = JoinSet::new();
    for caller in 0..300_u64 {
        let rates = [&first, &second, &third][usize::try_from(caller % 3).unwrap()].clone();
        let demands = demands(&rates, &world, 100, 400).await;
        racing.spawn(async move {
            let taken = match rates.take(&demands).await {
                Ok(taken) => taken,
                Err(Shortage::NoRoom { .. }) => return (0, 0),
                Err(other) => panic!("{other:?}"),
            };
            tokio::task::yield_now().await;
            // Some calls are given up, and the others need less than they might have.
            if pick(caller, 4) == 0 {
                return (0, 0);
            }
            let tokens = pick(caller, 500).unsigned_abs();
            taken.settle(|limit| if limit.measure == Measure::Requests { 1 } else { tokens });
            (1, tokens)
        });
    }
    let done = racing.join_all().await;
    let requests: u64 = done.iter().map(|it| it.0).sum();
    let tokens: u64 = done.iter().map(|it| it.1).sum();
    assert!(requests <= 100, "{requests} of 100");
    // What was given up goes back and is taken again by others who ask.
    while first.take(&demands(&first, &world, 1, 1).await).await.map(done_with_one).is_ok() {}
    drop((first, second));
    first_task.await.unwrap();
    second_task.await.unwrap();
    let now = used(&third, &world, &tight).await;
    assert!((95..=100).contains(&now), "{now} of 100");
    assert!(used(&third, &world, &wide).await >= tokens, "every token counts");
}

fn done_with_one(taken: Taken) {
    taken.settle(|_| 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_no_second_more_is_let_through_than_a_limit_per_second() {
    const AMOUNT: u64 = 20;
    let world = World::new().await;
    let (first, _first) = node(&world).await;
    made(&first, &world, new("org", Measure::Requests, AMOUNT, 1)).await;
    let (second, _second) = node(&world).await;
    let let_through = Arc::new(Mutex::new(Vec::new()));
    let until = Instant::now() + Duration::from_secs(4);
    let mut racing = JoinSet::new();
    for caller in 0..8 {
        let rates = if caller % 2 == 0 { first.clone() } else { second.clone() };
        let demands = demands(&rates, &world, 1, 1).await;
        let let_through = Arc::clone(&let_through);
        racing.spawn(async move {
            while Instant::now() < until {
                let before = Instant::now();
                if let Ok(taken) = rates.take(&demands).await {
                    let_through.lock().push((before, Instant::now()));
                    taken.settle(|_| 1);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    racing.join_all().await;
    let mut seen = let_through.lock().clone();
    seen.sort_unstable();
    // Taken after `before` and no later than `after`: so many surely fell within one second.
    for (at, (_, first)) in seen.iter().enumerate() {
        let begins = seen.get(at).unwrap().0;
        let within = seen.iter().filter(|(before, after)| {
            *before >= begins && *after < begins + Duration::from_secs(1)
        });
        assert!(within.count() as u64 <= AMOUNT, "within the second after {first:?}");
    }
    let most = usize::try_from(AMOUNT).unwrap() * 4;
    assert!(seen.len() > most / 2, "{} in four seconds of {AMOUNT} each", seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_had_taken_when_it_died_counts_until_it_has_left_the_window() {
    let world = World::new().await;
    let (dying, task) = node(&world).await;
    let limit = made(&dying, &world, new("org", Measure::Requests, 10, 3_600)).await;
    let demands = demands(&dying, &world, 1, 1).await;
    let mut taken = Vec::new();
    for _ in 0..6 {
        taken.push(dying.take(&demands).await.ok().unwrap());
    }
    task.abort();
    std::mem::forget(taken);
    let (living, _living) = node(&world).await;
    let mut more = Vec::new();
    while let Ok(one) = living.take(&demands).await {
        more.push(one);
    }
    // The dead may have had a little more in hand than its calls had taken.
    assert!((2..=4).contains(&more.len()), "{} beside six of ten", more.len());
    assert_eq!(used(&living, &world, &limit).await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_is_short_and_when_to_come_again() {
    let world = World::new().await;
    let (rates, task) = node(&world).await;
    let limit = made(&rates, &world, new("team:platform", Measure::OutputTokens, 1_000, 60)).await;
    let small = demands(&rates, &world, 5, 900).await;
    let taken = rates.take(&small).await.ok().unwrap();
    let Err(refused) = rates.take(&small).await else { panic!("only a hundred are left") };
    let problem = refused.problem();
    assert_eq!((problem.status, problem.code), (429, Code::RateLimited));
    assert!((55..=62).contains(&problem.retry_after.unwrap()), "{:?}", problem.retry_after);
    let detail = &problem.detail;
    assert!(detail.contains("team:platform for 1000 output tokens in 60 s"), "{detail}");
    taken.settle(|_| 10);
    assert!(rates.take(&small).await.is_ok(), "what was not needed is there again");

    let large = demands(&rates, &world, 5, 1_001).await;
    let Err(refused) = rates.take(&large).await else { panic!("it never fits") };
    let problem = refused.problem();
    assert_eq!((problem.code, problem.retry_after), (Code::RateLimited, None));
    assert!(matches!(refused, Shortage::TooLarge { .. }));

    let scope = Access::internal(world.org);
    let change = UpdateRateLimit { amount: 2_000 };
    assert_eq!(rates.update(&scope, limit.id, change).await.unwrap().amount, 2_000);
    let standing = rates.take(&small).await.ok().unwrap().standing();
    assert_eq!(standing[0].measure, Measure::OutputTokens);
    // The refusals are written with what is given back.
    drop(rates);
    task.await.unwrap();
    let (rates, _task) = node(&world).await;
    assert_eq!(rates.find(&scope, limit.id).await.unwrap().refused, 2);
    rates.delete(&scope, limit.id).await.unwrap();
    assert_eq!(rates.find(&scope, limit.id).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_by_its_name() {
    let world = World::new().await;
    let (rates, _task) = node(&world).await;
    let scope = Access::internal(world.org);
    for (new, field) in [
        (new("org", Measure::Requests, 0, 60), "amount"),
        (new("org", Measure::Requests, u64::MAX, 60), "amount"),
        (new("org", Measure::Requests, 1, 0), "window_seconds"),
        (new("org", Measure::Requests, 1, 2_678_401), "window_seconds"),
        (new("galaxy", Measure::Requests, 1, 60), "scope"),
        (new("team:nobody", Measure::Requests, 1, 60), "scope"),
        (NewRateLimit { model: Some("none".into()), ..new("org", Measure::Tokens, 1, 1) }, "model"),
    ] {
        let problem = rates.create(&scope, new).await.unwrap_err();
        assert_eq!(problem.errors[0].path, field, "{problem:?}");
    }
    let page = ralex_api::page::PageQuery::default();
    assert_eq!(rates.list(&scope, &page).await.unwrap().items, []);
}
