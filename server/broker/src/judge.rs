//! Judging whole answers: what shows, without asking anyone, that one is not good enough.
//!
//! Only what is certain: an answer that ends at its limit, that says nothing, that the model
//! declined, that is no JSON of the form asked for, or that calls tools which are not there.

use ralex_api::routing::Signal;
use ralex_providers::Outline;
use serde_json::Value;

/// What is wrong with an answer in any dialect; nothing where nothing shows.
pub(crate) fn judge(answer: &[u8], outline: &Outline, request: &[u8]) -> Option<Signal> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let said = Said::read(&answer);
    if said.declined {
        return Some(Signal::Refusal);
    }
    if said.cut {
        return Some(Signal::Truncation);
    }
    if said.calls.is_empty() && said.text.trim().is_empty() {
        return Some(Signal::Empty);
    }
    let known = |name: &str| outline.tools.is_empty() || outline.tools.iter().any(|it| it == name);
    if said.calls.iter().any(|(name, good)| !good || !known(name)) {
        return Some(Signal::ToolError);
    }
    let asked = outline.structured && said.calls.is_empty();
    (asked && !fits(&said.text, request)).then_some(Signal::Schema)
}

/// What an answer says, as far as it is judged.
#[derive(Debug, Default)]
struct Said {
    text: String,
    /// The names of called tools, and whether their arguments are JSON.
    calls: Vec<(String, bool)>,
    cut: bool,
    declined: bool,
}

impl Said {
    fn read(answer: &Value) -> Self {
        let mut said = Self::default();
        if let Some(choice) = answer.pointer("/choices/0") {
            said.chat(choice);
        } else if let Some(candidate) = answer.pointer("/candidates/0") {
            said.gemini(candidate);
        } else if let Some(output) = answer.get("output").and_then(Value::as_array) {
            said.cut = answer.pointer("/incomplete_details/reason")
                == Some(&Value::from("max_output_tokens"));
            for item in output {
                said.block(item);
            }
        } else if let Some(content) = answer.get("content").and_then(Value::as_array) {
            let stop = text(answer, "stop_reason");
            said.cut = stop == "max_tokens";
            said.declined = stop == "refusal";
            for block in content {
                said.block(block);
            }
        }
        said
    }

