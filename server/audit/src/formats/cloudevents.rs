//! `CloudEvents` 1.0 in their JSON form. Who has seen the pair of `source` and `id` has the record.

use serde_json::{Value, json};

use super::Told;

pub fn event(told: &Told, origin: &str) -> Value {
    let mut event = json!({
        "specversion": "1.0",
        "id": told.id(),
        "source": origin,
        "type": format!("ralex.audit.{}", told.text("/action")),
        "subject": told.index.to_string(),
        "time": told.text("/occurred_at"),
        "datacontenttype": "application/json",
        // Ordered as text, as the extension of that name wants it.
        "sequence": format!("{:020}", told.index),
        "leafhash": told.leaf_hash,
        "data": told.record,
    });
    // A time that is not one would make the whole event invalid; it is optional.
    if chrono::DateTime::parse_from_rfc3339(&told.text("/occurred_at")).is_err()
        && let Some(fields) = event.as_object_mut()
    {
        fields.remove("time");
    }
    event
}
