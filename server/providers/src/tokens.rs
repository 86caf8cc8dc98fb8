//! Counting tokens before a provider does: exactly for OpenAI's newer models, never low for others.
//!
//! A hold must cover whatever the provider will count, and every vendor has its own tokenizer. So
//! the estimate is o200k's count plus a margin, plus one token for each digit and each character
//! beyond ASCII (where other tokenizers split more finely), but never more than the bytes, which
//! bound every byte-level tokenizer from above.

mod tools;

use serde_json::Value;

use self::tools::Runner;
use crate::json::{Object, objects, text};

pub(crate) use tools::{forbidden, is_offer, most_calls, worst_searches};

/// What is added to o200k's count; Anthropic's newest tokenizers take up to 35 % more for English
/// and code.
pub const MARGIN_PERCENT: u64 = 40;

/// An upper bound for one image: the largest that OpenAI's patch models (2,489) and Anthropic
/// (4,784) count. OpenAI's `gpt-4o-mini` counts up to 48,169 at a thirtieth of the price, and is
/// the one exception.
pub const IMAGE_TOKENS: u64 = 5_000;

/// The input of a request that names what it does not carry (a file id, a document's address, a
/// tool that the provider runs itself). No window is larger, so that the caller of this takes the
/// smaller of this and the model's context window.
pub const UNKNOWN_INPUT: u64 = 2_000_000;

/// What a message costs beside its text, and an answer's opening, in both dialects at most.
const MESSAGE_OVERHEAD: u64 = 8;
const ANSWER_OVERHEAD: u64 = 16;

/// What providers add when there are tools (Anthropic's largest hidden prompt is about 700).
const TOOLS_OVERHEAD: u64 = 800;

/// What they add for a tool that they describe themselves (Anthropic's computer: 1,234 at most).
const TAUGHT_TOOL: u64 = 1_500;

/// Builds the tokenizer's tables, which takes a good part of a second; the first count would
/// otherwise wait for it, and with it every call of its thread.
pub fn warm_up() {
    count("warm");
}

/// Tokens of a text, as o200k counts them.
pub(crate) fn count(text: &str) -> u64 {
    u64::try_from(bpe_openai::o200k_base().count(text)).unwrap_or(u64::MAX)
}

/// The longest beginning of a text that has at most `most` tokens; nothing when all of it has.
pub(crate) fn first(text: &str, most: u64) -> Option<String> {
    let tokenizer = bpe_openai::o200k_base();
    let tokens = tokenizer.encode(text);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if tokens.len() <= most {
        return None;
    }
    // A token may end within a character, and cut text may count differently than it did before.
    let fits = |part: &String| tokenizer.count(part.as_str()) <= most;
    let parts = (0..=most).rev().filter_map(|length| tokenizer.decode(tokens.get(..length)?));
    Some({ parts }.find(fits).unwrap_or_default())
}

/// The input of one request: as counted, and as no provider should exceed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Input {
    /// For settling a call whose provider told nothing.
    pub counted: u64,
    /// For holding money before the call.
    pub worst: u64,
    /// How much of the worst there is only for tools that a provider of another dialect is not
    /// told of.
    pub offered: u64,
}

impl Input {
    /// The input of a request in either dialect.
    pub fn of(body: &Object) -> Self {
        let mut input = Self::default();
        input.add(ANSWER_OVERHEAD, ANSWER_OVERHEAD);
        let forbidden = forbidden(body);
        for (key, value) in body {
            match key.as_str() {
                "messages" | "contents" => input.messages(value),
                "system" => input.content(value),
                "systemInstruction" | "system_instruction" => input.system(value),
                "tools" | "functions" => input.tools(value, forbidden),
                "input" => input.items(value),
                // What the provider kept of earlier answers and prompts.
                "previous_response_id" | "conversation" if !value.is_null() => input.unknown(),
                "prompt" if value.is_object() => input.unknown(),
                // Bookkeeping, which no model sees.
                "client_metadata" | "include" | "metadata" | "prompt_cache_key" => {}
                // Server-side search reads pages that nobody here has seen, and a prompt in a
                // cache is only named.
                "web_search_options" | "mcp_servers" | "cachedContent" | "cached_content"
                    if !value.is_null() =>
                {
                    input.unknown();
                }
                // Schemas, predictions, and whatever a compatible server puts into its prompt.
                _ => input.json(value),
            }
        }
        input
    }

