//! What a provider is paid for the tools that it runs, besides tokens: counted here in the units of
//! its fees.
//!
//! Searches of the web are the unit of a model's own price, where it has one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dialect::Operation;
use crate::inbound::Inbound;
use crate::json::{Object, given, objects, text};
use crate::tokens::{forbidden, most_calls};
use crate::usage::count;

/// How much tools did that a provider ran for one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolUse {
    /// The memory of containers that were made for code to run in.
    pub container_gigabytes: u64,
    pub code_runs: u64,
    /// Searches in the files of a call.
    pub file_searches: u64,
    /// One for an answer that is grounded in any search.
    pub grounded_answers: u64,
}

impl ToolUse {
    /// What a whole response of OpenAI's form tells, in its output or its usage.
    pub(crate) fn of_response(response: &Object) -> Self {
        let told = details(response);
        let told = |key: &str| told.and_then(|told| count(told, key)).unwrap_or(0);
        Self {
            container_gigabytes: new_containers(response).saturating_mul(gigabytes(response)),
            code_runs: told("code_interpreter_calls"),
            file_searches: told("document_search_calls"),
            grounded_answers: 0,
        }
    }

    /// The most that a call can make a provider of its own dialect do.
    pub(crate) fn worst(inbound: &Inbound) -> Self {
        let body = inbound.body();
        if inbound.operation() != Operation::Generate || forbidden(body) {
            return Self::default();
        }
        let makes = |tool: &&Object| match text(tool, "type") {
            Some("code_interpreter") => !given(tool, "container").is_some_and(Value::is_string),
            Some("shell") => {
                tool.get("environment").and_then(|it| it.get("type")?.as_str())
                    == Some("container_auto")
            }
            Some(_) | None => false,
        };
        let runs = |tool: &Object| {
            matches!(text(tool, "type"), Some("code_interpreter" | "code_execution"))
        };
        let made = objects(body.get("tools")).filter(makes).count();
        let made = u64::try_from(made).unwrap_or(u64::MAX);
        let calls = most_calls(body);
        Self {
            container_gigabytes: made.saturating_mul(gigabytes(body)),
            code_runs: if objects(body.get("tools")).any(runs) { calls } else { 0 },
            file_searches: if inbound.file_ids().is_empty() { 0 } else { calls },
            grounded_answers: u64::from(objects(body.get("tools")).any(is_googles_search)),
        }
    }
}

/// Google's tools that search the web have no type.
pub(crate) fn is_googles_search(tool: &Object) -> bool {
    const NAMES: [&str; 6] = [
        "enterpriseWebSearch",
        "enterprise_web_search",
        "googleSearch",
        "googleSearchRetrieval",
        "google_search",
        "google_search_retrieval",
    ];
    NAMES.iter().any(|name| given(tool, name).is_some())
}

/// xAI tells how often each tool was used.
fn details(response: &Object) -> Option<&Object> {
    response.get("usage")?.get("server_side_tool_usage_details")?.as_object()
}

/// The searches of the web behind a whole response.
pub(crate) fn searches(response: &Object) -> u64 {
    if let Some(told) = details(response) {
        let told = |key: &str| count(told, key).unwrap_or(0);
        return told("web_search_calls").saturating_add(told("x_search_calls"));
    }
    let searched = |item: &&Object| {
        // To open a page that was found is no further search.
        let action = item.get("action").and_then(|action| action.get("type"));
        text(item, "type") == Some("web_search_call")
            && action.is_none_or(|action| action == "search")
    };
    let searches = objects(response.get("output")).filter(searched).count();
    u64::try_from(searches).unwrap_or(u64::MAX)
}

/// Containers that code ran in, less those that the request named.
fn new_containers(response: &Object) -> u64 {
    let environment = |item: &'_ Object| {
        item.get("environment")?.get("container_id")?.as_str().map(str::to_owned)
    };
    let named: BTreeSet<String> = objects(response.get("tools"))
        .filter_map(|tool| text(tool, "container").map(str::to_owned).or_else(|| environment(tool)))
        .collect();
    let used: BTreeSet<String> = objects(response.get("output"))
        .filter_map(|item| {
            text(item, "container_id").map(str::to_owned).or_else(|| environment(item))
        })
        .collect();
    u64::try_from(used.difference(&named).count()).unwrap_or(u64::MAX)
}

/// The memory of a new container: the largest that any tool asks for, one gigabyte where none does.
fn gigabytes(body: &Object) -> u64 {
    let wanted = objects(body.get("tools"))
        .filter_map(|tool| given(tool, "container").or_else(|| given(tool, "environment")))
        .filter_map(|place| place.get("memory_limit")?.as_str()?.strip_suffix('g')?.parse().ok());
    wanted.max().unwrap_or(1)
}

