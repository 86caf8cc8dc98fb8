//! Rules about calls around real calls: what is denied, asked about, hidden, recorded and told.

use std::time::Duration;

use ralex_tests::app::{Answer, App, Client, DIALECTS, Dialect, Token, run, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

struct World {
    app: App,
    upstream: Upstream,
    token: Token,
}

impl World {
    async fn new() -> Self {
        let app = App::start().await;
        let upstream = Upstream::start("127.0.0.1:0").unwrap();
        app.provider("frontier", "openai_compatible", &upstream, "sk-canary").await;
        app.provider("small", "openai", &upstream, "sk-canary").await;
        let token = app.token("blue").await;
        Self { app, upstream, token }
    }

    async fn rule(&self, rule: Value) -> Value {
        let mut new = json!({ "name": "Rule" });
        new.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        self.app.owner.post("call-rules", &new).await.ok()
    }

    fn sent(&self) -> usize {
        self.upstream.requests("frontier").len() + self.upstream.requests("small").len()
    }

    async fn newest_call(&self) -> Value {
        let id = text(&self.app.owner.get("calls?limit=1").await.ok()["items"][0], "id");
        self.app.owner.get(&format!("calls/{id}")).await.ok()
    }

    /// A chat with more fields and headers.
    async fn chat(&self, model: &str, more: &Value, headers: &[(&str, &str)]) -> Answer {
        let mut body = Dialect::Chat.body(model, "Hello");
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = self.token.client.request(Method::POST, "/v1/chat/completions").json(&body);
        let named = |request: reqwest::RequestBuilder, (name, value): &(&str, &str)| {
            request.header(*name, *value)
        };
        self.token.client.answered(headers.iter().fold(request, named)).await
    }
}

fn names(answer: &Value) -> Vec<String> {
    answer["data"].as_array().unwrap().iter().map(|model| text(model, "id")).collect()
}

#[tokio::test]
async fn a_denied_call_is_refused_by_its_rule_in_every_dialect_and_reaches_no_one() {
    let world = World::new().await;
    let rule = world
        .rule(json!({ "name": "No frontier models", "effect": "deny",
            "resources": ["model:front*"], "message": "Use small instead" }))
        .await;
    let id = text(&rule, "id");
    for dialect in DIALECTS {
        let answer = world.token.client.call(dialect, "frontier", "Hello").await;
        let said = dialect.refusal(&answer, 403);
        assert!(said.contains("No frontier models") && said.contains(&id), "{dialect:?}: {said}");
        assert!(said.contains("Use small instead."), "{said}");
        assert_eq!(answer.header("x-should-retry"), Some("false"));
        let streamed = world.token.client.stream(dialect, "frontier", "Hello").await;
        assert_eq!(streamed.status, 403, "{dialect:?}");
        let other = world.token.client.call(dialect, "small", "Hello").await;
        assert_eq!(dialect.said(&other), "You said: Hello");
    }
    let counted = json!({ "model": "frontier", "messages": [{ "role": "user", "content": "Hi" }] });
    let counted = world.token.client.post("/v1/messages/count_tokens", &counted).await;
    assert_eq!(counted.status, 403, "{counted:?}");
    assert_eq!(world.upstream.requests("frontier").len(), 0);
    let call = world.newest_call().await;
    assert_eq!(
        (text(&call, "state"), text(&call, "problem")),
        ("refused".into(), "call_denied".into())
    );
    let noted = &call["guardrails"][0];
    assert_eq!(text(noted, "rule"), format!("call_rule.{id}"));
    assert_eq!(text(noted, "name"), "No frontier models");
    let log = world.app.owner.all("audit?action=call.refused").await;
    let applied = &log[0]["record"]["detail"]["call_rules"][0];
    assert_eq!((text(applied, "call_rule"), text(applied, "effect")), (id, "deny".into()));
    let metrics = world.app.anonymous().get("/metrics").await;
    assert!(metrics.text.contains("ralex_call_rule_decisions_total{effect=\"deny\"}"));
}

#[tokio::test]
async fn a_call_that_a_rule_asks_about_waits_for_a_person_and_passes_once() {
    let world = World::new().await;
    let rule = world
        .rule(json!({ "name": "Long answers", "effect": "ask",
            "condition": "call.max_output > 50" }))
        .await;
    assert_eq!(world.chat("small", &json!({ "max_tokens": 50 }), &[]).await.status, 200);
    let long = json!({ "max_tokens": 60 });
    let asked = world.chat("small", &long, &[]).await;
    let said = Dialect::Chat.refusal(&asked, 400);
    assert!(said.contains("Long answers"), "{said}");
    assert_eq!(asked.json()["error"]["code"], "approval_required");
    let id = asked.header("x-ralex-approval").unwrap().to_owned();
    let again = world.chat("small", &long, &[]).await;
    assert_eq!(again.header("x-ralex-approval"), Some(id.as_str()), "one approval for one call");
    assert_eq!(world.sent(), 1);
    let boss = world.app.member("boss@example.com", "security", "org").await;
    let shown = boss.client.get(&format!("approvals/{id}")).await.ok();
    assert_eq!(text(&shown["rules"][0], "name"), "Long answers");
    assert_eq!(shown["may_decide"], json!(true));
    let waits = tokio::spawn({
        let client = world.token.client.clone();
        let path = format!("/api/v1/orgs/default/approvals/{id}?wait_seconds=20");
        async move { client.get(&path).await.ok() }
    });
    let decision = json!({ "reason": "just this once" });
    boss.client.post(&format!("approvals/{id}/approve"), &decision).await.ok();
    assert_eq!(text(&waits.await.unwrap(), "state"), "approved");
    let passed = world.chat("small", &long, &[]).await;
    assert_eq!(Dialect::Chat.said(&passed), "You said: Hello");
    let log = world.app.owner.all("audit?action=call.opened").await;
    let detail = &log[0]["record"]["detail"];
    assert_eq!(text(detail, "approval"), id);
    assert_eq!(text(&detail["call_rules"][0], "call_rule"), text(&rule, "id"));
    assert_eq!(world.chat("small", &long, &[]).await.status, 400, "once");
    // Another rule is another question.
    let path = format!("call-rules/{}", text(&rule, "id"));
    world.app.owner.patch(&path, &json!({ "message": "Ask me" })).await.ok();
    let other = world.chat("small", &long, &[]).await;
    assert_ne!(other.header("x-ralex-approval"), Some(id.as_str()));
}

#[tokio::test]
async fn conditions_read_tags_tools_and_hours_of_real_calls() {
    let world = World::new().await;
    world
        .rule(json!({ "name": "Only production", "effect": "deny",
            "resources": ["provider:frontier"], "condition": "!('env=prod' in call.tags)" }))
        .await;
    world
        .rule(json!({ "name": "No shell", "effect": "deny",
            "condition": "has(call.arguments.tools) && 'shell' in call.arguments.tools" }))
        .await;
    world
        .rule(json!({ "name": "Never", "effect": "deny",
            "condition": "now < timestamp('2020-01-01T00:00:00Z')" }))
        .await;
    let none = json!({});
    assert_eq!(world.chat("frontier", &none, &[]).await.status, 403);
    assert_eq!(world.chat("frontier", &none, &[("x-ralex-tags", "a, env=prod")]).await.status, 200);
    assert_eq!(world.chat("small", &none, &[]).await.status, 200);
    let shell = json!({ "tools": [{ "type": "function",
        "function": { "name": "shell", "parameters": { "type": "object" } } }] });
    let said = Dialect::Chat.refusal(&world.chat("small", &shell, &[]).await, 403);
    assert!(said.contains("No shell"), "{said}");
}

#[tokio::test]
async fn lists_hide_what_list_rules_deny_from_the_group_that_is_meant_and_from_nobody_else() {
    let world = World::new().await;
    let group = json!({ "slug": "contractors", "name": "Contractors" });
    world.app.owner.post("groups", &group).await.ok();
    let ann = world.app.member("ann@example.com", "developer", "org").await;
    let bob = world.app.member("bob@example.com", "developer", "org").await;
    let member = json!({ "subject": "user:ann@example.com" });
    world.app.owner.post("groups/contractors/members", &member).await.ok();
    let rule = world
        .rule(json!({ "name": "Not for contractors", "effect": "deny", "phase": "both",
            "resources": ["model:frontier"], "subjects": ["group:contractors"] }))
        .await;
    assert_eq!(rule["subject_names"], json!(["contractors"]));
    let seen = async |client: &Client| names(&client.get("/v1/models").await.ok());
    assert!(!seen(&ann.client).await.contains(&"frontier".to_owned()));
    assert!(seen(&ann.client).await.contains(&"small".to_owned()));
    assert!(seen(&bob.client).await.contains(&"frontier".to_owned()));
    assert_eq!(ann.client.get("/v1/models/frontier").await.status, 404);
    assert_eq!(ann.client.get("/v1beta/models/frontier").await.status, 404);
    let refused = ann.client.call(Dialect::Chat, "frontier", "Hello").await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(bob.client.call(Dialect::Chat, "frontier", "Hello").await.status, 200);
    let path = format!("call-rules/{}", text(&rule, "id"));
    world.app.owner.patch(&path, &json!({ "phase": "call" })).await.ok();
    assert!(seen(&ann.client).await.contains(&"frontier".to_owned()), "listed, not called");
}

#[tokio::test]
async fn rules_narrow_what_roles_give_and_never_widen_it() {
    let world = World::new().await;
    world.rule(json!({ "name": "All welcome", "effect": "allow", "phase": "both" })).await;
    let viewer = world.app.member("vic@example.com", "viewer", "org").await;
    let refused = viewer.client.call(Dialect::Chat, "small", "Hello").await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "forbidden");
    let set = json!({ "default_effect": "deny" });
    world.app.owner.send(Method::PUT, "call-rules/settings", Some(&set)).await.ok();
    assert_eq!(world.chat("small", &json!({}), &[]).await.status, 200, "a rule allows it");
    let rules = world.app.owner.all("call-rules").await;
    let path = format!("call-rules/{}", text(&rules[0], "id"));
    world.app.owner.patch(&path, &json!({ "resources": ["model:other"] })).await.ok();
    let said = Dialect::Chat.refusal(&world.chat("small", &json!({}), &[]).await, 403);
    assert!(said.contains("No rule of your organisation allows"), "{said}");
    // What a team's rule says cannot lift what its organisation says.
    let lead = world.app.member("lead@example.com", "security", "team:blue").await;
    let mine = json!({ "name": "Us", "effect": "allow", "scope": "team:blue" });
    lead.client.post("call-rules", &mine).await.refused(403, "forbidden");
    let stricter = json!({ "name": "Us", "effect": "deny", "scope": "team:blue" });
    lead.client.post("call-rules", &stricter).await.ok();
    lead.client
        .post("call-rules", &json!({ "name": "All", "effect": "deny" }))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_route_goes_to_whichever_of_its_models_may_be_called() {
    let world = World::new().await;
    let step = json!({ "pick": "order",
        "targets": [{ "name": "frontier" }, { "name": "small" }] });
    let route = json!({ "name": "either", "spec": { "steps": [step] } });
    world.app.owner.post("routes", &route).await.ok();
    world.rule(json!({ "effect": "deny", "resources": ["provider:frontier"] })).await;
    let answer = world.chat("either", &json!({}), &[]).await;
    assert_eq!(Dialect::Chat.said(&answer), "You said: Hello");
    assert_eq!(answer.header("x-ralex-model"), Some("small"));
    assert_eq!(world.upstream.requests("frontier").len(), 0);
    world.rule(json!({ "name": "Nor this", "effect": "deny", "resources": ["model:small"] })).await;
    assert_eq!(world.chat("either", &json!({}), &[]).await.status, 403);
}

#[tokio::test]
async fn a_batch_is_judged_line_by_line_and_as_a_whole() {
    let world = World::new().await;
    let line = |tokens: u32| {
        json!({ "custom_id": format!("q{tokens}"), "method": "POST", "url": "/v1/chat/completions",
            "body": { "model": "small", "max_tokens": tokens,
                "messages": [{ "role": "user", "content": "Hello" }] } })
        .to_string()
    };
    let send = async |content: String| {
        let form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
             --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\
             Content-Type: application/jsonl\r\n\r\n{content}\n\r\n--b--\r\n"
        );
        let request = world.token.client.request(Method::POST, "/v1/files").body(form);
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        world.token.client.answered(request).await
    };
    world
        .rule(json!({ "name": "Short", "effect": "ask",
        "condition": "call.max_output > 50" }))
        .await;
    let refused = send(format!("{}\n{}", line(10), line(60))).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let said = refused.json()["error"]["message"].to_string();
    assert!(said.contains("Line 2") && said.contains("cannot wait"), "{said}");
    let file = text(&send(line(10)).await.ok(), "id");
    let begin = async || {
        let new = json!({ "input_file_id": file, "endpoint": "/v1/chat/completions",
            "completion_window": "24h" });
        world.token.client.post("/v1/batches", &new).await
    };
    world
        .rule(json!({ "name": "No batches", "effect": "deny",
        "actions": ["model.call.batches"] }))
        .await;
    // The rules are others than when the file was read.
    assert_eq!(begin().await.status, 409);
    let file_now = send(line(10)).await;
    let new = json!({ "input_file_id": text(&file_now.ok(), "id"),
        "endpoint": "/v1/chat/completions", "completion_window": "24h" });
    let denied = world.token.client.post("/v1/batches", &new).await;
    assert_eq!(denied.status, 403, "{denied:?}");
}

