//! Reviews of access over the API and at the command line, on two nodes, and the letters about them.

use std::time::Duration;

use ralex_tests::app::{App, Client, Shell, text, until};
use serde_json::{Value, json};

use crate::alerts::post_office::PostOffice;

fn everything() -> Value {
    json!({ "name": "Quarter", "due_days": 14, "undecided": "keep" })
}

fn path(review: &Value) -> String {
    format!("access-reviews/{}", text(review, "id"))
}

/// What is reviewed of somebody.
async fn of(client: &Client, review: &Value, name: &str) -> Value {
    let items = client.all(&format!("{}/items", path(review))).await;
    items.into_iter().find(|item| item["subject_name"] == name).unwrap()
}

fn about(items: &[&Value], decision: &str) -> Value {
    let bindings: Vec<_> = items.iter().map(|item| text(item, "binding")).collect();
    json!({ "bindings": bindings, "decision": decision, "reason": "not needed any more" })
}

#[tokio::test]
async fn what_nobody_stands_up_for_is_gone_on_every_node_within_a_second() {
    let app = App::start().await;
    let second = app.second().await;
    app.team("blue").await;
    let ann = app.member("ann@example.com", "auditor", "org").await;
    let lead = app.member("lead@example.com", "team_admin", "team:blue").await;
    app.member("dev@example.com", "developer", "team:blue").await;
    let review = app.owner.post("access-reviews", &everything()).await;
    assert_eq!(review.status, 201);
    let review = review.json();
    assert_eq!((&review["state"], &review["counts"]["items"]), (&json!("open"), &json!(4)));
    let hers = of(&app.owner, &review, "ann@example.com").await;
    assert_eq!((&hers["origin"], &hers["may_decide"]), (&json!("hand"), &json!(true)));
    let own = of(&app.owner, &review, "owner@example.com").await;
    assert_eq!(own["may_decide"], false);
    let decisions = format!("{}/decisions", path(&review));
    let refused = app.owner.post(&decisions, &about(&[&own], "keep")).await;
    assert!(refused.refused(403, "forbidden")["detail"].as_str().unwrap().contains("themselves"));
    // The lead sees and decides what is in their team, and not the rest.
    let seen = lead.client.all(&format!("{}/items", path(&review))).await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    lead.client.post(&decisions, &about(&[&hers], "remove")).await.refused(403, "forbidden");
    let developer = of(&lead.client, &review, "dev@example.com").await;
    lead.client.post(&decisions, &about(&[&developer], "remove")).await.ok();
    assert_eq!(ann.client.at(&second).get("audit").await.status, 200);
    let leads = of(&app.owner, &review, "lead@example.com").await;
    app.owner.post(&decisions, &about(&[&hers], "remove")).await.ok();
    app.owner.post(&decisions, &about(&[&leads], "keep")).await.ok();
    let early = app.owner.post(&format!("{}/close", path(&review)), &Value::Null).await;
    early.refused(409, "conflict");
    let other = app.member("other@example.com", "owner", "org").await;
    other.client.post(&decisions, &about(&[&own], "keep")).await.ok();
    let closed = app.owner.post(&format!("{}/close", path(&review)), &Value::Null).await.ok();
    assert_eq!((&closed["state"], &closed["counts"]["removed"]), (&json!("closed"), &json!(2)));
    assert_ne!(ann.client.get("audit").await.status, 200);
    until("the other node knows", Duration::from_secs(1), async || {
        (ann.client.at(&second).get("audit").await.status != 200).then_some(())
    })
    .await;
    let unbound = app.owner.all("audit?action=role.unbound").await;
    let authors: Vec<_> = unbound.iter().map(|it| it["record"]["actor"]["kind"].clone()).collect();
    assert_eq!(authors, [json!("user"), json!("user")]);
}

#[tokio::test]
async fn what_came_of_a_review_is_signed_and_given_out_as_a_table() {
    let app = App::start().await;
    app.member("=cmd@example.com", "viewer", "org").await;
    let viewers =
        json!({ "name": "=Viewers", "roles": ["viewer"], "due_days": 1, "undecided": "keep" });
    let review = app.owner.post("access-reviews", &viewers).await.ok();
    let sign = format!("{}/sign", path(&review));
    let note = json!({ "note": "All of them were looked at." });
    app.owner.post(&sign, &note).await.refused(409, "conflict");
    let item = of(&app.owner, &review, "=cmd@example.com").await;
    let decisions = format!("{}/decisions", path(&review));
    let wordless = json!({ "bindings": [item["binding"]], "decision": "remove" });
    app.owner.post(&decisions, &wordless).await.refused(422, "invalid_request");
    app.owner.post(&decisions, &about(&[&item], "remove")).await.ok();
    app.owner.post(&format!("{}/close", path(&review)), &Value::Null).await.ok();
    let signed = app.owner.post(&sign, &note).await.ok();
    assert_eq!(signed["signed_by"], "owner@example.com");
    app.owner.post(&sign, &note).await.refused(409, "conflict");
    let table = app.owner.get(&format!("{}/evidence", path(&review))).await;
    assert!(table.header("content-type").unwrap().starts_with("text/csv"));
    assert_eq!(table.text.lines().count(), 2, "{}", table.text);
    assert!(table.text.contains("not needed any more") && table.text.contains("removed"));
    assert!(!table.text.contains(",=") && table.text.contains("'=Viewers"), "{}", table.text);
    assert_eq!(app.owner.all("audit?action=access_review.exported").await.len(), 1);
    let said = app.owner.all("audit?action=access_review.item_ended").await;
    assert_eq!(said.len(), 1);
}

