//! Files that a request names by the ids of a provider's store.
//!
//! Whoever has a provider's key can read whatever is kept under it, so such an id may only go out
//! where its sender is the one who keeps the file. What callers' own tools call `file_id` is no
//! such id: arguments, results and schemas are left alone.

use ralex_kernel::Problem;
use serde_json::Value;

use crate::inbound::Inbound;
use crate::json::Object;
use crate::kept_ids::is_callers;

/// Fields that hold such ids, in any dialect.
const ONE: &str = "file_id";
const SEVERAL: &str = "file_ids";

impl Inbound {
    /// The ids of all files that the request names.
    pub fn file_ids(&self) -> Vec<String> {
        let mut ids = Vec::new();
        if self.body().values().any(may_name) {
            let mut body = self.body().clone();
            each(&mut body, &mut |id| ids.push(id.clone()));
        }
        ids
    }

    /// The same request with other names of its files.
    ///
    /// # Errors
    /// Where `name` has none for one.
    pub fn with_file_ids(
        &self,
        mut name: impl FnMut(&str) -> Result<String, Problem>,
    ) -> Result<Self, Problem> {
        let (mut body, mut refused) = (self.body().clone(), None);
        each(&mut body, &mut |id| match name(id) {
            Ok(other) => *id = other,
            Err(problem) => refused = Some(problem),
        });
        refused.map_or_else(|| self.rewritten(&body), Err)
    }
}

/// A quick look, so that requests without files are not copied.
fn may_name(value: &Value) -> bool {
    match value {
        Value::Array(values) => values.iter().any(may_name),
        Value::Object(fields) => {
            fields.contains_key(ONE)
                || fields.contains_key(SEVERAL)
                || fields.values().any(may_name)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn each(object: &mut Object, see: &mut dyn FnMut(&mut String)) {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (key, value) in object.iter_mut() {
        if is_callers(&kind, key) {
            continue;
        }
        match (key.as_str(), value) {
            (ONE, Value::String(id)) => see(id),
            (SEVERAL, Value::Array(ids)) => {
                for id in ids {
                    if let Value::String(id) = id {
                        see(id);
                    }
                }
            }
            (_, value) => within(value, see),
        }
    }
}

fn within(value: &mut Value, see: &mut dyn FnMut(&mut String)) {
    match value {
        Value::Object(object) => each(object, see),
        Value::Array(values) => values.iter_mut().for_each(|value| within(value, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use ralex_kernel::Code;
    use serde_json::json;

    use super::*;
    use crate::dialect::Dialect;

    fn inbound(dialect: Dialect, body: &Value) -> Inbound {
        Inbound::parse(dialect, body.to_string().into()).unwrap()
    }

    #[test]
    fn every_place_that_names_a_file_is_found() {
        let chat = json!({ "model": "m", "messages": [{ "role": "user", "content": [
            { "type": "text", "text": "file_id" },
            { "type": "file", "file": { "file_id": "file-1" } }] }] });
        assert_eq!(inbound(Dialect::OpenaiChat, &chat).file_ids(), ["file-1"]);
        let responses = json!({ "model": "m",
            "input": [{ "role": "user", "content": [
                { "type": "input_file", "file_id": "file-2" },
                { "type": "input_image", "file_id": "file-3" }] }],
            "tools": [{ "type": "code_interpreter",
                "container": { "type": "auto", "file_ids": ["file-4"] } }] });
        let found = inbound(Dialect::OpenaiResponses, &responses).file_ids();
        assert_eq!(found, ["file-2", "file-3", "file-4"]);
    }

    #[test]
    fn what_a_callers_own_tool_takes_is_no_file() {
        let messages = json!({ "model": "m", "max_tokens": 9,
            "tools": [{ "name": "read", "input_schema": { "type": "object",
                "properties": { "file_id": { "type": "string" } }, "file_id": "x" } }],
            "messages": [
                { "role": "user", "content": "Hi" },
                { "role": "assistant", "content": [{ "type": "tool_use", "id": "t",
                    "name": "read", "input": { "file_id": "mine" } },
                    { "type": "bash_code_execution_tool_result", "tool_use_id": "s", "content": {
                        "type": "bash_code_execution_result", "content": [
                            { "type": "bash_code_execution_output", "file_id": "found" }] } }] },
                { "role": "user", "content": [{ "type": "document",
                    "source": { "type": "file", "file_id": "file_5" } }] }] });
        assert_eq!(inbound(Dialect::AnthropicMessages, &messages).file_ids(), ["file_5"]);
    }

    #[test]
    fn names_are_replaced_or_the_request_is_refused() {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [
            { "type": "file", "file": { "file_id": "ours" } }] }] });
        let inbound = inbound(Dialect::OpenaiChat, &body);
        let other = inbound.with_file_ids(|id| Ok(format!("their-{id}"))).unwrap();
        assert_eq!(other.file_ids(), ["their-ours"]);
        let none = |_: &str| Err(Problem::not_found("file"));
        assert_eq!(inbound.with_file_ids(none).unwrap_err().code, Code::NotFound);
    }
}
