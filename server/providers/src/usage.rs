//! How many tokens a call used, in one form for both dialects, readable while it still runs.
//!
//! The four counts never overlap, so that each is priced once. Anthropic counts so already.
//! OpenAI's `prompt_tokens` includes what was read from its cache; that part is taken out here and
//! put back when a translated answer is written. Output includes reasoning in both dialects.

mod allowance;
mod meter;

use serde_json::{Value, json};

pub use allowance::Allowance;
pub use meter::Meter;

use crate::json::{Object, objects, text};
use crate::tool_use::{ToolUse, grounding, searches};

/// What one call used. No token is counted in two of these but in `reasoning_tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input of text and images that was neither read from a cache nor written to one.
    pub input_tokens: u64,
    /// Everything produced but audio, reasoning included.
    pub output_tokens: u64,
    /// The part of `output_tokens` that was thought and not said, as far as it is told.
    pub reasoning_tokens: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read_tokens: u64,
    /// Input written to the provider's prompt cache for its usual time.
    pub cache_write_tokens: u64,
    /// Input written to the provider's prompt cache for an hour.
    pub cache_write_1h_tokens: u64,
    pub audio_input_tokens: u64,
    pub audio_output_tokens: u64,
    /// What is not priced by tokens, in the unit of the model's price: images, seconds,
    /// characters, searches; of a conversation the searches of the web that the provider made.
    pub units: u64,
    /// What else the provider is paid for, whose tools it ran.
    pub tools: ToolUse,
    /// True when Ralex counted, because the provider did not tell (or not yet).
    pub estimated: bool,
}

impl Usage {
    /// All of the input, cached or not.
    pub const fn total_input(&self) -> u64 {
        self.input_tokens
            .saturating_add(self.cache_read_tokens)
            .saturating_add(self.cache_write_tokens)
            .saturating_add(self.cache_write_1h_tokens)
            .saturating_add(self.audio_input_tokens)
    }

    /// All of the output, spoken or written.
    pub const fn total_output(&self) -> u64 {
        self.output_tokens.saturating_add(self.audio_output_tokens)
    }

    /// Reads a chat completion's `usage`; nothing unless both counts are there.
    pub(crate) fn of_chat(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        let prompt = count(usage, "prompt_tokens")?;
        let completion = count(usage, "completion_tokens").or_else(|| {
            // Embeddings and the like produce no tokens and may not say so.
            (count(usage, "total_tokens") == Some(prompt)).then_some(0)
        })?;
        let input = Details::of(usage, "prompt_tokens_details");
        let output = Details::of(usage, "completion_tokens_details");
        // DeepSeek says it beside the details.
        let cached = input.count("cached_tokens").or(count(usage, "prompt_cache_hit_tokens"));
        Some(Self::parts(prompt, cached, input, completion, output))
    }

    /// Takes the parts that have prices of their own out of the two sums that OpenAI tells.
    fn parts(
        input: u64,
        cached: Option<u64>,
        within_input: Details<'_>,
        output: u64,
        within_output: Details<'_>,
    ) -> Self {
        let mut rest = input;
        let mut take = |part: Option<u64>| {
            let part = part.unwrap_or(0).min(rest);
            rest -= part;
            part
        };
        let cache_read_tokens = take(cached);
        let cache_write_tokens = take(within_input.count("cache_write_tokens"));
        let audio_input_tokens = take(within_input.count("audio_tokens"));
        let audio_output_tokens = within_output.count("audio_tokens").unwrap_or(0).min(output);
        let output_tokens = output - audio_output_tokens;
        Self {
            input_tokens: rest,
            output_tokens,
            reasoning_tokens: within_output
                .count("reasoning_tokens")
                .unwrap_or(0)
                .min(output_tokens),
            cache_read_tokens,
            cache_write_tokens,
            audio_input_tokens,
            audio_output_tokens,
            ..Self::default()
        }
    }

    /// Reads a message's `usage`; nothing unless both counts are there.
    pub(crate) fn of_message(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        let written = count(usage, "cache_creation_input_tokens").unwrap_or(0);
        let for_an_hour = Details::of(usage, "cache_creation").count("ephemeral_1h_input_tokens");
        let for_an_hour = for_an_hour.unwrap_or(0).min(written);
        let searches = Details::of(usage, "server_tool_use").count("web_search_requests");
        Some(Self {
            units: searches.unwrap_or(0),
            input_tokens: count(usage, "input_tokens")?,
            output_tokens: count(usage, "output_tokens")?,
            cache_read_tokens: count(usage, "cache_read_input_tokens").unwrap_or(0),
            cache_write_tokens: written - for_an_hour,
            cache_write_1h_tokens: for_an_hour,
            ..Self::default()
        })
    }

