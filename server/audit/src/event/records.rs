//! What is recorded of the records of calls.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Something that happened to the records of calls as such.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum RecordsEvent {
    /// So many, of those that began from the one moment to the other, are gone, since records are
    /// kept so many days. What they cost and used still counts.
    #[serde(rename = "calls.pruned")]
    Pruned { count: u64, first_at: DateTime<Utc>, last_at: DateTime<Utc>, days: u32 },
}
