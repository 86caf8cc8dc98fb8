//! What is asked and decided about how long the log is kept leaves its entries too, and so do reports.

use std::time::Duration;

use ralex_tests::app::{text, until};
use serde_json::json;

use super::Watched;

pub async fn retention(watched: &mut Watched) {
    const AT: &str = "POST /api/v1/orgs/{org}/audit/retention/requests";
    let other = watched.app.member("keeper@example.com", "security", "org").await;
    // Nobody counts beside who made their account a moment ago.
    let aged = "update app_user set made_at = made_at - interval '8 days'";
    watched.app.database.execute(aged).await;
    let reason = json!({ "reason": "Agreed." });
    for (verb, action) in
        [("approve", "audit.retention_changed"), ("deny", "audit.retention_denied")]
    {
        let path = "audit/retention/requests";
        let ask = json!({ "kind": "hold", "reason": "Case 4711" });
        let asked = watched.leaves(AT, path, Some(ask), &["audit.retention_asked"]).await;
        let path = format!("{path}/{}/{verb}", text(&asked, "id"));
        let decide = other.client.post(&path, &reason);
        let op = format!("{AT}/{{request}}/{verb}");
        watched.leaves_of(&op, &[action], decide).await.ok();
    }
}

pub async fn reports(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    let new = json!({ "kind": "control_health" });
    let op = format!("POST {ORG}/reports");
    let made = watched.leaves(&op, "reports", Some(new), &["report.asked"]).await;
    let path = format!("reports/{}", text(&made, "id"));
    until("the report is made", Duration::from_mins(1), async || {
        (watched.app.owner.get(&path).await.ok()["state"] == "done").then_some(())
    })
    .await;
    let op = format!("DELETE {ORG}/reports/{{report}}");
    watched.leaves(&op, &path, None, &["report.deleted"]).await;
    let new = json!({ "name": "Weekly", "kind": "control_health", "every": "week", "day": 1,
        "hour": 6 });
    let op = format!("POST {ORG}/report-schedules");
    let made =
        watched.leaves(&op, "report-schedules", Some(new), &["report_schedule.created"]).await;
    let path = format!("report-schedules/{}", text(&made, "id"));
    let op = format!("PATCH {ORG}/report-schedules/{{schedule}}");
    let off = json!({ "enabled": false });
    watched.leaves(&op, &path, Some(off), &["report_schedule.updated"]).await;
    let op = format!("DELETE {ORG}/report-schedules/{{schedule}}");
    watched.leaves(&op, &path, None, &["report_schedule.deleted"]).await;
}
