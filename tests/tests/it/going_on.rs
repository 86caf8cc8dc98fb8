//! What a provider keeps of answers: who may name it again, though all teams share its key.

use ralex_tests::app::{Answer, App, Client, nanos, text};
use ralex_tests::upstream::{Script, Upstream};
use reqwest::Method;
use serde_json::{Value, json};

async fn ask(client: &Client, more: Value) -> Answer {
    let mut body = json!({ "model": "gpt", "input": "Hello" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.answered(client.request(Method::POST, "/v1/responses").json(&body)).await
}

/// The id of an answer, whole or streamed, and what the caller sent for it.
async fn given(client: &Client, more: Value) -> String {
    let answer = ask(client, more).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let at = answer.text.find("resp_").unwrap();
    let id = answer.text[at..].split('"').next().unwrap();
    id.to_owned()
}

#[tokio::test]
async fn an_answer_is_gone_on_from_only_where_it_was_given() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("gpt", "openai", &upstream, "sk-canary").await;
    let (blue, green) = (app.token("blue").await.client, app.token("green").await.client);
    let whole = given(&blue, json!({})).await;
    let streamed = given(&blue, json!({ "stream": true })).await;
    let not_kept = given(&blue, json!({ "store": false })).await;
    assert_ne!(whole, streamed);

    for id in [&whole, &streamed] {
        given(&blue, json!({ "previous_response_id": id })).await;
        let sent = upstream.requests("gpt").pop().unwrap();
        assert_eq!(text(&sent.body, "previous_response_id"), *id);
    }
    let sent = upstream.requests("gpt").len();
    let owner = &app.owner;
    for (client, id) in [
        (&green, whole.as_str()),
        (&green, &streamed),
        (owner, &whole),
        (&blue, &not_kept),
        (&blue, "resp_of_nobody"),
    ] {
        let refused = ask(client, json!({ "previous_response_id": id })).await;
        assert_eq!(refused.status, 404, "{id}: {}", refused.text);
        assert!(refused.text.contains("names no answer that was given here"), "{}", refused.text);
    }
    let talk = ask(&blue, json!({ "conversation": "conv_1" })).await;
    assert_eq!(talk.status, 422, "{}", talk.text);
    assert!(talk.text.contains("previous_response_id"), "{}", talk.text);
    assert_eq!(upstream.requests("gpt").len(), sent, "nothing of it was sent");
}

/// What is asked about a kept answer.
async fn about(client: &Client, method: Method, path: &str) -> Answer {
    client.answered(client.request(method, &format!("/v1/responses/{path}"))).await
}

#[tokio::test]
async fn a_kept_answer_is_read_and_deleted_only_where_it_was_given() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("gpt", "openai", &upstream, "sk-canary").await;
    let (blue, green) = (app.token("blue").await.client, app.token("green").await.client);
    let id = given(&blue, json!({})).await;
    let not_kept = given(&blue, json!({ "store": false })).await;

    let path = format!("{id}?include%5B%5D=reasoning.encrypted_content");
    let read = about(&blue, Method::GET, &path).await;
    assert_eq!((read.status, text(&read.json(), "id")), (200, id.clone()), "{}", read.text);
    let sent = upstream.requests("kept").pop().unwrap();
    assert_eq!(sent.query, "include%5B%5D=reasoning.encrypted_content");
    let items = about(&blue, Method::GET, &format!("{id}/input_items?limit=5")).await;
    assert!(items.status == 200 && items.text.contains("Hello"), "{}", items.text);
    // Whatever the provider says is passed on.
    let canceled = about(&blue, Method::POST, &format!("{id}/cancel")).await;
    assert_eq!(canceled.status, 400, "{}", canceled.text);
    assert!(canceled.text.contains("synchronous"), "{}", canceled.text);
    let streamed = about(&blue, Method::GET, &format!("{id}?stream=true")).await;
    assert_eq!(streamed.status, 422, "{}", streamed.text);

    let sent = upstream.requests("kept").len();
    let nobody = app.anonymous();
    for (method, end) in [
        (Method::GET, ""),
        (Method::GET, "/input_items"),
        (Method::POST, "/cancel"),
        (Method::DELETE, ""),
    ] {
        for (client, id) in [(&green, &id), (&app.owner, &id), (&blue, &not_kept)] {
            let refused = about(client, method.clone(), &format!("{id}{end}")).await;
            assert_eq!(refused.status, 404, "{method} {end}: {}", refused.text);
        }
        let refused = about(&nobody, method.clone(), &format!("{id}{end}")).await;
        assert_eq!(refused.status, 401, "{method} {end}: {}", refused.text);
    }
    assert_eq!(upstream.requests("kept").len(), sent, "nothing of it was sent");

    let deleted = about(&blue, Method::DELETE, &id).await;
    assert_eq!((deleted.status, &deleted.json()["deleted"]), (200, &json!(true)));
    assert_eq!(about(&blue, Method::GET, &id).await.status, 404);
    let log = app.owner.all("audit?action=answer.asked").await;
    let done: Vec<_> = log.iter().rev().map(|it| text(&it["record"]["detail"], "action")).collect();
    assert_eq!(done, ["read", "input_items", "cancel", "delete", "read"]);
    let gone = app.owner.all("audit?action=answer.deleted").await;
    assert_eq!(text(&gone[0]["record"]["detail"], "answer"), id);
}