    /// A text's.
    pub fn of_text(text: &str) -> Self {
        let mut input = Self::default();
        input.text(text);
        input
    }

    /// A value's, as a text or as JSON.
    pub fn of_value(value: &Value) -> Self {
        let mut input = Self::default();
        input.json(value);
        input
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.add(other.counted, other.worst);
        self.offered = self.offered.saturating_add(other.offered);
        self
    }

    fn add(&mut self, counted: u64, worst: u64) {
        self.counted = self.counted.saturating_add(counted);
        self.worst = self.worst.saturating_add(worst);
    }

    fn text(&mut self, text: &str) {
        let counted = count(text);
        self.add(counted, worst_of(text, counted));
    }

    fn json(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.text(text),
            Value::Array(_) | Value::Object(_) => self.text(&value.to_string()),
        }
    }

    fn unknown(&mut self) {
        self.add(0, UNKNOWN_INPUT);
    }

    fn messages(&mut self, messages: &Value) {
        for message in objects(Some(messages)) {
            self.add(MESSAGE_OVERHEAD, MESSAGE_OVERHEAD);
            for (key, value) in message {
                match key.as_str() {
                    "content" | "parts" => self.content(value),
                    "role" => {}
                    _ if value.is_null() => {}
                    _ => self.json(value),
                }
            }
        }
    }

    /// A text, or the items of a response's input.
    fn items(&mut self, input: &Value) {
        match input {
            Value::Array(items) => items.iter().for_each(|item| match item.as_object() {
                Some(item) => self.item(item),
                None => self.json(item),
            }),
            _ => self.json(input),
        }
    }

    fn item(&mut self, item: &Object) {
        self.add(MESSAGE_OVERHEAD, MESSAGE_OVERHEAD);
        let kind = text(item, "type");
        if kind == Some("item_reference") {
            return self.unknown();
        }
        for (key, value) in item {
            match (key.as_str(), value) {
                ("type" | "role" | "id" | "status" | "phase", _) | (_, Value::Null) => {}
                ("encrypted_content", Value::String(sealed)) => self.sealed(sealed.len()),
                // An image that a tool of the provider's made.
                ("result", Value::String(_)) if kind == Some("image_generation_call") => {
                    self.add(IMAGE_TOKENS, IMAGE_TOKENS);
                }
                ("output", Value::Object(_)) => self.part(value),
                ("content" | "output" | "summary", _) => self.content(value),
                _ => self.json(value),
            }
        }
    }

    /// Thoughts that only their vendor can read have no more tokens than bytes.
    fn sealed(&mut self, length: usize) {
        let bytes = u64::try_from(length).unwrap_or(u64::MAX) / 4 * 3;
        self.add(bytes / 4, bytes);
    }

    /// Google's instructions: a text, or an object of parts.
    fn system(&mut self, system: &Value) {
        self.content(system.get("parts").unwrap_or(system));
    }

    /// A text, or parts of which each is a text, an image or something else.
    fn content(&mut self, content: &Value) {
        match content {
            Value::String(text) => self.text(text),
            Value::Array(parts) => parts.iter().for_each(|part| self.part(part)),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => self.json(content),
        }
    }

    fn part(&mut self, part: &Value) {
        let Some(object) = part.as_object() else { return self.content(part) };
        if !object.contains_key("type") && self.googles(object) {
            return;
        }
        match text(object, "type") {
            Some("text" | "input_text" | "output_text" | "reasoning_text" | "summary_text") => {
                self.text(text(object, "text").unwrap_or_default());
            }
            Some("image" | "image_url" | "input_image" | "computer_screenshot") => {
                self.add(IMAGE_TOKENS, IMAGE_TOKENS);
            }
            Some("tool_result") => {
                self.add(MESSAGE_OVERHEAD, MESSAGE_OVERHEAD);
                self.json(object.get("tool_use_id").unwrap_or(&Value::Null));
                self.content(object.get("content").unwrap_or(&Value::Null));
            }
            Some("input_audio" | "input_file" | "file" | "document") => self.attachment(object),
            _ => self.json(part),
        }
    }

    /// A part of Google's, told by its field and not by a type; false where it is none of these.
    fn googles(&mut self, part: &Object) -> bool {
        let within = |names: [&str; 2]| {
            names.into_iter().find_map(|name| part.get(name)).and_then(Value::as_object)
        };
        let is_image = |medium: &Object| {
            let kind = text(medium, "mimeType").or_else(|| text(medium, "mime_type"));
            kind.is_some_and(|kind| kind.starts_with("image/"))
        };
        if let Some(blob) = within(["inlineData", "inline_data"]) {
            match text(blob, "data") {
                Some(_) if is_image(blob) => self.add(IMAGE_TOKENS, IMAGE_TOKENS),
                Some(data) => self.enclosed(data.len()),
                None => self.unknown(),
            }
        } else if let Some(file) = within(["fileData", "file_data"]) {
            if is_image(file) {
                self.add(IMAGE_TOKENS, IMAGE_TOKENS);
            } else {
                self.unknown();
            }
        } else if let Some(result) = within(["functionResponse", "function_response"]) {
            self.add(MESSAGE_OVERHEAD, MESSAGE_OVERHEAD);
            for (key, value) in result {
                if key == "parts" { self.content(value) } else { self.json(value) }
            }
        } else {
            return false;
        }
        true
    }

    /// Sound and documents. What is enclosed has no more tokens than bytes, plus a picture of
    /// every page, of which none is known to be smaller than a kilobyte.
    fn attachment(&mut self, part: &Object) {
        let source = |key| part.get(key).and_then(Value::as_object);
        let data = |object: &Object, key| text(object, key).map(str::len);
        let enclosed = match text(part, "type") {
            Some("input_audio") => source("input_audio").and_then(|it| data(it, "data")),
            Some("file") => source("file").and_then(|it| data(it, "file_data")),
            Some("input_file") => data(part, "file_data"),
            _ => match source("source") {
                Some(it) if text(it, "type") == Some("content") => {
                    return self.content(it.get("content").unwrap_or(&Value::Null));
                }
                it => it.and_then(|it| data(it, "data")),
            },
        };
        match enclosed {
            Some(enclosed) => self.enclosed(enclosed),
            None => self.unknown(),
        }
    }

    fn enclosed(&mut self, enclosed: usize) {
        let enclosed = u64::try_from(enclosed).unwrap_or(u64::MAX);
        let pages = enclosed / 1024 + 1;
        let worst = enclosed.saturating_add(pages.saturating_mul(IMAGE_TOKENS)).min(UNKNOWN_INPUT);
        self.add(enclosed / 4, worst);
    }

    fn tools(&mut self, tools: &Value, forbidden: bool) {
        if tools.as_array().is_some_and(|tools| !tools.is_empty()) {
            self.add(0, TOOLS_OVERHEAD);
            self.json(tools);
        }
        let (mut theirs, mut offered) = (false, false);
        for tool in objects(Some(tools)) {
            match tools::runner(tool) {
                Runner::Caller => {}
                Runner::CallerAsTaught => self.add(0, TAUGHT_TOOL),
                Runner::ProviderIfItCan => offered |= !forbidden,
                // What a server of tools lists is read whether or not one of them is called.
                Runner::Provider => theirs |= !forbidden || text(tool, "type") == Some("mcp"),
            }
        }
        if theirs || offered {
            self.unknown();
        }
        if offered && !theirs {
            self.offered = UNKNOWN_INPUT;
        }
    }
}

