//! Guardrails around calls: what is taken out comes back, what is blocked does not go out.

use futures_util::StreamExt;
use ralex_api::usage::CallState;
use ralex_broker::{Answered, Failure};
use ralex_kernel::{Code, Money};
use ralex_tests::upstream::{Script, Upstream};
use serde_json::{Value, json};

use crate::world::World;

async fn guarded(check: Value, action: &str, direction: &str) -> (World, Upstream) {
    let world = World::new().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    world.provider("first", &upstream, &["key"]).await;
    let new = json!({
        "name": "Rules", "scope": "org", "check": check, "action": action,
        "direction": direction, "enabled": true,
    });
    world.guards.create(&world.scope, serde_json::from_value(new).unwrap()).await.unwrap();
    (world, upstream)
}

fn pattern(pattern: &str) -> Value {
    json!({ "kind": "pattern", "pattern": pattern, "label": "CODENAME" })
}

async fn said(answered: Result<Answered, Failure>) -> String {
    match answered {
        Ok(Answered::Whole { body, .. }) => {
            let body: Value = serde_json::from_slice(&body).unwrap();
            body["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
        }
        Ok(Answered::Stream { mut stream, .. }) => {
            let mut events = Vec::new();
            while let Some(bytes) = stream.next().await {
                events.extend_from_slice(&bytes.unwrap());
            }
            let events = String::from_utf8(events).unwrap();
            let chunks = events.lines().filter_map(|line| line.strip_prefix("data: {"));
            let chunks = chunks.map(|rest| serde_json::from_str(&format!("{{{rest}")).unwrap());
            let texts = chunks.map(|chunk: Value| match chunk.get("error") {
                Some(error) => format!("ERROR {}", error["code"]),
                None => chunk["choices"][0]["delta"]["content"].as_str().unwrap_or("").to_owned(),
            });
            texts.collect()
        }
        Err(failure) => panic!("{:?}", failure.problem),
    }
}

async fn newest_guardrails(world: &World) -> Value {
    world.broker.settle_before_reading().await;
    sqlx::query_scalar!("select guardrails from call order by id desc limit 1")
        .fetch_one(&mut world.database.owner().await)
        .await
        .unwrap()
        .unwrap_or(Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_out_of_a_prompt_reaches_no_provider_and_comes_back_in_the_answer() {
    let (world, upstream) = guarded(pattern("(?i)bluebird"), "redact", "in").await;
    for streamed in [false, true] {
        let more = [("stream", json!(streamed)), ("max_tokens", json!(60))];
        let answer = said(world.ask("first", "Write about Bluebird now", &more).await).await;
        assert!(answer.contains("Write about Bluebird now"), "{answer}");
        let sent = upstream.requests("first").pop().unwrap();
        assert!(!sent.raw.to_lowercase().contains("bluebird"), "{}", sent.raw);
        assert!(sent.raw.contains("[CODENAME_1]"), "{}", sent.raw);
    }
    let noted = newest_guardrails(&world).await;
    assert_eq!((&noted[0]["action"], &noted[0]["count"]), (&json!("redact"), &json!(1)));
    assert!(!noted.to_string().to_lowercase().contains("bluebird"), "{noted}");
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_is_blocked_is_on_record_and_goes_nowhere() {
    let (world, upstream) = guarded(pattern("bluebird"), "block", "both").await;
    world.budget("1").await;
    let failure = world.ask("first", "Tell me of bluebird", &[]).await.map(drop).unwrap_err();
    assert_eq!(failure.problem.code, Code::GuardrailBlocked);
    assert!(failure.call.is_some());
    assert!(upstream.requests("first").is_empty());
    assert_eq!(world.states().await, [CallState::Refused]);
    let refused = world.log("call.refused").await;
    assert_eq!(refused[0]["code"], "guardrail_blocked");
    assert_eq!(newest_guardrails(&world).await[0]["action"], "block");
    let budget = world.only_budget().await;
    assert_eq!((budget.spent, budget.held), (Money::ZERO, Money::ZERO));
    world.adds_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_blocked_ends_before_the_words_and_is_paid() {
    let (world, upstream) = guarded(pattern("bluebird"), "block", "out").await;
    world.budget("1").await;
    let chunks = ["This is ", "blue", "bird, ", "and more"].map(str::to_owned);
    upstream.script(Script { chunks: Some(chunks.to_vec()), ..Script::default() });
    let more = [("stream", json!(true))];
    let answer = said(world.ask("first", "Tell me", &more).await).await;
    assert!(answer.starts_with("This is ") && !answer.contains("blue"), "{answer}");
    assert!(answer.contains("guardrail_blocked"), "{answer}");
    let failure = world.ask("first", "Tell me", &[]).await.map(drop).unwrap_err();
    assert_eq!(failure.problem.code, Code::GuardrailBlocked);
    assert_eq!(upstream.requests("first").len(), 2, "it is not asked again");
    world.broker.settle_before_reading().await;
    assert_eq!(world.states().await, [CallState::Error, CallState::Error]);
    assert_eq!(newest_guardrails(&world).await[0]["direction"], "out");
    let budget = world.only_budget().await;
    assert!(budget.spent.is_positive() && budget.held == Money::ZERO, "{budget:?}");
    world.adds_up().await;
}
