//! Choices on a real book of models, with routes from the database.

use ralex_api::catalog::{Modality, ModelCapability, NewModel, ProviderKind};
use ralex_api::routing::{
    Escalation, NewAlias, NewRoute, Pick, PreferenceRules, Refusal, RouteSpec, RouteStep,
    RouteTarget, RoutingSettings, SetPreference, Share, Signal, Via,
};
use ralex_kernel::{Code, Problem, ScopePath};

use super::*;
use crate::breaker::{Place, Verdict};
use crate::testing::World;
use crate::{Tried, escalate};

/// A small model for a tenth of a dollar, a middle one, and a large one that can do all.
async fn world() -> World {
    let world = World::new().await;
    world.provider("sim", ProviderKind::SIMULATED, None).await.unwrap();
    let tools = [ModelCapability::Tools, ModelCapability::JsonSchema];
    world.rated("small", "0.1", (35, 5), &tools).await;
    world.rated("middle", "2", (62, 3), &tools).await;
    world.rated("large", "30", (92, 2), &[tools[0], tools[1], ModelCapability::Vision]).await;
    world
}

impl World {
    /// A model at so many dollars per million tokens, of this quality and speed.
    async fn rated(&self, name: &str, dollars: &str, rate: (u8, u8), can: &[ModelCapability]) {
        let new = NewModel {
            name: name.to_owned(),
            provider: "sim".to_owned(),
            upstream_model: name.to_owned(),
            input_price: dollars.parse().unwrap(),
            output_price: dollars.parse().unwrap(),
            context_window: 100_000,
            max_output: 4_096,
            quality: Some(rate.0),
            speed: Some(rate.1),
            supports: Some(can.to_vec()),
            input_modalities: can
                .contains(&ModelCapability::Vision)
                .then(|| vec![Modality::Text, Modality::Image]),
            ..NewModel::default()
        };
        self.routing.create_model(&self.scope(), new).await.unwrap();
    }

    async fn choice(&self, question: &Question<'_>) -> Result<Choice, Problem> {
        self.routing.choose(self.org, question).await
    }

    async fn names(&self, model: &str, prompt: &str) -> Vec<String> {
        let question = Question { draw: Some(7), ..asked(model, prompt) };
        names(&self.choice(&question).await.unwrap())
    }

    async fn route(&self, name: &str, spec: RouteSpec) -> Result<(), Problem> {
        let new = NewRoute { name: name.to_owned(), description: String::new(), spec };
        self.routing.create_route(&self.scope(), new).await.map(|_| ())
    }

    async fn wants(&self, rules: PreferenceRules) {
        let set = SetPreference { team: None, project: None, rules };
        self.routing.set_preference(&self.scope(), set).await.unwrap();
    }
}

fn asked<'a>(model: &'a str, prompt: &'a str) -> Question<'a> {
    Question::new(model, ScopePath::Org, Sample::of(prompt))
}

fn names(choice: &Choice) -> Vec<String> {
    choice.candidates.iter().map(|candidate| candidate.plan.name.clone()).collect()
}

fn step(when: Option<&str>, pick: Pick, targets: &[(&str, u32)]) -> RouteStep {
    let target =
        |(name, weight): &(&str, u32)| RouteTarget { name: (*name).to_owned(), weight: *weight };
    RouteStep { when: when.map(str::to_owned), pick, targets: targets.iter().map(target).collect() }
}

fn spec(steps: Vec<RouteStep>) -> RouteSpec {
    RouteSpec {
        steps,
        sticky: false,
        canary: None,
        shadow: None,
        fallbacks: Vec::new(),
        escalation: None,
    }
}

const EASY: &str = "hi";
const HARD: &str = "Prove that the distributed lock-free consensus protocol below is linearizable \
                    under Byzantine faults, give a rigorous formal proof by induction, and derive \
                    its asymptotic message complexity. It must handle partitions.";

#[tokio::test]
async fn a_named_model_is_the_choice_and_nothing_else() {
    let world = world().await;
    let choice = world.choice(&asked("middle", EASY)).await.unwrap();
    assert_eq!(names(&choice), ["middle"]);
    assert_eq!((choice.explanation.via, choice.route.as_deref()), (Via::Model, None));
    let missing = world.choice(&asked("gpt-99", EASY)).await.unwrap_err();
    assert_eq!(missing.code, Code::ModelNotFound);
    let allowed = ["small".to_owned()];
    let question = Question { allowed: Some(&allowed), ..asked("middle", EASY) };
    let refused = world.choice(&question).await.unwrap_err();
    assert_eq!(refused.code, Code::ModelNotAllowed);
    assert!(refused.detail.contains("It may use small."), "{}", refused.detail);
}

