//! What people set about rate limits leaves its entries too.

use ralex_tests::app::text;
use serde_json::json;

use super::Watched;

pub async fn rate_limits(watched: &mut Watched) {
    const ORG: &str = "/api/v1/orgs/{org}";
    let new = json!({ "scope": "org", "measure": "requests", "amount": 1_000 });
    let op = format!("POST {ORG}/rate-limits");
    let made = watched.leaves(&op, "rate-limits", Some(new), &["rate_limit.created"]).await;
    let path = format!("rate-limits/{}", text(&made, "id"));
    let op = format!("PATCH {ORG}/rate-limits/{{limit}}");
    let change = Some(json!({ "amount": 2_000 }));
    watched.leaves(&op, &path, change, &["rate_limit.updated"]).await;
    let op = format!("DELETE {ORG}/rate-limits/{{limit}}");
    watched.leaves(&op, &path, None, &["rate_limit.deleted"]).await;
}
