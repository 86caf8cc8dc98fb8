//! Sinks: where the audit log is sent as it grows.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, SinkId};

crate::words! {
    /// What a sink is.
    pub enum SinkKind {
        /// Batches of `CloudEvents` by POST, signed as Standard Webhooks says.
        Webhook = "webhook",
    }

    /// How a sink fares.
    pub enum SinkState {
        /// Everything is taken, or on its way.
        Active = "active",
        /// The last try failed; the next one comes by itself.
        Failing = "failing",
        /// One record is refused for good; nothing is sent until a person decides.
        Parked = "parked",
        /// Switched off by a person.
        Paused = "paused",
    }

    /// Where a new sink begins.
    pub enum SinkStart {
        /// With the log's first record.
        Beginning = "beginning",
        /// With the next record to be signed.
        Now = "now",
    }
}

crate::answer! {
    pub struct AuditSink {
        pub id: SinkId,
        pub name: Name,
        pub kind: SinkKind,
        pub url: String,
        pub state: SinkState,
        pub enabled: bool,
        /// So many records at most in one delivery.
        pub batch_size: u32,
        /// A record waits so long at most for others to go with it.
        pub flush_seconds: u32,
        /// The index that is sent next; everything below it was taken.
        pub next_index: u64,
        /// How many signed records are not taken yet.
        pub behind: u64,
        /// Tries that failed since the last one that did not.
        pub failures: u32,
        /// Why the last one failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub failure: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub next_attempt_at: Option<DateTime<Utc>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub parked_at: Option<DateTime<Utc>>,
        /// When something was taken last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub delivered_at: Option<DateTime<Utc>>,
        pub created_at: DateTime<Utc>,
        /// What signs deliveries; told once, in the answer to its making.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub secret: Option<String>,
    }

    pub struct AuditSinks {
        pub items: Vec<AuditSink>,
    }

    /// What came of a delivery that was only to try.
    pub struct SinkTested {
        pub delivered: bool,
        /// What the receiver said, or why it could not.
        pub detail: String,
        pub duration_ms: u64,
    }
}

crate::request! {
    pub struct NewAuditSink {
        pub name: Name,
        pub kind: SinkKind,
        /// An address with https; it may have no query, user name or password.
        pub url: String,
        /// 1 to 1,000; 100 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub batch_size: Option<u32>,
        /// 0 to 3,600; 5 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub flush_seconds: Option<u32>,
        /// The beginning when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub start: Option<SinkStart>,
    }

    /// What is absent stays.
    pub struct UpdateAuditSink {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub url: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub batch_size: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub flush_seconds: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
    }

    /// Goes on with a sink that is parked or failing.
    pub struct ResumeAuditSink {
        /// Leaves this record out for good: the one at `next_index`, of a parked sink.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub skip: Option<u64>,
        /// For the audit log.
        pub reason: String,
    }
}
