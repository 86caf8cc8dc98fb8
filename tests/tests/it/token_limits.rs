//! What tokens are narrowed to, how they get another secret, and what becomes of one that others found.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use ralex_tests::app::{App, Client, Dialect, EMAIL, PASSWORD, Shell, Token, command, text, until};
use ralex_tests::upstream::Upstream;
use reqwest::Method;
use serde_json::{Value, json};

use crate::invitations::{choose, secret};

const SECOND: Duration = Duration::from_secs(1);

async fn app() -> (App, Upstream) {
    let app = App::start().await;
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    app.provider("claude", "anthropic", &upstream, "sk-canary").await;
    app.team("blue").await;
    (app, upstream)
}

async fn session(app: &App) -> Client {
    let anonymous = app.anonymous();
    anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await)
}

/// A personal token of the owner.
async fn personal(app: &App, more: Value) -> (String, Client) {
    let mut new = json!({ "name": "mine" });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = session(app).await.post("/api/v1/me/tokens", &new).await.ok();
    (text(&made, "id"), app.anonymous().with(&text(&made, "token")))
}

async fn of_team(app: &App, more: Value) -> Token {
    let mut new = json!({ "name": "program", "team": "blue" });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.token_of(&new).await
}

async fn status(client: &Client) -> u16 {
    client.call(Dialect::Messages, "claude", "Hello").await.status
}

async fn entries(app: &App, action: &str) -> Vec<Value> {
    app.owner.all(&format!("audit?action={action}")).await
}

#[tokio::test]
async fn a_narrowed_token_has_what_it_is_narrowed_to_and_hands_on_no_more() {
    let (app, _upstream) = app().await;
    let (_, reader) = personal(&app, json!({ "permissions": ["team.read"] })).await;
    reader.get("teams").await.ok();
    let refused = reader.post("teams", &json!({ "slug": "red", "name": "Red" })).await;
    assert!(text(&refused.refused(403, "forbidden"), "detail").contains("narrowed"));
    let me = reader.get("/api/v1/me").await.ok();
    assert_eq!(me["orgs"][0]["permissions"], json!(["team.read"]));
    for path in ["/api/v1/me/sessions", "/api/v1/me/tokens", "/api/v1/me/factors"] {
        reader.get(path).await.refused(403, "forbidden");
    }

    let maker = json!({ "permissions": ["token.create", "role.bind", "team.read", "member.read"] });
    let (id, maker) = personal(&app, maker).await;
    let new =
        |permissions: Value| json!({ "name": "x", "team": "blue", "permissions": permissions });
    let whole = maker.post("tokens", &json!({ "name": "x", "team": "blue" })).await;
    whole.refused(403, "grant_exceeds_own");
    maker.post("tokens", &new(json!(["llm.invoke"]))).await.refused(403, "grant_exceeds_own");
    maker.post("tokens", &new(json!(["team.read"]))).await.ok();
    let unlimited = of_team(&app, json!({})).await;
    let rotate = format!("tokens/{}/rotate", unlimited.id);
    maker.post(&rotate, &json!({})).await.refused(403, "grant_exceeds_own");
    let user = text(&me["user"], "id");
    let more = json!({ "subject": format!("user:{user}"), "role": "billing" });
    maker.post("bindings", &more).await.refused(403, "grant_exceeds_own");
    // It ends itself, and no other.
    let other = personal(&app, json!({})).await.0;
    maker.delete(&format!("/api/v1/me/tokens/{other}")).await.refused(403, "forbidden");
    maker.delete(&format!("/api/v1/me/tokens/{id}")).await.ok();
}

#[tokio::test]
async fn programs_are_narrowed_too_and_nonsense_is_told() {
    let (app, _upstream) = app().await;
    let lister = of_team(&app, json!({ "permissions": ["model.read"] })).await;
    assert_eq!(status(&lister.client).await, 403);
    let caller = of_team(&app, json!({ "permissions": ["llm.invoke", "secret.use"] })).await;
    assert_eq!(status(&caller.client).await, 200);
    caller.client.get("models").await.refused(403, "forbidden");
    let asked = json!({ "permission": "llm.invoke", "scope": "team:blue" });
    let who = app.owner.post("access/who-can", &asked).await.ok().to_string();
    assert!(who.contains(&caller.id) && !who.contains(&lister.id), "{who}");
    let listed = app.owner.all("tokens").await;
    let shown = listed.iter().find(|it| it["id"] == json!(caller.id)).unwrap();
    assert_eq!(shown["permissions"], json!(["llm.invoke", "secret.use"]));
    for (field, value) in [
        ("permissions", json!([])),
        ("permissions", json!(["llm.invoke", "all"])),
        ("addresses", json!([])),
        ("addresses", json!(["here"])),
    ] {
        let new = json!({ "name": "x", "team": "blue", field: value });
        let refused = app.owner.post("tokens", &new).await.refused(422, "invalid_request");
        assert!(text(&refused["errors"][0], "path").starts_with(field), "{refused}");
    }
}

