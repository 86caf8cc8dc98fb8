//! What the provider is told to do.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How calls are answered. What is absent is as with the default answer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Which calls this is for; all, when absent.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Match>,
    /// How many calls this answers before it is forgotten.
    pub times: Option<u32>,
    /// An error status, answered in the dialect's own error shape.
    pub status: Option<u16>,
    /// Sent as a header, in seconds.
    pub retry_after: Option<u64>,
    /// The error's sentence.
    pub message: Option<String>,
    /// The whole error body: JSON, or a text that is sent as it is.
    pub error: Option<Value>,
    /// The answer's text.
    pub text: Option<String>,
    /// The pieces in which a streamed text comes; words, when absent.
    pub chunks: Option<Vec<String>>,
    /// What the model thinks before it answers.
    pub reasoning: Option<String>,
    /// Answer with a call of a tool, after the text if there is one.
    pub tool_call: Option<ToolCall>,
    /// Further calls of tools beside that one.
    pub more_tool_calls: Vec<ToolCall>,
    /// Call the tool as a model does: only where the request offers it, and not again once its
    /// result is there, which is answered with this text.
    pub after_tool_result: Option<String>,
    /// The vectors of embeddings, instead of those made of the texts' words.
    pub vectors: Option<Vec<Vec<f32>>>,
    /// Token counts other than the true ones, or `"none"` to tell nothing.
    pub usage: Option<ScriptedUsage>,
    /// In chat's words (`stop`, `length`, …).
    pub finish_reason: Option<String>,
    /// Before anything is sent.
    pub delay_first_ms: u64,
    /// Before every further piece of a stream.
    pub delay_chunk_ms: u64,
    /// Send this many pieces, then nothing more, while the connection stays open. A plain answer
    /// does not begin.
    pub stall_after: Option<usize>,
    /// Send this many pieces, then close the connection. A plain answer is cut in its middle.
    pub cut_after: Option<usize>,
    /// Send this many pieces, then the dialect's error event.
    pub error_after: Option<usize>,
    /// Answer with something that is no JSON.
    pub malformed: bool,
    /// End a stream without the dialect's last event.
    pub no_end: bool,
    /// Write into each [`STAMP`](super::stamp::STAMP) of a stream's pieces when it is sent.
    pub stamped: bool,
}

/// Which calls a script is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    pub model: Option<String>,
    pub api_key: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    pub name: String,
    pub arguments: Value,
    #[serde(default)]
    pub id: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ScriptedUsage {
    Counts(Usage),
    /// `"none"`.
    Word(String),
}

/// Token counts that do not overlap: cached input is not in `input_tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    /// The part of the output that was thought, where the vendor tells it.
    pub reasoning_tokens: u64,
}

impl Usage {
    /// Input as most vendors count it, with what came from a cache.
    pub(super) fn prompt(self) -> u64 {
        self.input_tokens + self.cache_read_tokens + self.cache_write_tokens
    }

    pub(super) fn total(self) -> u64 {
        self.prompt() + self.output_tokens
    }
}

impl Script {
    /// Whether this is for a call; the more a script names, the earlier it is asked.
    pub fn is_for(&self, model: &str, api_key: Option<&str>) -> bool {
        let Some(matches) = &self.matches else { return true };
        matches.model.as_deref().is_none_or(|wanted| wanted == model)
            && matches.api_key.as_deref().is_none_or(|wanted| Some(wanted) == api_key)
    }

    /// The calls of tools that this asks for.
    pub(super) fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.tool_call.iter().chain(&self.more_tool_calls)
    }

    pub(super) fn precision(&self) -> usize {
        let named = |matches: &Match| {
            usize::from(matches.model.is_some()) + usize::from(matches.api_key.is_some())
        };
        self.matches.as_ref().map_or(0, named)
    }
}
