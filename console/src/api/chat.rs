//! A streamed model call, as the playground makes it: the same route that every program uses.

use js_sys::{Reflect, Uint8Array};
use ralex_api::{Code, Problem};
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader, Response, TextDecodeOptions, TextDecoder};

use super::client::{self, Answer};
use super::read;
use crate::text::sse::Events;

/// The route of the OpenAI dialect.
pub const PATH: &str = "/v1/chat/completions";

/// What to ask of which model, and where it counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub org: String,
    pub team: Option<String>,
    pub model: String,
    pub system: String,
    pub message: String,
    pub max_tokens: u32,
}

impl Prompt {
    /// Where a person's call counts; a team's token knows by itself.
    pub fn place(&self) -> Vec<(&'static str, &str)> {
        let mut headers = vec![("x-ralex-org", self.org.as_str())];
        headers.extend(self.team.as_deref().map(|team| ("x-ralex-team", team)));
        headers
    }

    /// The request as the OpenAI dialect writes it.
    pub fn body(&self) -> Value {
        let mut messages = Vec::new();
        if !self.system.trim().is_empty() {
            messages.push(json!({ "role": "system", "content": self.system }));
        }
        messages.push(json!({ "role": "user", "content": self.message }));
        json!({
            "model": self.model,
            "messages": messages,
            "max_tokens": self.max_tokens,
            "stream": true,
            "stream_options": { "include_usage": true },
        })
    }
}

/// What happens while an answer streams.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The answer has begun; its id, where the server told one.
    Began(Option<String>),
    Text(String),
    Used {
        input: u64,
        output: u64,
    },
    Finished(String),
}

/// Streams an answer, telling each happening as it comes; returns when the stream has ended.
pub async fn stream(prompt: &Prompt, abort: &AbortSignal, tell: impl Fn(Happening)) -> Answer<()> {
    let mut headers = prompt.place();
    headers.push(("Accept", "text/event-stream"));
    let body = Some(client::write(&prompt.body())?);
    let response = client::fetch("POST", PATH, body, &headers, Some(abort)).await?;
    if !response.ok() {
        let text = client::text_of(&response).await?;
        return Err(problem(
            response.status(),
            &text,
            response.headers().get("x-request-id").ok().flatten(),
        ));
    }
    tell(Happening::Began(response.headers().get("x-ralex-call-id").ok().flatten()));
    let mut events = Events::default();
    let mut pieces = Pieces::open(&response)?;
    while let Some(text) = pieces.next().await? {
        for data in events.push(&text) {
            for happening in happenings(&data)? {
                tell(happening);
            }
        }
    }
    Ok(())
}

/// The text of a body as it comes in.
struct Pieces {
    reader: ReadableStreamDefaultReader,
    decoder: TextDecoder,
}

impl Pieces {
    fn open(response: &Response) -> Answer<Self> {
        let body = response.body().ok_or_else(client::no_answer)?;
        let reader = body.get_reader().dyn_into().map_err(|_| client::no_answer())?;
        let decoder = TextDecoder::new().map_err(|_| client::no_answer())?;
        Ok(Self { reader, decoder })
    }

    async fn next(&mut self) -> Answer<Option<String>> {
        let cut = |_: JsValue| {
            Problem::new(Code::UpstreamUnavailable, "The answer was cut off before its end.")
        };
        let read = JsFuture::from(self.reader.read()).await.map_err(cut)?;
        let done = Reflect::get(&read, &"done".into()).map_err(cut)?;
        if done.is_truthy() {
            return Ok(None);
        }
        let bytes: Uint8Array = Reflect::get(&read, &"value".into()).map_err(cut)?.unchecked_into();
        let options = TextDecodeOptions::new();
        // Keeps the first half of a letter that is cut between two pieces.
        options.set_stream(true);
        let text = self.decoder.decode_with_js_u8_array_and_options(&bytes, &options);
        text.map(Some).map_err(cut)
    }
}

/// What one event of the OpenAI dialect means.
fn happenings(data: &str) -> Answer<Vec<Happening>> {
    if data.trim() == "[DONE]" {
        return Ok(Vec::new());
    }
    let Ok(chunk) = crate::text::json::read(data) else {
        return Err(Problem::new(
            Code::UpstreamMalformed,
            "The stream holds an event that is not JSON.",
        ));
    };
    if chunk.get("error").is_some() {
        return Err(problem(502, data, None));
    }
    let mut found = Vec::new();
    if let Some(text) = chunk.pointer("/choices/0/delta/content").and_then(Value::as_str) {
        found.push(Happening::Text(text.to_owned()));
    }
    if let Some(reason) = chunk.pointer("/choices/0/finish_reason").and_then(Value::as_str) {
        found.push(Happening::Finished(reason.to_owned()));
    }
    let count = |path: &str| chunk.pointer(path).and_then(Value::as_u64);
    if let (Some(input), Some(output)) =
        (count("/usage/prompt_tokens"), count("/usage/completion_tokens"))
    {
        found.push(Happening::Used { input, output });
    }
    Ok(found)
}

/// An error of the OpenAI dialect as a problem like any other.
fn problem(status: u16, text: &str, request_id: Option<String>) -> Problem {
    let error: Value = crate::text::json::read(text).unwrap_or_default();
    let Some(message) = error.pointer("/error/message").and_then(Value::as_str) else {
        return client::problem_of(status, text);
    };
    let code = error.pointer("/error/code").and_then(|code| read::from_value(code).ok());
    let mut problem = Problem::new(code.unwrap_or(Code::UpstreamError), message);
    problem.status = status;
    problem.request_id = request_id;
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_tells_its_text_its_end_and_its_usage() {
        let text = r#"{"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#;
        assert_eq!(happenings(text).unwrap(), [Happening::Text("Hi".into())]);
        let end = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        assert_eq!(happenings(end).unwrap(), [Happening::Finished("stop".into())]);
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}"#;
        assert_eq!(happenings(usage).unwrap(), [Happening::Used { input: 3, output: 5 }]);
        assert!(happenings("[DONE]").unwrap().is_empty());
    }

    #[test]
    fn an_error_in_the_stream_ends_it_with_its_code() {
        let error = r#"{"error":{"message":"Spent.","type":"x","code":"budget_exhausted"}}"#;
        let problem = happenings(error).unwrap_err();
        assert_eq!((problem.code, problem.detail.as_str()), (Code::BudgetExhausted, "Spent."));
    }

    #[test]
    fn an_empty_system_message_is_not_sent() {
        let prompt = Prompt {
            org: "acme".into(),
            team: None,
            model: "m".into(),
            system: " ".into(),
            message: "Hi".into(),
            max_tokens: 9,
        };
        assert_eq!(prompt.body()["messages"], json!([{ "role": "user", "content": "Hi" }]));
        assert_eq!(prompt.body()["max_tokens"], 9);
    }
}
