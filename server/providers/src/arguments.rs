//! What a request says about how it is to be answered, without what is said in it.

use serde_json::{Map, Value};

use crate::inbound::Inbound;
use crate::outline::tool_names;

/// Fields that hold what is said, in any dialect. Rules about calls do not read it: that is for
/// guardrails, and it can be megabytes.
const SAID: [&str; 14] = [
    "messages",
    "input",
    "prompt",
    "contents",
    "content",
    "system",
    "instructions",
    "systemInstruction",
    "system_instruction",
    "documents",
    "query",
    "file",
    "image",
    "audio",
];

impl Inbound {
    /// The fields of the body, without what is said; of tools only their names. What is null is
    /// left out, as if it had not been sent.
    pub fn arguments(&self) -> Map<String, Value> {
        let body = self.body();
        let said = |name: &String| SAID.contains(&name.as_str());
        let mut arguments: Map<String, Value> = body
            .iter()
            .filter(|(name, value)| !said(name) && !value.is_null() && *name != "tools")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let tools = tool_names(body);
        if !tools.is_empty() {
            arguments.insert("tools".to_owned(), tools.into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::Dialect;

    #[test]
    fn arguments_are_all_but_what_is_said_with_tools_by_their_names() {
        let body = json!({
            "model": "m", "messages": [{ "role": "user", "content": "secret" }], "max_tokens": 5,
            "temperature": null, "user": "ann",
            "tools": [{ "type": "function", "function": { "name": "shell", "parameters": {} } }],
        });
        let raw = Bytes::from(body.to_string());
        let inbound = Inbound::parse(Dialect::OpenaiChat, raw).unwrap();
        let expected = json!({ "model": "m", "max_tokens": 5, "user": "ann", "tools": ["shell"] });
        assert_eq!(Value::Object(inbound.arguments()), expected);
    }
}
