//! `Idempotency-Key`: an answer from before is for whoever would be let in now, and for nobody else.

use std::time::Duration;

use ralex_tests::app::{Answer, App, Client, EMAIL, PASSWORD, text, until};
use reqwest::Method;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const TOKENS: &str = "/api/v1/me/tokens";

async fn session(app: &App) -> Client {
    let anonymous = app.anonymous();
    anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await)
}

async fn again(client: &Client, path: &str, body: &Value, more: &[(&str, &str)]) -> Answer {
    let request = client.request(Method::POST, path).header("idempotency-key", "once");
    let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    client.answered(request.json(body)).await
}

/// A token made by a client, and made again: the answer of both.
async fn made_twice(client: &Client) -> Answer {
    let new = json!({ "name": "program", "team": "blue" });
    let first = again(client, "tokens", &new, &[]).await;
    first.ok();
    let second = again(client, "tokens", &new, &[]).await;
    assert_eq!((second.status, &second.text), (first.status, &first.text));
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    second
}

async fn kept(app: &App) -> String {
    app.database.texts("select count(*)::text from idempotency").await.remove(0)
}

#[tokio::test]
async fn an_answer_from_before_is_not_for_a_credential_that_has_ended() {
    let app = App::start().await;
    app.team("blue").await;
    let own = session(&app).await;
    let made = own.post(TOKENS, &json!({ "name": "mine" })).await.ok();
    let token = app.with(&text(&made, "token"));
    let secret = text(&made_twice(&token).await.json(), "token");
    own.delete(&format!("{TOKENS}/{}", text(&made, "id"))).await.ok();
    let new = json!({ "name": "program", "team": "blue" });
    let refused = until("the token ended", SECOND, async || {
        let answer = again(&token, "tokens", &new, &[]).await;
        (answer.status == 401).then_some(answer)
    })
    .await;
    assert!(!refused.text.contains(&secret), "{refused:?}");

    let own = session(&app).await;
    let secret = text(&made_twice(&own).await.json(), "token");
    own.post("/api/v1/auth/logout", &json!({})).await.ok();
    let refused = again(&own, "tokens", &new, &[]).await;
    refused.refused(401, "unauthenticated");
    assert!(!refused.text.contains(&secret), "{refused:?}");
}

#[tokio::test]
async fn an_answer_from_before_is_not_for_another_address_or_another_site() {
    let app = App::start_with(&[("RALEX_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    app.team("blue").await;
    let limited = json!({ "name": "mine", "addresses": ["192.0.2.0/24"] });
    let own = session(&app).await;
    let made = own.post(TOKENS, &limited).await.ok();
    let token = app.with(&text(&made, "token"));
    let new = json!({ "name": "program", "team": "blue" });
    let here = [("x-forwarded-for", "192.0.2.7")];
    let first = again(&token, "tokens", &new, &here).await;
    let secret = text(&first.ok(), "token");
    assert_eq!(again(&token, "tokens", &new, &here).await.text, first.text);
    let away = again(&token, "tokens", &new, &[("x-forwarded-for", "198.51.100.7")]).await;
    away.refused(403, "forbidden");
    assert!(!away.text.contains(&secret), "{away:?}");

    made_twice(&own).await;
    let elsewhere = again(&own, "tokens", &new, &[("sec-fetch-site", "cross-site")]).await;
    elsewhere.refused(403, "cross_site");
}

#[tokio::test]
async fn an_answer_upon_a_fresh_proof_takes_one_again() {
    let app = App::start().await;
    let (own, new) = (session(&app).await, json!({ "name": "mine" }));
    let first = again(&own, TOKENS, &new, &[]).await;
    let secret = text(&first.ok(), "token");
    app.database
        .execute("update session set authenticated_at = now() - interval '11 minutes'")
        .await;
    let refused = again(&own, TOKENS, &new, &[]).await;
    refused.refused(403, "step_up_required");
    assert!(!refused.text.contains(&secret), "{refused:?}");
    // With another cookie it is still the same session, and nothing is done twice.
    let proof = json!({ "password": PASSWORD });
    let proven = own.post("/api/v1/auth/step-up", &proof).await;
    let proven = own.in_session(&proven.cookie());
    assert_eq!(again(&proven, TOKENS, &new, &[]).await.text, first.text);
    let tokens = app.database.texts("select name from personal_token where name = 'mine'").await;
    assert_eq!(tokens.len(), 1);
}

#[tokio::test]
async fn nothing_is_kept_for_whoever_is_not_let_in() {
    let app = App::start().await;
    let before = kept(&app).await;
    let new = json!({ "slug": "red", "name": "Red" });
    let forged = format!("ralex_session=rlx_s{}", "a".repeat(40));
    for client in [
        app.with("junk"),
        app.with("rlx_tnotatokenatallnotatokenatall"),
        app.anonymous().in_session(&forged),
        app.anonymous(),
    ] {
        again(&client, "teams", &new, &[]).await.refused(401, "unauthenticated");
    }
    assert_eq!(kept(&app).await, before);
}
