//! Rate limits: how many requests and tokens calls may take within a window of time.

use chrono::{DateTime, Utc};
use ralex_kernel::RateLimitId;

crate::words! {
    /// What a rate limit counts.
    pub enum Measure {
        /// Calls; of a limit of one model or provider, tries.
        Requests = "requests",
        /// Tokens of input, cached ones included.
        InputTokens = "input_tokens",
        /// Tokens of output. A call counts with the most that it may write until it has ended.
        OutputTokens = "output_tokens",
        /// Both together.
        Tokens = "tokens",
    }
}

impl Measure {
    /// In words.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::InputTokens => "input tokens",
            Self::OutputTokens => "output tokens",
            Self::Tokens => "tokens",
        }
    }
}

crate::answer! {
    /// A rate limit and its current window.
    pub struct RateLimit {
        pub id: RateLimitId,
        /// `org`, `team:<slug>`, `project:<slug>`, `service_account:<slug>`, `token:<id>` or
        /// `user:<id>`.
        pub scope: String,
        /// The scope in words (`Platform team`).
        pub scope_name: String,
        /// Only calls of this model count; by its id where it was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
        /// Only calls of this provider count; by its id where it was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub provider: Option<String>,
        pub measure: Measure,
        /// So many within any window.
        pub amount: u64,
        pub window_seconds: u32,
        /// Taken in the window that ends now, with what nodes have in hand for the next moment.
        pub used: u64,
        /// Calls refused since it was made, and of a limit of one model or provider also those that
        /// went elsewhere.
        pub refused: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub last_refused_at: Option<DateTime<Utc>>,
        pub created_at: DateTime<Utc>,
    }
}

crate::request! {
    pub struct NewRateLimit {
        /// `org`, `team:<slug>`, `project:<slug>`, `service_account:<slug>`, `token:<id>`, or
        /// `user:<id or e-mail>`: the person
        /// that calls are made by, with whatever token.
        pub scope: String,
        /// Only calls of this model are to count, by its name.
        #[serde(default)]
        pub model: Option<String>,
        /// Only calls of this provider are to count, by its slug.
        #[serde(default)]
        pub provider: Option<String>,
        pub measure: Measure,
        #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1_000_000_000_000_000u64))]
        pub amount: u64,
        /// From a second to 31 days; a minute when absent.
        #[serde(default)]
        #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 2_678_400))]
        pub window_seconds: Option<u32>,
    }

    /// A change. What was taken in the current window stays taken.
    pub struct UpdateRateLimit {
        #[cfg_attr(feature = "schema", schema(minimum = 1, maximum = 1_000_000_000_000_000u64))]
        pub amount: u64,
    }
}
