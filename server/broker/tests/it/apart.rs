//! Budgets of one model or provider, while calls are tried at several.

use std::time::Duration;

use ralex_api::budgets::{Budget, NewBudget};
use ralex_api::page::PageQuery;
use ralex_api::usage::CallsQuery;
use ralex_broker::{Answered, Failure, Resilience};
use ralex_kernel::{Code, Money, Period};
use ralex_tests::upstream::{Script, Upstream};

use crate::world::World;

const BOTH: &[&str] = &["first", "second"];

/// Two models of two providers, each with a budget of its own beside one of all.
async fn pair(limits: [&str; 2]) -> (World, Upstream) {
    pair_with(limits, Resilience::default()).await
}

async fn pair_with(limits: [&str; 2], resilience: Resilience) -> (World, Upstream) {
    let world = World::with(resilience).await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    world.provider("first", &upstream, &["key-of-first"]).await;
    world.provider("second", &upstream, &["key-of-second"]).await;
    world.budget("1").await;
    let of_model = NewBudget {
        scope: "org".to_owned(),
        model: Some("first".to_owned()),
        provider: None,
        period: Period::Total,
        year_start: None,
        degrade_at: None,
        limit: limits[0].parse().unwrap(),
        hard: true,
        days: None,
        carry_over: false,
        carry_over_at_most: None,
        time_zone: None,
    };
    let (model, provider) = (None, Some("second".to_owned()));
    let limit = limits[1].parse().unwrap();
    let of_provider = NewBudget { model, provider, limit, ..of_model.clone() };
    for new in [of_model, of_provider] {
        world.budgets.create(&world.scope, new).await.unwrap();
    }
    (world, upstream)
}

/// Those of all, of the first model and of the second provider.
async fn budgets(world: &World) -> [Budget; 3] {
    world.broker.settle_before_reading().await;
    let page = world.budgets.list(&world.scope, &PageQuery::default()).await.unwrap();
    page.items.try_into().unwrap()
}

fn model(answered: Result<Answered, Failure>) -> String {
    match answered {
        Ok(Answered::Whole { about, .. }) => about.model,
        Ok(Answered::Stream { .. }) => panic!("it was to be whole"),
        Err(failure) => panic!("{:?}", failure.problem),
    }
}

fn failed(answered: Result<Answered, Failure>) -> Failure {
    match answered {
        Ok(_) => panic!("it was answered"),
        Err(failure) => failure,
    }
}

