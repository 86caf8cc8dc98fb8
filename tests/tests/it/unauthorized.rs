//! Who may not, cannot: every operation against everyone who has no business there.

use std::time::Duration;

use ralex_tests::app::{Answer, App, DIALECTS, Dialect, text, until};
use serde_json::{Value, json};

use crate::operations::{Operation, operations};

mod beside;
mod bodies;
mod changes;
mod fields;
mod matrix;
mod needs;
mod sign_on;
mod slots;
mod walls;
mod world;

use bodies::{guardrail, route};
use needs::Needs::{self, Ask, Call, More, MoreOn, Nothing, Operator, Person, Read};
use needs::OPERATIONS;
use world::World;

fn batch() -> Value {
    let endpoint = "/v1/chat/completions";
    json!({ "input_file_id": world::FILE, "endpoint": endpoint, "completion_window": "24h" })
}

/// A body that would be accepted, so that nothing but the right is missing.
fn body(operation: &str) -> Value {
    match operation {
        "POST /v1/chat/completions" | "POST /v1/messages" => {
            Dialect::Chat.body("scripted", "Hello")
        }
        "POST /v1/responses" => Dialect::Responses.body("scripted", "Hello"),
        "POST /v1/messages/count_tokens" => Dialect::Messages.body("scripted", "Hello"),
        "POST /v1beta/models/{model}:generateContent"
        | "POST /v1beta/models/{model}:streamGenerateContent"
        | "POST /v1beta/models/{model}:countTokens" => Dialect::Gemini.body("scripted", "Hello"),
        "POST /v1beta/models/{model}:embedContent" => {
            json!({ "content": { "parts": [{ "text": "Hello" }] } })
        }
        "POST /v1beta/models/{model}:batchEmbedContents" => {
            json!({ "requests": [{ "content": { "parts": [{ "text": "Hello" }] } }] })
        }
        "POST /v1/embeddings" | "POST /v1/moderations" | "POST /v1/audio/speech" => {
            json!({ "model": "scripted", "input": "Hello", "voice": "alloy" })
        }
        "POST /v1/images/generations" => json!({ "model": "scripted", "prompt": "Hello" }),
        "POST /v1/images/edits" => json!({ "model": "scripted", "prompt": "Hello", "image": "x" }),
        "POST /v1/audio/transcriptions"
        | "POST /v1/audio/translations"
        | "POST /v1/images/variations" => json!({ "model": "scripted" }),
        "POST /v1/files" => Value::Null,
        "POST /v1/batches" => batch(),
        "POST /v1/rerank" => {
            json!({ "model": "scripted", "query": "Hello", "documents": ["a", "b"] })
        }
        other => rights_body(other),
    }
}

/// The same, of who may do what.
fn rights_body(operation: &str) -> Value {
    match operation {
        "POST /api/v1/orgs/{org}/roles" => {
            json!({ "name": "seer", "title": "Seer", "permissions": ["org.read"] })
        }
        "PATCH /api/v1/orgs/{org}/roles/{role}" => json!({ "title": "Renamed" }),
        "POST /api/v1/orgs/{org}/groups" => json!({ "slug": "day", "name": "Day shift" }),
        "PATCH /api/v1/orgs/{org}/groups/{group}" => json!({ "name": "Renamed" }),
        "POST /api/v1/orgs/{org}/groups/{group}/members" => {
            json!({ "subject": "user:owner@example.com" })
        }
        "POST /api/v1/orgs/{org}/bindings" => {
            json!({ "subject": "user:owner@example.com", "role": "viewer" })
        }
        "POST /api/v1/orgs/{org}/access/explain" => {
            json!({ "subject": "user:owner@example.com", "permission": "budget.set" })
        }
        "POST /api/v1/orgs/{org}/access-requests" => json!({ "role": "admin", "reason": "why" }),
        "PUT /api/v1/orgs/{org}/access-requests/settings" => json!({ "approvals": 1,
            "default_minutes": 1, "longest_minutes": 1, "pending_minutes": 1 }),
        "POST /api/v1/orgs/{org}/access-requests/{access_request}/approve"
        | "POST /api/v1/orgs/{org}/access-requests/{access_request}/deny" => {
            json!({ "reason": "why" })
        }
        "POST /api/v1/orgs/{org}/access/who-can" => json!({ "permission": "budget.set" }),
        "POST /api/v1/orgs/{org}/access/simulate" => {
            json!({ "bind": [{ "subject": "user:owner@example.com", "role": "billing" }] })
        }
        "POST /api/v1/orgs/{org}/policies/import" => json!({ "lines": "" }),
        other if other.contains("/change-requests/") => changes::body(other),
        other if other.contains("/break-glass") => bodies::break_glass(other),
        other => management_body(other),
    }
}