#[tokio::test]
async fn a_kept_answer_is_found_under_whichever_key_asked_and_passes_the_guardrails_of_now() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("gpt", "openai", &upstream, "sk-canary").await;
    let secret = json!({ "name": "another", "provider": "gpt", "value": "sk-another" });
    app.owner.post("secrets", &secret).await.ok();
    let blue = app.token("blue").await.client;
    // Keys take turns.
    for _ in 0..4 {
        let id = given(&blue, json!({})).await;
        assert_eq!(about(&blue, Method::GET, &id).await.status, 200, "{id}");
    }
    let said = Some("Write to jane.roe@example.com.".to_owned());
    upstream.script(Script { text: said, ..Script::default() });
    let id = given(&blue, json!({})).await;
    let rule = json!({ "name": "No addresses", "scope": "org", "action": "redact",
        "direction": "out", "check": { "kind": "pack", "pack": "pii" } });
    app.owner.post("guardrails", &rule).await.ok();
    let read = about(&blue, Method::GET, &id).await;
    assert_eq!(read.status, 200, "{}", read.text);
    assert!(!read.text.contains("jane.roe"), "{}", read.text);
}

/// The first id with this prefix in an answer.
async fn told(client: &Client, path: &str, body: &Value, prefix: &str) -> String {
    let answer = client.answered(client.request(Method::POST, path).json(body)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let at = answer.text.find(&format!("\"{prefix}"));
    let at = at.unwrap_or_else(|| panic!("no {prefix} in {}", answer.text)) + 1;
    answer.text[at..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_container_is_used_again_only_where_it_was_made() {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("gpt", "openai", &upstream, "sk-canary").await;
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    let (blue, green) = (app.token("blue").await.client, app.token("green").await.client);
    let response = |container: Value, more: Value| {
        let mut body = json!({ "model": "gpt", "input": "6 * 7?",
            "tools": [{ "type": "code_interpreter", "container": container }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let message = |container: Value, streamed: bool| {
        json!({ "model": "claude", "max_tokens": 50, "stream": streamed, "container": container,
            "messages": [{ "role": "user", "content": "6 * 7?" }],
            "tools": [{ "type": "code_execution_20250825", "name": "code_execution" }] })
    };
    let auto = || json!({ "type": "auto" });
    let (responses, messages) = ("/v1/responses", "/v1/messages");
    let mut made = Vec::new();
    // What is not stored runs in a container all the same.
    for more in [json!({ "store": false }), json!({ "stream": true })] {
        let id = told(&blue, responses, &response(auto(), more), "cntr_").await;
        made.push((responses, response(json!(id), json!({}))));
    }
    for streamed in [false, true] {
        let id = told(&blue, messages, &message(Value::Null, streamed), "container_").await;
        made.push((messages, message(json!({ "id": id }), false)));
    }
    // OpenAI takes three cents for a new container, beside a few tokens.
    let costs = app.owner.all("calls?state=success").await;
    let made_for = |call: &&Value| nanos(&call["cost"]) > 30_000_000;
    assert_eq!(costs.iter().filter(made_for).count(), 2, "{costs:?}");
    for (path, body) in &made {
        let answer = blue.answered(blue.request(Method::POST, path).json(body)).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.text);
        assert!(nanos(&json!(answer.header("x-ralex-cost"))) < 30_000_000, "{}", answer.text);
    }
    let sent = upstream.requests("gpt").len() + upstream.requests("claude").len();
    for (path, body) in &made {
        for client in [&green, &app.owner] {
            let refused = client.answered(client.request(Method::POST, path).json(body)).await;
            assert_eq!(refused.status, 404, "{body}: {}", refused.text);
        }
    }
    let store = json!({ "model": "gpt", "input": "Who?",
        "tools": [{ "type": "file_search", "vector_store_ids": ["vs_1"] }] });
    let refused = blue.answered(blue.request(Method::POST, responses).json(&store)).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("vector_store_ids"), "{}", refused.text);
    let after = upstream.requests("gpt").len() + upstream.requests("claude").len();
    assert_eq!(after, sent, "nothing of it was sent");
}