fn status(status: u16) -> Script {
    Script { status: Some(status), ..Script::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_try_is_paid_by_the_budget_of_the_model_that_was_asked() {
    let (world, upstream) = pair(["1", "1"]).await;
    assert_eq!(model(world.call_among(BOTH, false).await), "first");
    let [all, first, second] = budgets(&world).await;
    assert!(first.spent.is_positive() && second.spent == Money::ZERO, "{first:?} {second:?}");
    assert_eq!(all.spent, first.spent);

    // What timed out may have been worked on, so its input is paid.
    upstream.script_for("first", Script { delay_first_ms: 5_000, ..Script::default() });
    assert_eq!(model(world.call_among(BOTH, false).await), "second");
    let [after, first_after, second] = budgets(&world).await;
    assert!(first_after.spent > first.spent && second.spent.is_positive(), "{first_after:?}");
    assert_eq!(after.spent, first_after.spent + second.spent);
    let held = [after.held, first_after.held, second.held];
    assert_eq!(held, [Money::ZERO; 3]);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_budget_is_spent_gives_way_to_the_next_and_the_record_says_why() {
    let (world, upstream) = pair(["0.000001", "1"]).await;
    assert_eq!(model(world.call_among(BOTH, false).await), "second");
    assert!(upstream.requests("first").is_empty());
    let [all, first, second] = budgets(&world).await;
    assert_eq!((first.spent, first.held, first.refused), (Money::ZERO, Money::ZERO, 1));
    assert_eq!((all.spent, all.refused), (second.spent, 0));
    let tries = world.tries().await;
    let of = |at: usize| (tries[at].0.as_str(), tries[at].1.as_str(), tries[at].2.as_str());
    assert_eq!(of(0), ("first", "choice", "budget_exhausted"));
    assert_eq!(of(1), ("second", "fallback", "success"));
    let calls = world.budgets.calls(&world.scope, &CallsQuery::default()).await.unwrap();
    assert_eq!(calls.items.len(), 1, "one call, opened once");
    let story = world.budgets.call(&world.scope, calls.items[0].id).await.unwrap();
    let note = story.tries[0].note.as_deref().unwrap_or_default();
    assert_eq!(note, "the total budget of org for the model first has not enough left");
    assert_eq!(calls.items[0].attempts, 1, "who was not asked was not tried");
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_without_room_is_not_asked_and_the_failure_names_its_budget() {
    let (world, upstream) = pair(["1", "0.000001"]).await;
    upstream.script_for("first", status(500));
    let failure = failed(world.call_among(BOTH, false).await);
    assert_eq!(failure.problem.code, Code::UpstreamError);
    let named = "second was not asked: the total budget of org for the provider second has not";
    assert!(failure.problem.detail.contains(named), "{}", failure.problem.detail);
    assert!(failure.upstream.is_none() && upstream.requests("second").is_empty());
    let last = world.tries().await.pop().unwrap();
    assert_eq!(last.2, "budget_exhausted", "{last:?}");
    let [all, first, second] = budgets(&world).await;
    assert_eq!([all.held, first.held, second.held], [Money::ZERO; 3]);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_model_has_anything_left_the_refusal_names_every_budget_and_is_recorded_once() {
    let (world, upstream) = pair(["0.000001", "0.000001"]).await;
    let failure = failed(world.call_among(BOTH, false).await);
    assert_eq!(failure.problem.code, Code::BudgetExhausted);
    let said = &failure.problem.detail;
    assert!(said.contains("org for the provider second has not enough left"), "{said}");
    assert!(said.contains("first was not asked: the total budget of org for the model"), "{said}");
    assert!(upstream.requests("first").is_empty() && upstream.requests("second").is_empty());
    assert_eq!(world.log("call.refused").await.len(), 1);
    assert_eq!(world.states().await.len(), 1);
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hedge_holds_on_the_budget_of_its_own_model_or_is_not_sent() {
    let hedge_after = Some(Duration::from_millis(20));
    let resilience = Resilience { hedge_after, ..Resilience::default() };
    let (world, upstream) = pair_with(["1", "1"], resilience).await;
    upstream.script_for("first", Script { delay_first_ms: 500, ..Script::default() });
    assert_eq!(model(world.call_among(BOTH, false).await), "second");
    let [all, first, second] = budgets(&world).await;
    assert!(second.spent.is_positive(), "{second:?}");
    assert_eq!(all.spent, first.spent + second.spent);
    world.adds_up().await;

    let (world, upstream) = pair_with(["1", "0.000001"], resilience).await;
    upstream.script_for("first", Script { delay_first_ms: 500, ..Script::default() });
    assert_eq!(model(world.call_among(BOTH, false).await), "first");
    assert!(upstream.requests("second").is_empty());
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_s_budget_is_never_passed_by_many_at_once() {
    let (world, _upstream) = pair(["0.01", "0.005"]).await;
    let calls = (0..60).map(|_| world.call_among(BOTH, false));
    let answered = futures_util::future::join_all(calls).await;
    let refused = answered.iter().filter(|it| it.is_err()).count();
    let [all, first, second] = budgets(&world).await;
    assert!(first.spent <= first.limit && second.spent <= second.limit, "{first:?} {second:?}");
    assert_eq!(all.spent, first.spent + second.spent);
    assert!(refused > 0 && second.spent.is_positive(), "{refused} {second:?}");
    let now = model(world.call_among(&["second", "first"], false).await);
    assert!(now == "first" || now == "second");
    world.adds_up().await;
}