fn worst_of(text: &str, counted: u64) -> u64 {
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let fine = text.chars().filter(|c| c.is_ascii_digit() || !c.is_ascii()).count();
    let fine = u64::try_from(fine).unwrap_or(u64::MAX);
    let margin = counted.saturating_mul(MARGIN_PERCENT).div_ceil(100);
    counted.saturating_add(margin).saturating_add(fine).min(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(body: Value) -> Input {
        Input::of(body.as_object().unwrap())
    }

    #[test]
    fn the_worst_case_is_never_below_the_count_nor_above_the_bytes() {
        for text in
            ["hello world", "12345678901234567890", "日本語のテキスト", "a", "\u{1f600}\u{1f600}"]
        {
            let counted = count(text);
            let worst = worst_of(text, counted);
            assert!(worst >= counted.min(text.len() as u64), "{text}");
            assert!(worst <= text.len() as u64, "{text}");
        }
    }

    #[test]
    fn an_enclosed_image_costs_its_bound_and_not_its_base64() {
        let data = "A".repeat(100_000);
        let body = json!({ "messages": [{ "role": "user", "content": [
            { "type": "text", "text": "what is this?" },
            { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{data}") } },
        ] }] });
        let input = input(body);
        assert!(input.worst > IMAGE_TOKENS && input.worst < IMAGE_TOKENS + 100, "{input:?}");
    }

    #[test]
    fn googles_parts_count_as_everybodys() {
        let data = "A".repeat(100_000);
        let body = json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "contents": [{ "role": "user", "parts": [
                { "text": "what is this?" },
                { "inline_data": { "mime_type": "image/png", "data": data } },
            ] }],
            "tools": [{ "functionDeclarations": [{ "name": "look" }] }],
        });
        let input = input(body);
        let most = IMAGE_TOKENS + TOOLS_OVERHEAD + 150;
        assert!(input.worst > IMAGE_TOKENS && input.worst < most, "{input:?}");
    }

    #[test]
    fn the_items_of_a_response_count_as_what_they_hold() {
        let data = "A".repeat(100_000);
        let image =
            json!({ "type": "input_image", "image_url": format!("data:image/png;base64,{data}") });
        let (words, sealed) = ("word ".repeat(1000), "A".repeat(8000));
        for (item, least, most) in [
            (json!({ "role": "user", "content": words }), 1000, 1600),
            (
                json!({ "role": "user", "content": [{ "type": "input_text", "text": words }] }),
                1000,
                1600,
            ),
            (json!({ "role": "user", "content": [image] }), IMAGE_TOKENS, IMAGE_TOKENS + 100),
            (
                json!({ "type": "function_call_output", "call_id": "c", "output": [image] }),
                IMAGE_TOKENS,
                IMAGE_TOKENS + 100,
            ),
            (
                json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": words }),
                1000,
                1600,
            ),
            (
                json!({ "type": "custom_tool_call_output", "call_id": "c", "output": words }),
                1000,
                1600,
            ),
            (
                json!({ "type": "reasoning", "id": "rs", "summary": [], "encrypted_content": sealed }),
                6000,
                6100,
            ),
        ] {
            let input = input(json!({ "input": [item], "metadata": { "a": words } }));
            assert!((least..most).contains(&input.worst), "{item} {input:?}");
            assert!(input.counted <= input.worst);
        }
    }

    #[test]
    fn what_a_request_only_names_counts_as_unknown() {
        for body in [
            json!({ "messages": [{ "role": "user", "content": [
                { "type": "file", "file": { "file_id": "file-1" } }] }] }),
            json!({ "messages": [], "tools": [{ "type": "web_search_20250305", "name": "s" }] }),
            json!({ "messages": [], "web_search_options": {} }),
            json!({ "input": "go on", "previous_response_id": "resp_1" }),
            json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] }),
            json!({ "input": [{ "role": "user", "content": [
                { "type": "input_file", "file_url": "https://x.test/a.pdf" }] }] }),
            json!({ "input": "hi", "tools": [{ "type": "web_search" }] }),
            json!({ "contents": [{ "parts": [{ "fileData": { "fileUri": "https://y.test/v" } }] }] }),
            json!({ "contents": [], "tools": [{ "googleSearch": {} }] }),
            json!({ "contents": [], "cachedContent": "cachedContents/1" }),
        ] {
            assert!(input(body.clone()).worst >= UNKNOWN_INPUT, "{body}");
        }
    }

    #[test]
    fn an_enclosed_document_counts_by_its_size() {
        let body = json!({ "messages": [{ "role": "user", "content": [
            { "type": "document", "source": { "type": "text", "data": "short" } },
        ] }] });
        let input = input(body);
        assert!(input.worst > IMAGE_TOKENS && input.worst < 2 * IMAGE_TOKENS, "{input:?}");
    }

    #[test]
    fn a_field_that_nobody_knows_counts_too() {
        let long = "word ".repeat(1000);
        let body = json!({ "messages": [], "chat_template": long });
        assert!(input(body).worst > 1000);
    }

    #[test]
    fn a_long_text_is_counted_in_linear_time() {
        let started = std::time::Instant::now();
        assert!(count(&"a".repeat(2_000_000)) > 0);
        assert!(count(&" ".repeat(2_000_000)) > 0);
        assert!(started.elapsed() < std::time::Duration::from_secs(20));
    }
}