#[tokio::test]
async fn easy_calls_go_to_cheap_models_and_hard_ones_to_good_ones() {
    let world = world().await;
    assert_eq!(world.names("auto", EASY).await, ["small", "middle", "large"]);
    assert_eq!(world.names("auto", HARD).await[0], "large");
    assert_eq!(world.names("best", EASY).await[0], "large");
    assert_eq!(world.names("fast", EASY).await[0], "small");
    let choice = world.choice(&asked("auto", HARD)).await.unwrap();
    let told = &choice.explanation;
    assert_eq!((told.via, told.route.as_deref()), (Via::Auto, Some("auto")));
    assert!(told.candidates.iter().all(|one| one.score.is_some() && one.parts.is_some()));
    assert!(told.price.expected <= told.price.worst_case);
    assert!(told.task.as_ref().unwrap().difficulty >= 7, "{told:?}");
    let header = choice.header();
    assert!(header.starts_with("model=large; via=auto; route=auto; task="), "{header}");
}

#[tokio::test]
async fn the_same_call_is_always_chosen_the_same() {
    let world = world().await;
    let first = world.names("auto", HARD).await;
    for _ in 0..20 {
        assert_eq!(names(&world.choice(&asked("auto", HARD)).await.unwrap()), first);
    }
}

#[tokio::test]
async fn a_model_that_cannot_do_it_is_left_out_with_the_reason() {
    let world = world().await;
    let sample = Sample { images: 1, ..Sample::of("what is this?") };
    let question = Question { sample, ..asked("auto", "") };
    let choice = world.choice(&question).await.unwrap();
    assert_eq!(names(&choice), ["large"]);
    let why: Vec<Refusal> = choice.explanation.left_out.iter().map(|out| out.why).collect();
    assert_eq!(why, [Refusal::Vision, Refusal::Vision]);
    let sample = Sample { input_tokens: 10_000_000, ..Sample::of("x") };
    let refused = world.choice(&Question { sample, ..asked("auto", "") }).await.unwrap_err();
    assert_eq!(refused.code, Code::Unsupported);
    assert!(refused.detail.contains("its window is"), "{}", refused.detail);
}

#[tokio::test]
async fn a_token_that_may_use_one_model_gets_only_that_of_auto() {
    let world = world().await;
    let one = ["middle".to_owned()];
    let question = Question { allowed: Some(&one), ..asked("auto", EASY) };
    assert_eq!(names(&world.choice(&question).await.unwrap()), ["middle"]);
    let route = ["auto".to_owned()];
    let question = Question { allowed: Some(&route), ..asked("auto", EASY) };
    assert_eq!(world.choice(&question).await.unwrap().candidates.len(), 3);
}

#[tokio::test]
async fn aliases_lead_to_models_and_routes_and_never_in_a_circle() {
    let world = world().await;
    let scope = world.scope();
    let alias =
        |name: &str, target: &str| NewAlias { name: name.to_owned(), target: target.to_owned() };
    world.routing.create_alias(&scope, alias("gpt-4o-mini", "small")).await.unwrap();
    world.routing.create_alias(&scope, alias("cheap", "gpt-4o-mini")).await.unwrap();
    let choice = world.choice(&asked("cheap", EASY)).await.unwrap();
    assert_eq!(names(&choice), ["small"]);
    assert_eq!(choice.explanation.followed, ["cheap", "gpt-4o-mini", "small"]);
    let back = ralex_api::routing::UpdateAlias { target: "cheap".to_owned() };
    let circle = world.routing.update_alias(&scope, "gpt-4o-mini", back).await.unwrap_err();
    assert!(circle.errors[0].message.contains("in a circle"), "{circle:?}");
    let taken = world.routing.create_alias(&scope, alias("large", "small")).await.unwrap_err();
    assert_eq!(taken.code, Code::AlreadyExists);
    let unknown = world.routing.create_alias(&scope, alias("x", "nothing")).await.unwrap_err();
    assert_eq!(unknown.code, Code::InvalidRequest);
    assert_eq!(world.actions().await.iter().filter(|action| *action == "alias.set").count(), 2);
}

