//! The wire formats of callers: how one asks, and how one is answered and refused.

use serde_json::{Value, json};

use super::answer::Answer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Chat,
    Responses,
    Messages,
    Gemini,
}

pub const ALL: [Dialect; 4] =
    [Dialect::Chat, Dialect::Responses, Dialect::Messages, Dialect::Gemini];

impl Dialect {
    /// As the call's record names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "openai_chat",
            Self::Responses => "openai_responses",
            Self::Messages => "anthropic_messages",
            Self::Gemini => "gemini",
        }
    }

    /// Where one asks; Gemini has the model and the wish for a stream there.
    pub fn path(self, model: &str, streamed: bool) -> String {
        match (self, streamed) {
            (Self::Chat, _) => "/v1/chat/completions".to_owned(),
            (Self::Responses, _) => "/v1/responses".to_owned(),
            (Self::Messages, _) => "/v1/messages".to_owned(),
            (Self::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
            (Self::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        }
    }

    /// A question that may be answered by at most 50 tokens.
    pub fn body(self, model: &str, question: &str) -> Value {
        match self {
            Self::Chat | Self::Messages => json!({
                "model": model,
                "max_tokens": 50,
                "messages": [{ "role": "user", "content": question }],
            }),
            Self::Responses => {
                json!({ "model": model, "max_output_tokens": 50, "input": question })
            }
            Self::Gemini => json!({
                "contents": [{ "role": "user", "parts": [{ "text": question }] }],
                "generationConfig": { "maxOutputTokens": 50 },
            }),
        }
    }

    /// The same, asking for a stream.
    pub fn streamed(self, model: &str, question: &str) -> Value {
        let mut body = self.body(model, question);
        if self != Self::Gemini {
            body["stream"] = json!(true);
        }
        body
    }

    /// The text of a plain answer.
    #[track_caller]
    pub fn said(self, answer: &Answer) -> String {
        let body = answer.ok();
        let said = match self {
            Self::Chat => &body["choices"][0]["message"]["content"],
            Self::Responses => {
                let said = |item: &&Value| item["type"] == "message";
                let items = body["output"].as_array().into_iter().flatten();
                &{ items }.find(said).unwrap_or(&Value::Null)["content"][0]["text"]
            }
            Self::Messages => &body["content"][0]["text"],
            Self::Gemini => &body["candidates"][0]["content"]["parts"][0]["text"],
        };
        match said.as_str() {
            Some(said) => said.to_owned(),
            None => panic!("{self:?} says nothing in {answer:?}"),
        }
    }

    /// The sentence of a refusal, which has this dialect's own shape.
    #[track_caller]
    pub fn refusal(self, answer: &Answer, status: u16) -> String {
        assert_eq!(answer.status, status, "{answer:?}");
        let body = answer.json();
        let error = &body["error"];
        match self {
            Self::Chat | Self::Responses => assert!(error["type"].is_string(), "{answer:?}"),
            Self::Messages => {
                assert_eq!(body["type"], "error", "{answer:?}");
                assert!(error["type"].is_string(), "{answer:?}");
            }
            Self::Gemini => {
                assert_eq!(error["code"], status, "{answer:?}");
                assert!(error["status"].is_string(), "{answer:?}");
            }
        }
        match error["message"].as_str() {
            Some(message) if !message.is_empty() => message.to_owned(),
            _ => panic!("no sentence in {answer:?}"),
        }
    }

    /// The text in a stream's events, and whether the dialect's last event came.
    pub fn heard(self, events: &str) -> (String, bool) {
        let mut said = String::new();
        let data = events.lines().filter_map(|line| line.strip_prefix("data: "));
        for event in data.filter_map(|data| serde_json::from_str::<Value>(data).ok()) {
            let piece = match self {
                Self::Chat => &event["choices"][0]["delta"]["content"],
                Self::Responses if event["type"] == "response.output_text.delta" => &event["delta"],
                Self::Responses => &Value::Null,
                Self::Messages => &event["delta"]["text"],
                Self::Gemini => &event["candidates"][0]["content"]["parts"][0]["text"],
            };
            said.push_str(piece.as_str().unwrap_or_default());
        }
        let end = match self {
            Self::Chat => "data: [DONE]",
            Self::Responses => "response.completed",
            Self::Messages => "event: message_stop",
            Self::Gemini => "\"finishReason\"",
        };
        (said, events.contains(end))
    }
}
