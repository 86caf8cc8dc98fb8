//! The built-in provider: answers at once, without a key or a network, and says that it is not real.
//!
//! The answer repeats what the last user message said, so that a person sees their words arrive.
//! The same question gets the same words. A message that contains `call tool`, in a request that
//! has tools, gets a call of the first one, with arguments made from its schema. Usage is exact by
//! o200k's count, and never more than the maximum that was asked for.

mod arguments;
mod operations;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::answer::{self, Answer};
use crate::error::{Refusal, UpstreamError};
use crate::filter::TextFilter;
use crate::inbound::Inbound;
use crate::json::{Object, objects, text};
use crate::prepare::Prepared;
use crate::tokens;
use crate::usage::{Meter, Usage};

pub(crate) use operations::operate;

/// The words that ask for a tool call.
const CALL_TOOL: &str = "call tool";

/// No more of a message than this is repeated.
const LONGEST_ECHO: usize = 400;

/// Longer than any delay between two words.
const IDLE: Duration = Duration::from_mins(1);

/// What is answered, before a dialect gives it a shape.
pub(crate) struct Said {
    /// The same for the same request.
    pub id: String,
    pub model: String,
    pub content: Content,
    pub answers: u64,
    pub usage: Usage,
}

pub(crate) enum Content {
    Text { text: String, whole: bool },
    Call { name: String, arguments: String },
}

/// Answers a request in the caller's dialect.
pub(crate) fn answer(
    prepared: &Prepared,
    filter: Option<Box<dyn TextFilter>>,
) -> Result<Answer, UpstreamError> {
    let said = said(prepared);
    if !prepared.inbound.streamed() {
        let body = wire::whole(&prepared.inbound, &said);
        return answer::whole(prepared, Value::Object(body).to_string().into(), filter);
    }
    if said.answers > 1 {
        let message = "The simulated provider streams one answer at a time; leave out `n`.";
        let refusal = Refusal { status: 400, message: message.to_owned(), ..Refusal::default() };
        return Err(UpstreamError::Status(refusal));
    }
    let meter = Meter::new(prepared.inbound.clone());
    let events = wire::events(&prepared.inbound, &said);
    let (last, usage, settled) = (events.len() - 1, said.usage, meter.clone());
    let arriving = stream::iter(events.into_iter().enumerate()).then(move |(index, event)| {
        if index == last {
            settled.settle(usage);
        }
        async move {
            tokio::time::sleep(pause(index)).await;
            Ok(Bytes::from(event))
        }
    });
    Ok(Answer::Stream(answer::streamed(prepared, arriving.boxed(), IDLE, meter, filter)))
}

/// Five to fifteen milliseconds, as uneven as a real model and yet always the same.
fn pause(index: usize) -> Duration {
    let uneven = index.wrapping_mul(7) % 11;
    Duration::from_millis(5 + u64::try_from(uneven).unwrap_or(0))
}

fn said(prepared: &Prepared) -> Said {
    let inbound = &prepared.inbound;
    let question = inbound.outline().last_user;
    let content = call(inbound.body(), &question, prepared.max_output)
        .unwrap_or_else(|| text_of(&question, prepared.max_output));
    let output = match &content {
        Content::Text { text, .. } => tokens::count(text),
        Content::Call { name, arguments } => tokens::count(name) + tokens::count(arguments),
    };
    Said {
        id: format!("sim{:016x}", fingerprint(inbound)),
        model: prepared.target.upstream_model.clone(),
        content,
        answers: inbound.answers(),
        usage: Usage {
            input_tokens: inbound.counted_tokens(),
            output_tokens: output.saturating_mul(inbound.answers()),
            ..Usage::default()
        },
    }
}

fn text_of(question: &str, max_output: u64) -> Content {
    let echo: String = question.chars().take(LONGEST_ECHO).collect();
    let more = if echo.len() < question.len() { "…" } else { "" };
    let text = format!(
        "This is a simulated answer, no model was asked. You said: “{echo}{more}” Add a provider \
         and its key to get real answers."
    );
    match tokens::first(&text, max_output) {
        Some(part) => Content::Text { text: part, whole: false },
        None => Content::Text { text, whole: true },
    }
}

/// A call of the first tool, where that is asked for and fits.
fn call(body: &Object, question: &str, max_output: u64) -> Option<Content> {
    let forbidden = match body.get("tool_choice") {
        Some(Value::String(choice)) => choice == "none",
        Some(Value::Object(choice)) => text(choice, "type") == Some("none"),
        _ => false,
    };
    if forbidden || !question.to_lowercase().contains(CALL_TOOL) {
        return None;
    }
    let tool = objects(body.get("tools")).next()?;
    // Every dialect wraps a tool in its own paper.
    let declared = ["functionDeclarations", "function_declarations"];
    let declared = declared.into_iter().find_map(|key| objects(tool.get(key)).next());
    let tool = declared.or_else(|| tool.get("function")?.as_object()).unwrap_or(tool);
    let name = text(tool, "name")?.to_owned();
    let schema = ["parameters", "input_schema", "parametersJsonSchema"];
    let schema = schema.into_iter().find_map(|key| tool.get(key));
    let arguments = arguments::of_schema(schema).to_string();
    let fits = tokens::count(&name) + tokens::count(&arguments) <= max_output;
    fits.then_some(Content::Call { name, arguments })
}