#[tokio::test]
async fn what_is_asked_of_a_review_is_checked() {
    let app = App::start().await;
    let ask = async |field: &str, value: Value| {
        let mut new = everything();
        new[field] = value;
        app.owner.post("access-reviews", &new).await.refused(422, "invalid_request")
    };
    for days in [json!(0), json!(91), json!(-1), json!(1.5)] {
        ask("due_days", days).await;
    }
    ask("opens_at", json!("2020-01-01T00:00:00Z")).await;
    ask("roles", json!(["nobody"])).await;
    ask("subjects", json!(["robots"])).await;
    ask("repeats", json!("hourly")).await;
    let wrong = ask("reviewers", json!(["user:owner@example.com", "user:none@example.com"])).await;
    assert_eq!(wrong["errors"][0]["path"], "reviewers[1]", "{wrong}");
    let token = app.token("blue").await;
    token.client.post("access-reviews", &everything()).await.refused(403, "forbidden");
    let viewer = app.member("viewer@example.com", "viewer", "org").await;
    viewer.client.get("access-reviews").await.refused(403, "forbidden");
}

#[tokio::test]
async fn the_command_line_sets_up_decides_closes_and_signs() {
    let app = App::start().await;
    app.member("ann@example.com", "viewer", "org").await;
    let shell = Shell::of(&app);
    let made = shell.done("reviews create Viewers --roles viewer --repeats quarterly --json").await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = text(&made, "id");
    let list = shell.done("reviews list --state open").await;
    assert!(list.contains(&id) && list.contains("Viewers"), "{list}");
    let items = shell.done(&format!("reviews items {id} --only undecided")).await;
    assert!(items.contains("ann@example.com") && items.contains("viewer"), "{items}");
    let binding = text(&of(&app.owner, &made, "ann@example.com").await, "binding");
    let said = shell.done(&format!("reviews keep {id} {binding} --reason needed")).await;
    assert!(said.contains("1 to keep, 0 to remove"), "{said}");
    let said = shell.done(&format!("reviews remove {id} {binding} --reason left")).await;
    assert!(said.contains("0 to keep, 1 to remove"), "{said}");
    let said = shell.done(&format!("reviews close {id}")).await;
    assert!(said.contains("closed") && said.contains("1 removed"), "{said}");
    let said = shell.done(&format!("reviews sign {id} --note fine")).await;
    assert!(said.contains("owner@example.com: fine"), "{said}");
    let table = shell.done(&format!("reviews evidence {id}")).await;
    assert!(table.contains(&binding) && table.contains("left"), "{table}");
    let next = text(&made, "next");
    let said = shell.done(&format!("reviews cancel {next}")).await;
    assert!(said.contains("cancelled"), "{said}");
}

#[tokio::test]
async fn who_decides_is_told_once_when_a_review_opens_before_its_end_and_at_its_end() {
    let office = PostOffice::start();
    let app = App::start_with(&[
        ("RALEX_SMTP_URL", &office.url()),
        ("RALEX_SMTP_TLS", "off"),
        ("RALEX_MAIL_FROM", "Ralex <ralex@example.com>"),
    ])
    .await;
    let second = app.second().await;
    app.member("ann@example.com", "viewer", "org").await;
    let review = app.owner.post("access-reviews", &everything()).await.ok();
    let told = async |count: usize, word: &str| {
        until(&format!("letter {count}"), Duration::from_mins(1), async || {
            (office.letters().len() >= count).then_some(())
        })
        .await;
        let letters = office.letters();
        assert_eq!(letters.len(), count, "{letters:?}");
        let last = letters.last().unwrap();
        assert_eq!(last.to, ["owner@example.com"]);
        assert!(last.headers["subject"].contains(word), "{last:?}");
        let id = text(&review, "id");
        assert!(last.headers["message-id"].contains(&id), "{last:?}");
    };
    told(1, "is open until").await;
    app.database.execute("update access_review set due_at = now() + interval '2 days'").await;
    told(2, "ends on").await;
    app.database.execute("update access_review set due_at = now()").await;
    told(3, "is closed").await;
    let closed = app.owner.get(&path(&review)).await.ok();
    assert_eq!((&closed["state"], &closed["counts"]["kept"]), (&json!("closed"), &json!(2)));
    drop(second);
}
