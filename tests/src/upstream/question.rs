//! What was asked, as far as the provider's answer depends on it.

use serde_json::Value;

use super::script::{Script, ScriptedUsage, Usage};

/// The parts of a request that both dialects have.
pub(super) struct Question {
    pub model: String,
    pub streamed: bool,
    pub wants_usage: bool,
    /// The last user message.
    text: String,
    /// Words of all messages.
    words: u64,
    max_output: Option<usize>,
}

/// What is answered.
pub(super) struct Reply {
    pub text: String,
    /// In chat's words.
    pub finish_reason: String,
    /// Nothing, when the script says so.
    pub usage: Option<Usage>,
}

impl Question {
    pub fn read(body: &Value) -> Self {
        let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let said: Vec<String> = messages.iter().map(|it| words_of(&it["content"])).collect();
        let last = messages.iter().rposition(|message| message["role"] == "user");
        let words =
            said.iter().map(|text| count(text)).sum::<u64>() + count(&words_of(&body["system"]));
        let maximum = body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64());
        Self {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streamed: body["stream"] == true,
            wants_usage: body["stream_options"]["include_usage"] == true,
            text: last.map(|last| said[last].clone()).unwrap_or_default(),
            words,
            max_output: maximum.and_then(|most| usize::try_from(most).ok()),
        }
    }

    /// The answer that the script says, else the question again.
    pub fn reply(&self, script: &Script) -> Reply {
        let told = script.chunks.as_ref().map(|chunks| chunks.concat()).or(script.text.clone());
        let (text, whole) = match (told, &script.tool_call) {
            (Some(text), _) => (text, true),
            (None, Some(_)) => (String::new(), true),
            (None, None) => self.echo(),
        };
        let finish = match (&script.tool_call, whole) {
            (Some(_), _) => "tool_calls",
            (None, true) => "stop",
            (None, false) => "length",
        };
        let arguments = script.tool_call.as_ref().map(|call| call.arguments.to_string());
        let output = count(&text) + arguments.map_or(0, |arguments| count(&arguments));
        let usage = match &script.usage {
            Some(ScriptedUsage::Counts(usage)) => Some(*usage),
            Some(ScriptedUsage::Word(_)) => None,
            None => {
                Some(Usage { input_tokens: self.words, output_tokens: output, ..Usage::default() })
            }
        };
        let finish_reason = script.finish_reason.clone().unwrap_or_else(|| finish.to_owned());
        Reply { text, finish_reason, usage }
    }

    /// The echo, cut at the maximum of words; and whether it is whole.
    fn echo(&self) -> (String, bool) {
        let text = format!("You said: {}", self.text);
        let most = self.max_output.unwrap_or(usize::MAX);
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        let cut: String = words.iter().take(most).copied().collect();
        (cut, words.len() <= most)
    }
}

fn count(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

fn words_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part["text"].as_str());
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}