#[tokio::test]
async fn the_first_step_whose_condition_holds_decides() {
    let world = world().await;
    let when = Some("task.difficulty >= 6 || 'sensitive' in labels");
    let steps =
        vec![step(when, Pick::Order, &[("large", 1)]), step(None, Pick::Order, &[("small", 1)])];
    world
        .route("smart", RouteSpec { fallbacks: vec!["middle".to_owned()], ..spec(steps) })
        .await
        .unwrap();
    assert_eq!(world.names("smart", EASY).await, ["small", "middle"]);
    assert_eq!(world.names("smart", HARD).await, ["large", "middle"]);
    let bad = spec(vec![step(Some("task.difficulty >"), Pick::Order, &[("small", 1)])]);
    let refused = world.route("bad", bad).await.unwrap_err();
    assert_eq!(refused.errors[0].path, "spec.steps[0].when");
    assert!(refused.errors[0].message.starts_with("line 1, column"), "{refused:?}");
    let loops = spec(vec![step(None, Pick::Order, &[("small", 1), ("loop", 1)])]);
    assert_eq!(world.route("loop", loops).await.unwrap_err().code, Code::InvalidRequest);
}

#[tokio::test]
async fn weights_share_calls_out_and_a_session_stays() {
    let world = world().await;
    let weighted = step(None, Pick::Weighted, &[("small", 3), ("large", 1)]);
    world.route("split", RouteSpec { sticky: true, ..spec(vec![weighted]) }).await.unwrap();
    let (mut small, mut stays) = (0, std::collections::BTreeSet::new());
    for draw in 0..400 {
        let question = Question { draw: Some(draw), ..asked("split", EASY) };
        let choice = world.choice(&question).await.unwrap();
        assert_eq!(choice.candidates.len(), 2, "the other is the fallback");
        small += usize::from(names(&choice)[0] == "small");
        let question = Question { session: Some("s-1"), ..question };
        stays.insert(names(&world.choice(&question).await.unwrap())[0].clone());
    }
    assert!((250..350).contains(&small), "{small} of 400");
    assert_eq!(stays.len(), 1, "one session, one model");
}

#[tokio::test]
async fn a_canary_and_a_shadow_get_their_share() {
    let world = world().await;
    let share = |model: &str, percent| Some(Share { model: model.to_owned(), percent });
    let base = spec(vec![step(None, Pick::Order, &[("middle", 1)])]);
    let spec = RouteSpec { canary: share("large", 20.0), shadow: share("small", 50.0), ..base };
    world.route("careful", spec).await.unwrap();
    let (mut canaries, mut shadows) = (0, 0);
    for draw in 0..300 {
        let question = Question { draw: Some(draw), ..asked("careful", EASY) };
        let choice = world.choice(&question).await.unwrap();
        canaries += usize::from(names(&choice) == ["large", "middle"]);
        shadows += usize::from(choice.shadow.is_some_and(|plan| plan.name == "small"));
    }
    assert!((35..90).contains(&canaries) && (110..190).contains(&shadows), "{canaries} {shadows}");
}

#[tokio::test]
async fn what_is_banned_or_must_stay_somewhere_is_not_chosen_however_it_is_named() {
    let world = world().await;
    let banned = PreferenceRules { banned: vec!["small".to_owned()], ..PreferenceRules::default() };
    world.wants(banned).await;
    assert_eq!(world.names("auto", EASY).await, ["middle", "large"]);
    for question in [
        asked("small", EASY),
        Question { force_model: Some("small"), ..asked("auto", EASY) },
        Question { residency: Some("eu"), ..asked("large", EASY) },
        Question { labels: &["pii".to_owned()], ..asked("auto", EASY) },
    ] {
        let refused = world.choice(&question).await.unwrap_err();
        assert_eq!(refused.code, Code::ModelNotAllowed, "{question:?}");
    }
    let mut rules =
        PreferenceRules { no_override: true, catch_all: true, ..PreferenceRules::default() };
    rules.default_route = Some("fast".to_owned());
    world.wants(rules).await;
    let forced = Question { force_model: Some("large"), ..asked("auto", EASY) };
    assert_eq!(world.choice(&forced).await.unwrap_err().code, Code::ModelNotAllowed);
    assert_eq!(world.names("some-model-a-tool-insists-on", EASY).await[0], "small");
}

