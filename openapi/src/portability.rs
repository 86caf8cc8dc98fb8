//! Exports of an organisation: all that it has, as one archive.

use chrono::{DateTime, Utc};
use ralex_kernel::UserId;

/// To so many keys an archive is encrypted at most.
pub const RECIPIENTS_MAX: usize = 10;

crate::request! {
    /// How an export is taken.
    pub struct NewOrgExport {
        /// Public keys of age (`age1…`) that it is encrypted to; without any it is not encrypted.
        #[serde(default)]
        pub recipients: Vec<String>,
    }

    /// To whom operators may carry an export; in place of all that were set before.
    pub struct SetExportRecipients {
        /// Public keys of age (`age1…`). With none, no operator exports anything.
        pub recipients: Vec<String>,
    }
}

crate::answer! {
    /// To whom operators may carry an export.
    pub struct ExportRecipients {
        pub items: Vec<ExportRecipient>,
    }

    /// A public key, of which somebody in the organisation has the other half.
    pub struct ExportRecipient {
        pub recipient: String,
        /// What the audit log knows it by.
        pub fingerprint: String,
        pub added_at: DateTime<Utc>,
        /// Absent where it was no person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub added_by: Option<UserId>,
    }
}