    /// Reads the `usage` of an operation, in any of its forms: as chat and responses have it, with
    /// details under another name (transcriptions), or only a sum (rankings, some embeddings).
    pub(crate) fn of_operation(usage: Option<&Value>) -> Option<Self> {
        let told = usage?.as_object()?;
        let details = Details::of(told, "input_token_details");
        if let (Some(input), Some(output), Details(Some(_))) =
            (count(told, "input_tokens"), count(told, "output_tokens"), details)
        {
            return Some(Self::parts(input, None, details, output, Details(None)));
        }
        let sum = || {
            let total = count(told, "total_tokens")?;
            Some(Self { input_tokens: total, ..Self::default() })
        };
        Self::of_response(usage).or_else(|| Self::of_chat(usage)).or_else(sum)
    }

    /// Reads Bedrock's `usage`; nothing unless both counts are there.
    pub(crate) fn of_converse(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        let written = count(usage, "cacheWriteInputTokens").unwrap_or(0);
        let for_an_hour = objects(usage.get("cacheDetails"))
            .filter(|detail| text(detail, "ttl") == Some("1h"))
            .filter_map(|detail| count(detail, "inputTokens"))
            .fold(0, u64::saturating_add)
            .min(written);
        Some(Self {
            input_tokens: count(usage, "inputTokens")?,
            output_tokens: count(usage, "outputTokens")?,
            cache_read_tokens: count(usage, "cacheReadInputTokens").unwrap_or(0),
            cache_write_tokens: written - for_an_hour,
            cache_write_1h_tokens: for_an_hour,
            ..Self::default()
        })
    }

    /// As Bedrock writes it.
    pub(crate) fn to_converse(self) -> Value {
        let details = [("5m", self.cache_write_tokens), ("1h", self.cache_write_1h_tokens)];
        let details: Vec<Value> = details
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(ttl, count)| json!({ "ttl": ttl, "inputTokens": count }))
            .collect();
        json!({
            "inputTokens": self.input_tokens.saturating_add(self.audio_input_tokens),
            "outputTokens": self.total_output(),
            "totalTokens": self.total_input().saturating_add(self.total_output()),
            "cacheReadInputTokens": self.cache_read_tokens,
            "cacheWriteInputTokens":
                self.cache_write_tokens.saturating_add(self.cache_write_1h_tokens),
            "cacheDetails": details,
        })
    }

    /// Reads Google's `usageMetadata`; nothing unless the prompt's count is there, since counts of
    /// zero are left out.
    pub(crate) fn of_gemini(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        let told = |key| count(usage, key).unwrap_or(0);
        let of_audio = |key| {
            objects(usage.get(key))
                .filter(|detail| text(detail, "modality") == Some("AUDIO"))
                .filter_map(|detail| count(detail, "tokenCount"))
                .fold(0, u64::saturating_add)
        };
        let prompt = count(usage, "promptTokenCount")?;
        let cached = told("cachedContentTokenCount").min(prompt);
        let audio = of_audio("promptTokensDetails")
            .saturating_sub(of_audio("cacheTokensDetails"))
            .min(prompt - cached);
        let (said, thought) = (told("candidatesTokenCount"), told("thoughtsTokenCount"));
        let spoken = of_audio("candidatesTokensDetails").min(said);
        Some(Self {
            // What tools that Google ran gave the model to read is beside the prompt.
            input_tokens: (prompt - cached - audio).saturating_add(told("toolUsePromptTokenCount")),
            output_tokens: (said - spoken).saturating_add(thought),
            reasoning_tokens: thought,
            cache_read_tokens: cached,
            audio_input_tokens: audio,
            audio_output_tokens: spoken,
            ..Self::default()
        })
    }

    /// As Google writes it.
    pub(crate) fn to_gemini(self) -> Value {
        let (prompt, output) = (self.total_input(), self.total_output());
        let mut usage = json!({
            "promptTokenCount": prompt,
            "candidatesTokenCount": output.saturating_sub(self.reasoning_tokens),
            "totalTokenCount": prompt.saturating_add(output),
        });
        if self.reasoning_tokens > 0 {
            usage["thoughtsTokenCount"] = json!(self.reasoning_tokens);
        }
        if self.cache_read_tokens > 0 {
            usage["cachedContentTokenCount"] = json!(self.cache_read_tokens);
        }
        usage
    }

    /// Reads the usage of a whole response, where what its tools did stands in its output.
    pub(crate) fn of_whole_response(response: &Object) -> Option<Self> {
        let (units, tools) = (searches(response), ToolUse::of_response(response));
        Some(Self { units, tools, ..Self::of_response(response.get("usage"))? })
    }

    /// Reads the usage of a whole answer of Gemini's, with the searches that it is grounded in.
    pub(crate) fn of_whole_gemini(answer: &Object) -> Option<Self> {
        Some(Self::of_gemini(answer.get("usageMetadata"))?.grounded(grounding(answer)))
    }

    /// The same with so many searches, where there were not more.
    pub(crate) fn grounded(mut self, searches: u64) -> Self {
        self.units = self.units.max(searches);
        self.tools.grounded_answers = self.tools.grounded_answers.max(searches.min(1));
        self
    }

    /// Reads a response's `usage`; nothing unless both counts are there.
    pub(crate) fn of_response(usage: Option<&Value>) -> Option<Self> {
        let usage = usage?.as_object()?;
        let input = Details::of(usage, "input_tokens_details");
        let output = Details::of(usage, "output_tokens_details");
        let cached = input.count("cached_tokens");
        let (asked, said) = (count(usage, "input_tokens")?, count(usage, "output_tokens")?);
        Some(Self::parts(asked, cached, input, said, output))
    }

    /// As a chat completion writes it.
    pub(crate) fn to_chat(self) -> Value {
        let (prompt, completion) = (self.total_input(), self.total_output());
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt.saturating_add(completion),
            "prompt_tokens_details": {
                "cached_tokens": self.cache_read_tokens,
                "audio_tokens": self.audio_input_tokens,
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": self.audio_output_tokens,
            },
        })
    }

    /// As a response writes it.
    pub(crate) fn to_response(self) -> Value {
        let (input, output) = (self.total_input(), self.total_output());
        json!({
            "input_tokens": input,
            "input_tokens_details": {
                "cached_tokens": self.cache_read_tokens,
                "cache_write_tokens":
                    self.cache_write_tokens.saturating_add(self.cache_write_1h_tokens),
            },
            "output_tokens": output,
            "output_tokens_details": { "reasoning_tokens": self.reasoning_tokens },
            "total_tokens": input.saturating_add(output),
        })
    }

    /// As a message writes it.
    pub(crate) fn to_message(self) -> Value {
        json!({
            "input_tokens": self.input_tokens.saturating_add(self.audio_input_tokens),
            "cache_creation_input_tokens":
                self.cache_write_tokens.saturating_add(self.cache_write_1h_tokens),
            "cache_read_input_tokens": self.cache_read_tokens,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.cache_write_tokens,
                "ephemeral_1h_input_tokens": self.cache_write_1h_tokens,
            },
            "output_tokens": self.total_output(),
        })
    }
}