#[tokio::test]
async fn a_model_that_failed_lately_is_left_alone_while_there_are_others() {
    let world = world().await;
    let plan = world.routing.plan(world.org, "small").await.unwrap();
    let place = Place { org: world.org, provider: plan.provider, model: plan.model, key: None };
    for _ in 0..50 {
        world.routing.breakers().report(&place, Verdict::ModelAbsent);
    }
    assert_eq!(world.names("auto", EASY).await, ["middle", "large"]);
    assert_eq!(world.names("small", EASY).await, ["small"], "where it was named, it is tried");
    let fallback =
        ralex_api::routing::Fallback { model: "small".to_owned(), to: vec!["large".to_owned()] };
    let settings = RoutingSettings { fallbacks: vec![fallback], ..RoutingSettings::default() };
    world.routing.set_routing_settings(&world.scope(), settings).await.unwrap();
    assert_eq!(world.names("small", EASY).await, ["large"]);
}

#[tokio::test]
async fn a_budget_that_is_almost_spent_leaves_the_cheap_models() {
    let world = world().await;
    let sample = Sample { max_output: Some(90), ..Sample::of(HARD) };
    let left = Money::nanos(500_000);
    let question = Question { sample, budget_left: Some(left), ..asked("auto", HARD) };
    let choice = world.choice(&question).await.unwrap();
    assert_eq!(
        names(&choice),
        ["small", "middle"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(choice.explanation.left_out[0].why, Refusal::Budget);
    let cost = format!("expected to cost ${}", choice.explanation.price.expected);
    assert!(choice.explanation.summary.contains(&cost), "{}", choice.explanation.summary);
}

#[tokio::test]
async fn a_budget_that_runs_low_leaves_dear_models_out_and_says_so() {
    let world = world().await;
    let low = Question { degraded: Some("a budget of org runs low"), ..asked("auto", HARD) };
    let choice = world.choice(&low).await.unwrap();
    assert_eq!(names(&choice), ["small"]);
    let left_out = &choice.explanation.left_out;
    assert!(left_out.iter().all(|out| out.why == Refusal::Degraded) && left_out.len() == 2);
    assert!(left_out[0].detail.starts_with("a budget of org runs low, and"), "{left_out:?}");
    // It never leaves nobody, and a model that was named is what the caller wants.
    let dear = step(None, Pick::Order, &[("large", 1)]);
    let copied = Some(Share { model: "middle".to_owned(), percent: 100.0 });
    world.route("dear", RouteSpec { shadow: copied, ..spec(vec![dear]) }).await.unwrap();
    let alone = world.choice(&Question { model: "dear", ..low }).await.unwrap();
    assert_eq!((names(&alone), alone.shadow.is_none()), (vec!["large".to_owned()], true));
    let named = world.choice(&Question { model: "large", ..low }).await.unwrap();
    assert_eq!(names(&named), ["large"]);
}

#[tokio::test]
async fn an_answer_that_is_not_good_enough_goes_on_where_that_pays() {
    let world = world().await;
    let order = step(None, Pick::Order, &[("small", 1), ("large", 1)]);
    let judged = Escalation { on: vec![Signal::Schema, Signal::Caller], most: 1, worth: None };
    world
        .route("judged", RouteSpec { escalation: Some(judged), ..spec(vec![order]) })
        .await
        .unwrap();
    let hard = world.choice(&asked("judged", HARD)).await.unwrap();
    let tried = Tried { at: 0, escalations: 0, signal: Signal::Schema };
    let next = escalate(&hard, tried).unwrap();
    assert_eq!((next.at, next.candidate.plan.name.as_str()), (1, "large"));
    assert!(escalate(&hard, Tried { escalations: 1, ..tried }).is_none(), "once is the most");
    assert!(escalate(&hard, Tried { signal: Signal::Refusal, ..tried }).is_none(), "not asked for");
    assert!(escalate(&hard, Tried { at: 1, ..tried }).is_none(), "there is nothing better");
    let named = world.choice(&asked("small", HARD)).await.unwrap();
    assert!(escalate(&named, tried).is_none(), "a named model is what the caller wants");
}

#[tokio::test]
async fn another_organisation_has_none_of_these_names() {
    let world = world().await;
    world.route("ours", spec(vec![step(None, Pick::Order, &[("small", 1)])])).await.unwrap();
    let stranger = crate::testing::add_org(&world.database).await;
    let refused = world.routing.choose(stranger, &asked("ours", EASY)).await.unwrap_err();
    assert_eq!(refused.code, Code::ModelNotFound);
    let none = world.routing.choose(stranger, &asked("auto", EASY)).await.unwrap_err();
    assert_eq!(none.code, Code::ModelNotFound);
}
