//! What is recorded of the log itself.

use serde::Serialize;

/// Something that happened to the log or its keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum LogEvent {
    /// From this leaf on another key signs. Verifiers read this event: the earlier key vouches for
    /// it, and it names the next one.
    #[serde(rename = "audit.key_rotated")]
    KeyRotated { version: u32, from: String, to: String },
}

impl LogEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::KeyRotated { version, .. } => format!("audit_key:{version}"),
        }
    }
}
