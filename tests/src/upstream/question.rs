//! What was asked, as far as the provider's answer depends on it.

use serde_json::Value;

use super::dialect::Dialect;
use super::script::{Script, ScriptedUsage, ToolCall, Usage};

/// The parts of a request that all dialects have.
#[derive(Default)]
pub(super) struct Question {
    pub model: String,
    pub streamed: bool,
    /// Whether a stream ends with usage; only OpenAI's chat asks for it.
    pub wants_usage: bool,
    /// The last user message.
    text: String,
    /// Words of all messages.
    words: u64,
    max_output: Option<usize>,
    /// Names of the tools on offer.
    tools: Vec<String>,
    /// The tools as they were described, which OpenAI repeats.
    pub given_tools: Vec<Value>,
    /// The container that code runs in: the one that is named, or an empty name for a new one.
    container: Option<String>,
    /// A tool's result came after the model's last turn.
    has_result: bool,
}

/// What is answered.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub reasoning: String,
    pub text: String,
    pub calls: Vec<ToolCall>,
    /// In chat's words.
    pub finish_reason: String,
    /// Nothing, when the script says so.
    pub usage: Option<Usage>,
}

/// One turn of a conversation.
struct Turn {
    by_user: bool,
    by_model: bool,
    text: String,
    is_result: bool,
}

impl Question {
    pub fn read(dialect: Dialect, body: &Value) -> Self {
        let (turns, system) = match dialect {
            Dialect::Chat => (turns(&body["messages"]), String::new()),
            Dialect::Messages | Dialect::Converse => {
                (turns(&body["messages"]), words_of(&body["system"]))
            }
            Dialect::Responses => (items(&body["input"]), words_of(&body["instructions"])),
            Dialect::Gemini => {
                let system = either(body, "systemInstruction", "system_instruction");
                (turns(&body["contents"]), words_of(&system["parts"]))
            }
        };
        let after = turns.iter().rposition(|turn| turn.by_model).map_or(0, |last| last + 1);
        let last = turns.iter().rfind(|turn| turn.by_user && !turn.text.is_empty());
        Self {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streamed: body["stream"] == true,
            wants_usage: body["stream_options"]["include_usage"] == true,
            text: last.map(|turn| turn.text.clone()).unwrap_or_default(),
            words: turns.iter().map(|turn| count(&turn.text)).sum::<u64>() + count(&system),
            max_output: maximum(dialect, body).and_then(|most| usize::try_from(most).ok()),
            tools: tools(dialect, body),
            given_tools: body["tools"].as_array().cloned().unwrap_or_default(),
            container: container(body),
            has_result: turns[after..].iter().any(|turn| turn.is_result),
        }
    }

    /// The container that code ran in for this answer, where the request wants code to be run.
    pub fn container(&self, id: u64, prefix: &str) -> Option<String> {
        let named = self.container.as_ref()?;
        Some(if named.is_empty() { format!("{prefix}_{id}") } else { named.clone() })
    }

    /// Tokens of what was asked, as this provider counts: words.
    pub fn input_tokens(&self) -> u64 {
        self.words
    }

    /// The answer that the script says, else the question again.
    pub fn reply(&self, script: &Script) -> Reply {
        let calls = self.calls(script);
        let told = script.chunks.as_ref().map(|chunks| chunks.concat()).or(script.text.clone());
        let told = match (&script.after_tool_result, self.has_result) {
            (Some(text), true) => Some(text.clone()),
            (Some(_), false) | (None, _) => told,
        };
        let (text, whole) = match told {
            Some(text) => (text, true),
            None if calls.is_empty() => self.echo(),
            None => (String::new(), true),
        };
        let finish = match (calls.is_empty(), whole) {
            (false, _) => "tool_calls",
            (true, true) => "stop",
            (true, false) => "length",
        };
        let reasoning = script.reasoning.clone().unwrap_or_default();
        let arguments = calls.iter().map(|call| count(&call.arguments.to_string())).sum::<u64>();
        let usage = match &script.usage {
            Some(ScriptedUsage::Counts(usage)) => Some(*usage),
            Some(ScriptedUsage::Word(_)) => None,
            None => Some(Usage {
                input_tokens: self.words,
                output_tokens: count(&text) + arguments + count(&reasoning),
                reasoning_tokens: count(&reasoning),
                ..Usage::default()
            }),
        };
        let finish_reason = script.finish_reason.clone().unwrap_or_else(|| finish.to_owned());
        Reply { reasoning, text, calls, finish_reason, usage }
    }

