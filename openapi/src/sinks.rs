//! Sinks: where the audit log is sent as it grows.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, Secret, SinkId};
use serde::Deserialize;

crate::words! {
    /// What a sink is.
    pub enum SinkKind {
        /// Batches by POST, signed as Standard Webhooks says.
        Webhook = "webhook",
        /// A collector of syslog over TLS (RFC 5425).
        Syslog = "syslog",
        /// A store of objects that speaks S3; each batch is an object.
        S3 = "s3",
    }

    /// How records are written.
    pub enum SinkFormat {
        /// The exact text that the tree vouches for, with its index and hash.
        Jsonl = "jsonl",
        Ocsf = "ocsf",
        Cef = "cef",
        /// RFC 5424.
        Syslog = "syslog",
        CloudEvents = "cloudevents",
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

impl SinkKind {
    /// How it may write, the usual way first.
    pub const fn formats(self) -> &'static [SinkFormat] {
        match self {
            Self::Webhook => &[SinkFormat::CloudEvents, SinkFormat::Ocsf, SinkFormat::Jsonl],
            Self::Syslog => &[SinkFormat::Syslog, SinkFormat::Cef, SinkFormat::Ocsf],
            Self::S3 => &[
                SinkFormat::Jsonl,
                SinkFormat::Ocsf,
                SinkFormat::Cef,
                SinkFormat::Syslog,
                SinkFormat::CloudEvents,
            ],
        }
    }
}

crate::answer! {
    pub struct AuditSink {
        pub id: SinkId,
        pub name: Name,
        pub kind: SinkKind,
        pub format: SinkFormat,
        pub url: String,
        /// Of a store of objects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
        /// Of a collector: who vouches for it, where that is no public authority.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ca_pem: Option<String>,
        /// What the secret is known by: the id of an access key, or the SHA-256 of a certificate.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub credential: Option<String>,
        pub secret_changed_at: DateTime<Utc>,
        /// The secret before this one signs beside it until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub previous_until: Option<DateTime<Utc>>,
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
        /// What signs a webhook's deliveries; told once, in the answer to its making.
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

/// What proves who sends. A webhook takes none: its secret is made here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SinkCredential {
    /// For a store of objects, together with its secret.
    #[serde(default)]
    pub access_key_id: Option<String>,
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    #[serde(default)]
    pub session_token: Option<Secret>,
    /// For a collector that asks for one: a chain of certificates as PEM, the own one first.
    #[serde(default)]
    pub client_certificate: Option<String>,
    /// Its private key as PEM.
    #[serde(default)]
    pub client_key: Option<Secret>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewAuditSink {
    pub name: Name,
    pub kind: SinkKind,
    /// An address with https for a webhook, `tls://host:port` for a collector, and for a store the
    /// https address of a bucket with a folder in it, if so is wanted. It may have no query, user
    /// name or password.
    pub url: String,
    /// The usual one of its kind when absent.
    #[serde(default)]
    pub format: Option<SinkFormat>,
    /// Of a store; when absent the one that its address names.
    #[serde(default)]
    pub region: Option<String>,
    /// Of a collector: certificates of authorities as PEM; the public ones when absent.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// Needed for a store.
    #[serde(default)]
    pub credential: Option<SinkCredential>,
    /// 1 to 1,000; 100 when absent.
    #[serde(default)]
    pub batch_size: Option<u32>,
    /// 0 to 3,600; 5 when absent, and 60 for a store.
    #[serde(default)]
    pub flush_seconds: Option<u32>,
    /// The beginning when absent.
    #[serde(default)]
    pub start: Option<SinkStart>,
}

crate::request! {
    /// What is absent stays.
    pub struct UpdateAuditSink {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub url: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub format: Option<SinkFormat>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub region: Option<String>,
        /// The public authorities when empty.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub ca_pem: Option<String>,
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
