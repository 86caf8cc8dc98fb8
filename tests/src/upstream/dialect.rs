//! The wire formats of calls that a model answers, and what an answer consists of.

use bytes::Bytes;
use serde_json::Value;

use super::question::{Question, Reply};
use super::script::Script;
use super::{chat, converse, gemini, messages, responses};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Google's generateContent.
    Gemini,
    /// Amazon Bedrock's converse.
    Converse,
}

/// A streamed answer: what comes before the pieces of the text, the pieces, and what comes after.
#[derive(Default)]
pub(super) struct Frames {
    pub first: Vec<Bytes>,
    pub pieces: Vec<Bytes>,
    pub last: Vec<Bytes>,
}

/// The pieces of a streamed text.
pub(super) fn pieces(script: &Script, reply: &Reply) -> Vec<String> {
    let words = || reply.text.split_inclusive(' ').map(str::to_owned).collect();
    match &script.chunks {
        Some(chunks) if chunks.concat() == reply.text => chunks.clone(),
        Some(_) | None => words(),
    }
}

/// A text in two parts, to show that clients put arguments together.
pub(super) fn halves(text: &str) -> Vec<&str> {
    let middle = (text.len() / 2..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (first, second) = text.split_at(middle);
    vec![first, second]
}

impl Dialect {
    pub fn error(self, status: u16, message: &str) -> Value {
        match self {
            Self::Chat | Self::Responses => chat::error(status, message),
            Self::Messages => messages::error(status, message),
            Self::Gemini => gemini::error(status, message),
            Self::Converse => converse::error(message),
        }
    }

    /// A header that tells the kind of an error, where the body does not.
    pub fn error_header(self, status: u16) -> Option<(&'static str, &'static str)> {
        (self == Self::Converse).then(|| ("x-amzn-errortype", converse::error_type(status)))
    }

    /// An error in the middle of a stream.
    pub fn error_frame(self, status: u16, body: Option<&Value>) -> Bytes {
        let body = body.cloned().unwrap_or_else(|| self.error(status, "Overloaded"));
        match self {
            Self::Chat => format!("data: {body}\n\n").into(),
            Self::Messages => format!("event: error\ndata: {body}\n\n").into(),
            Self::Responses => responses::error_event(&body),
            Self::Gemini => format!("data: {body}\r\n\r\n").into(),
            Self::Converse => converse::exception(status, &body),
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Converse => "application/vnd.amazon.eventstream",
            Self::Gemini => "text/event-stream",
            Self::Chat | Self::Responses | Self::Messages => "text/event-stream; charset=utf-8",
        }
    }

    pub fn whole(self, id: u64, question: &Question, reply: &Reply) -> Value {
        match self {
            Self::Chat => chat::whole(id, question, reply),
            Self::Responses => responses::whole(id, question, reply),
            Self::Messages => messages::whole(id, question, reply),
            Self::Gemini => gemini::whole(id, question, reply),
            Self::Converse => converse::whole(id, reply),
        }
    }

    pub fn frames(self, id: u64, question: &Question, script: &Script, reply: &Reply) -> Frames {
        match self {
            Self::Chat => chat::frames(id, question, script, reply),
            Self::Responses => responses::frames(id, question, script, reply),
            Self::Messages => messages::frames(id, question, script, reply),
            Self::Gemini => gemini::frames(id, question, script, reply),
            Self::Converse => converse::frames(id, script, reply),
        }
    }
}
