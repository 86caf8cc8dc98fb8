//! Bad input: every refusal is a problem that says where it is and what to do.

use futures_util::future::join_all;
use ralex_tests::app::{Answer, App, Client, DIALECTS, EMAIL, PASSWORD, text};
use reqwest::Method;
use serde_json::{Value, json};

/// A body exactly as it is written here.
async fn raw(client: &Client, path: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = client.request(Method::POST, path).header("content-type", kind);
    client.answered(request.body(body)).await
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_with_the_path_of_what_is_wrong() {
    let app = App::start().await;
    let session = app.anonymous().session(EMAIL, PASSWORD).await;
    let session = app.anonymous().in_session(&session);
    let team = |more: Value| {
        let mut body = json!({ "slug": "blue", "name": "Blue" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (path, body, wrong) in [
        ("teams", team(json!({ "slug": 7 })), "slug"),
        ("teams", team(json!({ "slug": null })), "slug"),
        ("teams", team(json!({ "org_id": "x" })), "org_id"),
        ("teams", team(json!({ "is_admin": true })), "is_admin"),
        ("teams", team(json!({ "created_by": "x" })), "created_by"),
        ("teams", json!([]), "body"),
        ("teams", json!("text"), "body"),
        ("teams", json!({ "slug": "blue" }), "name"),
        ("tokens", json!({ "name": "a", "team": "b", "models": ["x", 7] }), "models[1]"),
        ("tokens", json!({ "name": "a", "team": "b", "expires_at": "soon" }), "expires_at"),
        (
            "budgets",
            json!({ "scope": "org", "period": "eon", "limit": "1", "hard": true }),
            "period",
        ),
        (
            "budgets",
            json!({ "scope": "org", "period": "day", "limit": "x", "hard": true }),
            "limit",
        ),
        ("providers", json!({ "slug": "p", "kind": "openai", "spent": 1 }), "spent"),
        ("members", json!({ "email": "nobody", "name": "N", "role": "viewer" }), "email"),
        ("members", json!({ "email": "a@example.com", "name": "N", "role": "emperor" }), "role"),
        ("/api/v1/me/tokens", json!({ "name": "" }), "name"),
    ] {
        // What is one's own asks for a fresh proof, which only a session has.
        let client = if path.starts_with('/') { &session } else { &app.owner };
        let problem = client.post(path, &body).await.refused(422, "invalid_request");
        let told = format!("{} {}", problem["errors"], problem["detail"]);
        assert!(told.contains(wrong), "{path} {body}: {told}");
    }
    assert!(app.owner.all("teams").await.is_empty());
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let app = App::start().await;
    let json = "application/json";
    for body in ["", "{", "{\"slug\":", "nonsense", "{} {}", "\u{0}", "{\"a\":1,}"] {
        let answer = raw(&app.owner, "teams", json, body).await;
        answer.refused(422, "invalid_request");
    }
    raw(&app.owner, "teams", json, vec![0xff, 0xfe, 0x00]).await.refused(422, "invalid_request");
    // A form of another site can be sent with these types, and without asking first.
    let team = r#"{"slug":"blue","name":"Blue"}"#;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        raw(&app.owner, "teams", kind, team).await.refused(422, "invalid_request");
    }
    let charset = raw(&app.owner, "teams", "application/json; charset=utf-8", team).await;
    assert_eq!(charset.status, 201, "{charset:?}");
    let nested = "[".repeat(100_000);
    raw(&app.owner, "teams", json, nested).await.refused(422, "invalid_request");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_everywhere() {
    let app = App::start_with(&[("RALEX_MAX_BODY", "2048")]).await;
    let token = app.token("blue").await;
    let large = json!({ "slug": "red", "name": "x".repeat(4096) });
    app.owner.post("teams", &large).await.refused(413, "too_large");
    for dialect in DIALECTS {
        let answer = token.client.call(dialect, "simulated", &"x".repeat(4096)).await;
        dialect.refusal(&answer, 413);
    }
    let fits = token.client.call(DIALECTS[0], "simulated", &"x".repeat(512)).await;
    assert_eq!(fits.status, 200, "{fits:?}");
}

#[tokio::test]
async fn model_routes_refuse_bad_bodies_in_their_dialect() {
    let app = App::start().await;
    let token = app.token("blue").await;
    for dialect in DIALECTS {
        for body in
            ["", "{", "[]", "{}", r#"{"model":"simulated"}"#, r#"{"model":7,"messages":[]}"#]
        {
            let answer =
                raw(&token.client, &dialect.path("simulated", false), "application/json", body)
                    .await;
            assert!([400, 422].contains(&answer.status), "{body}: {answer:?}");
            dialect.refusal(&answer, answer.status);
        }
        // What a guardrail would read and what a provider would read must be one thing.
        let asked = dialect.body("simulated", "twice").to_string();
        let twice = asked.replace(r#""twice""#, r#"{"a":1,"a":2}"#);
        let answer =
            raw(&token.client, &dialect.path("simulated", false), "application/json", twice).await;
        dialect.refusal(&answer, 422);
        assert!(answer.text.contains("a field stands twice"), "{answer:?}");
        for (header, wrong) in [
            ("x-ralex-cache", "never"),
            ("x-ralex-escalate", "perhaps"),
            ("x-ralex-priority", "urgent"),
        ] {
            let request = token.client.request(Method::POST, &dialect.path("simulated", false));
            let request = request.json(&dialect.body("simulated", "Hi")).header(header, wrong);
            let answer = token.client.answered(request).await;
            dialect.refusal(&answer, 422);
            assert!(answer.text.contains(header), "{answer:?}");
        }
    }
    assert!(app.owner.all("calls").await.is_empty());
}

#[tokio::test]
async fn a_path_or_method_that_there_is_not_answers_with_a_problem() {
    let app = App::start().await;
    for path in ["/api/", "/api/v1", "/api/v1/nothing", "nothing", "teams/x/y/z", "/v1/nothing"] {
        app.owner.get(path).await.refused(404, "not_found");
    }
    for (method, path) in [
        (Method::PUT, "teams"),
        (Method::DELETE, "teams"),
        (Method::POST, "overview"),
        (Method::GET, "/api/v1/auth/login"),
        (Method::PATCH, "/v1/chat/completions"),
    ] {
        let answer = app.owner.send(method, path, None).await;
        answer.problem();
        assert!([404, 405].contains(&answer.status), "{answer:?}");
    }
    for path in ["teams/..%2f..%2fx", "teams/%00", "teams/%ff", "teams/%F0%9F%92%A9"] {
        let answer = app.owner.get(path).await;
        answer.problem();
        assert!([400, 404, 422].contains(&answer.status), "{answer:?}");
    }
    // Where a vendor's SDK asks, the error it looks for is there too.
    for (method, path, field, value) in [
        (Method::POST, "/v1/completions", "code", json!("not_found")),
        (Method::PUT, "/v1/messages", "type", json!("not_found_error")),
        (Method::GET, "/v1/messages/batches/x/y", "type", json!("not_found_error")),
        (Method::POST, "/v1beta/models/simulated:dream", "status", json!("NOT_FOUND")),
    ] {
        let problem = app.owner.send(method, path, None).await.refused(404, "not_found");
        assert_eq!(problem["error"][field], value, "{problem}");
        assert!(text(&problem["error"], "message").contains("/docs"), "{problem}");
    }
    // Codex tries a WebSocket first; told that it needs another protocol, it goes on with a POST at once.
    assert_eq!(app.owner.get("/v1/responses").await.status, 405);
    let upgrade = app.owner.request(Method::GET, "/v1/responses");
    let upgrade = upgrade.header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(app.owner.answered(upgrade).await.status, 426);
    app.owner.get("tokens?team=nowhere").await.refused(404, "not_found");
    app.owner.get("tokens?team=%00").await.refused(422, "invalid_request");
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused() {
    let app = App::start().await;
    for path in [
        "teams?cursor=nonsense",
        "teams?limit=many",
        "teams?limit=-1",
        "teams?order=up",
        "audit?cursor=nonsense",
        "audit?from=yesterday",
        "calls?state=happy",
        "calls?cursor=%00",
        "usage?group_by=mood",
        "usage?from=2026-13-01T00:00:00Z",
        "budgets?cursor=1",
        "members?cursor=;drop%20table",
        "audit/export?format=xml",
        "catalog?kind=Not%20A%20Kind",
    ] {
        let answer = app.owner.get(path).await;
        answer.refused(422, "invalid_request");
    }
    for path in ["teams/00000000-0000-0000-0000-000000000000", "budgets/not-an-id", "calls/7"] {
        let answer = app.owner.get(path).await;
        answer.problem();
        assert!([404, 422].contains(&answer.status), "{answer:?}");
    }
}

#[tokio::test]
async fn names_are_kept_as_they_are_or_refused_and_never_bent() {
    let app = App::start().await;
    let team = |slug: &str, name: &str| json!({ "slug": slug, "name": name });
    for slug in ["", "Blue", "blue team", "blue/..", "-blue", "a\u{0}b", "blüe", &"x".repeat(300)]
    {
        app.owner.post("teams", &team(slug, "Name")).await.refused(422, "invalid_request");
    }
    for name in ["", " ", "a\nb", "a\u{0}b", "a\u{202e}b", &"x".repeat(10_000)] {
        app.owner.post("teams", &team("blue", name)).await.refused(422, "invalid_request");
    }
    for (number, name) in
        ["Équipe Bleue", "蓝队", "O'Brien; drop table team", "<b>x</b>", "role:owner"]
            .into_iter()
            .enumerate()
    {
        let made = app.owner.post("teams", &team(&format!("t{number}"), name)).await.ok();
        assert_eq!(made["name"], name);
    }
    app.owner.post("teams", &team("t0", "Again")).await.refused(409, "already_exists");
    // No id or slug is taken for another.
    let shown = app.owner.get("teams/t0").await.ok();
    assert_eq!(app.owner.get(&format!("teams/{}", text(&shown, "id"))).await.ok(), shown);
    app.owner.get("teams/T0").await.refused(404, "not_found");
}

#[tokio::test]
async fn pages_hold_every_item_once() {
    let app = App::start().await;
    for number in 0..7 {
        app.team(&format!("team-{number}")).await;
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.owner.get(&format!("teams?limit=2{cursor}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 2, "{page}");
        seen.extend(items.iter().map(|team| text(team, "slug")));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort();
    assert_eq!(seen, (0..7).map(|number| format!("team-{number}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_write_that_comes_again_with_its_key_is_done_once() {
    let app = App::start().await;
    let ask = |key: &str, slug: &str| {
        let body = json!({ "slug": slug, "name": slug });
        let request = app.owner.request(Method::POST, "teams").header("idempotency-key", key);
        app.owner.answered(request.json(&body))
    };
    let answers = join_all((0..20).map(|_| ask("one", "blue"))).await;
    let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert!(!made.is_empty(), "{answers:?}");
    for answer in &answers {
        // One that comes while the first is under way may be told to wait.
        assert!([201, 409].contains(&answer.status), "{answer:?}");
    }
    assert!(made.iter().all(|answer| answer.text == made[0].text), "{made:?}");
    assert_eq!(app.owner.all("teams").await.len(), 1);
    assert_eq!(ask("one", "blue").await.text, made[0].text);
    ask("one", "red").await.refused(422, "idempotency_key_reused");
    assert_eq!(app.owner.all("teams").await.len(), 1);
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_guessing() {
    let app = App::start().await;
    for path in
        ["/", "/openapi.json", "/api/v1/me", "/api/v1/nothing", "/health/live", "/nothing.js"]
    {
        let answer = app.anonymous().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{answer:?}");
        assert!(answer.header("content-security-policy").is_some(), "{answer:?}");
        assert!(answer.header("x-request-id").is_some(), "{answer:?}");
        assert_eq!(answer.header("server"), None, "{answer:?}");
    }
}
