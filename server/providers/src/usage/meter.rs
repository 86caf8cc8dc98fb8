//! What a call has used so far, readable while it runs.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Usage;
use super::allowance::Allowance;
use crate::dialect::Dialect;
use crate::inbound::Inbound;
use crate::json::Object;
use crate::kept_ids;
use crate::tokens;

/// What a call has used so far; clones read the same call, during the stream and after it.
#[derive(Clone, Debug)]
pub struct Meter {
    inbound: Inbound,
    seen: Arc<Mutex<Seen>>,
    allowance: Allowance,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last counts of the upstream; those of the output may still grow.
    reported: Option<Usage>,
    /// True once the upstream's counts are its last word.
    settled: bool,
    /// What was produced and is not counted yet, and the count of all before it.
    text: String,
    counted: u64,
    /// Ids of what the provider keeps.
    kept: Vec<String>,
    /// The searches that an answer of Gemini's says it is grounded in.
    searches: u64,
}

/// More ids than this of one answer are not remembered.
const MOST_KEPT: usize = 512;

/// Counting in pieces of this size keeps memory flat; a seam costs at most a token, upwards.
const PIECE: usize = 16 * 1024;

impl Meter {
    pub fn new(inbound: Inbound) -> Self {
        Self { inbound, seen: Arc::default(), allowance: Allowance::default() }
    }

    /// How much of the answer may go on to the caller, where that is not all of it.
    pub fn allowance(&self) -> &Allowance {
        &self.allowance
    }

    /// Tokens of output so far, as far as they show.
    pub fn output(&self) -> u64 {
        let mut seen = self.seen.lock();
        seen.count_text();
        seen.counted.max(seen.reported.map_or(0, |usage| usage.total_output()))
    }

    /// Whether all that may go on has gone on.
    pub(crate) fn is_spent(&self) -> bool {
        self.allowance.tokens().is_some_and(|allowed| self.output() >= allowed)
    }

    /// The usage so far: the upstream's last word, or what was asked and produced, counted here.
    pub fn usage(&self) -> Usage {
        let mut seen = self.seen.lock();
        seen.usage(&self.inbound).grounded(seen.searches)
    }

    /// Remembers counts that later ones replace (Anthropic's `message_start`).
    pub(crate) fn report(&self, usage: Usage) {
        self.seen.lock().reported = Some(usage);
    }

    /// Remembers how many searches an answer is grounded in.
    pub(crate) fn searched(&self, searches: u64) {
        let mut seen = self.seen.lock();
        seen.searches = seen.searches.max(searches);
    }

    /// Remembers the upstream's last word.
    pub(crate) fn settle(&self, usage: Usage) {
        let mut seen = self.seen.lock();
        seen.reported = Some(usage);
        seen.settled = true;
    }

    /// The upstream's counts as far as it told them.
    pub(crate) fn reported(&self) -> Option<Usage> {
        self.seen.lock().reported
    }

    /// Remembers what an answer, or an event of one, in this dialect says that its provider keeps;
    /// only where the caller gets to see it as it is.
    pub(crate) fn keeps(&self, dialect: Dialect, answer: &Object) {
        if self.inbound.dialect() != dialect {
            return;
        }
        let ids = kept_ids::told(&self.inbound, answer);
        if !ids.is_empty() {
            self.keep(ids.into_iter().map(str::to_owned));
        }
    }

    /// Remembers ids of what the provider keeps.
    pub fn keep(&self, ids: impl IntoIterator<Item = String>) {
        let mut seen = self.seen.lock();
        for id in ids {
            if seen.kept.len() < MOST_KEPT && !seen.kept.contains(&id) {
                seen.kept.push(id);
            }
        }
    }

    /// The ids of what the provider keeps of this call.
    pub fn kept(&self) -> Vec<String> {
        self.seen.lock().kept.clone()
    }

    /// Remembers a part of what was produced.
    pub(crate) fn produced(&self, text: &str) {
        let mut seen = self.seen.lock();
        seen.text.push_str(text);
        if seen.text.len() > PIECE {
            seen.count_text();
        }
    }
}

impl Seen {
    fn usage(&mut self, inbound: &Inbound) -> Usage {
        if let (Some(usage), true) = (self.reported, self.settled) {
            return usage;
        }
        self.count_text();
        let counted = self.counted;
        match self.reported {
            Some(usage) => {
                Usage { output_tokens: usage.output_tokens.max(counted), estimated: true, ..usage }
            }
            None => Usage {
                input_tokens: inbound.counted_tokens(),
                output_tokens: counted,
                estimated: true,
                ..Usage::default()
            },
        }
    }

    fn count_text(&mut self) {
        if !self.text.is_empty() {
            self.counted += tokens::count(&self.text);
            self.text.clear();
        }
    }
}
