//! The two wire formats of callers: how one asks, and how one is answered and refused.

use serde_json::{Value, json};

use super::answer::Answer;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Chat,
    Messages,
}

pub const ALL: [Dialect; 2] = [Dialect::Chat, Dialect::Messages];

impl Dialect {
    pub const fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
        }
    }

    /// A question that may be answered by at most 50 tokens.
    pub fn body(self, model: &str, question: &str) -> Value {
        json!({
            "model": model,
            "max_tokens": 50,
            "messages": [{ "role": "user", "content": question }],
        })
    }

    /// The text of a plain answer.
    #[track_caller]
    pub fn said(self, answer: &Answer) -> String {
        let body = answer.ok();
        let said = match self {
            Self::Chat => &body["choices"][0]["message"]["content"],
            Self::Messages => &body["content"][0]["text"],
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
        if self == Self::Messages {
            assert_eq!(body["type"], "error", "{answer:?}");
        }
        assert!(error["type"].is_string(), "{answer:?}");
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
                Self::Messages => &event["delta"]["text"],
            };
            said.push_str(piece.as_str().unwrap_or_default());
        }
        let end = match self {
            Self::Chat => "data: [DONE]",
            Self::Messages => "event: message_stop",
        };
        (said, events.contains(end))
    }
}