/// Counts within a count.
#[derive(Clone, Copy)]
struct Details<'a>(Option<&'a Object>);

impl<'a> Details<'a> {
    fn of(usage: &'a Object, key: &str) -> Self {
        Self(usage.get(key).and_then(Value::as_object))
    }

    fn count(self, key: &str) -> Option<u64> {
        self.0.and_then(|details| count(details, key))
    }
}

/// A count that no provider means seriously must not overflow a price: it is no count.
const PLAUSIBLE: u64 = 1 << 40;

pub(crate) fn count(object: &Object, key: &str) -> Option<u64> {
    object.get(key)?.as_u64().filter(|count| *count < PLAUSIBLE)
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
    fn searches_of_the_web_are_counted_beside_the_tokens() {
        let wire = json!({ "input_tokens": 3, "output_tokens": 5,
            "server_tool_use": { "web_search_requests": 2, "web_fetch_requests": 1 } });
        assert_eq!(Usage::of_message(Some(&wire)).unwrap().units, 2);
        let call = |action: Value| json!({ "type": "web_search_call", "action": action });
        let response = json!({ "usage": { "input_tokens": 3, "output_tokens": 5 }, "output": [
            call(json!({ "type": "search", "query": "q" })),
            call(json!({ "type": "open_page", "url": "https://x.test" })),
            { "type": "web_search_call", "status": "completed" },
            { "type": "message", "content": [] },
        ] });
        assert_eq!(Usage::of_whole_response(response.as_object().unwrap()).unwrap().units, 2);
    }

    #[test]
    fn googles_thoughts_are_output_and_its_cache_is_no_input() {
        let wire = json!({ "promptTokenCount": 100, "cachedContentTokenCount": 60,
            "candidatesTokenCount": 7, "thoughtsTokenCount": 20, "toolUsePromptTokenCount": 5,
            "totalTokenCount": 132,
            "promptTokensDetails": [{ "modality": "TEXT", "tokenCount": 70 }, { "modality": "AUDIO", "tokenCount": 30 }] });
        let usage = Usage::of_gemini(Some(&wire)).unwrap();
        assert_eq!((usage.input_tokens, usage.cache_read_tokens), (15, 60));
        assert_eq!((usage.output_tokens, usage.reasoning_tokens), (27, 20));
        assert_eq!(usage.audio_input_tokens, 30);
        let again = usage.to_gemini();
        assert_eq!(again["totalTokenCount"], wire["totalTokenCount"]);
        assert_eq!(again["candidatesTokenCount"], wire["candidatesTokenCount"]);
        assert_eq!(Usage::of_gemini(Some(&json!({ "trafficType": "ON_DEMAND" }))), None);
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