/// The same, of people, teams, models and money.
fn management_body(operation: &str) -> Value {
    match operation {
        "POST /api/v1/auth/password" => {
            json!({ "current": "not-my-password", "new": "another-password" })
        }
        "POST /api/v1/auth/login" => json!({ "email": "x@example.com", "password": "wrong" }),
        "POST /api/v1/auth/second-factor" => json!({ "challenge": "x", "code": "000000" }),
        "POST /api/v1/auth/step-up" => json!({ "password": "not-my-password" }),
        "PATCH /api/v1/orgs/{org}/security" => json!({ "second_factor_required": false }),
        "POST /api/v1/me/tokens" => json!({ "name": "mine" }),
        "POST /api/v1/orgs/{org}/teams" => json!({ "slug": "red", "name": "Red" }),
        "PATCH /api/v1/orgs/{org}"
        | "PATCH /api/v1/orgs/{org}/teams/{team}"
        | "PATCH /api/v1/orgs/{org}/projects/{project}" => json!({ "name": "Renamed" }),
        "POST /api/v1/orgs/{org}/projects" => {
            json!({ "slug": "app", "name": "App", "team": "blue" })
        }
        "POST /api/v1/orgs/{org}/members" => {
            json!({ "email": "new@example.com", "name": "New", "role": "viewer" })
        }
        "POST /api/v1/orgs/{org}/service-accounts" => {
            json!({ "slug": "job", "name": "Job", "team": "blue" })
        }
        "PATCH /api/v1/orgs/{org}/service-accounts/{service_account}" => {
            json!({ "disabled": true })
        }
        "POST /api/v1/tokens/leaked" => json!([{ "token": "hunter2" }]),
        "POST /api/v1/me/tokens/{token}/rotate"
        | "POST /api/v1/orgs/{org}/tokens/{token}/rotate" => json!({}),
        "POST /api/v1/orgs/{org}/tokens" => json!({ "name": "new", "team": "blue" }),
        "POST /api/v1/orgs/{org}/providers" => json!({ "slug": "more", "kind": "simulated" }),
        "PATCH /api/v1/orgs/{org}/providers/{provider}" => json!({ "enabled": false }),
        "POST /api/v1/orgs/{org}/models" => json!({
            "name": "new", "provider": "scripted", "upstream_model": "new",
            "input_price": "1", "output_price": "1", "context_window": 100, "max_output": 10,
        }),
        "PATCH /api/v1/orgs/{org}/models/{model}" => json!({ "input_price": "9" }),
        "POST /api/v1/orgs/{org}/secrets" => {
            json!({ "name": "new", "provider": "scripted", "value": "sk-new" })
        }
        "POST /api/v1/orgs/{org}/secrets/{secret}/versions" => json!({ "value": "sk-next" }),
        "PATCH /api/v1/orgs/{org}/secrets/{secret}" => json!({ "weight": 5 }),
        "POST /api/v1/orgs/{org}/budgets" => {
            json!({ "scope": "org", "period": "day", "limit": "1", "hard": true })
        }
        "PATCH /api/v1/orgs/{org}/budgets/{budget}" => json!({ "limit": "5" }),
        "POST /api/v1/orgs/{org}/budgets/{budget}/increase" => {
            json!({ "amount": "5", "until": "2999-01-01T00:00:00Z", "reason": "More" })
        }
        "POST /api/v1/orgs/{org}/budgets/{budget}/adjustments/{adjustment}/reverse" => {
            json!({ "note": "why" })
        }
        "POST /api/v1/orgs/{org}/reconciliations" => json!({ "provider": "scripted",
            "format": "csv", "export": "date,cost\n2026-01-01,1" }),
        other => gateway_body(other),
    }
}

