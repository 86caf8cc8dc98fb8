//! Bodies that more than one operation is asked with.

use serde_json::{Value, json};

pub fn guardrail(name: &str) -> Value {
    let check = json!({ "kind": "topic", "phrases": ["project zephyr"] });
    json!({ "name": name, "scope": "org", "check": check, "action": "flag", "direction": "in" })
}

pub fn route(name: &str) -> Value {
    let step = json!({ "pick": "order", "targets": [{ "name": "scripted" }] });
    json!({ "name": name, "spec": { "steps": [step] } })
}
