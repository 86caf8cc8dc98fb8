//! Erasure: what was destroyed of a person, and what was kept and why.

use chrono::{DateTime, Utc};
use ralex_kernel::{AuditRequestId, EventId, OrgId, UserId};

crate::words! {
    /// Whose values a key sealed.
    pub enum ErasedKeyKind {
        /// What is recorded of the person by their id.
        Person = "person",
        /// What is recorded of their e-mail address.
        Contact = "contact",
    }

    /// What became of the account.
    pub enum ErasedAccount {
        /// Name, e-mail address, password, sessions and personal tokens are gone.
        Removed = "removed",
        /// It is used, or held, outside of this organisation.
        Kept = "kept",
    }
}

crate::answer! {
    /// A key that is no more, and with it all that it sealed.
    pub struct ErasedKey {
        pub id: String,
        pub kind: ErasedKeyKind,
        /// What the key is known by; tells nothing of it.
        pub fingerprint: String,
        /// How many values of the audit log it sealed.
        pub disclosures: u64,
    }

    /// What was removed from other tables.
    pub struct ErasedRows {
        pub what: String,
        pub count: u64,
    }

    /// What is still there, and why.
    pub struct KeptAfterErasure {
        pub what: String,
        pub why: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub count: Option<u64>,
        /// When it goes by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub until: Option<DateTime<Utc>>,
    }

    /// Says what was destroyed of a person, by whom, and what proves it.
    pub struct ErasureCertificate {
        pub ralex_erasure_certificate: u32,
        pub id: AuditRequestId,
        pub org: OrgId,
        /// By their id, which names nobody any more.
        pub person: UserId,
        pub asked_by: UserId,
        pub asked_at: DateTime<Utc>,
        pub approved_by: UserId,
        pub erased_at: DateTime<Utc>,
        pub keys: Vec<ErasedKey>,
        pub removed: Vec<ErasedRows>,
        pub account: ErasedAccount,
        /// As it is at the time of asking.
        pub kept: Vec<KeptAfterErasure>,
        /// The event of the audit log that tells of it; it is never pruned.
        pub event: EventId,
        /// Its place in the log.
        pub index: u64,
        /// Proves that the event is in the log: `ralex audit verify` reads it.
        pub receipt: String,
        /// The key that verifies the receipt.
        pub key: String,
    }
}
