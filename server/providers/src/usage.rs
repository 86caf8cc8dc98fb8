//! How many tokens a call used, in one form for both dialects, readable while it still runs.
//!
//! The four counts never overlap, so that each is priced once. Anthropic counts so already.
//! OpenAI's `prompt_tokens` includes what was read from its cache; that part is taken out here and
//! put back when a translated answer is written. Output includes reasoning in both dialects.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::inbound::Inbound;
use crate::json::Object;
use crate::tokens;

/// The tokens of one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input that was neither read from a cache nor written to one.
    pub input_tokens: u64,
    /// Everything produced, reasoning included.
    pub output_tokens: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read_tokens: u64,
    /// Input written to the provider's prompt cache.
    pub cache_write_tokens: u64,
    /// True when Ralex counted, because the provider did not tell (or not yet).
    pub estimated: bool,
}

impl Usage {
    /// All of the input, cached or not.
    pub const fn total_input(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
    }

    /// Reads a chat completion's `usage`; nothing unless both counts are there.
    pub(crate) fn of_chat(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        let prompt = count(usage, "prompt_tokens")?;
        let details = usage.get("prompt_tokens_details").and_then(Value::as_object);
        let detail = |key| details.and_then(|details| count(details, key)).unwrap_or(0);
        let cache_read = detail("cached_tokens").min(prompt);
        let cache_write = detail("cache_write_tokens").min(prompt - cache_read);
        Some(Self {
            input_tokens: prompt - cache_read - cache_write,
            output_tokens: count(usage, "completion_tokens")?,
            cache_read_tokens: cache_read,
            cache_write_tokens: cache_write,
            estimated: false,
        })
    }

    /// Reads a message's `usage`; nothing unless both counts are there.
    pub(crate) fn of_message(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        Some(Self {
            input_tokens: count(usage, "input_tokens")?,
            output_tokens: count(usage, "output_tokens")?,
            cache_read_tokens: count(usage, "cache_read_input_tokens").unwrap_or(0),
            cache_write_tokens: count(usage, "cache_creation_input_tokens").unwrap_or(0),
            estimated: false,
        })
    }

    /// As a chat completion writes it.
    pub(crate) fn to_chat(self) -> Value {
        let prompt = self.total_input();
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": self.output_tokens,
            "total_tokens": prompt.saturating_add(self.output_tokens),
            "prompt_tokens_details": { "cached_tokens": self.cache_read_tokens },
        })
    }

    /// As a message writes it.
    pub(crate) fn to_message(self) -> Value {
        json!({
            "input_tokens": self.input_tokens,
            "cache_creation_input_tokens": self.cache_write_tokens,
            "cache_read_input_tokens": self.cache_read_tokens,
            "output_tokens": self.output_tokens,
        })
    }
}

/// A count that no provider means seriously must not overflow a price: it is no count.
const PLAUSIBLE: u64 = 1 << 40;

fn count(object: &Object, key: &str) -> Option<u64> {
    object.get(key)?.as_u64().filter(|count| *count < PLAUSIBLE)
}

/// What a call has used so far; clones read the same call, during the stream and after it.
#[derive(Clone, Debug)]
pub struct Meter {
    inbound: Inbound,
    seen: Arc<Mutex<Seen>>,
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
}

/// Counting in pieces of this size keeps memory flat; a seam costs at most a token, upwards.
const PIECE: usize = 16 * 1024;

impl Meter {
    pub fn new(inbound: Inbound) -> Self {
        Self { inbound, seen: Arc::default() }
    }

    /// The usage so far: the upstream's last word, or what was asked and produced, counted here.
    pub fn usage(&self) -> Usage {
        let mut seen = self.seen.lock();
        if let (Some(usage), true) = (seen.reported, seen.settled) {
            return usage;
        }
        seen.count_text();
        let counted = seen.counted;
        match seen.reported {
            Some(usage) => {
                Usage { output_tokens: usage.output_tokens.max(counted), estimated: true, ..usage }
            }
            None => Usage {
                input_tokens: self.inbound.counted_tokens(),
                output_tokens: counted,
                estimated: true,
                ..Usage::default()
            },
        }
    }

    /// Remembers counts that later ones replace (Anthropic's `message_start`).
    pub(crate) fn report(&self, usage: Usage) {
        self.seen.lock().reported = Some(usage);
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
    fn count_text(&mut self) {
        if !self.text.is_empty() {
            self.counted += tokens::count(&self.text);
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cached_part_of_a_chat_prompt_is_taken_out_and_put_back() {
        let wire = json!({ "prompt_tokens": 100, "completion_tokens": 7,
            "prompt_tokens_details": { "cached_tokens": 64 } });
        let usage = Usage::of_chat(Some(&wire)).unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens, usage.output_tokens), (36, 64, 7));
        assert_eq!(usage.to_chat()["prompt_tokens"], 100);
        assert_eq!(usage.to_chat()["total_tokens"], 107);
    }

    #[test]
    fn the_input_of_a_message_excludes_its_cached_part_already() {
        let wire = json!({ "input_tokens": 3, "output_tokens": 5,
            "cache_read_input_tokens": 20, "cache_creation_input_tokens": 9 });
        let usage = Usage::of_message(Some(&wire)).unwrap();
        assert_eq!(usage.input_tokens, 3);
        assert_eq!(usage.total_input(), 32);
        assert_eq!(Usage::of_message(Some(&usage.to_message())), Some(usage));
    }

    #[test]
    fn counts_that_make_no_sense_are_no_counts() {
        for wire in [
            json!({}),
            json!({ "prompt_tokens": -1, "completion_tokens": 2 }),
            json!({ "prompt_tokens": "1", "completion_tokens": 2 }),
            json!({ "prompt_tokens": u64::MAX, "completion_tokens": 2 }),
            json!(null),
        ] {
            assert_eq!(Usage::of_chat(Some(&wire)), None, "{wire}");
        }
    }
}
