//! Tenure: a stream that runs ends when its caller may no longer have it open, on whichever node.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use ralex_tests::app::{App, Client, Dialect, Person, Streaming, nanos, text, until};
use ralex_tests::upstream::{Script, Upstream};
use serde_json::{Value, json};
use tokio::time::timeout;

/// From the change to the end of what is open, on any node.
const SOON: Duration = Duration::from_secs(5);

/// An app whose provider says two words and no more, and never ends.
async fn app() -> (App, Upstream) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary-0123456789abcdef").await;
    app.team("blue").await;
    app.budget("org", "10", true).await;
    let chunks = Some(vec!["one ".to_owned(), "two ".to_owned()]);
    upstream.script(Script { chunks, stall_after: Some(2), ..Script::default() });
    (app, upstream)
}

async fn developer(app: &App, email: &str) -> Person {
    app.member(email, "developer", "org").await
}

async fn open(client: &Client) -> Streaming {
    let mut stream = client.stream(Dialect::Messages, "claude", "Hello").await;
    stream.read_until("two ").await;
    stream
}

/// Reads to the end, which tells why, and finds the call settled at what it cost.
async fn ends(app: &App, mut stream: Streaming, why: &str) {
    let read = timeout(SOON, stream.read_all()).await;
    let events = read.unwrap_or_else(|_| panic!("the stream goes on")).to_owned();
    assert!(events.contains(why) && events.contains("is paid"), "{events}");
    let call = stream.header("x-ralex-call-id").unwrap().to_owned();
    let settled = until("the call settled", SOON, async || {
        let call = app.owner.get(&format!("calls/{call}")).await.ok();
        (call["state"] != "open").then_some(call)
    })
    .await;
    assert_eq!(settled["state"], "error", "{settled}");
    assert!(nanos(&settled["cost"]) > 0, "{settled}");
}

#[tokio::test]
async fn a_stream_ends_with_the_token_the_role_or_the_membership_that_it_rests_on() {
    let (app, upstream) = app().await;
    let second = app.second().await;
    let [ann, bob, eve] = [
        developer(&app, "ann@example.com").await,
        developer(&app, "bob@example.com").await,
        developer(&app, "eve@example.com").await,
    ];
    let token = app.token_of(&json!({ "name": "ci", "team": "blue" })).await;
    let machine = open(&token.client.at(&second)).await;
    let (anns, bobs, eves) =
        (open(&ann.client.at(&second)).await, open(&bob.client).await, open(&eve.client).await);
    let bindings = app.owner.all("bindings").await;
    let of_bob = |it: &&Value| it["subject"].as_str() == Some(&format!("user:{}", bob.id));
    let binding = text(bindings.iter().find(of_bob).unwrap(), "id");

    app.owner.delete(&format!("tokens/{}", token.id)).await;
    ends(&app, machine, "session or token").await;
    app.owner.delete(&format!("bindings/{binding}")).await;
    ends(&app, bobs, "right that this rests on").await;
    app.owner.delete(&format!("members/{}", ann.id)).await;
    ends(&app, anns, "right that this rests on").await;
    // The provider was hung up on by each of them, and nobody else's was.
    assert_eq!(upstream.counts().canceled, 3);
    drop(eves);
}

