//! Files and batches: held, judged, kept apart, answered and paid like any call.

use std::time::Duration;

use ralex_tests::app::{Answer, App, Client, Token, nanos, text, until};
use ralex_tests::upstream::{Received, Script, ScriptedUsage, Upstream, Usage};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

struct World {
    app: App,
    upstream: Upstream,
    token: Token,
    budget: String,
}

impl World {
    async fn new() -> Self {
        let app = App::start().await;
        let upstream = Upstream::start("127.0.0.1:0").unwrap();
        app.provider("gpt", "openai", &upstream, "sk-canary").await;
        let token = app.token("blue").await;
        let budget = app.budget("org", "10", true).await;
        Self { app, upstream, token, budget }
    }

    async fn spent_and_held(&self) -> (i64, i64) {
        let shown = self.app.owner.get(&format!("budgets/{}", self.budget)).await.ok();
        (nanos(&shown["spent"]), nanos(&shown["held"]))
    }

    /// What the provider was asked at a path.
    fn asked(&self, method_path: &str) -> Vec<Received> {
        let all = self.upstream.requests("kept");
        all.into_iter().filter(|request| request.path.ends_with(method_path)).collect()
    }

    async fn ended(&self, client: &Client, batch: &str) -> Value {
        until("the batch ended", SOON, async || {
            let batch = client.get(&format!("/v1/batches/{batch}")).await.ok();
            let status = text(&batch, "status");
            ["completed", "failed", "expired", "cancelled"]
                .contains(&status.as_str())
                .then_some(batch)
        })
        .await
    }
}

fn line(id: &str, model: &str, question: &str) -> String {
    json!({ "custom_id": id, "method": "POST", "url": "/v1/chat/completions",
        "body": { "model": model, "messages": [{ "role": "user", "content": question }] } })
    .to_string()
}

fn lines(model: &str, questions: &[&str]) -> String {
    let lines = questions.iter().enumerate().map(|(at, it)| line(&format!("q{at}"), model, it));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

async fn send(client: &Client, purpose: &str, content: &str) -> Answer {
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n{purpose}\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\
         Content-Type: application/jsonl\r\n\r\n{content}\r\n--b--\r\n"
    );
    let request = client.request(Method::POST, "/v1/files");
    let request = request.header("content-type", "multipart/form-data; boundary=b").body(form);
    client.answered(request).await
}

async fn sent(client: &Client, content: &str) -> String {
    text(&send(client, "batch", content).await.ok(), "id")
}

async fn begin(client: &Client, file: &str) -> Answer {
    let new = json!({ "input_file_id": file, "endpoint": "/v1/chat/completions",
        "completion_window": "24h", "metadata": { "job": "nightly" } });
    client.post("/v1/batches", &new).await
}

fn said(answer: &Answer) -> (u16, String) {
    let code = answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (answer.status, code)
}

