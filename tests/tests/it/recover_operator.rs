//! `ralex recover-operator`: a way in that is made on the server, beside servers that run.

use std::process::Output;

use ralex_tests::app::{App, EMAIL, PASSWORD, run};
use serde_json::{Value, json};

use crate::alerts::post_office::PostOffice;
use crate::factors::register;
use crate::invitations::{choose, secret};

const NEW: &str = "chosen-after-the-loss";

fn recover(app: &App, arguments: &[&str], more: &[(&str, &str)]) -> Output {
    let data = app.node.data_dir();
    let settings =
        [("RALEX_DATABASE_URL", app.database.url()), ("RALEX_DATA_DIR", data.to_str().unwrap())];
    run(&[&["recover-operator"], arguments].concat(), &[&settings, more].concat())
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output, why: &str) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!output.status.success() && said.contains(why), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("/welcome#"), "{output:?}");
}

async fn recorded(app: &App, action: &str) -> Vec<Value> {
    app.owner.all(&format!("audit?action={action}")).await
}

#[tokio::test]
async fn an_operator_without_a_way_in_chooses_a_password_while_the_server_runs() {
    let office = PostOffice::start();
    let app = App::start().await;
    let anonymous = app.anonymous();
    let session = anonymous.in_session(&anonymous.session(EMAIL, PASSWORD).await);
    let (session, ..) = register(session).await;
    let url = office.url();
    let mail = [
        ("RALEX_SMTP_URL", url.as_str()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
        ("RALEX_PUBLIC_URL", "http://localhost:8080"),
    ];
    let said = done(&recover(&app, &[EMAIL], &mail));
    assert!(said.contains("http://localhost:8080/welcome#") && said.contains("1 org"), "{said}");
    let letters = office.letters();
    assert_eq!((letters.len(), &letters[0].to[0]), (1, &EMAIL.to_owned()), "{letters:?}");
    assert!(!letters[0].text.contains("welcome#"), "{letters:?}");
    assert_eq!(choose(&app, &secret(&said), NEW).await.status, 204);
    assert_eq!(choose(&app, &secret(&said), NEW).await.status, 404, "good once");
    assert_eq!(session.get("/api/v1/me").await.status, 401);
    // The former password opens nothing, and the second factor is still asked for.
    let login = async |password: &str| {
        anonymous.post("/api/v1/auth/login", &json!({ "email": EMAIL, "password": password })).await
    };
    assert_eq!(login(PASSWORD).await.status, 401);
    assert!(login(NEW).await.ok()["second_factor"].is_object());
    assert!(recorded(&app, "factors.reset").await.is_empty());

    let said = done(&recover(&app, &[EMAIL, "--reset-factors"], &[]));
    assert!(said.contains("1 authenticator apps") && said.contains("Nobody told"), "{said}");
    let back = anonymous.in_session(&anonymous.session(EMAIL, NEW).await);
    assert_eq!(back.get("/api/v1/operator/operators").await.status, 200);
    for (action, times) in [("operator.recovered", 2), ("factors.reset", 1)] {
        let log = recorded(&app, action).await;
        assert_eq!(log.len(), times, "{log:?}");
        assert!(log.iter().all(|it| it["record"]["actor"]["kind"] == "system"), "{log:?}");
    }
}

#[tokio::test]
async fn nobody_becomes_an_operator_while_another_one_can_come_in() {
    let app = App::start().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    refused(&recover(&app, &["nobody@example.com"], &[]), "is nobody's here");
    refused(&recover(&app, &["ann@example.com", "--reset-factors"], &[]), "is no operator");
    let make = ["ann@example.com", "--make-operator"];
    refused(&recover(&app, &make, &[]), "owner@example.com is an operator who can come in");
    let own = [EMAIL, "--make-operator", "--instead-of", EMAIL];
    refused(&recover(&app, &own, &[]), "is one already");
    for action in ["operator.recovered", "operator.added", "operator.removed", "factors.reset"] {
        assert!(recorded(&app, action).await.is_empty(), "{action}");
    }
    assert_eq!(ann.client.get("/api/v1/operator/orgs").await.status, 403);

    // The owner has left, and whoever has the server says so.
    let instead = [&make[..], &["--instead-of", EMAIL]].concat();
    let said = done(&recover(&app, &instead, &[]));
    assert!(said.contains("an operator from now on"), "{said}");
    assert_eq!(choose(&app, &secret(&said), NEW).await.status, 204);
    let anonymous = app.anonymous();
    let ann = anonymous.in_session(&anonymous.session("ann@example.com", NEW).await);
    assert_eq!(ann.get("/api/v1/operator/operators").await.ok()["items"][0]["email"], Value::Null);
    app.owner.get("/api/v1/operator/operators").await.refused(403, "forbidden");
    for action in ["operator.recovered", "operator.added", "operator.removed"] {
        assert_eq!(recorded(&app, action).await.len(), 1, "{action}");
    }
    // Who cannot come in is not counted: an account that was closed, or one that has no password.
    app.database
        .execute("update app_user set password_hash = null where email_key = 'ann@example.com'")
        .await;
    let bob = app.member("bob@example.com", "viewer", "org").await;
    done(&recover(&app, &[&bob.email, "--make-operator"], &[]));
    let without = tempfile::tempdir().unwrap();
    let folder = [("RALEX_DATA_DIR", without.path().to_str().unwrap())];
    refused(&recover(&app, &[&bob.email], &folder), "seal");
}