#[tokio::test]
async fn a_token_works_from_its_networks_only() {
    let (app, _upstream) = app().await;
    let networks = json!({ "addresses": ["127.0.0.0/8", "::1"] });
    let here = of_team(&app, networks).await;
    assert_eq!(status(&here.client).await, 200);
    let away = of_team(&app, json!({ "addresses": ["10.1.2.3/8"] })).await;
    for _ in 0..3 {
        let refused = away.client.get("/v1/models").await;
        assert!(refused.status == 403 && refused.text.contains("127.0.0.1"), "{refused:?}");
    }
    let (_, person) = personal(&app, json!({ "addresses": ["2001:db8::/32"] })).await;
    person.get("teams").await.refused(403, "forbidden");
    let told = entries(&app, "token.address_refused").await;
    assert_eq!(told.len(), 2, "each is told once: {told:?}");
    let listed = app.owner.all("tokens").await;
    let shown = listed.iter().find(|it| it["id"] == json!(away.id)).unwrap();
    assert_eq!(shown["addresses"], json!(["10.0.0.0/8"]));
}

#[tokio::test]
async fn a_rotated_token_works_by_both_secrets_until_the_former_ends() {
    let (app, _upstream) = app().await;
    let token = of_team(&app, json!({})).await;
    let path = format!("tokens/{}", token.id);
    let rotate = format!("{path}/rotate");
    let made = app.owner.post(&rotate, &json!({ "overlap_seconds": 3_600 })).await.ok();
    assert_eq!(made["id"], json!(token.id));
    let newer = app.anonymous().with(&text(&made, "token"));
    assert_eq!((status(&token.client).await, status(&newer).await), (200, 200));
    let shown = app.owner.all("tokens").await.remove(0);
    assert!(shown["former"]["last_used_at"].is_string(), "{shown}");
    let calls = app.owner.all("calls").await;
    assert!(calls.len() == 2 && calls.iter().all(|it| it["token"] == "program"), "{calls:?}");
    app.owner.post(&rotate, &json!({})).await.refused(409, "conflict");
    app.owner.delete(&format!("{path}/former")).await.ok();
    let ended = async || (status(&token.client).await == 401).then_some(());
    until("the former secret ended", SECOND, ended).await;
    assert_eq!(status(&newer).await, 200);
    app.owner.delete(&format!("{path}/former")).await.refused(404, "not_found");

    let at_once = app.owner.post(&rotate, &json!({ "overlap_seconds": 0 })).await.ok();
    let newest = app.anonymous().with(&text(&at_once, "token"));
    let ended = async || (status(&newer).await == 401).then_some(());
    until("the secret before ended", SECOND, ended).await;
    assert_eq!(status(&newest).await, 200);
    app.owner.delete(&path).await.ok();
    app.owner.post(&rotate, &json!({})).await.refused(409, "conflict");
}

#[tokio::test]
async fn a_personal_token_is_rotated_in_a_session_only() {
    let (app, _upstream) = app().await;
    let (id, mine) = personal(&app, json!({})).await;
    let path = format!("/api/v1/me/tokens/{id}");
    mine.post(&format!("{path}/rotate"), &json!({})).await.refused(403, "step_up_required");
    let session = session(&app).await;
    let made = session.post(&format!("{path}/rotate"), &json!({})).await.ok();
    let newer = app.anonymous().with(&text(&made, "token"));
    mine.get("teams").await.ok();
    newer.get("teams").await.ok();
    newer.delete(&format!("{path}/former")).await.ok();
    let ended = async || (mine.get("teams").await.status == 401).then_some(());
    until("the former secret ended", SECOND, ended).await;
    newer.get("teams").await.ok();
    assert_eq!(entries(&app, "token.rotated").await.len(), 1);
    assert_eq!(entries(&app, "token.former_ended").await.len(), 1);
}

/// What a finder is told of each, in its order.
async fn report(client: &Client, tokens: &[&str]) -> Vec<String> {
    let found: Vec<_> = tokens
        .iter()
        .map(|token| {
            json!({ "token": token, "type": "ralex", "source": "commit",
            "url": "https://git.example.com/a/b" })
        })
        .collect();
    let answers = client.post("/api/v1/tokens/leaked", &json!(found)).await.ok();
    answers.as_array().unwrap().iter().map(|answer| text(answer, "label")).collect()
}