#[tokio::test]
async fn a_batch_is_held_for_answered_and_paid_line_by_line() {
    let world = World::new().await;
    let script = Script { delay_first_ms: 1_500, ..Script::default() };
    world.upstream.script_for("gpt", script);
    let client = &world.token.client;
    let file = sent(client, &lines("gpt", &["one", "two words", "three whole words"])).await;
    assert!(file.starts_with("file-"), "{file}");
    let at_provider = &world.asked("/files")[0];
    assert_eq!(at_provider.headers["authorization"], "Bearer sk-canary");
    assert!(at_provider.raw.contains("max_completion_tokens"), "{}", at_provider.raw);

    let batch = begin(client, &file).await.ok();
    assert_eq!((&batch["object"], &batch["input_file_id"]), (&json!("batch"), &json!(file)));
    assert_eq!(batch["metadata"], json!({ "job": "nightly" }), "the mark is not shown");
    let (spent, held) = world.spent_and_held().await;
    // Three answers of up to a hundred tokens at 15 dollars a million, and what is asked.
    assert!(spent == 0 && held > 3 * 100 * 15_000, "{held}");
    let shown = world.app.owner.all("batches").await;
    assert_eq!((&shown[0]["lines"], &shown[0]["model"]), (&json!(3), &json!("gpt")));
    assert_eq!(nanos(&shown[0]["held"]), held);

    let id = text(&batch, "id");
    let ended = world.ended(client, &id).await;
    assert_eq!(ended["status"], "completed");
    assert_eq!(ended["request_counts"], json!({ "total": 3, "completed": 3, "failed": 0 }));
    let output = text(&ended, "output_file_id");
    let answers = client.get(&format!("/v1/files/{output}/content")).await;
    assert_eq!(answers.status, 200);
    let answers: Vec<Value> =
        answers.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[1]["custom_id"], "q1");
    let content = &answers[1]["response"]["body"]["choices"][0]["message"]["content"];
    assert_eq!(content, "You said: two words");

    // Words count as tokens: 1 + 2 + 3 asked at 3 dollars, 3 + 4 + 5 said at 15.
    let cost = (1 + 2 + 3) * 3_000 + (3 + 4 + 5) * 15_000;
    assert_eq!(world.spent_and_held().await, (cost, 0));
    let shown = world.app.owner.all("batches").await;
    assert_eq!((nanos(&shown[0]["cost"]), &shown[0]["estimated"]), (cost, &json!(false)));
    let call = world.app.owner.get(&format!("calls/{}", text(&shown[0], "id"))).await.ok();
    assert_eq!((&call["state"], nanos(&call["cost"])), (&json!("success"), cost));
    assert_eq!((&call["input_tokens"], &call["output_tokens"]), (&json!(6), &json!(12)));
    for action in [
        "file.opened",
        "file.closed",
        "batch.opened",
        "batch.closed",
        "call.opened",
        "call.closed",
        "file.read",
    ] {
        let entries = world.app.owner.all(&format!("audit?action={action}")).await;
        assert_eq!(entries.len(), 1, "{action}: {entries:?}");
    }
    let found = ralex_tests::app::run(
        &["budgets", "verify"],
        &[("RALEX_DATABASE_URL", world.app.database.url())],
    );
    assert!(found.status.success(), "{found:?}");
}

#[tokio::test]
async fn a_model_s_batch_price_is_what_is_held_and_paid() {
    let world = World::new().await;
    let half = json!({ "batch_percent": 50 });
    world.app.owner.patch("models/gpt", &half).await.ok();
    let usage = Usage { input_tokens: 10, output_tokens: 3, ..Usage::default() };
    let usage = Some(ScriptedUsage::Counts(usage));
    world.upstream.script_for("gpt", Script { usage, ..Script::default() });
    let file = sent(&world.token.client, &lines("gpt", &["one"])).await;
    let id = text(&begin(&world.token.client, &file).await.ok(), "id");
    world.ended(&world.token.client, &id).await;
    // Half of ten tokens in and three out.
    assert_eq!(world.spent_and_held().await, (5 * 3_000 + 3 * 7_500, 0));
}