/// The same, of what chooses models and looks at prompts.
fn gateway_body(operation: &str) -> Value {
    match operation {
        "POST /api/v1/orgs/{org}/routes" => route("more"),
        "POST /api/v1/orgs/{org}/alert-rules" => {
            let channel = json!({ "kind": "email", "to": "ops@example.com" });
            json!({ "name": "Ops", "channels": [channel] })
        }
        "POST /api/v1/orgs/{org}/rate-limits" => {
            json!({ "scope": "org", "measure": "requests", "amount": 5 })
        }
        "PATCH /api/v1/orgs/{org}/rate-limits/{limit}" => json!({ "amount": 6 }),
        "POST /api/v1/orgs/{org}/usage/replay" => {
            json!({ "price": { "model": "scripted", "input_price": "1" } })
        }
        "POST /api/v1/orgs/{org}/reports" => json!({ "kind": "control_health" }),
        "POST /api/v1/orgs/{org}/report-schedules" => json!({ "name": "More",
            "kind": "control_health", "every": "week", "day": 1, "hour": 6 }),
        "PATCH /api/v1/orgs/{org}/routes/{route}"
        | "PATCH /api/v1/orgs/{org}/alert-rules/{rule}"
        | "PATCH /api/v1/orgs/{org}/report-schedules/{schedule}"
        | "PATCH /api/v1/orgs/{org}/audit/sinks/{sink}"
        | "PATCH /api/v1/orgs/{org}/call-rules/{call_rule}"
        | "PATCH /api/v1/orgs/{org}/guardrails/{guardrail}" => json!({ "enabled": false }),
        "POST /api/v1/orgs/{org}/guardrails" => guardrail("More"),
        "POST /api/v1/orgs/{org}/call-rules" => json!({ "name": "More", "effect": "allow" }),
        "PUT /api/v1/orgs/{org}/call-rules/settings" => json!({ "default_effect": "allow" }),
        "POST /api/v1/orgs/{org}/call-rules/test" => json!({ "model": "scripted" }),
        "POST /api/v1/orgs/{org}/call-rules/simulate" => json!({ "default_effect": "ask" }),
        "POST /api/v1/orgs/{org}/guardrails/test" => json!({ "text": "Hello" }),
        "POST /api/v1/orgs/{org}/audit/sinks" => {
            json!({ "name": "SIEM", "kind": "webhook", "url": "https://siem.example/" })
        }
        "POST /api/v1/orgs/{org}/alerts/read"
        | "POST /api/v1/orgs/{org}/audit/sinks/{sink}/secret" => json!({}),
        "PUT /api/v1/orgs/{org}/approvals/settings" => json!({ "pending_minutes": 1,
            "approved_minutes": 1, "denied_minutes": 1, "once": true, "excerpts": true }),
        "POST /api/v1/orgs/{org}/approvals/{approval}/approve"
        | "POST /api/v1/orgs/{org}/audit/sinks/{sink}/resume"
        | "POST /api/v1/orgs/{org}/audit/retention/requests/{request}/approve"
        | "POST /api/v1/orgs/{org}/audit/retention/requests/{request}/deny"
        | "POST /api/v1/orgs/{org}/approvals/{approval}/deny" => json!({ "reason": "why" }),
        "POST /api/v1/orgs/{org}/audit/retention/requests" => {
            json!({ "kind": "hold", "reason": "why" })
        }
        "PUT /api/v1/orgs/{org}/cache" => json!({ "mode": "off", "ttl_seconds": 60 }),
        "POST /api/v1/orgs/{org}/aliases" => json!({ "name": "more", "target": "scripted" }),
        "PATCH /api/v1/orgs/{org}/aliases/{alias}" => json!({ "target": "auto" }),
        "PUT /api/v1/orgs/{org}/preferences" => json!({ "rules": { "banned": ["scripted"] } }),
        "PUT /api/v1/orgs/{org}/routing" => json!({ "explore_percent": 5.0 }),
        "POST /api/v1/orgs/{org}/preview" => json!({ "model": "auto", "prompt": "Hello" }),
        other => sign_on::body(other),
    }
}