#[tokio::test]
async fn what_is_written_is_checked_versioned_listed_and_kept_within_its_organisation() {
    let world = World::new().await;
    let owner = &world.app.owner;
    let wrong = |more: Value| {
        let mut new = json!({ "name": "Wrong", "effect": "deny" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    for (more, path) in [
        (json!({ "condition": "call.modle == 'x'" }), "condition"),
        (json!({ "condition": "call.arguments.max_tokens > 5" }), "condition"),
        (json!({ "actions": ["tool.call"] }), "actions[0]"),
        (json!({ "phase": "list", "actions": ["model.call"] }), "actions[0]"),
        (json!({ "resources": ["gpt-5"] }), "resources[0]"),
        (json!({ "subjects": ["group:nobody"] }), "subjects[0]"),
        (json!({ "subjects": ["role:nobody"] }), "subjects[0]"),
        (json!({ "scope": "team:nowhere" }), "scope"),
        (json!({ "effect": "ask", "phase": "list" }), "phase"),
    ] {
        let problem = owner.post("call-rules", &wrong(more)).await.refused(422, "invalid_request");
        assert_eq!(text(&problem["errors"][0], "path"), path, "{problem}");
    }
    let made = owner.post("call-rules", &wrong(json!({ "scope": "team:blue" }))).await;
    assert_eq!(made.header("etag"), Some("\"1\""));
    let path = format!("call-rules/{}", text(&made.ok(), "id"));
    let change = |version: &str| {
        let change = json!({ "condition": "call.streamed", "enabled": false });
        owner.request(Method::PATCH, &path).header("if-match", version).json(&change)
    };
    let changed = owner.answered(change("\"1\"")).await;
    assert_eq!(changed.header("etag"), Some("\"2\""));
    owner.answered(change("\"1\"")).await.refused(412, "precondition_failed");
    let cleared = owner.patch(&path, &json!({ "condition": null })).await.ok();
    assert!(cleared.get("condition").is_none(), "{cleared}");
    assert_eq!(owner.all("call-rules?enabled=false&effect=deny&scope=team:blue").await.len(), 1);
    assert_eq!(owner.all("call-rules?effect=allow").await.len(), 0);
    owner.delete(&path).await.ok();
    owner.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_rule_holds_on_every_node_within_a_second() {
    let world = World::new().await;
    let second = world.app.second().await;
    let there = world.token.client.at(&second);
    assert_eq!(there.call(Dialect::Chat, "small", "Hello").await.status, 200);
    world.rule(json!({ "effect": "deny" })).await;
    until("the other node knows", Duration::from_secs(1), async || {
        (there.call(Dialect::Chat, "small", "Hello").await.status == 403).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_says_what_would_become_of_a_call_and_why() {
    let world = World::new().await;
    let rule = world
        .rule(json!({ "name": "Nights", "effect": "deny", "resources": ["model:front*"],
            "condition": "now.getHours('Europe/Berlin') >= 22" }))
        .await;
    let test = async |body: Value| world.app.owner.post("call-rules/test", &body).await.ok();
    let night = json!({ "model": "frontier", "at": "2026-03-01T22:30:00Z" });
    let tested = test(night).await;
    assert_eq!(
        (text(&tested, "effect"), text(&tested, "decided_by")),
        ("deny".into(), text(&rule, "id"))
    );
    let day = test(json!({ "model": "frontier", "at": "2026-03-01T12:00:00Z" })).await;
    assert_eq!(text(&day, "effect"), "allow");
    assert_eq!(text(&day["rules"][0], "why"), "Its condition does not hold.");
    let called = world.chat("frontier", &json!({}), &[]).await;
    let id = called.header("x-ralex-call-id").unwrap();
    let draft = json!({ "name": "Draft", "effect": "ask", "resources": ["provider:frontier"] });
    let tested = test(json!({ "call": id, "at": "2026-03-01T12:00:00Z", "draft": draft })).await;
    assert_eq!(text(&tested, "effect"), "ask", "{tested}");
    assert_eq!(world.app.owner.all("call-rules").await.len(), 1, "nothing is kept");
}

#[tokio::test]
async fn a_dry_run_counts_the_length_of_an_answer_as_a_call_does() {
    let world = World::new().await;
    let rule = json!({ "name": "Long", "effect": "ask", "condition": "call.max_output > 100" });
    let id = text(&world.rule(rule).await, "id");
    let real = async |more: Value| world.chat("small", &more, &[]).await;
    let waits = real(json!({ "max_tokens": null })).await;
    assert_eq!(waits.status, 400, "the server's default is more than that: {waits:?}");
    let passed = real(json!({ "max_tokens": 90 })).await;
    assert_eq!(passed.status, 200, "{passed:?}");
    let made = passed.header("x-ralex-call-id").unwrap();
    for (body, effect) in [
        (json!({ "model": "small" }), "ask"),
        (json!({}), "ask"),
        (json!({ "model": "small", "arguments": { "temperature": 1 } }), "ask"),
        (json!({ "model": "small", "arguments": { "max_tokens": 90 } }), "allow"),
        (json!({ "arguments": { "generationConfig": { "maxOutputTokens": 90 } } }), "allow"),
        (json!({ "arguments": { "inferenceConfig": { "maxTokens": 101 } } }), "ask"),
        // What a call's body said is not kept.
        (json!({ "call": made }), "ask"),
        (json!({ "call": made, "arguments": { "max_tokens": 90 } }), "allow"),
    ] {
        let tested = world.app.owner.post("call-rules/test", &body).await.ok();
        assert_eq!(text(&tested, "effect"), effect, "{body}: {tested}");
        assert_eq!(tested.get("decided_by").is_some(), effect == "ask", "{id}: {tested}");
    }
    let test = async |body: Value| world.app.owner.post("call-rules/test", &body).await;
    let problem = test(json!({ "model": "nope" })).await.refused(422, "invalid_request");
    assert_eq!(text(&problem["errors"][0], "path"), "model", "{problem}");
    assert!(problem.to_string().contains("no model `nope`"), "{problem}");
}

#[tokio::test]
async fn a_change_of_rules_is_held_against_the_calls_that_were_made() {
    let world = World::new().await;
    let old = world.rule(json!({ "name": "Old", "effect": "deny", "resources": ["model:front*"] }));
    let old = text(&old.await, "id");
    for model in ["small", "small", "frontier"] {
        world.token.client.call(Dialect::Chat, model, "Hello").await;
    }
    let input = json!({ "model": "small", "input": "Hello" });
    world.token.client.post("/v1/embeddings", &input).await.ok();
    let path = "call-rules/simulate";
    let simulated = async |body: Value| world.app.owner.post(path, &body).await.ok();
    let draft = |more: Value| {
        let mut draft = json!({ "name": "New", "effect": "deny", "resources": ["model:small"] });
        draft.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        draft
    };
    let counts = |told: &Value| {
        ["recorded", "looked_at", "changed", "unclear"].map(|name| told[name].as_u64().unwrap())
    };
    let texts = draft(json!({ "actions": ["model.call.generate"] }));
    let told = simulated(json!({ "draft": texts })).await;
    assert_eq!(counts(&told), [4, 4, 2, 0], "an embedding is no text: {told}");
    let line = &told["changes"][0];
    assert_eq!((&line["before"], &line["after"]), (&json!("allow"), &json!("deny")), "{told}");
    assert_eq!((&line["rule_name"], line.get("rule")), (&json!("New"), None), "{told}");
    assert_eq!((&line["calls"], &line["model"]), (&json!(2), &json!("small")), "{told}");
    assert_eq!(text(line, "subject"), format!("token:{}", world.token.id));

    let told = simulated(json!({ "without": [old] })).await;
    assert_eq!(counts(&told), [4, 4, 1, 0], "what was refused would pass: {told}");
    assert_eq!(told["changes"][0]["after"], "allow");
    let told = simulated(json!({ "default_effect": "ask" })).await;
    assert_eq!(counts(&told), [4, 4, 3, 0], "what a rule denies stays denied: {told}");

    // What nobody wrote down is not guessed, and what does not hinge on it is told.
    for condition in [
        "call.max_output > 50",
        "has(call.arguments.tools)",
        "budget.left < 5",
        "'x' in call.labels",
    ] {
        let told = simulated(json!({ "draft": draft(json!({ "condition": condition })) })).await;
        assert_eq!(counts(&told), [4, 4, 0, 3], "{condition}: {told}");
        assert_eq!(told["not_kept"].as_array().unwrap().len(), 1, "{told}");
    }
    let condition = "call.model == 'tiny' && call.max_output > 50";
    let told = simulated(json!({ "draft": draft(json!({ "condition": condition })) })).await;
    assert_eq!(counts(&told), [4, 4, 0, 0], "{told}");
    let wide = draft(json!({ "resources": ["*"], "condition": "call.max_output > 50" }));
    let told = simulated(json!({ "draft": wide })).await;
    assert_eq!(counts(&told), [4, 4, 0, 3], "what is denied already stays so: {told}");

    for (odd, at) in [
        (json!({}), "draft"),
        (json!({ "without": [world.token.id] }), "without[0]"),
        (json!({ "without": [old], "days": 0 }), "days"),
        (json!({ "without": [old], "limit": 1001 }), "limit"),
        (json!({ "draft": draft(json!({ "condition": "call.mood" })) }), "condition"),
    ] {
        let problem = world.app.owner.post(path, &odd).await.refused(422, "invalid_request");
        assert_eq!(text(&problem["errors"][0], "path"), at, "{problem}");
    }
    assert_eq!(world.app.owner.all("call-rules").await.len(), 1, "nothing is changed");
}

#[tokio::test]
async fn rules_are_written_and_tried_from_a_shell() {
    let world = World::new().await;
    let secret = world.app.owner.secret();
    let url = world.app.owner.url().to_owned();
    let shell = |arguments: &[&str]| {
        let settings = [("RALEX_URL", url.as_str()), ("RALEX_TOKEN", secret.as_str())];
        run(&[&["call-rules"], arguments, &["--json"]].concat(), &settings)
    };
    let made = shell(&[
        "create",
        "--name",
        "Short",
        "--effect",
        "deny",
        "--resource",
        "model:small",
        "--condition",
        "call.max_output > 100",
    ]);
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let id = text(&made, "id");
    let tried = shell(&["test", "--model", "small", "--arguments", "{\"max_tokens\": 200}"]);
    assert_eq!(tried.status.code(), Some(2), "{tried:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rule.json");
    std::fs::write(&file, "{\"message\": \"Be brief\"}").unwrap();
    let file = file.to_str().unwrap();
    let stale = shell(&["update", &id, "--file", file, "--if-version", "7"]);
    assert!(!stale.status.success());
    let told = shell(&["simulate", "--without", &id, "--days", "7"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["recorded"], json!(0));
    assert_eq!(shell(&["simulate"]).status.code(), Some(1));
    let changed = shell(&["update", &id, "--file", file, "--no-condition"]);
    let changed: Value = serde_json::from_slice(&changed.stdout).unwrap();
    assert_eq!((text(&changed, "message"), changed.get("condition")), ("Be brief".into(), None));
    assert!(shell(&["default", "ask"]).status.success());
    assert_eq!(shell(&["delete", &id]).status.code(), Some(0));
    let listed: Value = serde_json::from_slice(&shell(&["list"]).stdout).unwrap();
    assert_eq!(listed["items"], json!([]));
}
