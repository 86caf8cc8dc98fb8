//! Entries of reviews of who holds what.

use ralex_tests::app::text;
use serde_json::json;

use super::Watched;

const ORG: &str = "/api/v1/orgs/{org}";

/// One that is gone through to its end, and one that is called off.
pub async fn reviews(watched: &mut Watched) {
    let path = |review: &serde_json::Value| format!("access-reviews/{}", text(review, "id"));
    watched.app.member("seen@example.com", "viewer", "org").await;
    let new = json!({ "name": "Viewers", "roles": ["viewer"], "due_days": 3, "undecided": "keep" });
    let op = format!("POST {ORG}/access-reviews");
    let actions = ["access_review.created", "access_review.opened"];
    let made = watched.leaves(&op, "access-reviews", Some(new.clone()), &actions).await;
    let op = format!("POST {ORG}/access-reviews/{{access_review}}/cancel");
    let off = format!("{}/cancel", path(&made));
    watched.leaves(&op, &off, None, &["access_review.cancelled"]).await;
    let made = watched.app.owner.post("access-reviews", &new).await.ok();
    let items = watched.app.owner.all(&format!("{}/items", path(&made))).await;
    let (last, others) = items.split_last().unwrap();
    let decide = |bindings: Vec<String>, decision: &str| json!({ "bindings": bindings, "decision": decision, "reason": "as agreed" });
    let all = others.iter().map(|item| text(item, "binding")).collect::<Vec<_>>();
    let decisions = format!("{}/decisions", path(&made));
    if !all.is_empty() {
        watched.app.owner.post(&decisions, &decide(all, "keep")).await.ok();
    }
    let op = format!("POST {ORG}/access-reviews/{{access_review}}/decisions");
    let one = decide(vec![text(last, "binding")], "remove");
    watched.leaves(&op, &decisions, Some(one), &["access_review.decided"]).await;
    let op = format!("POST {ORG}/access-reviews/{{access_review}}/close");
    let actions = ["access_review.closing", "role.unbound", "access_review.closed"];
    watched.leaves(&op, &format!("{}/close", path(&made)), None, &actions).await;
    let op = format!("POST {ORG}/access-reviews/{{access_review}}/sign");
    let (signs, note) = (format!("{}/sign", path(&made)), json!({ "note": "Seen and right." }));
    watched.leaves(&op, &signs, Some(note), &["access_review.signed"]).await;
}
