//! What is asked and decided about how long the log is kept leaves its entries too.

use ralex_tests::app::text;
use serde_json::json;

use super::Watched;

pub async fn retention(watched: &mut Watched) {
    const AT: &str = "POST /api/v1/orgs/{org}/audit/retention/requests";
    let other = watched.app.member("keeper@example.com", "security", "org").await;
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