    fn calls(&self, script: &Script) -> Vec<ToolCall> {
        let as_model = script.after_tool_result.is_some();
        let wanted =
            |call: &&ToolCall| !as_model || !self.has_result && self.tools.contains(&call.name);
        script.calls().filter(wanted).cloned().collect()
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

fn maximum(dialect: Dialect, body: &Value) -> Option<u64> {
    match dialect {
        Dialect::Chat | Dialect::Messages => {
            body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64())
        }
        Dialect::Responses => body["max_output_tokens"].as_u64(),
        Dialect::Gemini => {
            let config = either(body, "generationConfig", "generation_config");
            either(config, "maxOutputTokens", "max_output_tokens").as_u64()
        }
        Dialect::Converse => body["inferenceConfig"]["maxTokens"].as_u64(),
    }
}

fn tools(dialect: Dialect, body: &Value) -> Vec<String> {
    let list = match dialect {
        Dialect::Converse => &body["toolConfig"]["tools"],
        Dialect::Chat | Dialect::Messages | Dialect::Responses | Dialect::Gemini => &body["tools"],
    };
    let named = |tool: &Value| tool["name"].as_str().map(str::to_owned);
    let of = |tool: &Value| match dialect {
        Dialect::Chat => named(&tool["function"]).into_iter().collect(),
        Dialect::Messages | Dialect::Responses => named(tool).into_iter().collect(),
        Dialect::Gemini => {
            let declared = either(tool, "functionDeclarations", "function_declarations");
            parts(declared).iter().filter_map(named).collect()
        }
        Dialect::Converse => named(&tool["toolSpec"]).into_iter().collect::<Vec<_>>(),
    };
    parts(list).iter().flat_map(of).collect()
}

/// Google takes both spellings, and its clients use both.
fn either<'a>(of: &'a Value, camel: &str, snake: &str) -> &'a Value {
    of.get(camel).unwrap_or(&of[snake])
}

fn parts(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Messages of chat, of Anthropic, of Bedrock and Gemini's contents.
fn turns(messages: &Value) -> Vec<Turn> {
    let result = |part: &Value| {
        part["type"] == "tool_result"
            || part.get("toolResult").is_some()
            || !either(part, "functionResponse", "function_response").is_null()
    };
    let turn = |message: &Value| {
        let content = message.get("content").unwrap_or(&message["parts"]);
        let role = message["role"].as_str().unwrap_or("user");
        Turn {
            by_user: role == "user",
            by_model: matches!(role, "assistant" | "model"),
            text: words_of(content),
            is_result: role == "tool" || parts(content).iter().any(result),
        }
    };
    parts(messages).iter().map(turn).collect()
}

/// The input of OpenAI's responses: a text, or messages, calls and results in one list.
fn items(input: &Value) -> Vec<Turn> {
    if let Value::String(text) = input {
        let text = text.clone();
        return vec![Turn { by_user: true, by_model: false, text, is_result: false }];
    }
    let item = |item: &Value| {
        let kind = item["type"].as_str().unwrap_or("message");
        let output = item.get("output").unwrap_or(&item["content"]);
        Turn {
            by_user: item["role"] == "user",
            by_model: item["role"] == "assistant"
                || matches!(kind, "function_call" | "custom_tool_call" | "reasoning"),
            text: words_of(output),
            is_result: matches!(kind, "function_call_output" | "custom_tool_call_output"),
        }
    };
    parts(input).iter().map(item).collect()
}

/// Tokens, as this provider counts.
pub(super) fn count(text: &str) -> u64 {
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

/// Where code is to run, in OpenAI's form or Anthropic's.
fn container(body: &Value) -> Option<String> {
    let tools = body["tools"].as_array()?;
    let runs = |tool: &&Value| {
        let kind = tool["type"].as_str().unwrap_or_default();
        kind == "code_interpreter" || kind.starts_with("code_execution")
    };
    let tool = tools.iter().find(runs)?;
    let named = [&tool["container"], &body["container"], &body["container"]["id"]];
    Some(named.into_iter().find_map(Value::as_str).unwrap_or_default().to_owned())
}