    fn chat(&mut self, choice: &Value) {
        let finish = text(choice, "finish_reason");
        self.cut = finish == "length";
        self.declined = finish == "content_filter";
        let Some(message) = choice.get("message") else { return };
        self.declined |= !text(message, "refusal").is_empty();
        self.text.push_str(text(message, "content"));
        for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
            if let Some(function) = call.get("function") {
                self.call(text(function, "name"), text(function, "arguments"));
            }
        }
    }

    fn gemini(&mut self, candidate: &Value) {
        let finish = text(candidate, "finishReason");
        self.cut = finish == "MAX_TOKENS";
        self.declined =
            matches!(finish, "SAFETY" | "PROHIBITED_CONTENT" | "BLOCKLIST" | "SPII" | "RECITATION");
        let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            if part.get("thought") != Some(&Value::Bool(true)) {
                self.text.push_str(text(part, "text"));
            }
            if let Some(call) = part.get("functionCall") {
                self.calls.push((text(call, "name").to_owned(), true));
            }
        }
    }

    /// A block of a message, or an item of a response.
    fn block(&mut self, block: &Value) {
        match text(block, "type") {
            "text" | "output_text" => self.text.push_str(text(block, "text")),
            "refusal" => self.declined = true,
            "tool_use" => {
                let good = block.get("input").is_some_and(Value::is_object);
                self.calls.push((text(block, "name").to_owned(), good));
            }
            "function_call" => self.call(text(block, "name"), text(block, "arguments")),
            "message" => {
                let content = block.get("content").and_then(Value::as_array);
                for part in content.into_iter().flatten() {
                    self.block(part);
                }
            }
            _ => {}
        }
    }

    fn call(&mut self, name: &str, arguments: &str) {
        let good = serde_json::from_str::<Value>(arguments).is_ok_and(|it| it.is_object());
        self.calls.push((name.to_owned(), good));
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a text is JSON with all that the schema of the request requires at its top.
fn fits(said: &str, request: &[u8]) -> bool {
    let Ok(value) = serde_json::from_str::<Value>(said.trim()) else { return false };
    let request: Value = serde_json::from_slice(request).unwrap_or(Value::Null);
    let places = [
        "/response_format/json_schema/schema",
        "/text/format/schema",
        "/output_format/schema",
        "/output_config/format/schema",
        "/generationConfig/responseSchema",
        "/generationConfig/responseJsonSchema",
    ];
    let Some(schema) = places.iter().find_map(|place| request.pointer(place)) else { return true };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    required.filter_map(Value::as_str).all(|field| value.get(field).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(answer: &Value, outline: &Outline) -> Option<Signal> {
        let request = json!({ "response_format": { "json_schema": { "schema": {
            "required": ["a"] } } } });
        judge(answer.to_string().as_bytes(), outline, request.to_string().as_bytes())
    }

    fn chat(finish: &str, message: &Value) -> Value {
        json!({ "choices": [{ "finish_reason": finish, "message": message }] })
    }

    #[test]
    fn a_good_answer_shows_nothing_in_any_dialect() {
        let outline = Outline::default();
        for answer in [
            chat("stop", &json!({ "content": "Hello" })),
            json!({ "content": [{ "type": "text", "text": "Hello" }], "stop_reason": "end_turn" }),
            json!({ "candidates": [{ "content": { "parts": [{ "text": "Hello" }] } }] }),
            json!({ "output": [{ "type": "message",
                "content": [{ "type": "output_text", "text": "Hello" }] }] }),
            json!({ "data": [] }),
        ] {
            let expected = answer.get("data").map(|_| Signal::Empty);
            assert_eq!(judged(&answer, &outline), expected, "{answer}");
        }
    }

    #[test]
    fn what_is_cut_declined_or_empty_shows() {
        let outline = Outline::default();
        let cut = json!({ "content": [{ "type": "text", "text": "He" }],
            "stop_reason": "max_tokens" });
        assert_eq!(judged(&cut, &outline), Some(Signal::Truncation));
        let declined = chat("stop", &json!({ "content": null, "refusal": "I must not." }));
        assert_eq!(judged(&declined, &outline), Some(Signal::Refusal));
        let blocked = json!({ "candidates": [{ "finishReason": "SAFETY" }] });
        assert_eq!(judged(&blocked, &outline), Some(Signal::Refusal));
        let empty = chat("stop", &json!({ "content": " " }));
        assert_eq!(judged(&empty, &outline), Some(Signal::Empty));
    }

    #[test]
    fn tools_and_schemas_are_held_to_what_was_asked() {
        let tools = Outline { tools: vec!["weather".to_owned()], ..Outline::default() };
        let call = |name: &str, arguments: &str| {
            let function = json!({ "name": name, "arguments": arguments });
            chat("tool_calls", &json!({ "tool_calls": [{ "function": function }] }))
        };
        assert_eq!(judged(&call("weather", "{}"), &tools), None);
        assert_eq!(judged(&call("whether", "{}"), &tools), Some(Signal::ToolError));
        assert_eq!(judged(&call("weather", "{"), &tools), Some(Signal::ToolError));
        let form = Outline { structured: true, ..Outline::default() };
        let said = |text: &str| chat("stop", &json!({ "content": text }));
        assert_eq!(judged(&said("{\"a\": 1}"), &form), None);
        assert_eq!(judged(&said("{\"b\": 1}"), &form), Some(Signal::Schema));
        assert_eq!(judged(&said("Sure! {\"a\": 1}"), &form), Some(Signal::Schema));
    }
}