#[tokio::test]
async fn whoever_finds_tokens_ends_them_and_their_organisation_hears_of_it() {
    let (app, _upstream) = app().await;
    let anonymous = app.anonymous();
    let team = of_team(&app, json!({})).await;
    let (_, mine) = personal(&app, json!({})).await;
    let cookie = anonymous.session(EMAIL, PASSWORD).await;
    let in_session = anonymous.in_session(&cookie);
    let on = json!({ "enabled": true });
    app.owner.send(Method::PUT, "scim", Some(&on)).await.ok();
    let scim = app.owner.post("scim/tokens", &json!({ "name": "okta" })).await.ok();
    let scim = text(&scim, "token");
    // Well formed, and never made here.
    let foreign = "rlx_svc_0123456789abcdefghijABCDEFGHIJ01HkqV";
    let value = cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned();
    let all = [team.client.secret(), mine.secret(), scim.clone(), value];
    let mut found: Vec<&str> = all.iter().map(String::as_str).collect();
    found.extend([foreign, "hunter2"]);
    let labels = report(&anonymous, &found).await;
    let (ours, others) = labels.split_at(4);
    assert!(ours.iter().all(|label| label == "true_positive"), "{labels:?}");
    assert!(others.iter().all(|label| label == "false_positive"), "{labels:?}");
    assert_eq!(status(&team.client).await, 401);
    assert_eq!(mine.get("teams").await.status, 401);
    assert_eq!(in_session.get("teams").await.status, 401);
    let directory = anonymous.with(&scim).get("/scim/v2/default/Users").await;
    assert_eq!(directory.status, 401);
    // A second report of the same is as true, and no news.
    assert_eq!(report(&anonymous, &found[..1]).await, ["true_positive"]);
    let told = entries(&app, "token.leaked").await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told.iter()
            .all(|it| it["record"]["detail"]["found_at"] == "commit https://git.example.com/a/b")
    );
    assert_eq!(entries(&app, "session.leaked").await.len(), 1);
    let alerts = async || {
        let alerts = app.owner.all("alerts?kind=token.leaked").await;
        (alerts.len() == 4).then_some(())
    };
    until("people are alerted", Duration::from_secs(20), alerts).await;
}

#[tokio::test]
async fn a_link_that_leaked_ends_and_stands_in_the_log() {
    let (app, _upstream) = app().await;
    let new =
        json!({ "email": "ann@example.com", "name": "Ann", "role": "viewer", "invite": true });
    let made = app.owner.post("members", &new).await.ok();
    let link = secret(&text(&made["invitation"], "link"));
    assert_eq!(report(&app.anonymous(), &[&link]).await, ["true_positive"]);
    choose(&app, &link, "a-password-of-my-own").await.refused(404, "not_found");
    let told = entries(&app, "link.leaked").await;
    let record = &told[0]["record"];
    assert_eq!(record["target"], format!("user:{}", text(&made["member"]["user"], "id")));
    assert_eq!(record["detail"]["purpose"], "invited", "{record}");
    assert_eq!(record["detail"]["found_at"], "commit https://git.example.com/a/b");
    let alerts =
        async || (!app.owner.all("alerts?kind=token.leaked").await.is_empty()).then_some(());
    until("people are alerted", Duration::from_secs(20), alerts).await;
    // There is nothing left to end, and nothing to tell of.
    assert_eq!(report(&app.anonymous(), &[&link]).await, ["false_positive"]);
    assert_eq!(entries(&app, "link.leaked").await.len(), 1);
}

#[tokio::test]
async fn a_leaked_former_secret_ends_and_the_token_goes_on() {
    let (app, _upstream) = app().await;
    let token = of_team(&app, json!({})).await;
    let rotate = format!("tokens/{}/rotate", token.id);
    let made = app.owner.post(&rotate, &json!({})).await.ok();
    let newer = app.anonymous().with(&text(&made, "token"));
    let secret = token.client.secret();
    assert_eq!(report(&app.anonymous(), &[&secret]).await, ["true_positive"]);
    assert_eq!(status(&token.client).await, 401);
    assert_eq!(status(&newer).await, 200);
    let told = entries(&app, "token.leaked").await;
    assert_eq!(told[0]["record"]["detail"]["former"], json!(true), "{told:?}");
}

#[tokio::test]
async fn the_command_line_narrows_rotates_and_reports() {
    let (app, _upstream) = app().await;
    let shell = Shell::of(&app);
    let made = shell
        .done("tokens create ci --team blue --permission llm.invoke --permission secret.use --address 127.0.0.1 --json")
        .await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = text(&made, "id");
    let rotated = shell.done(&format!("tokens rotate {id} --overlap-hours 2")).await;
    let newer = app.anonymous().with(rotated.trim());
    assert_eq!(status(&newer).await, 200);
    let listed = shell.done("tokens list").await;
    assert!(listed.contains("works, by two secrets"), "{listed}");
    shell.done(&format!("tokens end-former {id}")).await;

    let settings =
        [("RALEX_URL", app.anonymous().url().to_owned()), ("RALEX_TOKEN", app.owner.secret())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut child = command(&["tokens", "report-leaked", "--found-at", "a wiki"], &settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = format!("{rotated}\nhunter2\n");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let said =
        tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("has ended") && said.contains("no token"), "{said}");
    assert_eq!(status(&newer).await, 401);
}
