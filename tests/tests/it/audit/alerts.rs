//! What people set and do about alerts leaves its entries too.

use std::time::Duration;

use ralex_tests::app::{DIALECTS, text, until};
use ralex_tests::upstream::Upstream;
use serde_json::json;

use super::Watched;

pub async fn alerts(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    // What a person has read is theirs alone.
    watched.seen.insert(format!("POST {ORG}/alerts/read"));
    let channel = json!({ "kind": "webhook", "to": "http://127.0.0.1:9/hook" });
    let new = json!({ "name": "Ops", "channels": [channel] });
    let op = format!("POST {ORG}/alert-rules");
    let made = watched.leaves(&op, "alert-rules", Some(new), &["alert_rule.created"]).await;
    let path = format!("alert-rules/{}", text(&made, "id"));
    for (verb, more, body, action) in [
        ("PATCH", "", Some(json!({ "enabled": false })), "alert_rule.updated"),
        ("POST", "/test", None, "alert_rule.tested"),
        ("DELETE", "", None, "alert_rule.deleted"),
    ] {
        let op = format!("{verb} {ORG}/alert-rules/{{rule}}{more}");
        watched.leaves(&op, &format!("{path}{more}"), body, &[action]).await;
    }
    let upstream = Upstream::start("127.0.0.1:0").unwrap();
    watched.app.provider("alerted", "openai_compatible", &upstream, "sk-canary").await;
    let token = watched.app.token("alerted").await;
    watched.app.budget("team:alerted", "0.000000001", false).await;
    token.client.call(DIALECTS[0], "alerted", "Hello").await.ok();
    let found = until("an alert is raised", Duration::from_secs(30), async || {
        let open = "alerts?kind=budget.threshold&state=open";
        watched.app.owner.all(open).await.into_iter().next()
    });
    let path = format!("alerts/{}", text(&found.await, "id"));
    for (verb, action) in [("acknowledge", "alert.acknowledged"), ("resolve", "alert.resolved")] {
        let op = format!("POST {ORG}/alerts/{{alert}}/{verb}");
        watched.leaves(&op, &format!("{path}/{verb}"), None, &[action]).await;
    }
}
