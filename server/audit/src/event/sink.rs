//! What is recorded of sinks: of an address only who is reached, since the rest may be a secret.

use ralex_kernel::{Name, SinkId};
use serde::Serialize;

/// Something that happened to a sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum SinkEvent {
    #[serde(rename = "sink.created")]
    Created {
        sink: SinkId,
        name: Name,
        kind: &'static str,
        format: &'static str,
        host: String,
        first_index: u64,
    },
    #[serde(rename = "sink.updated")]
    Updated {
        sink: SinkId,
        format: &'static str,
        host: String,
        batch_size: u32,
        flush_seconds: u32,
        enabled: bool,
    },
    /// Another secret proves who sends; `credential` is what it is known by, where it is by something.
    #[serde(rename = "sink.secret_changed")]
    SecretChanged { sink: SinkId, credential: Option<String> },
    #[serde(rename = "sink.deleted")]
    Deleted { sink: SinkId, name: Name, next_index: u64 },
    #[serde(rename = "sink.tested")]
    Tested { sink: SinkId, delivered: bool },
    /// It refuses one record for good, and waits for a person.
    #[serde(rename = "sink.parked")]
    Parked { sink: SinkId, index: u64, why: String },
    #[serde(rename = "sink.resumed")]
    Resumed { sink: SinkId, index: u64, reason: String },
    /// A person said to leave one record out.
    #[serde(rename = "sink.skipped")]
    Skipped { sink: SinkId, index: u64, reason: String },
}

impl SinkEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Created { sink, .. }
            | Self::Updated { sink, .. }
            | Self::SecretChanged { sink, .. }
            | Self::Deleted { sink, .. }
            | Self::Tested { sink, .. }
            | Self::Parked { sink, .. }
            | Self::Resumed { sink, .. }
            | Self::Skipped { sink, .. } => format!("sink:{sink}"),
        }
    }
}
