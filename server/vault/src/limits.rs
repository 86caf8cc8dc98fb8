//! Limits: how much of a provider's traffic one of its keys takes.

use ralex_api::vault::{NewSecret, UpdateSecret};
use ralex_kernel::Problem;

const WEIGHT_MAX: u8 = 100;
/// What the schema's integers hold.
const A_MINUTE_MAX: u32 = i32::MAX.unsigned_abs();

/// A key's share of the calls, and what its vendor allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// 0 to 100; 0 keeps it for when no other key is left.
    pub weight: u8,
    pub requests_per_minute: Option<u32>,
    pub tokens_per_minute: Option<u32>,
}

impl Limits {
    pub(crate) fn of(new: &NewSecret) -> Result<Self, Problem> {
        let limits = Self {
            weight: new.weight.unwrap_or(1),
            requests_per_minute: new.requests_per_minute,
            tokens_per_minute: new.tokens_per_minute,
        };
        limits.check()
    }

    pub(crate) fn changed(self, change: &UpdateSecret) -> Result<Self, Problem> {
        let limits = Self {
            weight: change.weight.unwrap_or(self.weight),
            requests_per_minute: change.requests_per_minute.unwrap_or(self.requests_per_minute),
            tokens_per_minute: change.tokens_per_minute.unwrap_or(self.tokens_per_minute),
        };
        limits.check()
    }

    /// The schema keeps them in these bounds.
    pub(crate) fn stored(weight: i16, requests: Option<i32>, tokens: Option<i32>) -> Self {
        Self {
            weight: u8::try_from(weight).unwrap_or(1),
            requests_per_minute: requests.map(i32::unsigned_abs),
            tokens_per_minute: tokens.map(i32::unsigned_abs),
        }
    }

    fn check(self) -> Result<Self, Problem> {
        if self.weight > WEIGHT_MAX {
            return Err(Problem::field("weight", "must be 0 to 100"));
        }
        for (path, limit) in [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
        ] {
            if limit.is_some_and(|limit| !(1..=A_MINUTE_MAX).contains(&limit)) {
                return Err(Problem::field(
                    path,
                    format!("must be 1 to {A_MINUTE_MAX}, or absent"),
                ));
            }
        }
        Ok(self)
    }
}
