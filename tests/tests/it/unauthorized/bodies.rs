//! Bodies that more than one operation is asked with.

use serde_json::{Value, json};

pub fn guardrail(name: &str) -> Value {
    let check = json!({ "kind": "topic", "phrases": ["project zephyr"] });
    json!({ "name": name, "scope": "org", "check": check, "action": "flag", "direction": "in" })
}

/// What the break-glass access is armed, asked for and confirmed with.
pub fn break_glass(operation: &str) -> Value {
    let signed = json!({ "ceremony": "x", "credential": {} });
    match operation.rsplit('/').next() {
        Some("break-glass") => json!({ "people": ["a@example.com", "b@example.com"] }),
        Some("openings") => json!({ "reason": "An emergency", "passkey": signed }),
        Some("confirm") => json!({ "passkey": signed }),
        Some("review") => json!({ "note": "Looked at all of it." }),
        _ => json!({}),
    }
}

pub fn route(name: &str) -> Value {
    let step = json!({ "pick": "order", "targets": [{ "name": "scripted" }] });
    json!({ "name": name, "spec": { "steps": [step] } })
}
