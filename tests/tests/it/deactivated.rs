//! Accounts that an operator closes on the whole deployment, with everything that they opened.

use std::time::Duration;

use ralex_tests::app::{App, Client, Shell, text, until};
use serde_json::{Value, json};

const CLOSED: &str = "/api/v1/operator/deactivated-accounts";

async fn answers(client: &Client, path: &str, status: u16) {
    until(&format!("{path} answers {status}"), Duration::from_secs(1), async || {
        (client.get(path).await.status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_closed_account_opens_nothing_on_any_node_and_nothing_that_was_ended_comes_back() {
    let app = App::start().await;
    let second = app.second().await;
    let ann = app.member("ann@example.com", "viewer", "org").await;
    let new = json!({ "slug": "acme", "owner_email": "founder@example.com",
        "owner_name": "Founder" });
    app.owner.post("/api/v1/operator/orgs", &new).await.ok();
    app.owner.post("/api/v1/operator/operators", &json!({ "email": "ann@example.com" })).await.ok();
    let anonymous = app.anonymous();
    let session = anonymous.in_session(&anonymous.session(&ann.email, &ann.password).await);
    let there = [ann.client.clone(), session.clone(), ann.client.at(&second), session.at(&second)];
    for client in &there {
        answers(client, "budgets", 200).await;
        answers(client, "/api/v1/operator/orgs", 200).await;
    }
    let asked = json!({ "email": "Ann@example.com", "reason": "laptop stolen" });
    let done = app.owner.post(CLOSED, &asked).await.ok();
    assert_eq!([&done["tokens_ended"], &done["was_operator"]], [&json!(1), &json!(true)], "{done}");
    assert!(done["sessions_ended"].as_u64() > Some(0), "{done}");
    for client in &there {
        answers(client, "budgets", 401).await;
    }
    let login = json!({ "email": ann.email, "password": ann.password });
    anonymous.post("/api/v1/auth/login", &login).await.refused(401, "invalid_login");
    let asks = json!({ "subject": "user:ann@example.com", "permission": "budget.set" });
    let why = app.owner.post("access/explain", &asks).await.ok();
    assert_eq!(why["allowed"], json!(false), "{why}");
    let listed = app.owner.all(CLOSED).await;
    assert_eq!((listed.len(), &listed[0]["reason"]), (1, &json!("laptop stolen")), "{listed:?}");
    let log = app.owner.all("audit?action=account.deactivated").await;
    let detail = &log[0]["record"]["detail"];
    assert_eq!((&detail["reason"], &detail["tokens_ended"]), (&json!("laptop stolen"), &json!(1)));
    assert_eq!(app.owner.all("audit?action=operator.removed").await.len(), 1);
    // Twice is once; and nobody adds the address anew meanwhile.
    app.owner.post(CLOSED, &asked).await.refused(422, "invalid_request");
    let again = json!({ "email": "ann@example.com", "name": "Ann", "role": "viewer" });
    app.owner.post("members", &again).await.refused(409, "conflict");

    let path = format!("{CLOSED}/{}", text(&done["account"]["user"], "id"));
    app.owner.delete(&path).await.ok();
    app.owner.delete(&path).await.refused(404, "not_found");
    let back = anonymous.in_session(&anonymous.session(&ann.email, &ann.password).await);
    for client in [&back, &back.at(&second)] {
        answers(client, "budgets", 200).await;
        client.get("/api/v1/operator/orgs").await.refused(403, "forbidden");
    }
    for client in &there {
        assert_eq!(client.get("budgets").await.status, 401, "nothing that was ended comes back");
    }
}

#[tokio::test]
async fn nobody_closes_their_own_account_or_the_last_owners_and_only_operators_close_any() {
    let app = App::start().await;
    let ann = app.member("ann@example.com", "owner", "org").await;
    app.member("bob@example.com", "viewer", "org").await;
    let me = app.owner.get("/api/v1/me").await.ok();
    let close = |email: &str| json!({ "email": email, "reason": "why" });
    ann.client.post(CLOSED, &close("bob@example.com")).await.refused(403, "forbidden");
    ann.client.get(CLOSED).await.refused(403, "forbidden");
    app.owner
        .post(CLOSED, &close(&text(&me["user"], "email")))
        .await
        .refused(422, "invalid_request");
    app.owner.post(CLOSED, &close("nobody@example.com")).await.refused(422, "invalid_request");
    let blank = json!({ "email": "bob@example.com", "reason": " " });
    app.owner.post(CLOSED, &blank).await.refused(422, "invalid_request");
    // An organisation keeps an owner who can log in.
    let new = json!({ "slug": "acme", "owner_email": "founder@example.com",
        "owner_name": "Founder" });
    app.owner.post("/api/v1/operator/orgs", &new).await.ok();
    let refused = app.owner.post(CLOSED, &close("founder@example.com")).await;
    refused.refused(409, "conflict");
    assert!(refused.text.contains("acme") && refused.text.contains("last owner"), "{refused:?}");
    app.owner.post(CLOSED, &close("ann@example.com")).await.ok();
    // Whoever was erased is no closed account, and does not come back.
    let gone = "update app_user set deactivated_reason = null where email = 'ann@example.com'";
    app.database.execute(gone).await;
    app.owner.delete(&format!("{CLOSED}/{}", ann.id)).await.refused(404, "not_found");
}

#[tokio::test]
async fn the_command_line_closes_lists_and_opens_accounts() {
    let app = App::start().await;
    app.member("ann@example.com", "viewer", "org").await;
    let shell = Shell::of(&app);
    let said = shell.done("operator deactivate ann@example.com --reason left").await;
    assert!(said.contains("tokens ended") && said.contains("was none"), "{said}");
    let said = shell.done("operator deactivated").await;
    assert!(said.contains("ann@example.com") && said.contains("left"), "{said}");
    let (code, said) = shell.says("operator reactivate bob@example.com").await;
    assert!(code != 0 && said.contains("no closed account"), "{said}");
    let said = shell.done("operator reactivate ann@example.com --json").await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["deactivated"], json!(false));
    let said = shell.done("operator deactivated --json").await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["items"], json!([]));
}
