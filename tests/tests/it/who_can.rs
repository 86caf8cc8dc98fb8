//! Who can spend a budget, and who can use, replace or destroy a provider's key.

use ralex_tests::app::{Answer, App, Client, Shell, text};
use ralex_tests::upstream::Upstream;
use serde_json::{Value, json};

const WHO: &str = "access/who-can";

async fn names(client: &Client, asked: &Value) -> Vec<String> {
    let page = client.post(WHO, asked).await.ok();
    page["items"].as_array().unwrap().iter().map(|it| text(it, "subject_name")).collect()
}

async fn budget(app: &App, scope: &str) -> Value {
    let new = json!({ "scope": scope, "period": "month", "limit": "5", "hard": true });
    json!({ "budget": app.owner.post("budgets", &new).await.ok()["id"] })
}

/// Two teams with a developer each, a project, a program, and tokens.
async fn world() -> App {
    let app = App::start().await;
    app.token("blue").await;
    app.token("red").await;
    let web = json!({ "slug": "web", "name": "Web", "team": "blue" });
    app.owner.post("projects", &web).await.ok();
    let new = json!({ "slug": "nightly", "name": "Nightly", "team": "blue" });
    app.owner.post("service-accounts", &new).await.ok();
    app.member("ann@example.com", "developer", "team:blue").await;
    app.member("ben@example.com", "developer", "project:web").await;
    app.member("cid@example.com", "developer", "team:red").await;
    app.member("eve@example.com", "auditor", "org").await;
    app
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[tokio::test]
async fn those_spend_a_budget_who_may_make_calls_within_it() {
    let app = world().await;
    let who = async |scope: &str| sorted(names(&app.owner, &budget(&app, scope).await).await);
    let owner = "owner@example.com";
    let [ann, ben, cid] = ["ann@example.com", "ben@example.com", "cid@example.com"];
    assert_eq!(who("org").await, ["Nightly", ann, ben, "blue", cid, owner, "red"]);
    assert_eq!(who("team:blue").await, ["Nightly", ann, ben, "blue", owner]);
    assert_eq!(who("team:red").await, [cid, owner, "red"]);
    assert_eq!(who("project:web").await, ["Nightly", ann, ben, "blue", owner]);
    assert_eq!(who("user:ben@example.com").await, [ben]);
    assert_eq!(who("user:eve@example.com").await, [""; 0], "she may make no calls");
    assert_eq!(who("service_account:nightly").await, ["Nightly"]);
    let token = app.token_of(&json!({ "name": "own", "team": "blue" })).await;
    let of_token = budget(&app, &format!("token:{}", token.id)).await;
    assert_eq!(names(&app.owner, &of_token).await, ["own"]);
    app.owner.delete(&format!("tokens/{}", token.id)).await.ok();
    assert_eq!(names(&app.owner, &of_token).await, [""; 0], "it is revoked");
    let program = app.token_of(&json!({ "name": "its", "service_account": "nightly" })).await;
    let of_program = budget(&app, &format!("token:{}", program.id)).await;
    assert_eq!(names(&app.owner, &of_program).await, ["Nightly"]);

    // Who is denied it where they hold it does not, and pages go on where one ended.
    let denied = json!({ "subject": "user:ann@example.com", "role": "developer",
        "scope": "team:blue", "effect": "deny" });
    app.owner.post("bindings", &denied).await.ok();
    let blue = budget(&app, "team:blue").await;
    let mut asked = blue.clone();
    asked["limit"] = json!(2);
    let mut found = Vec::new();
    loop {
        let page = app.owner.post(WHO, &asked).await.ok();
        found.extend(page["items"].as_array().unwrap().iter().map(|it| text(it, "subject_name")));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        asked["cursor"] = json!(cursor);
    }
    assert_eq!(sorted(found), ["Nightly", ben, "blue", owner]);
}

#[tokio::test]
async fn those_use_a_key_who_may_make_calls_while_its_provider_is_on_and_others_replace_it() {
    let app = world().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("scripted", "openai_compatible", &upstream, "sk-canary").await;
    let keys = app.owner.all("secrets").await;
    let key = json!({ "key": keys[0]["id"] });
    let may = async || -> Vec<(String, Value)> {
        let page = app.owner.post(WHO, &key).await.ok();
        assert!(!page.to_string().contains("canary"), "{page}");
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|it| (text(it, "subject_name"), it["permissions"].clone())).collect()
    };
    let all = json!(["llm.invoke", "secret.rotate", "secret.delete"]);
    let held = may().await;
    let of = |held: &[(String, Value)], name: &str| {
        held.iter().find(|it| it.0 == name).map(|it| it.1.clone())
    };
    assert_eq!(of(&held, "owner@example.com"), Some(all), "{held:?}");
    for name in ["ann@example.com", "ben@example.com", "Nightly", "red"] {
        assert_eq!(of(&held, name), Some(json!(["llm.invoke"])), "{held:?}");
    }
    assert_eq!(of(&held, "eve@example.com"), None, "{held:?}");
    app.owner.patch("providers/scripted", &json!({ "enabled": false })).await.ok();
    let held = may().await;
    assert_eq!(of(&held, "ann@example.com"), None, "{held:?}");
    let left = Some(json!(["secret.rotate", "secret.delete"]));
    assert_eq!(of(&held, "owner@example.com"), left, "{held:?}");
}

#[tokio::test]
async fn one_of_the_three_is_asked_and_what_one_may_not_see_is_not_there() {
    let app = world().await;
    let blue = budget(&app, "team:blue").await;
    let wrong = |answer: Answer, path: &str| {
        let refused = answer.refused(422, "invalid_request");
        assert_eq!(refused["errors"][0]["path"], path, "{refused}");
    };
    wrong(app.owner.post(WHO, &json!({})).await, "permission");
    let mut both = blue.clone();
    both["permission"] = json!("llm.invoke");
    wrong(app.owner.post(WHO, &both).await, "budget");
    let mut both = blue.clone();
    both["key"] = blue["budget"].clone();
    wrong(app.owner.post(WHO, &both).await, "key");
    for (name, value) in [("scope", "org"), ("at", "2026-01-01T00:00:00Z")] {
        let mut placed = blue.clone();
        placed[name] = json!(value);
        wrong(app.owner.post(WHO, &placed).await, name);
    }
    let nothing = "01890a5d-ac96-774b-bcce-b302099a8057";
    for asked in [json!({ "budget": nothing }), json!({ "key": nothing })] {
        app.owner.post(WHO, &asked).await.refused(404, "not_found");
    }
    let lead = app.member("lead@example.com", "team_admin", "team:red").await;
    lead.client.post(WHO, &blue).await.refused(404, "not_found");
    let red = budget(&app, "team:red").await;
    assert!(names(&lead.client, &red).await.contains(&"red".to_owned()));
    let outsider = app.member("fay@example.com", "viewer", "project:web").await;
    outsider.client.post(WHO, &red).await.refused(404, "not_found");

    let shell = Shell::of(&app);
    let line = format!("roles who-can --budget {}", text(&red, "budget"));
    let told = shell.done(&line).await;
    assert!(told.contains("cid@example.com") && !told.contains("ann@example.com"), "{told}");
    let (code, _) = shell.says(&format!("{line} llm.invoke")).await;
    assert_ne!(code, 0);
}
