//! Rules and the inbox: what may be said, who sees what, and what a person has read.

use ralex_tests::app::text;
use serde_json::{Value, json};

use super::{World, holds};

#[tokio::test]
async fn a_rule_that_cannot_be_is_refused_by_the_field_that_is_wrong() {
    let world = World::new().await;
    let week = json!(["mon"]);
    let email = json!([{ "kind": "email", "to": "ops@example.com" }]);
    for (more, field) in [
        (json!({ "channels": [] }), "channels"),
        (json!({ "channels": [{ "kind": "email", "to": "nobody" }] }), "channels[0].to"),
        (
            json!({ "channels": [{ "kind": "webhook", "to": "ftp://example.com" }] }),
            "channels[0].to",
        ),
        (
            json!({ "channels": [{ "kind": "webhook", "to": "https://169.254.169.254/" }] }),
            "channels[0].to",
        ),
        (json!({ "kinds": ["budget.magic"] }), "kinds[0]"),
        (json!({ "least_severity": "deadly" }), "least_severity"),
        (json!({ "scope": "team:red" }), "scope"),
        (json!({ "scope": "planet" }), "scope"),
        (
            json!({ "quiet": { "time_zone": "Mars", "from": "22:00", "to": "07:00", "days": week } }),
            "quiet.time_zone",
        ),
        (
            json!({ "quiet": { "time_zone": "UTC", "from": "25:00", "to": "07:00", "days": week } }),
            "quiet.from",
        ),
        (
            json!({ "quiet": { "time_zone": "UTC", "from": "22:00", "to": "07:00", "days": [] } }),
            "quiet.days",
        ),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let mut new = json!({ "name": "Ops", "channels": email });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let problem = world.app.owner.post("alert-rules", &new).await;
        let problem = problem.refused(422, "invalid_request");
        assert_eq!(problem["errors"][0]["path"], field, "{problem}");
    }
    world.rule(json!({})).await;
    let taken = json!({ "name": "OPS", "channels": email });
    world.app.owner.post("alert-rules", &taken).await.refused(409, "already_exists");
}

#[tokio::test]
async fn a_secret_is_told_once_and_a_channel_that_stays_keeps_it() {
    let world = World::new().await;
    let (rule, secret) = world.rule(json!({})).await;
    let path = format!("alert-rules/{rule}");
    let shown = world.app.owner.get(&path).await.ok();
    assert_eq!(shown["channels"][1]["secret"], Value::Null);
    let stored = world
        .app
        .database
        .texts("select encode(sealed_secret, 'escape') from alert_channel where kind = 'webhook'")
        .await;
    assert!(!stored[0].contains(secret.trim_start_matches("whsec_")), "it is kept sealed");
    // The address goes, the webhook stays with its secret, and a new one gets its own.
    let more = format!("{}/other", world.hook.url);
    let change = json!({ "channels": [
        { "kind": "webhook", "to": world.hook.url },
        { "kind": "webhook", "to": more },
    ] });
    let changed = world.app.owner.patch(&path, &change).await.ok();
    let channels = changed["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 2, "{changed}");
    assert_eq!(channels[0]["id"], shown["channels"][1]["id"]);
    assert_eq!(channels[0]["secret"], Value::Null);
    assert_ne!(text(&channels[1], "secret"), secret);
    world.app.owner.post(&format!("{path}/test"), &Value::Null).await.ok();
    let came = world.hook.came();
    assert!(came[0].is_signed_by(&secret) && !came[1].is_signed_by(&secret));
    // What the audit log says of it is who is reached, and no more.
    let log = world.app.owner.all("audit?action=alert_rule.updated").await;
    let log = serde_json::to_string(&log).unwrap();
    assert!(log.contains("webhook 127.0.0.1") && !log.contains("in-secret"), "{log}");
    world.app.owner.delete(&path).await.ok();
    world.app.owner.get(&path).await.refused(404, "not_found");
}

#[tokio::test]
async fn people_see_the_alerts_of_their_teams_and_read_each_for_themselves() {
    let world = World::new().await;
    let red = world.app.token("red").await;
    let own = world.budget("team:blue", "0.000001").await;
    let whole = world.budget("org", "0.000001").await;
    world.call().await;
    red.client.call(ralex_tests::app::DIALECTS[0], "scripted", "Hello").await.ok();
    holds("both are told", async || {
        world.about(&own).await.len() == 1 && world.about(&whole).await.len() == 1
    })
    .await;
    let blue = world.app.member("blue@example.com", "team_admin", "team:blue").await;
    let other = world.app.member("red@example.com", "team_admin", "team:red").await;
    let viewer = world.app.member("viewer@example.com", "viewer", "org").await;
    let seen = blue.client.all("alerts").await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["subject"], format!("budget:{own}"));
    assert_eq!(seen[0]["scope"], "team:blue");
    assert!(other.client.all("alerts").await.is_empty());
    viewer.client.get("alerts").await.refused(403, "forbidden");
    let path = format!("alerts/{}", text(&seen[0], "id"));
    other.client.get(&path).await.refused(404, "not_found");
    let acknowledge = format!("{path}/acknowledge");
    other.client.post(&acknowledge, &Value::Null).await.refused(404, "not_found");
    // A team's admin sees no rules, which are the organisation's.
    blue.client.get("alert-rules").await.refused(403, "forbidden");
    let unread = async |client: &ralex_tests::app::Client| {
        client.get("alerts/unread-count").await.ok()["unread"].as_u64().unwrap()
    };
    assert_eq!((unread(&blue.client).await, unread(&world.app.owner).await), (1, 2));
    blue.client.post("alerts/read", &json!({ "alerts": [seen[0]["id"]] })).await.ok();
    assert_eq!((unread(&blue.client).await, unread(&world.app.owner).await), (0, 2));
    world.app.owner.post("alerts/read", &json!({})).await.ok();
    assert_eq!(unread(&world.app.owner).await, 0);
    assert!(world.app.owner.all("alerts?unread=true").await.is_empty());
    let taken = blue.client.post(&acknowledge, &Value::Null).await.ok();
    assert_eq!(
        (&taken["state"], &taken["acknowledged_by"]),
        (&json!("acknowledged"), &json!("blue@example.com"))
    );
    world.app.owner.post(&acknowledge, &Value::Null).await.refused(409, "conflict");
    let ended = world.app.owner.post(&format!("{path}/resolve"), &Value::Null).await.ok();
    assert_eq!(ended["state"], "resolved");
    let open = world.app.owner.all("alerts?state=open").await;
    assert!(open.iter().all(|alert| alert["id"] != ended["id"]), "{open:?}");
    assert_eq!(
        world.app.owner.all("alerts?least_severity=critical&kind=budget.threshold").await.len(),
        2
    );
}