#[tokio::test]
async fn an_answer_that_has_not_come_ends_with_the_token_or_the_role_and_is_hung_up_on() {
    let (app, upstream) = app().await;
    let second = app.second().await;
    let bob = developer(&app, "bob@example.com").await;
    let eve = developer(&app, "eve@example.com").await;
    let token = app.token_of(&json!({ "name": "ci", "team": "blue" })).await;
    // One of them waits for a provider that does not answer, on each server and in each dialect.
    let machine = token.client.at(&second);
    let machine = machine.call(Dialect::Messages, "claude", "Hello");
    let person = bob.client.call(Dialect::Chat, "claude", "Hello");
    let other = eve.client.call(Dialect::Chat, "claude", "Hello");
    let changes = async {
        until("all three wait", SOON, async || (upstream.counts().begun == 3).then_some(())).await;
        app.owner.delete(&format!("tokens/{}", token.id)).await;
        app.owner.delete(&format!("members/{}", bob.id)).await.ok();
    };
    let ended = async { tokio::join!(machine, person, changes) };
    let (machine, person, ()) = tokio::select! {
        ended = timeout(SOON * 2, ended) => ended.expect("they go on"),
        answer = other => panic!("nobody ended this one: {answer:?}"),
    };
    assert_eq!((machine.status, person.status), (401, 403), "{machine:?} {person:?}");
    assert!(machine.text.contains("session or token"), "{machine:?}");
    assert!(person.text.contains("right that this rests on"), "{person:?}");
    until("the provider was hung up on", SOON, async || {
        (upstream.counts().canceled >= 2).then_some(())
    })
    .await;
    let settled = until("both calls settled", SOON, async || {
        let calls = app.owner.all("calls").await;
        let over = calls.into_iter().filter(|call| call["state"] == "canceled");
        let over: Vec<_> = over.collect();
        (over.len() >= 2).then_some(over)
    })
    .await;
    assert!(settled.iter().all(|call| nanos(&call["cost"]) > 0), "{settled:?}");
}

#[tokio::test]
async fn a_stream_ends_with_access_that_was_given_for_a_while() {
    let (app, _upstream) = app().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let end = (Utc::now() + TimeDelta::seconds(4)).to_rfc3339();
    let subject = format!("user:{}", ann.id);
    let new = json!({ "subject": subject, "role": "developer", "scope": "org",
                      "expires_at": end });
    app.owner.post("bindings", &new).await.ok();
    let stream = open(&ann.client).await;
    timeout(SOON * 2, ends(&app, stream, "right that this rests on")).await.unwrap();
}

#[tokio::test]
async fn a_token_made_by_a_role_for_a_while_ends_with_that_role() {
    let app = App::start().await;
    let second = app.second().await;
    let lasting = app.token("blue").await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let asked =
        json!({ "role": "team_admin", "scope": "team:blue", "minutes": 30, "reason": "night" });
    let asked = ann.client.post("access-requests", &asked).await.json();
    let request = format!("access-requests/{}", text(&asked, "id"));
    let agreed = json!({ "reason": "as agreed" });
    let given = app.owner.post(&format!("{request}/approve"), &agreed).await.ok();

    let late = (Utc::now() + TimeDelta::days(1)).to_rfc3339();
    let late = json!({ "name": "late", "team": "blue", "expires_at": late });
    let refused = ann.client.post("tokens", &late).await;
    refused.refused(422, "invalid_request");
    assert_eq!(refused.problem()["errors"][0]["path"], "expires_at");
    let rotate = format!("tokens/{}/rotate", lasting.id);
    ann.client.post(&rotate, &json!({})).await.refused(403, "grant_exceeds_own");
    let made = ann.client.post("tokens", &json!({ "name": "night", "team": "blue" })).await.ok();
    let token = app.with(&text(&made, "token"));
    let listed = app.owner.all("tokens").await;
    let night = listed.iter().find(|it| it["name"] == "night").unwrap();
    assert_eq!(night["expires_at"], given["expires_at"]);
    let there = [token.clone(), token.at(&second)];
    for client in &there {
        client.call(Dialect::Messages, "simulated", "Hello").await.ok();
    }

    ann.client.post(&format!("{request}/end"), &Value::Null).await.ok();
    for client in &there {
        until("the token has ended", SOON, async || {
            let answer = client.call(Dialect::Messages, "simulated", "Hello").await;
            (answer.status == 401).then_some(())
        })
        .await;
    }
    lasting.client.call(Dialect::Messages, "simulated", "Hello").await.ok();
}