fn needs(operation: &Operation) -> Needs {
    let entry = OPERATIONS.iter().find(|(name, _)| *name == operation.name);
    entry.unwrap_or_else(|| panic!("{} has no entry here", operation.name)).1
}

fn refused(operation: &Operation, answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{} for {:?}: {answer:?}", operation.name, needs(operation));
    if needs(operation) != Call {
        answer.problem();
    }
}

/// What the log holds, which no refused write may have changed.
async fn things(app: &App) -> Vec<usize> {
    let mut counts = Vec::new();
    for list in ["teams", "projects", "members", "tokens", "providers", "models", "secrets"] {
        counts.push(app.owner.all(list).await.len());
    }
    counts.push(app.owner.all("budgets").await.len());
    for list in ["guardrails", "call-rules", "routes", "aliases", "preferences", "service-accounts"]
    {
        counts.push(app.owner.all(list).await.len());
    }
    counts
}

#[test]
fn the_table_names_no_operation_that_is_gone() {
    let known: Vec<_> = operations().into_iter().map(|operation| operation.name).collect();
    for (name, _) in OPERATIONS {
        assert!(known.iter().any(|known| known == name), "{name} is gone");
    }
}

#[tokio::test]
async fn no_operation_serves_anyone_without_a_valid_credential() {
    let world = World::new().await;
    let revoked = world.app.token_of(&json!({ "name": "gone", "team": "blue" })).await;
    world.app.owner.delete(&format!("tokens/{}", revoked.id)).await.ok();
    until("the token ended", Duration::from_secs(1), async || {
        (revoked.client.get("/v1/models").await.status == 401).then_some(())
    })
    .await;
    let before = things(&world.app).await;
    let anonymous = world.app.anonymous();
    let mistyped = world.app.with("rlx_tnotatokenatallnotatokenatall");
    for operation in operations() {
        if needs(&operation) == Nothing {
            continue;
        }
        for client in [&anonymous, &mistyped, &revoked.client] {
            refused(&operation, &world.ask(&operation, client).await, 401);
        }
    }
    assert_eq!(before, things(&world.app).await);
}

#[tokio::test]
async fn who_belongs_to_no_organisation_does_not_learn_that_there_is_one() {
    let world = World::new().await;
    let stranger = world.app.member("left@example.com", "admin", "org").await;
    world.app.owner.delete(&format!("members/{}", stranger.id)).await.ok();
    until("the membership ended", Duration::from_secs(1), async || {
        (stranger.client.get("teams").await.status == 404).then_some(())
    })
    .await;
    let before = things(&world.app).await;
    for operation in operations() {
        match needs(&operation) {
            Nothing | Person => {}
            Operator => refused(&operation, &world.ask(&operation, &stranger.client).await, 403),
            Call => {
                let answer = world.ask(&operation, &stranger.client).await;
                assert!([403, 404, 422].contains(&answer.status), "{answer:?}");
            }
            Read | Ask | More | MoreOn => {
                let there = world.ask(&operation, &stranger.client).await;
                refused(&operation, &there, 404);
                // Word for word what is said of an organisation that does not exist.
                let path = world.path(&operation).replacen("default", "nowhere", 1);
                let body = operation.spec.get("requestBody").map(|_| body(&operation.name));
                let method = operation.method.clone();
                let nowhere = stranger.client.send(method, &path, body.as_ref()).await;
                refused(&operation, &nowhere, 404);
                let said = |answer: &Answer| answer.json()["detail"].clone();
                assert_eq!(said(&there), said(&nowhere), "{}", operation.name);
            }
        }
    }
    assert_eq!(before, things(&world.app).await);
}

