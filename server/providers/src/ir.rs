//! The intermediate representation: what every dialect's request, answer and stream can say.
//!
//! A codec decodes its dialect into this and encodes this into its dialect, so that a new dialect
//! is one codec, not one translation for each other dialect. Nothing is dropped on the way: a
//! decoder refuses by name what has no place here, and an encoder takes a [`Request`] apart field
//! by field, without `..`, so that the compiler names each field that it forgets.
//!
//! Every value remembers where it stood in the caller's request, in the caller's own words, for
//! the refusal that names it.

use serde_json::{Number, Value};

use crate::codec::refuse::unsupported;
use crate::json::Object;

/// A value that the caller gave, and where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Given<T> {
    pub at: String,
    pub value: T,
}

impl<T> Given<T> {
    pub fn new(at: impl Into<String>, value: T) -> Self {
        Self { at: at.into(), value }
    }

    /// The refusal of this value by a dialect that has no place for it.
    pub fn unsupported(&self, why: &str) -> ralex_kernel::Problem {
        unsupported(self.at.clone(), why)
    }
}

/// What a caller asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Request {
    /// System and developer instructions, in their order.
    pub system: Vec<Part>,
    /// Never two neighbours of one role: see [`Request::push`].
    pub turns: Vec<Turn>,
    pub tools: Vec<Tool>,
    pub tool_choice: Option<Given<ToolChoice>>,
    /// Whether several tools may be called at once; the dialect's default where absent.
    pub parallel_tools: Option<Given<bool>>,
    pub format: Option<Given<Format>>,
    pub reasoning: Option<Given<Reasoning>>,
    pub temperature: Option<Given<Number>>,
    pub top_p: Option<Given<Number>>,
    pub top_k: Option<Given<Number>>,
    pub seed: Option<Given<Number>>,
    pub frequency_penalty: Option<Given<Number>>,
    pub presence_penalty: Option<Given<Number>>,
    pub stop: Option<Given<Vec<String>>>,
    /// `low`, `medium` or `high`.
    pub verbosity: Option<Given<String>>,
    /// An opaque name of the end user.
    pub user: Option<Given<String>>,
    pub streamed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
}

/// What one side said, tools' results being the user's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    pub role: Role,
    pub parts: Vec<Part>,
}

/// A piece of what was said, in a request or in an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// Its place in the caller's request; empty in an answer.
    pub at: String,
    pub content: Content,
    /// The caller wants the prompt cached up to here (Anthropic's `cache_control`, Bedrock's
    /// `cachePoint`): a hint, kept for those who know it.
    pub cache: Option<Value>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// Never empty.
    Text(String),
    Image(Source),
    /// Mostly a PDF.
    Document {
        source: Source,
        name: Option<String>,
    },
    Audio(Source),
    ToolCall(ToolCall),
    ToolResult {
        /// The [`ToolCall::id`] that it answers.
        call: String,
        /// Texts, images and documents.
        parts: Vec<Part>,
        failed: bool,
    },
    /// What a model thought, with its vendor's proof of it, without which it cannot be sent back.
    Thinking {
        text: String,
        signature: Option<String>,
    },
    /// Thinking that only its vendor can read.
    Sealed(String),
    /// The model declines, in its own words.
    Refusal(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: Object,
    /// Gemini's proof of the thought behind the call, which must come back with it.
    pub signature: Option<String>,
}

/// Where a medium's bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Base64 {
        media_type: String,
        data: String,
    },
    Url(String),
    /// Uploaded to the provider before.
    File(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    pub at: String,
    pub name: String,
    pub description: Option<String>,
    /// JSON Schema; absent where the tool takes nothing.
    pub schema: Option<Value>,
    pub strict: Option<bool>,
    pub cache: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    Auto,
    None,
    /// At least one of them.
    Any,
    Named(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Format {
    /// Any JSON object.
    Json,
    Schema {
        name: Option<String>,
        schema: Value,
        strict: Option<bool>,
    },
}

/// How much a model should think; every dialect counts otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasoning {
    /// False where the caller switches it off, true where it is wished for.
    pub on: bool,
    /// `minimal`, `low`, `medium`, `high`, `xhigh`, `max`, where the caller says so.
    pub effort: Option<String>,
    /// Tokens of thought at most, where the caller says so.
    pub budget: Option<u64>,
    /// The caller wants to read the thoughts, or their summary.
    pub shown: bool,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reply {
    /// The upstream's id of the answer.
    pub id: Option<String>,
    pub model: String,
    pub parts: Vec<Part>,
    pub finish: Finish,
}

/// Why an answer ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Finish {
    #[default]
    Stop,
    /// With the sequence, where the upstream tells it.
    StopSequence(Option<String>),
    Length,
    ToolCalls,
    /// Refused, or filtered for its content.
    Refused,
}

/// A step of a streamed answer. Parts come one after another: a call is begun, then its arguments
/// come, then the next part begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Delta {
    /// Once, before all others.
    Start {
        id: Option<String>,
        model: String,
    },
    Text(String),
    Refusal(String),
    Thinking(String),
    /// The proof of the thinking before it.
    Signature(String),
    Sealed(String),
    Call {
        id: String,
        name: String,
        signature: Option<String>,
    },
    /// A part of the JSON text of the last call's arguments.
    Arguments(String),
    /// A sign of life.
    Ping,
    /// Once, after all others but [`Delta::Ping`]. Usage is with the meter by then.
    Finish(Finish),
}

impl Request {
    /// Adds what was said to the last turn of the same role, or begins one.
    pub fn push(&mut self, role: Role, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            Some(last) if last.role == role => last.parts.extend(parts),
            _ => self.turns.push(Turn { role, parts }),
        }
    }

    /// The name of a call that was made before, for dialects whose results carry it.
    pub fn called(&self, id: &str) -> Option<&str> {
        let parts = self.turns.iter().flat_map(|turn| &turn.parts);
        parts.rev().find_map(|part| match &part.content {
            Content::ToolCall(call) if call.id == id => Some(call.name.as_str()),
            _ => None,
        })
    }
}

impl Part {
    pub fn new(at: impl Into<String>, content: Content) -> Self {
        Self { at: at.into(), content, cache: None }
    }

    /// A text, or nothing where it is empty, since most dialects refuse empty ones.
    pub fn text(at: impl Into<String>, text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(at, Content::Text(text.to_owned())))
    }

    /// The refusal of this part by a dialect that has no place for it.
    pub fn unsupported(&self, why: &str) -> ralex_kernel::Problem {
        unsupported(self.at.clone(), why)
    }
}

impl Reply {
    /// True where a tool is to be called, whatever the upstream says of the end.
    pub fn calls_tools(&self) -> bool {
        self.parts.iter().any(|part| matches!(part.content, Content::ToolCall(_)))
    }
}
