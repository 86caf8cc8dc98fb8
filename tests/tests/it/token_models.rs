//! Tokens that are narrowed to models: a person's as a program's, in every dialect and by no way around.

use std::time::Duration;

use ralex_tests::app::{App, Client, DIALECTS, Dialect, EMAIL, PASSWORD, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

const TOKENS: &str = "/api/v1/me/tokens";

/// Two models of two providers.
async fn app() -> (App, Upstream) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    app.provider("compatible", "openai_compatible", &upstream, "sk-other").await;
    app.team("blue").await;
    (app, upstream)
}

async fn session(app: &App) -> Client {
    let anonymous = app.anonymous();
    anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await)
}

/// A personal token of the owner that is narrowed to models, and its id.
async fn narrowed(app: &App, models: &[&str]) -> (String, Client) {
    let new = json!({ "name": "mine", "models": models });
    let made = session(app).await.post(TOKENS, &new).await.ok();
    (text(&made, "id"), app.with(&text(&made, "token")))
}

/// The names in a list of models, in the form that a header or a path asks for.
async fn listed(client: &Client, path: &str, headers: &[(&str, &str)]) -> Vec<String> {
    let request = client.request(Method::GET, path);
    let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
    let answer = client.answered(request).await.ok();
    let (list, name) = match answer.get("models") {
        Some(models) => (models.clone(), "name"),
        None => (answer["data"].clone(), "id"),
    };
    let name = |one: &Value| text(one, name).trim_start_matches("models/").to_owned();
    list.as_array().unwrap().iter().map(name).collect()
}

/// That a token calls one of two models, plain and streamed, and sees no other.
async fn opens_claude_only(client: &Client) {
    for dialect in DIALECTS {
        for model in ["compatible", "simulated"] {
            let barred = client.call(dialect, model, "Hello").await;
            assert!(dialect.refusal(&barred, 403).contains(model), "{barred:?}");
            let path = dialect.path(model, true);
            let barred = client.post(&path, &dialect.streamed(model, "Hello")).await;
            assert!(dialect.refusal(&barred, 403).contains(model), "{barred:?}");
        }
        dialect.said(&client.call(dialect, "claude", "Hello").await);
    }
    let by_header = client
        .request(Method::POST, "/v1/chat/completions")
        .header("x-ralex-model", "compatible")
        .json(&Dialect::Chat.body("claude", "Hello"));
    assert_eq!(client.answered(by_header).await.status, 403);
    let anthropic = [("anthropic-version", "2023-06-01")];
    assert_eq!(listed(client, "/v1/models", &[]).await, ["claude"]);
    assert_eq!(listed(client, "/v1/models", &anthropic).await, ["claude"]);
    assert_eq!(listed(client, "/v1beta/models", &[]).await, ["claude"]);
    for path in ["/v1/models", "/v1beta/models"] {
        client.get(&format!("{path}/claude")).await.ok();
        assert_eq!(client.get(&format!("{path}/compatible")).await.status, 404);
    }
}

#[tokio::test]
async fn a_personal_token_calls_and_lists_its_models_only_also_by_another_secret() {
    let (app, upstream) = app().await;
    let (id, mine) = narrowed(&app, &["claude"]).await;
    opens_claude_only(&mine).await;
    let all = session(&app).await.all(TOKENS).await;
    let shown = |id: &str| all.iter().find(|it| it["id"] == json!(id)).unwrap();
    assert_eq!(shown(&id)["models"], json!(["claude"]));
    assert!(all.iter().any(|it| it.get("models").is_none()), "others have all: {all:?}");

    let rotate = format!("{TOKENS}/{id}/rotate");
    mine.post(&rotate, &json!({})).await.refused(403, "step_up_required");
    let made = session(&app).await.post(&rotate, &json!({})).await.ok();
    opens_claude_only(&app.with(&text(&made, "token"))).await;
    opens_claude_only(&mine).await;
    assert!(upstream.requests("compatible").is_empty());

    let events = app.owner.all("audit?action=personal_token.created").await;
    let told = events.iter().find(|it| it["target"] == json!(format!("token:{id}"))).unwrap();
    assert_eq!(told["record"]["detail"]["models"], json!(["claude"]), "{told}");
    let preview = json!({ "model": "compatible", "prompt": "Hello" });
    mine.post("preview", &preview).await.refused(403, "model_not_allowed");
}

#[tokio::test]
async fn names_are_asked_for_as_a_teams_are_and_nonsense_is_told() {
    let (app, upstream) = app().await;
    let session = session(&app).await;
    let many: Vec<_> = (0..201).map(|number| format!("m{number}")).collect();
    for (models, path) in [
        (json!([]), "models"),
        (json!(many), "models"),
        (json!(["claude", " "]), "models[1]"),
        (json!(["x".repeat(129)]), "models[0]"),
        (json!(["claude", 7]), "models[1]"),
    ] {
        let new = json!({ "name": "x", "models": models });
        let own = session.post(TOKENS, &new).await.refused(422, "invalid_request");
        assert_eq!(own["errors"][0]["path"], path, "{own}");
        let new = json!({ "name": "x", "team": "blue", "models": models });
        let teams = app.owner.post("tokens", &new).await.refused(422, "invalid_request");
        assert_eq!(teams["errors"][0]["path"], path, "{teams}");
    }
    // A name that nothing has opens nothing, until something has it.
    let (_, early) = narrowed(&app, &["later"]).await;
    assert!(listed(&early, "/v1/models", &[]).await.is_empty());
    assert_eq!(early.call(Dialect::Chat, "claude", "Hello").await.status, 403);
    assert_eq!(early.call(Dialect::Chat, "later", "Hello").await.status, 404);
    app.provider("later", "anthropic", &upstream, "sk-later").await;
    let opened =
        async || (early.call(Dialect::Chat, "later", "Hello").await.status == 200).then_some(());
    until("the model is there", Duration::from_secs(2), opened).await;
    assert_eq!(listed(&early, "/v1/models", &[]).await, ["later"]);
}