/// The searches that an answer of Gemini's, or a piece of one, is grounded in. Google passes over
/// empty ones and counts the same one once.
pub(crate) fn grounding(answer: &Object) -> u64 {
    let queries: BTreeSet<&str> = objects(answer.get("candidates"))
        .filter_map(|candidate| candidate.get("groundingMetadata")?.get("webSearchQueries"))
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .filter(|query| !query.trim().is_empty())
        .collect();
    u64::try_from(queries.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::Dialect;
    use crate::usage::Usage;

    fn object(value: &Value) -> &Object {
        value.as_object().unwrap()
    }

    #[test]
    fn each_new_container_is_paid_by_its_memory_and_none_that_was_named() {
        let response = |container: Value, ids: &[&str]| {
            let ran = |id: &&str| json!({ "type": "code_interpreter_call", "container_id": id });
            let output: Vec<Value> = ids.iter().map(ran).collect();
            json!({ "tools": [{ "type": "code_interpreter", "container": container }],
                "output": output, "usage": { "input_tokens": 3, "output_tokens": 5 } })
        };
        let of = |response: Value| {
            Usage::of_whole_response(object(&response)).unwrap().tools.container_gigabytes
        };
        let auto = json!({ "type": "auto" });
        assert_eq!(of(response(auto.clone(), &["cntr_1", "cntr_1"])), 1);
        assert_eq!(of(response(auto.clone(), &["cntr_1", "cntr_2"])), 2);
        assert_eq!(of(response(auto, &[])), 0, "it could have run code and did not");
        assert_eq!(of(response(json!({ "type": "auto", "memory_limit": "16g" }), &["c"])), 16);
        assert_eq!(of(response(json!("cntr_1"), &["cntr_1"])), 0);
    }

    #[test]
    fn what_xai_tells_of_its_tools_is_counted_as_told() {
        let response = json!({
            "output": [{ "type": "web_search_call", "action": { "type": "search" } }],
            "usage": { "input_tokens": 3, "output_tokens": 5, "server_side_tool_usage_details": {
                "web_search_calls": 2, "x_search_calls": 3, "code_interpreter_calls": 4,
                "file_search_calls": 0, "document_search_calls": 1 } } });
        let usage = Usage::of_whole_response(object(&response)).unwrap();
        assert_eq!((usage.units, usage.tools.code_runs, usage.tools.file_searches), (5, 4, 1));
    }

    #[test]
    fn googles_searches_are_counted_once_each_and_empty_ones_not_at_all() {
        let counts = json!({ "promptTokenCount": 3, "candidatesTokenCount": 2 });
        let answer = |queries: Value| {
            json!({ "usageMetadata": counts, "candidates": [
                { "groundingMetadata": { "webSearchQueries": queries } }] })
        };
        let of = |answer: Value| {
            let usage = Usage::of_whole_gemini(object(&answer)).unwrap();
            (usage.units, usage.tools.grounded_answers)
        };
        assert_eq!(of(answer(json!(["", "a", "b", "a", " "]))), (2, 1));
        assert_eq!(of(answer(json!([""]))), (0, 0));
        assert_eq!(of(json!({ "usageMetadata": counts, "candidates": [{}] })), (0, 0));
    }

    #[test]
    fn a_call_is_held_for_what_its_tools_may_do() {
        let worst = |dialect: Dialect, body: Value| {
            let path = crate::inbound::InPath { model: Some("m".to_owned()), streamed: None };
            let inbound = Inbound::parse_at(dialect, body.to_string().into(), path).unwrap();
            (ToolUse::worst(&inbound), inbound.worst_units())
        };
        let openai = |container: Value| {
            json!({ "input": "Hi", "max_tool_calls": 3,
                "tools": [{ "type": "code_interpreter", "container": container }] })
        };
        let of = |body: Value| {
            let (tools, _) = worst(Dialect::OpenaiResponses, body);
            (tools.container_gigabytes, tools.code_runs)
        };
        assert_eq!(of(openai(json!({ "type": "auto", "memory_limit": "4g" }))), (4, 3));
        assert_eq!(of(openai(json!("cntr_1"))), (0, 3));
        let mut none = openai(json!({ "type": "auto" }));
        none["tool_choice"] = json!("none");
        assert_eq!(of(none), (0, 0));
        let (tools, searches) = worst(
            Dialect::Gemini,
            json!({ "contents": [{ "parts": [{ "text": "Hi" }] }], "tools": [{ "googleSearch": {} }] }),
        );
        assert_eq!((tools.grounded_answers, searches), (1, 10));
        let x = json!({ "input": "Hi", "tools": [{ "type": "x_search" }] });
        assert_eq!(worst(Dialect::OpenaiResponses, x), (ToolUse::default(), 10));
    }
}