#[tokio::test]
async fn a_viewer_reads_and_changes_nothing() {
    let world = World::new().await;
    let viewer = world.app.member("viewer@example.com", "viewer", "org").await;
    let before = things(&world.app).await;
    for operation in operations() {
        let ask = world.ask(&operation, &viewer.client);
        match needs(&operation) {
            Nothing | Person => {}
            Read => assert_eq!(ask.await.status, 200, "{}", operation.name),
            Ask => assert_eq!(ask.await.status, 201, "{}", operation.name),
            More | MoreOn | Call | Operator => refused(&operation, &ask.await, 403),
        }
    }
    assert_eq!(before, things(&world.app).await);
}

#[tokio::test]
async fn a_team_s_token_cannot_administer_anything() {
    let world = World::new().await;
    let token = world.app.token_of(&json!({ "name": "calls", "team": "blue" })).await;
    let before = things(&world.app).await;
    for operation in operations() {
        let needs = needs(&operation);
        let name = &operation.name;
        // There is no session that its logout could end.
        let writes = name.starts_with("POST") && !name.ends_with("/auth/logout");
        if matches!(needs, More | MoreOn | Operator) || (needs == Person && writes) {
            let answer = world.ask(&operation, &token.client).await;
            assert!([401, 403, 404].contains(&answer.status), "{name}: {answer:?}");
        }
    }
    assert_eq!(before, things(&world.app).await);
}

#[tokio::test]
async fn model_routes_refuse_in_the_caller_s_own_dialect() {
    let world = World::new().await;
    for dialect in DIALECTS {
        let answer = world.app.anonymous().call(dialect, "scripted", "Hello").await;
        dialect.refusal(&answer, 401);
        let answer = world.app.with("rlx_wrong").call(dialect, "scripted", "Hello").await;
        dialect.refusal(&answer, 401);
    }
}

#[tokio::test]
async fn nobody_gives_a_right_that_they_do_not_have() {
    let world = World::new().await;
    let admin = world.app.member("admin@example.com", "admin", "org").await;
    let lead = world.app.member("lead@example.com", "team_admin", "team:blue").await;
    let new = |email: &str, role: &str, scope: &str| json!({ "email": email, "name": "New", "role": role, "scope": scope });
    let owner = admin.client.post("members", &new("a@example.com", "owner", "org")).await;
    owner.refused(403, "grant_exceeds_own");
    let wider = lead.client.post("members", &new("b@example.com", "team_admin", "org")).await;
    wider.refused(403, "forbidden");
    let higher = lead.client.post("members", &new("c@example.com", "owner", "team:blue")).await;
    higher.refused(403, "grant_exceeds_own");
    assert_eq!(world.app.owner.all("members").await.len(), 3);
    let me = world.app.ids_of_owner().await;
    let last = world.app.owner.delete(&format!("members/{me}")).await;
    last.refused(409, "last_owner");
}

/// What only this suite asks.
trait Owner {
    async fn ids_of_owner(&self) -> String;
}

impl Owner for App {
    async fn ids_of_owner(&self) -> String {
        text(&self.owner.get("/api/v1/me").await.ok()["user"], "id")
    }
}
