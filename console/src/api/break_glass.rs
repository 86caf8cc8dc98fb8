//! The break-glass access: how it is armed, and its uses.

use ralex_api::Page;
use ralex_api::break_glass::{ArmBreakGlass, BreakGlass, BreakGlassOpening, ReviewBreakGlass};
use serde_json::json;

use super::client::{self, Answer, Reply};
use super::{PAGE, page, passkey, path};
use crate::text::query::Query;

const PART: &str = "break-glass";

pub fn show(org: &str) -> Reply<BreakGlass> {
    client::find(&path(org, &[PART]))
}

pub fn openings(org: &str, cursor: Option<String>) -> Reply<Page<BreakGlassOpening>> {
    let path = path(org, &[PART, "openings"]);
    client::list(&page(&path, cursor.as_deref(), PAGE, Query::default()))
}

pub fn arm(org: &str, arm: &ArmBreakGlass) -> Reply<BreakGlass> {
    client::replace(&path(org, &[PART]), arm)
}

pub fn disarm(org: &str) -> Reply<()> {
    client::delete(&path(org, &[PART]))
}

/// Asks for it to be opened, by a passkey that signs for that.
pub async fn open(
    org: String,
    reason: String,
    minutes: Option<u32>,
    drill: bool,
) -> Answer<BreakGlassOpening> {
    let passkey = passkey::signed(&path(&org, &[PART, "passkey"]), json!({})).await?;
    let open = json!({ "reason": reason, "minutes": minutes, "drill": drill, "passkey": passkey });
    client::create(&path(&org, &[PART, "openings"]), &open).await
}

/// Agrees to what somebody else asks for, likewise.
pub async fn confirm(org: String, id: String) -> Answer<BreakGlassOpening> {
    let asked = json!({ "opening": id });
    let passkey = passkey::signed(&path(&org, &[PART, "passkey"]), asked).await?;
    let path = path(&org, &[PART, "openings", &id, "confirm"]);
    client::create(&path, &json!({ "passkey": passkey })).await
}

pub fn end(org: &str, id: &str) -> Reply<BreakGlassOpening> {
    client::create(&path(org, &[PART, "openings", id, "end"]), &json!({}))
}

pub fn review(org: &str, id: &str, note: String) -> Reply<BreakGlassOpening> {
    client::create(&path(org, &[PART, "openings", id, "review"]), &ReviewBreakGlass { note })
}
