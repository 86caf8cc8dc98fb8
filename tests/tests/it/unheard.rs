//! What is taken away stops at every server, also where none hears of it from another.

use std::time::Duration;

use ralex_tests::app::{App, Client, Database, text, until};
use serde_json::json;
use sqlx::postgres::PgListener;

/// Servers look for themselves every second, and are closed where they could not for five.
const SOON: Duration = Duration::from_secs(5);

/// A database that passes on nothing that one server sends another, and somebody who listens as they do.
async fn silent() -> (Database, PgListener) {
    let database = Database::fresh().await;
    let mut listener = PgListener::connect(database.url()).await.unwrap();
    listener.listen("ralex_policy").await.unwrap();
    database.execute("select pg_notify('ralex_policy', 'loud')").await;
    let heard = tokio::time::timeout(Duration::from_secs(10), listener.recv()).await;
    assert_eq!(heard.unwrap().unwrap().payload(), "loud");
    // One that takes its place would be called by its number, which is what the server knows it by.
    database
        .execute("alter function pg_catalog.pg_notify(text, text) rename to pg_notify_aloud")
        .await;
    let silent = "create function pg_catalog.pg_notify(text, text) returns void
                  language sql volatile as 'select'";
    database.execute(silent).await;
    (database, listener)
}

async fn ends(what: &str, client: &Client, path: &str) {
    until(what, SOON, async || (client.get(path).await.status != 200).then_some(())).await;
}

#[tokio::test]
async fn what_is_taken_at_one_server_stops_at_another_that_hears_nothing() {
    let (database, mut listener) = silent().await;
    let app = App::start_on(database, &[]).await;
    let second = app.second().await;
    let owners = [app.owner.clone(), app.owner.at(&second)];
    for round in 0..4 {
        let (taker, other) = (&owners[round % 2], &owners[(round + 1) % 2]);
        let there =
            |client: &Client| if round % 2 == 0 { client.at(&second) } else { client.clone() };
        let email = format!("ann{round}@example.com");
        let ann = app.member(&email, "viewer", "org").await;
        let client = there(&ann.client);
        let role = json!({ "subject": format!("user:{email}"), "role": "developer" });
        let made = app.owner.post("bindings", &role).await.ok();
        until("the role counts there", SOON, async || {
            (client.get("tokens").await.status == 200).then_some(())
        })
        .await;
        taker.delete(&format!("bindings/{}", text(&made, "id"))).await.ok();
        ends("the role is gone there", &client, "tokens").await;

        let session = app.anonymous().session(&ann.email, &ann.password).await;
        let here = app.anonymous().in_session(&session);
        let session = there(&here);
        session.get("teams").await.ok();
        assert_eq!(here.post("/api/v1/auth/logout", &json!({})).await.status, 204);
        ends("the session has ended there", &session, "teams").await;

        client.get("teams").await.ok();
        taker.delete(&format!("members/{}", ann.id)).await.ok();
        ends("the member is gone there", &client, "teams").await;
        other.get("teams").await.ok();
    }
    // To the server and back, with whatever it has for this listener.
    listener.listen("ralex_policy").await.unwrap();
    let heard = listener.next_buffered();
    assert!(heard.is_none(), "they were to hear nothing: {heard:?}");
}
