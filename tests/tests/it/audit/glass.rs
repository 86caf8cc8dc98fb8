//! The break-glass access: each step leaves its entry.

use ralex_tests::app::text;
use serde_json::json;

use super::Watched;
use crate::break_glass::{Named, end, review};

pub async fn break_glass(watched: &mut Watched) {
    const PART: &str = "/api/v1/orgs/{org}/break-glass";
    let mut ann = Named::of(&watched.app, "ann.glass@example.com", "viewer").await;
    let mut ben = Named::of(&watched.app, "ben.glass@example.com", "viewer").await;
    let arm = json!({ "people": [ann.person.id, ben.person.id] });
    let op = format!("PUT {PART}");
    watched.leaves(&op, "break-glass", Some(arm), &["break_glass.armed"]).await;
    let op = format!("POST {PART}/openings");
    let asked = watched.leaves_of(&op, &["break_glass.asked"], ann.ask(json!({}))).await.ok();
    let op = format!("POST {PART}/openings/{{opening}}/confirm");
    watched.leaves_of(&op, &["break_glass.opened"], ben.confirm(&asked)).await.ok();
    let op = format!("POST {PART}/openings/{{opening}}/end");
    watched.leaves_of(&op, &["break_glass.ended"], end(&ann.session, &asked)).await.ok();
    let op = format!("POST {PART}/openings/{{opening}}/review");
    let owner = watched.app.owner.clone();
    let ask = review(&owner, &asked, "Looked at all of it.");
    let reviewed = watched.leaves_of(&op, &["break_glass.reviewed"], ask).await.ok();
    assert_eq!(text(&reviewed, "state"), "ended");
    let op = format!("DELETE {PART}");
    let ask = owner.delete("break-glass");
    watched.leaves_of(&op, &["break_glass.disarmed"], ask).await.ok();
}
