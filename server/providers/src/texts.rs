//! The texts that people and models wrote in a request or an answer, in any dialect.
//!
//! Found by leaving out what is known to be no text, and not by naming what is one: a field that
//! nobody here knows is looked at too.

use std::fmt::Write as _;

use ralex_kernel::Problem;
use serde_json::Value;

use crate::inbound::Inbound;
use crate::json::Object;

/// Fields of a request that hold what was said, at its top.
const SAID: &[&str] = &[
    "contents",
    "documents",
    "input",
    "instructions",
    "messages",
    "prompt",
    "query",
    "system",
    "systemInstruction",
    "system_instruction",
    "texts",
    "tools",
];

/// Fields of an answer that hold what was said, at its top.
const ANSWERED: &[&str] = &["candidates", "choices", "content", "output", "results", "text"];

/// Fields that name, point or enclose, and hold no words.
const NO_TEXT: &[&str] = &[
    "annotations",
    "cache_control",
    "call_id",
    "detail",
    "encrypted_content",
    "enum",
    "fileUri",
    "file_data",
    "file_id",
    "file_uri",
    "finishReason",
    "finish_reason",
    "format",
    "id",
    "image_url",
    "logprobs",
    "media_type",
    "mimeType",
    "mime_type",
    "name",
    "object",
    "required",
    "role",
    "signature",
    "status",
    "stop_reason",
    "stop_sequence",
    "thoughtSignature",
    "thought_signature",
    "tool_call_id",
    "tool_use_id",
    "type",
    "url",
];

impl Inbound {
    /// Shows every text with its path.
    pub fn texts(&self, mut each: impl FnMut(&str, &str)) {
        let mut body = self.body().clone();
        visit(&mut body, SAID, &mut |path, text| {
            each(path, text);
            None
        });
    }

    /// The same request with some texts replaced; nothing where none is.
    pub fn with_texts(
        &self,
        mut replace: impl FnMut(&str, &str) -> Option<String>,
    ) -> Result<Option<Self>, Problem> {
        let mut body = self.body().clone();
        if visit(&mut body, SAID, &mut replace) {
            self.rewritten(&body).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// Replaces texts of a whole answer; true where any was.
pub(crate) fn replace_in_answer(
    body: &mut Object,
    replace: &mut dyn FnMut(&str, &str) -> Option<String>,
) -> bool {
    visit(body, ANSWERED, replace)
}

type Replace<'a> = dyn FnMut(&str, &str) -> Option<String> + 'a;

fn visit(body: &mut Object, fields: &[&str], replace: &mut Replace<'_>) -> bool {
    let mut changed = false;
    for (key, value) in body {
        if fields.contains(&key.as_str()) {
            changed |= within(value, &mut key.clone(), replace);
        }
    }
    changed
}

fn within(value: &mut Value, path: &mut String, replace: &mut Replace<'_>) -> bool {
    let length = path.len();
    let mut changed = false;
    match value {
        Value::String(text) => {
            if let Some(new) = replace(path, text).filter(|_| !text.is_empty()) {
                *text = new;
                changed = true;
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                // Writing to a String cannot fail.
                write!(path, "[{index}]").ok();
                changed |= within(value, path, replace);
                path.truncate(length);
            }
        }
        Value::Object(object) => {
            // `data` is a text in a document of plain text, and an enclosure elsewhere.
            let plain = object.get("type").is_some_and(|kind| kind == "text");
            for (key, value) in object {
                if NO_TEXT.contains(&key.as_str()) && value.is_string() || (key == "data" && !plain)
                {
                    continue;
                }
                path.push('.');
                path.push_str(key);
                changed |= within(value, path, replace);
                path.truncate(length);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    changed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::Dialect;

    #[test]
    fn every_text_is_found_by_its_path_and_nothing_else_is() {
        let body = json!({ "model": "m", "user": "u", "messages": [
            { "role": "system", "content": "one" },
            { "role": "user", "content": [
                { "type": "text", "text": "two" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
                { "type": "a_new_part", "said": { "deep": ["three"] } },
            ] },
            { "role": "assistant", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"x\":\"four\"}" } },
            ] },
        ] });
        let inbound = Inbound::parse(Dialect::OpenaiChat, body.to_string().into()).unwrap();
        let mut found = Vec::new();
        inbound.texts(|path, text| found.push((path.to_owned(), text.to_owned())));
        let found: Vec<_> =
            found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(
            found,
            [
                ("messages[0].content", "one"),
                ("messages[1].content[0].text", "two"),
                ("messages[1].content[2].said.deep[0]", "three"),
                ("messages[2].tool_calls[0].function.arguments", "{\"x\":\"four\"}"),
            ]
        );
    }

    #[test]
    fn what_google_encloses_or_points_to_is_no_text() {
        let body = json!({ "contents": [{ "role": "user", "parts": [
            { "text": "one" },
            { "inlineData": { "mimeType": "image/png", "data": "AAAA" } },
            { "file_data": { "mime_type": "image/png", "file_uri": "https://x.test/a" } },
            { "functionResponse": { "id": "c", "name": "f", "response": { "said": "two" } } },
        ] }] });
        let path = crate::InPath { model: Some("m".to_owned()), streamed: None };
        let raw = body.to_string().into();
        let inbound = Inbound::parse_at(Dialect::Gemini, raw, path).unwrap();
        let mut found = Vec::new();
        inbound.texts(|_, text| found.push(text.to_owned()));
        assert_eq!(found, ["one", "two"]);
    }

    #[test]
    fn a_replaced_text_is_what_the_provider_gets() {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "call 555" }] });
        let inbound = Inbound::parse(Dialect::OpenaiChat, body.to_string().into()).unwrap();
        let hide =
            |_: &str, text: &str| text.contains("555").then(|| text.replace("555", "[PHONE_1]"));
        let hidden = inbound.with_texts(hide).unwrap().unwrap();
        assert_eq!(hidden.body()["messages"][0]["content"], "call [PHONE_1]");
        assert_eq!(hidden.model(), "m");
        assert!(hidden.with_texts(hide).unwrap().is_none(), "nothing is left to replace");
    }
}
