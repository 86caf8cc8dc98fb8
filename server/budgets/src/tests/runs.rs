//! Budgets per run: each run is counted by itself, under the name that its callers give it.

use chrono::Utc;
use ralex_access::Access;
use ralex_api::budgets::{BudgetRun, NewIncrease, UpdateBudget};
use ralex_api::page::PageQuery;
use ralex_kernel::{BudgetId, Clock, Code, Money, Period, ScopePath, UserId};

use super::kinds::new;
use super::world::World;
use crate::{Budgets, Charge, HoldOutcome, Spender};

const ANYBODY: Spender<'_> = Spender::anybody(ScopePath::Org);

async fn world(limit: i64) -> (World, Budgets, BudgetId) {
    let world = World::new().await;
    let budgets = world.budgets(Clock::system()).await;
    let made = budgets.create(&Access::internal(world.org), new("org", Period::Run, limit)).await;
    (world, budgets, made.unwrap().id)
}

async fn on(world: &World, budgets: &Budgets, spender: Spender<'_>) -> Vec<Charge> {
    budgets.applicable(world.org, &spender, Utc::now()).await.unwrap()
}

async fn listed(world: &World, budgets: &Budgets, id: BudgetId) -> Vec<BudgetRun> {
    let page = PageQuery { cursor: None, limit: None };
    budgets.runs(&Access::internal(world.org), id, &page).await.unwrap().items
}

#[tokio::test]
async fn each_run_is_counted_by_itself_and_a_call_without_one_by_none() {
    let (world, budgets, id) = world(100).await;
    assert_eq!(on(&world, &budgets, ANYBODY).await, []);
    let named = |run| Spender { run: Some(run), ..ANYBODY };
    let (first, second) =
        (on(&world, &budgets, named("a")).await, on(&world, &budgets, named("b")).await);
    assert_ne!(first[0].starts_at, second[0].starts_at);
    let call = world.opened(70, &first).await;
    world.settle(call, 60).await;
    let refused = world.open(&[world.hold(41, &first)]).await.remove(0);
    let HoldOutcome::Refused(refusal) = refused else { panic!("{refused:?}") };
    let said = refusal.problem().detail;
    assert!(said.contains("The per-run budget of org") && said.contains("end this run"), "{said}");
    world.opened(41, &second).await;
    world.opened(40, &first).await;
    world.assert_consistent().await;

    let runs = listed(&world, &budgets, id).await;
    let told: Vec<_> = runs
        .iter()
        .map(|run| (run.name.as_str(), run.spent.as_nanos(), run.held.as_nanos(), run.refused))
        .collect();
    assert_eq!(told, [("b", 0, 41, 0), ("a", 60, 40, 1)]);
    let shown = budgets.find(&Access::internal(world.org), id).await.unwrap();
    assert_eq!((shown.run.as_deref(), shown.spent), (Some("a"), Money::nanos(60)));
}

#[tokio::test]
async fn whose_a_run_is_tells_it_from_others_of_its_name_on_every_node() {
    let (world, budgets, _) = world(100).await;
    let team = ScopePath::Team { team: world.team };
    let mut seen = Vec::new();
    for user in [None, Some(UserId::generate())] {
        for at in [ScopePath::Org, team] {
            seen.push(Spender { at, user, run: Some("same"), ..ANYBODY });
        }
    }
    let other = world.budgets(Clock::system()).await;
    let mut begun = std::collections::BTreeSet::new();
    for spender in &seen {
        let here = on(&world, &budgets, *spender).await;
        assert_eq!(here, on(&world, &other, *spender).await, "the other node");
        begun.insert(here[0].starts_at);
    }
    assert_eq!(begun.len(), seen.len());
}