/// FNV-1a of the request.
fn fingerprint(inbound: &Inbound) -> u64 {
    inbound.raw().iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::Dialect;
    use crate::prepare::{Target, prepare};
    use crate::spec::Specs;
    use crate::{codec, ir};

    const DIALECTS: [Dialect; 2] = [Dialect::OpenaiChat, Dialect::AnthropicMessages];

    fn ask(dialect: Dialect, body: &Value) -> Answer {
        let inbound = Inbound::parse(dialect, body.to_string().into()).unwrap();
        let target = Target {
            spec: Specs::built_in().unwrap().find("simulated").unwrap().clone(),
            base_url: None,
            upstream_model: "sim".to_owned(),
            max_output: 1000,
            patience: crate::Patience::default(),
        };
        answer(&prepare(&inbound, &target, 1000).unwrap(), None).unwrap()
    }

    fn plain(dialect: Dialect, body: &Value) -> (Value, Usage) {
        match ask(dialect, body) {
            Answer::Whole { body, usage, .. } => (serde_json::from_slice(&body).unwrap(), usage),
            Answer::Stream(_) | Answer::Raw { .. } => panic!("a plain answer was asked for"),
        }
    }

    async fn streamed(dialect: Dialect, body: &Value) -> (String, Usage) {
        let Answer::Stream(stream) = ask(dialect, body) else { panic!("a stream was asked for") };
        let chunks: Vec<_> = stream.collect().await;
        let chunks: Vec<_> = chunks.into_iter().map(Result::unwrap).collect();
        let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
        (String::from_utf8(bytes).unwrap(), chunks.last().unwrap().usage.unwrap())
    }

    fn question(text: &str) -> Value {
        json!({ "model": "m", "messages": [{ "role": "user", "content": text }],
            "tools": [{ "type": "function", "function": { "name": "f", "parameters":
                { "type": "object", "properties": { "city": { "type": "string" } },
                  "required": ["city"] } } }] })
    }

    #[test]
    fn the_answer_says_that_it_is_simulated_and_repeats_the_question() {
        for dialect in DIALECTS {
            let (body, usage) = plain(dialect, &question("hello there"));
            let reply = codec::of(dialect).decode_reply(body.as_object().unwrap()).unwrap();
            let ir::Content::Text(text) = &reply.parts[0].content else { panic!("{reply:?}") };
            assert!(text.contains("simulated") && text.contains("hello there"), "{text}");
            assert_eq!(usage.output_tokens, tokens::count(text));
            assert!(!usage.estimated && usage.input_tokens > 0);
        }
    }

    #[test]
    fn the_maximum_is_never_passed() {
        for most in [1, 2, 7, 20] {
            let mut body = question("hello \u{1f600}\u{1f600}");
            body["max_tokens"] = json!(most);
            let (body, usage) = plain(Dialect::OpenaiChat, &body);
            assert!(usage.output_tokens <= most, "{usage:?}");
            assert_eq!(body["choices"][0]["finish_reason"], "length");
        }
    }

    #[test]
    fn the_words_call_tool_call_the_first_tool() {
        let body = question("please call tool now");
        let (body, _) = plain(Dialect::OpenaiChat, &body);
        let function = &body["choices"][0]["message"]["tool_calls"][0]["function"];
        assert_eq!(function["arguments"], r#"{"city":"example"}"#);
        let mut body = question("please call tool now");
        body["tools"] = json!([{ "name": "f", "input_schema": { "type": "object" } }]);
        let (body, _) = plain(Dialect::AnthropicMessages, &body);
        assert_eq!(body["content"][0]["type"], "tool_use");
        assert_eq!(body["stop_reason"], "tool_use");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_says_the_same_as_the_plain_answer() {
        for dialect in DIALECTS {
            for text in ["hello there", "call tool"] {
                let mut body = question(text);
                let (_, usage) = plain(dialect, &body);
                body["stream"] = json!(true);
                let (text, streamed) = streamed(dialect, &body).await;
                assert_eq!(streamed, usage, "{dialect:?} {text}");
                assert!(text.len() > 500, "{text}");
            }
        }
    }

    #[test]
    fn several_answers_are_counted_each() {
        let mut body = question("hi");
        let (_, one) = plain(Dialect::OpenaiChat, &body);
        body["n"] = json!(3);
        let (body, three) = plain(Dialect::OpenaiChat, &body);
        assert_eq!(body["choices"].as_array().unwrap().len(), 3);
        assert_eq!(three.output_tokens, 3 * one.output_tokens);
    }
}
