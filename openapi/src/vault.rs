//! Provider keys: written, used by the gateway, and never shown again.

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, ProviderId, Secret, SecretId, Slug};
use serde::{Deserialize, Serialize};

/// A key for a provider. The value goes in and never comes out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewSecret {
    pub name: Name,
    /// Id or slug of the provider that it opens.
    pub provider: String,
    pub value: Secret,
    /// Its share of the calls beside the provider's other keys, 1 when absent.
    #[serde(default)]
    pub weight: Option<u8>,
    /// How many requests a minute the vendor allows it.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// How many tokens a minute the vendor allows it.
    #[serde(default)]
    pub tokens_per_minute: Option<u32>,
}

crate::request! {
    /// How a key is used beside the provider's others; absent fields stay.
    #[derive(Default)]
    pub struct UpdateSecret {
        /// Its share of the calls, 0 to 100; 0 keeps it for when no other key is left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub weight: Option<u8>,
        /// Null for no limit.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::given")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
        pub requests_per_minute: Option<Option<u32>>,
        /// Null for no limit.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::given")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<u32>))]
        pub tokens_per_minute: Option<Option<u32>>,
    }
}

/// The next version of a key; calls use it from then on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NewSecretVersion {
    pub value: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SecretState {
    /// Calls to its provider use it.
    Active,
    /// The provider's address changed since it was entered; enter it again to use it.
    Detached,
}

crate::answer! {
    /// What may be known of a key.
    pub struct SecretInfo {
        pub id: SecretId,
        pub name: Name,
        pub provider: ProviderId,
        pub provider_slug: Slug,
        pub state: SecretState,
        /// How often it was replaced, from 1.
        pub version: u32,
        /// Scheme, host and port that it is sent to, and nowhere else.
        pub origin: String,
        /// A keyed digest: equal for equal keys of this organisation, of no use otherwise.
        pub fingerprint: String,
        /// Its share of the calls beside the provider's other keys, 0 to 100.
        pub weight: u8,
        /// How many requests a minute the vendor allows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub requests_per_minute: Option<u32>,
        /// How many tokens a minute the vendor allows it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tokens_per_minute: Option<u32>,
        pub created_at: DateTime<Utc>,
        pub rotated_at: DateTime<Utc>,
    }
}