#[tokio::test]
async fn many_that_begin_one_run_at_a_time_begin_one() {
    let (world, _, id) = world(1_000).await;
    let names = ["a", "b", "c", "d"];
    let mut all = tokio::task::JoinSet::new();
    for number in 0..24 {
        let (budgets, org) = (world.budgets(Clock::system()).await, world.org);
        let name = names[number % names.len()];
        all.spawn(async move {
            let spender = Spender { run: Some(name), ..ANYBODY };
            (name, budgets.applicable(org, &spender, Utc::now()).await.unwrap().remove(0))
        });
    }
    let found = all.join_all().await;
    for (name, charge) in &found {
        for (other, as_well) in &found {
            assert_eq!(name == other, charge.starts_at == as_well.starts_at);
        }
        world.opened(1, std::slice::from_ref(charge)).await;
    }
    let budgets = world.budgets(Clock::system()).await;
    assert_eq!(listed(&world, &budgets, id).await.len(), names.len());
}

#[tokio::test]
async fn a_new_limit_is_that_of_runs_under_way_and_takes_nothing_back() {
    let (world, budgets, id) = world(100).await;
    let scope = Access::internal(world.org);
    let run = |name| Spender { run: Some(name), ..ANYBODY };
    let (dear, cheap) =
        (on(&world, &budgets, run("dear")).await, on(&world, &budgets, run("cheap")).await);
    world.opened(90, &dear).await;
    world.opened(10, &cheap).await;
    let to =
        |limit| UpdateBudget { limit: Some(Money::nanos(limit)), hard: None, degrade_at: None };
    budgets.update(&scope, id, to(50)).await.unwrap();
    let limits = async || {
        let runs = listed(&world, &budgets, id).await;
        runs.iter().map(|run| run.limit.as_nanos()).collect::<Vec<_>>()
    };
    assert_eq!(limits().await, [50, 90], "what is gone stays covered");
    let beyond = world.open(&[world.hold(1, &dear), world.hold(41, &cheap)]).await;
    assert!(beyond.iter().all(|it| matches!(it, HoldOutcome::Refused(_))), "{beyond:?}");
    world.opened(40, &cheap).await;
    budgets.update(&scope, id, to(200)).await.unwrap();
    assert_eq!(limits().await, [200, 200]);
    world.opened(110, &dear).await;
    world.assert_consistent().await;
}

#[tokio::test]
async fn what_means_nothing_for_runs_is_refused_with_what_does() {
    let (world, budgets, id) = world(100).await;
    let scope = Access::internal(world.org);
    let more = NewIncrease {
        amount: Money::nanos(1),
        until: Utc::now() + chrono::TimeDelta::hours(1),
        reason: "why".into(),
    };
    let refused = budgets.increase(&scope, id, more).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.detail.contains("Change its limit"), "{refused:?}");
    let daily = budgets.create(&scope, new("org", Period::Day, 5)).await.unwrap();
    assert_eq!(listed(&world, &budgets, daily.id).await, []);
    for bad in ["", "  ", &"x".repeat(129)] {
        let refused = crate::run_name("x-ralex-run", bad).unwrap_err();
        assert_eq!(refused.errors[0].path, "x-ralex-run");
    }
    assert_eq!(crate::run_name("x-ralex-run", &"ü".repeat(128)).unwrap().chars().count(), 128);
}

#[tokio::test]
async fn a_run_that_is_over_leaves_its_name_to_another() {
    let (world, budgets, id) = world(100).await;
    let spender = Spender { run: Some("nightly"), ..ANYBODY };
    let first = on(&world, &budgets, spender).await;
    world.opened(100, &first).await;
    let mut tx = world.db.system("end a test's run").await.unwrap();
    sqlx::query!("update budget_run set ends_at = starts_at + interval '1 microsecond'")
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let later = first[0].ends_at + chrono::TimeDelta::seconds(1);
    let again = budgets.applicable(world.org, &spender, later).await.unwrap();
    assert_ne!(again[0].starts_at, first[0].starts_at);
    world.opened(100, &again).await;
    assert_eq!(listed(&world, &budgets, id).await.len(), 2);
    world.assert_consistent().await;
}