/// The owner's second organisation, with a model of its own.
async fn second_org(app: &App, upstream: &Upstream) {
    let new = json!({ "slug": "acme", "owner_email": EMAIL });
    app.owner.post("/api/v1/operator/orgs", &new).await.ok();
    let post = async |path: &str, new: Value| {
        app.owner.post(&format!("/api/v1/orgs/acme/{path}"), &new).await.ok();
    };
    let base = upstream.url();
    post("providers", json!({ "slug": "theirs", "kind": "anthropic", "base_url": base })).await;
    post("secrets", json!({ "name": "theirs", "provider": "theirs", "value": "sk-theirs" })).await;
    let model = json!({ "name": "acme-secret-project", "provider": "theirs",
        "upstream_model": "x", "input_price": "3", "output_price": "15", "context_window": 1000,
        "max_output": 100 });
    post("models", model).await;
}

#[tokio::test]
async fn names_are_each_organisations_own_and_no_other_is_told_them() {
    let (app, upstream) = app().await;
    second_org(&app, &upstream).await;
    let secret = "acme-secret-project";
    let (id, mine) = narrowed(&app, &["claude", secret]).await;
    let call = async |org: &str, model: &str| {
        let request = mine.request(Method::POST, "/v1/messages").header("x-ralex-org", org);
        let request = request.json(&Dialect::Messages.body(model, "Hello"));
        mine.answered(request).await.status
    };
    assert_eq!((call("default", "claude").await, call("default", secret).await), (200, 404));
    assert_eq!((call("acme", "claude").await, call("acme", secret).await), (404, 200));
    assert_eq!(call("default", "compatible").await, 403);
    let list = async |org: &str| listed(&mine, "/v1/models", &[("x-ralex-org", org)]).await;
    assert_eq!(list("default").await, ["claude"]);
    assert_eq!(list("acme").await, [secret]);

    for (org, own, other) in [("default", "claude", secret), ("acme", secret, "claude")] {
        let path = format!("/api/v1/orgs/{org}/audit?action=personal_token.created");
        let events = app.owner.all(&path).await;
        let told = events.iter().find(|it| it["target"] == json!(format!("token:{id}"))).unwrap();
        let detail = &told["record"]["detail"];
        assert_eq!((&detail["models"], &detail["other_models"]), (&json!([own]), &json!(1)));
        assert!(!told.to_string().contains(other), "{org}: {told}");
    }
}

#[tokio::test]
async fn a_narrowed_token_opens_no_other_model_by_way_of_another_token() {
    let (app, _upstream) = app().await;
    let (id, mine) = narrowed(&app, &["claude"]).await;
    let new = json!({ "slug": "nightly", "name": "Nightly", "team": "blue" });
    let account = text(&app.owner.post("service-accounts", &new).await.ok(), "id");
    let bound = json!({ "subject": format!("service_account:{account}"), "role": "team_admin",
        "scope": "team:blue" });
    app.owner.post("bindings", &bound).await.ok();
    let new = json!({ "name": "s", "service_account": "nightly", "models": ["claude"] });
    let program = app.token_of(&new).await.client;
    let of_team = async |models: Value| {
        app.token_of(&json!({ "name": "x", "team": "blue", "models": models })).await
    };
    let (wide, other) = (of_team(Value::Null).await, of_team(json!(["compatible"])).await);
    let same = of_team(json!(["claude"])).await;
    for maker in [&mine, &program] {
        for models in [Value::Null, json!(["claude", "compatible"]), json!(["Claude"])] {
            let new = json!({ "name": "x", "team": "blue", "models": models });
            let refused = maker.post("tokens", &new).await.refused(403, "grant_exceeds_own");
            assert!(text(&refused, "detail").contains("`models`"), "{refused}");
        }
        for token in [&wide, &other] {
            let rotate = format!("tokens/{}/rotate", token.id);
            maker.post(&rotate, &json!({})).await.refused(403, "grant_exceeds_own");
        }
        let new = json!({ "name": "x", "team": "blue", "models": ["claude"] });
        let child = app.with(&text(&maker.post("tokens", &new).await.ok(), "token"));
        opens_claude_only(&child).await;
        let none = json!({ "overlap_seconds": 0 });
        maker.post(&format!("tokens/{}/rotate", same.id), &none).await.ok();
    }
    closed_account(&app, &mine, &id).await;
}

/// That a narrowed token opens nothing of its person's account, makes no other of it, and ends itself alone.
async fn closed_account(app: &App, mine: &Client, id: &str) {
    for path in ["/api/v1/me/sessions", TOKENS, "/api/v1/me/factors", "/api/v1/operator/orgs"] {
        mine.get(path).await.refused(403, "forbidden");
    }
    assert_eq!(mine.post(TOKENS, &json!({ "name": "wide" })).await.status, 403);
    let login = mine.post("/api/v1/auth/programs", &crate::programs::asked(true)).await;
    assert_eq!(login.status, 403, "no `ralex login` by it: {login:?}");
    mine.get("/api/v1/me").await.ok();
    let other = narrowed(app, &["claude"]).await.0;
    mine.delete(&format!("{TOKENS}/{other}")).await.refused(403, "forbidden");
    mine.delete(&format!("{TOKENS}/{id}")).await.ok();
}