#[tokio::test]
async fn what_one_team_keeps_is_not_there_for_another() {
    let world = World::new().await;
    let blue = &world.token.client;
    let red = world.app.token("red").await.client;
    let file = sent(blue, &lines("gpt", &["one"])).await;
    let batch = text(&begin(blue, &file).await.ok(), "id");
    let output = text(&world.ended(blue, &batch).await, "output_file_id");
    for (method, path) in [
        (Method::GET, format!("/v1/files/{file}")),
        (Method::GET, format!("/v1/files/{file}/content")),
        (Method::GET, format!("/v1/files/{output}/content")),
        (Method::DELETE, format!("/v1/files/{file}")),
        (Method::GET, format!("/v1/batches/{batch}")),
        (Method::POST, format!("/v1/batches/{batch}/cancel")),
        // What the provider calls them means nothing here, to nobody.
        (Method::GET, "/v1/files/file-up00000001".to_owned()),
        (Method::GET, "/v1/files/file-up00000001/content".to_owned()),
        (Method::GET, "/v1/batches/batch_up00000002".to_owned()),
    ] {
        let answer = red.send(method, &path, None).await;
        assert_eq!(said(&answer), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(said(&begin(&red, &file).await).0, 404);
    for list in ["/v1/files", "/v1/batches"] {
        assert_eq!(red.get(list).await.ok()["data"], json!([]), "{list}");
        assert_ne!(blue.get(list).await.ok()["data"], json!([]), "{list}");
    }
    let owner = world.app.owner.get("/v1/files").await.ok();
    assert_eq!(owner["data"], json!([]), "an owner's own things are others");
}

#[tokio::test]
async fn files_are_listed_page_by_page_and_deleted_everywhere() {
    let world = World::new().await;
    let client = &world.token.client;
    let first = sent(client, &lines("gpt", &["one"])).await;
    let second = sent(client, &lines("gpt", &["two"])).await;
    let notes = text(&send(client, "user_data", "Some notes.").await.ok(), "id");
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|file| text(file, "id")).collect()
    };
    let page = client.get("/v1/files?limit=2").await.ok();
    assert_eq!(
        (ids(&page), &page["has_more"]),
        (vec![notes.clone(), second.clone()], &json!(true))
    );
    let page = client.get(&format!("/v1/files?limit=2&after={second}")).await.ok();
    assert_eq!((ids(&page), &page["has_more"]), (vec![first.clone()], &json!(false)));
    let page = client.get("/v1/files?purpose=batch&order=asc").await.ok();
    assert_eq!(ids(&page), [first.clone(), second]);
    assert_eq!(client.get(&format!("/v1/files/{notes}/content")).await.text, "Some notes.");
    let gone = client.delete(&format!("/v1/files/{first}")).await.ok();
    assert_eq!(gone, json!({ "id": first, "object": "file", "deleted": true }));
    assert_eq!(client.get(&format!("/v1/files/{first}")).await.status, 404);
    assert_eq!(begin(client, &first).await.status, 404);
    let refused = send(client, "fine-tune", "{}").await;
    assert_eq!(said(&refused), (422, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_file_with_one_bad_line_is_not_sent_and_the_line_is_named() {
    let world = World::new().await;
    world.app.model("other", "gpt").await;
    let client = &world.token.client;
    let good = line("a", "gpt", "one");
    let image = good.replace("chat/completions", "images/generations");
    for (bad, why) in [
        ("nonsense".to_owned(), "Line 2: It is no request"),
        (good.clone(), "Line 2: `custom_id` stands in another line"),
        (line("b", "other", "two"), "Line 2: `body.model` must be gpt"),
        (image, "Line 2: `url` must be one of"),
        (
            line("b", "gpt", "two").replace("\"messages\"", "\"stream\":true,\"messages\""),
            "Line 2: `body.stream`",
        ),
        (String::new(), "Line 2: It is empty"),
    ] {
        let answer =
            send(client, "batch", &format!("{good}\n{bad}\n{}\n", line("c", "gpt", "x"))).await;
        assert_eq!(answer.status, 422, "{bad}: {answer:?}");
        let told = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(why), "{bad}: {told}");
    }
    let going_on = json!({ "custom_id": "a", "method": "POST", "url": "/v1/responses", "body": {
        "model": "gpt", "input": "and then?", "previous_response_id": "resp_of_others" } });
    let refused = send(client, "batch", &format!("{going_on}\n")).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text.contains("Line 1: `previous_response_id`"), "{}", refused.text);
    assert_eq!(send(client, "batch", "").await.status, 422);
    assert!(world.asked("/files").is_empty(), "something was sent");
    let narrow = json!({ "name": "narrow", "team": "blue", "models": ["other"] });
    let narrow = world.app.token_of(&narrow).await.client;
    let refused = send(&narrow, "batch", &lines("gpt", &["one"])).await;
    assert_eq!(said(&refused), (403, "model_not_allowed".to_owned()));
    let file = sent(client, &lines("gpt", &["one"])).await;
    let refused = begin(&narrow, &file).await;
    assert_eq!(said(&refused), (403, "model_not_allowed".to_owned()));
    let elsewhere = json!({ "input_file_id": file, "endpoint": "/v1/responses",
        "completion_window": "24h" });
    assert_eq!(client.post("/v1/batches", &elsewhere).await.status, 422);
}

#[tokio::test]
async fn a_batch_that_does_not_fit_is_not_asked_for() {
    let world = World::new().await;
    let client = &world.token.client;
    let file = sent(client, &lines("gpt", &["one", "two", "three"])).await;
    world.app.budget("team:blue", "0.002", true).await;
    let refused = begin(client, &file).await;
    assert_eq!(said(&refused), (402, "budget_exhausted".to_owned()));
    assert!(world.asked("/batches").is_empty(), "it was sent");
    assert_eq!(world.spent_and_held().await, (0, 0));
    assert_eq!(client.get("/v1/batches").await.ok()["data"], json!([]));
    let calls = world.app.owner.all("calls?state=refused").await;
    assert_eq!(calls.len(), 1, "{calls:?}");
}

#[tokio::test]
async fn guardrails_hold_for_every_line_and_for_every_answer() {
    let world = World::new().await;
    let client = &world.token.client;
    let rule = async |phrase: &str, action: &str, direction: &str| {
        let check = json!({ "kind": "topic", "phrases": [phrase] });
        let new = json!({ "name": phrase, "scope": "org", "check": check, "action": action,
            "direction": direction });
        world.app.owner.post("guardrails", &new).await.ok();
    };
    let before = sent(client, &lines("gpt", &["one"])).await;
    rule("project zephyr", "block", "in").await;
    let emails = json!({ "name": "Personal data", "scope": "org", "action": "redact",
        "direction": "in", "check": { "kind": "pack", "pack": "pii" } });
    world.app.owner.post("guardrails", &emails).await.ok();
    let stale = begin(client, &before).await;
    assert_eq!(said(&stale), (409, "conflict".to_owned()), "what it passed are others now");
    let refused = send(client, "batch", &lines("gpt", &["one", "about project zephyr"])).await;
    assert_eq!(said(&refused), (400, "guardrail_blocked".to_owned()));
    assert!(refused.text.contains("Line 2"), "{refused:?}");
    assert_eq!(world.asked("/files").len(), 1, "only the first was sent");
    let file = sent(client, &lines("gpt", &["write to jane@corp.com"])).await;
    let raw = &world.asked("/files")[1].raw;
    assert!(!raw.contains("jane") && raw.contains("write to [EMAIL"), "{raw}");

    rule("you said", "block", "out").await;
    assert_eq!(begin(client, &file).await.status, 409);
    let file = sent(client, &lines("gpt", &["hello"])).await;
    let id = text(&begin(client, &file).await.ok(), "id");
    let output = text(&world.ended(client, &id).await, "output_file_id");
    let answers = client.get(&format!("/v1/files/{output}/content")).await;
    let answer: Value = serde_json::from_str(answers.text.trim()).unwrap();
    assert_eq!(
        (&answer["error"]["code"], &answer["response"]),
        (&json!("guardrail_blocked"), &Value::Null)
    );
    let notes = send(client, "user_data", "This is about project zephyr.").await;
    assert_eq!(said(&notes), (400, "guardrail_blocked".to_owned()));
}

#[tokio::test]
async fn lines_that_fail_cost_nothing_and_lines_that_tell_nothing_cost_their_share() {
    let world = World::new().await;
    let client = &world.token.client;
    world.upstream.script_for("gpt", Script { status: Some(500), ..Script::default() });
    let file = sent(client, &lines("gpt", &["one", "two"])).await;
    let id = text(&begin(client, &file).await.ok(), "id");
    let ended = world.ended(client, &id).await;
    assert_eq!(ended["request_counts"], json!({ "total": 2, "completed": 0, "failed": 2 }));
    assert_eq!(ended["output_file_id"], Value::Null);
    let errors = text(&ended, "error_file_id");
    assert!(client.get(&format!("/v1/files/{errors}/content")).await.text.contains("q1"));
    assert_eq!(world.spent_and_held().await, (0, 0));

    let usage = Some(ScriptedUsage::Word("none".to_owned()));
    let slow = Script { usage, delay_first_ms: 1_500, ..Script::default() };
    world.upstream.script_for("gpt", slow);
    let id = text(&begin(client, &file).await.ok(), "id");
    let (_, held) = world.spent_and_held().await;
    world.ended(client, &id).await;
    assert_eq!(world.spent_and_held().await, (held, 0));
    assert_eq!(world.app.owner.all("batches").await[0]["estimated"], true);
}

#[tokio::test]
async fn what_is_answered_before_a_batch_is_canceled_is_paid() {
    let world = World::new().await;
    let client = &world.token.client;
    let slow = Script { delay_first_ms: 600_000, ..Script::default() };
    world.upstream.script_for("gpt", slow);
    let file = sent(client, &lines("gpt", &["one", "two"])).await;
    let id = text(&begin(client, &file).await.ok(), "id");
    let needed = client.delete(&format!("/v1/files/{file}")).await;
    assert_eq!(said(&needed), (409, "conflict".to_owned()));
    client.post(&format!("/v1/batches/{id}/cancel"), &Value::Null).await.ok();
    let ended = world.ended(client, &id).await;
    assert_eq!(ended["status"], "cancelled");
    assert_eq!(world.spent_and_held().await, (3_000 + 3 * 15_000, 0));
    let again = client.post(&format!("/v1/batches/{id}/cancel"), &Value::Null).await;
    assert_eq!(said(&again), (409, "conflict".to_owned()));
    client.delete(&format!("/v1/files/{file}")).await.ok();
}

#[tokio::test]
async fn a_batch_outlives_the_server_that_began_it() {
    let mut world = World::new().await;
    let slow = Script { delay_first_ms: 12_000, ..Script::default() };
    world.upstream.script_for("gpt", slow);
    let file = sent(&world.token.client, &lines("gpt", &["one", "two"])).await;
    let id = text(&begin(&world.token.client, &file).await.ok(), "id");
    let (_, held) = world.spent_and_held().await;
    world.app.node.kill();
    world.app.restart().await;
    assert_eq!(world.spent_and_held().await, (0, held), "it stays held");
    // Nobody asks: who looks after batches finds its end.
    until("it was settled", Duration::from_secs(40), async || {
        (world.spent_and_held().await.1 == 0).then_some(())
    })
    .await;
    assert_eq!(world.spent_and_held().await.0, 2 * (3_000 + 3 * 15_000));
    let client = world.app.with(&world.token.secret);
    let ended = client.get(&format!("/v1/batches/{id}")).await.ok();
    assert_eq!(ended["status"], "completed");
}

#[tokio::test]
async fn a_batch_whose_beginning_was_not_heard_of_is_found_and_paid() {
    let world = World::new().await;
    let client = &world.token.client;
    let cut = Script { cut_after: Some(0), times: Some(1), ..Script::default() };
    let file = sent(client, &lines("gpt", &["one"])).await;
    world.upstream.script_for("gpt", cut);
    let answer = begin(client, &file).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert_eq!(answer.header("x-should-retry"), Some("false"), "an SDK would ask for another");
    let (spent, held) = world.spent_and_held().await;
    assert!(spent == 0 && held > 0, "it may run: what it may cost stays held");
    let listed = client.get("/v1/batches").await.ok();
    let id = text(&listed["data"][0], "id");
    until("it was found", Duration::from_secs(40), async || {
        let batch = client.get(&format!("/v1/batches/{id}")).await.ok();
        (batch["status"] == "completed").then_some(())
    })
    .await;
    assert_eq!(world.spent_and_held().await, (3_000 + 3 * 15_000, 0));
}

#[tokio::test]
async fn a_conversation_names_only_its_own_files_and_only_to_who_keeps_them() {
    let world = World::new().await;
    let blue = &world.token.client;
    let red = world.app.token("red").await.client;
    world.app.provider("claude", "anthropic", &world.upstream, "sk-other").await;
    let file = text(&send(blue, "user_data", "%PDF-1.4 \u{1}").await.ok(), "id");
    let ask = |model: &str, file: &str| {
        json!({ "model": model, "messages": [{ "role": "user", "content": [
            { "type": "text", "text": "Sum it up." },
            { "type": "file", "file": { "file_id": file } }] }] })
    };
    blue.post("/v1/chat/completions", &ask("gpt", &file)).await.ok();
    let got = &world.upstream.requests("gpt")[0].body;
    let named = got["messages"][0]["content"][1]["file"]["file_id"].as_str().unwrap().to_owned();
    assert!(named.starts_with("file-up"), "{named}");
    // Neither another team's file, nor what the provider calls it.
    let theirs = red.post("/v1/chat/completions", &ask("gpt", &file)).await;
    assert_eq!(said(&theirs), (404, "not_found".to_owned()));
    for client in [blue, &red] {
        let guessed = client.post("/v1/chat/completions", &ask("gpt", &named)).await;
        assert_eq!(said(&guessed), (404, "not_found".to_owned()));
        let response = json!({ "model": "gpt", "input": [{ "role": "user", "content": [
            { "type": "input_file", "file_id": named }] }] });
        assert_eq!(client.post("/v1/responses", &response).await.status, 404);
    }
    let elsewhere = blue.post("/v1/chat/completions", &ask("claude", &file)).await;
    assert_eq!(said(&elsewhere), (422, "unsupported".to_owned()));
    assert_eq!(world.upstream.requests("gpt").len(), 1);
    assert!(world.upstream.requests("claude").is_empty());
}
