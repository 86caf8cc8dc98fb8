//! A call that was opened and must be closed: settled once, however it ends.

use std::time::Instant;

use ralex_audit::Author;
use ralex_budgets::{Ending, Settlement, Tokens};
use ralex_kernel::{CallId, Code, Money, OrgId};
use ralex_providers::{Meter, Usage};
use ralex_routing::Plan;
use std::sync::Arc;

use crate::writer::{Closing, Writer};

/// Settles when told how the call ended, or as canceled when dropped without being told: the
/// caller hung up, and what was used until then is paid.
pub(crate) struct InFlight {
    pub call: CallId,
    pub org: OrgId,
    pub author: Author,
    pub plan: Arc<Plan>,
    pub writer: Writer,
    pub started: Instant,
    /// What was used so far; nothing before the request went out.
    pub meter: Option<Meter>,
    pub first_byte: Option<Instant>,
    pub closed: bool,
}

impl InFlight {
    /// Closes a call that ended as it should, and returns what it cost.
    pub fn succeed(mut self, usage: Usage) -> Money {
        self.close(Ending::Success, usage, None)
    }

    /// Closes a call that failed, at the cost of what was used.
    pub fn fail(mut self, usage: Usage, code: Code) -> Money {
        self.close(Ending::Error, usage, Some(code))
    }

    /// What was used so far, as well as it is known.
    pub fn used(&self) -> Usage {
        self.meter.as_ref().map_or_else(Usage::default, Meter::usage)
    }

    pub fn note_first_byte(&mut self) {
        self.first_byte.get_or_insert_with(Instant::now);
    }

    fn close(&mut self, ending: Ending, usage: Usage, problem: Option<Code>) -> Money {
        self.closed = true;
        let cost = self.plan.cost(&usage);
        let settlement = Settlement {
            org: self.org,
            call: self.call,
            ending,
            tokens: Tokens {
                input: usage.input_tokens,
                output: usage.output_tokens,
                cache_read: usage.cache_read_tokens,
                cache_write: usage.cache_write_tokens,
                estimated: usage.estimated,
            },
            cost,
            problem,
            first_byte_ms: self.first_byte.map(|at| millis(at - self.started)),
            duration_ms: millis(self.started.elapsed()),
        };
        self.writer.close(Closing { settlement, author: self.author.clone(), looks: 0 });
        let labels = [
            ("provider", self.plan.provider_slug.to_string()),
            ("state", ending.as_str().to_owned()),
        ];
        metrics::counter!("ralex_calls_total", &labels).increment(1);
        metrics::histogram!("ralex_call_duration_seconds", &labels).record(self.started.elapsed());
        cost
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.closed {
            let usage = self.used();
            self.close(Ending::Canceled, usage, None);
        }
    }
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
