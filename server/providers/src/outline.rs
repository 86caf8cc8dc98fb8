//! What a request is about, as far as routing and people want to know, in any dialect.
//!
//! Read loosely from the body: a field that no codec knows does not hide the question.

use serde_json::Value;

use crate::codec::gemini::spells;
use crate::dialect::Dialect;
use crate::inbound::Inbound;
use crate::json::{Object, given, objects, text};

/// A request's gist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// System and developer instructions.
    pub system: String,
    /// What the user said last; tools' results are not said by anyone.
    pub last_user: String,
    /// Characters of all that was said, instructions included.
    pub characters: usize,
    /// Messages, of all sides.
    pub turns: usize,
    /// Names of the tools that may be called.
    pub tools: Vec<String>,
    pub tool_results: usize,
    pub images: usize,
    pub documents: usize,
    pub audio: usize,
    /// A JSON form is demanded of the answer.
    pub structured: bool,
    /// The model is asked to think.
    pub reasoning: bool,
    pub streamed: bool,
    pub max_output: Option<u64>,
}

impl Inbound {
    /// The gist of this request.
    pub fn outline(&self) -> Outline {
        let body = self.body();
        let mut outline = Outline {
            streamed: self.streamed(),
            max_output: self.max_output(),
            structured: structured(body),
            reasoning: reasoning(body),
            tools: tool_names(body),
            ..Outline::default()
        };
        for key in ["system", "instructions", "systemInstruction", "system_instruction"] {
            if let Some(system) = given(body, key) {
                outline.instruct(system);
            }
        }
        let messages = match self.dialect() {
            Dialect::OpenaiChat | Dialect::AnthropicMessages | Dialect::BedrockConverse => {
                "messages"
            }
            Dialect::OpenaiResponses => "input",
            Dialect::Gemini => "contents",
        };
        match body.get(messages) {
            Some(Value::String(said)) => outline.said("user", &Value::String(said.clone())),
            Some(messages) => objects(Some(messages)).for_each(|message| outline.message(message)),
            None => {}
        }
        outline
    }
}

impl Outline {
    fn instruct(&mut self, content: &Value) {
        let mut said = String::new();
        self.content(content, &mut said);
        if !self.system.is_empty() && !said.is_empty() {
            self.system.push('\n');
        }
        self.system.push_str(&said);
    }

    fn message(&mut self, message: &Object) {
        if matches!(text(message, "type"), Some("function_call_output" | "custom_tool_call_output"))
        {
            self.turns += 1;
            self.tool_results += 1;
            let output = message.get("output").unwrap_or(&Value::Null);
            self.content(output, &mut String::new());
            return;
        }
        let Some(content) = ["content", "parts"].into_iter().find_map(|key| given(message, key))
        else {
            return;
        };
        match text(message, "role") {
            Some("system" | "developer") => self.instruct(content),
            Some("tool") => {
                self.turns += 1;
                self.tool_results += 1;
                self.content(content, &mut String::new());
            }
            role => self.said(role.unwrap_or("user"), content),
        }
    }

    fn said(&mut self, role: &str, content: &Value) {
        self.turns += 1;
        let mut said = String::new();
        self.content(content, &mut said);
        if role == "user" && !said.is_empty() {
            self.last_user = said;
        }
    }

    /// Collects texts, and counts what is none.
    fn content(&mut self, content: &Value, said: &mut String) {
        match content {
            Value::String(text) => {
                self.characters += text.len();
                join(said, text);
            }
            Value::Array(parts) => parts.iter().for_each(|part| self.content(part, said)),
            Value::Object(part) => self.part(part, said),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn part(&mut self, part: &Object, said: &mut String) {
        let kind = text(part, "type").unwrap_or_default();
        let media = ["inlineData", "inline_data", "fileData", "file_data"];
        let media_type = media.into_iter().find_map(|key| part.get(key)).and_then(|data| {
            let data = data.as_object()?;
            text(data, "mimeType").or_else(|| text(data, "mime_type"))
        });
        let is = |names: &[&str]| {
            names.contains(&kind) || names.iter().any(|name| part.contains_key(*name))
        };
        if is(&["tool_result", "toolResult", "functionResponse"]) {
            self.tool_results += 1;
            if let Some(result) = given(part, "content") {
                self.content(result, &mut String::new());
            }
        } else if is(&["image", "image_url", "input_image"])
            || media_type.is_some_and(|it| it.starts_with("image/"))
        {
            self.images += 1;
        } else if is(&["input_audio", "audio"])
            || media_type.is_some_and(|it| it.starts_with("audio/"))
        {
            self.audio += 1;
        } else if is(&["document", "file", "input_file"]) || media_type.is_some() {
            self.documents += 1;
        } else if let Some(text) = text(part, "text") {
            self.characters += text.len();
            join(said, text);
        } else if let Some(parts) = given(part, "parts") {
            self.content(parts, said);
        }
    }
}

fn join(said: &mut String, text: &str) {
    if !said.is_empty() {
        said.push('\n');
    }
    said.push_str(text);
}

pub(crate) fn tool_names(body: &Object) -> Vec<String> {
    let wrapped = body.get("toolConfig").and_then(|it| it.get("tools"));
    let mut names = Vec::new();
    for tool in objects(body.get("tools").or(wrapped)) {
        // Google's tools, and the namespaces of OpenAI's responses, hold several.
        let declared = ["functionDeclarations", "function_declarations", "tools"];
        let declared = declared.into_iter().find_map(|key| tool.get(key));
        let within = ["function", "toolSpec"].into_iter().find_map(|key| tool.get(key));
        let within = within.and_then(Value::as_object);
        if declared.is_some() {
            let named = objects(declared).filter_map(|it| text(it, "name"));
            names.extend(named.map(str::to_owned));
        } else {
            let tool = within.unwrap_or(tool);
            names.extend(text(tool, "name").or(text(tool, "type")).map(str::to_owned));
        }
    }
    names
}

/// A field of Google's, in either of its spellings.
fn in_either<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| spells(key, name)).map(|(_, value)| value)
}

fn generation_config(body: &Object) -> Option<&Object> {
    in_either(body, "generationConfig")?.as_object()
}

fn structured(body: &Object) -> bool {
    let kind = |value: Option<&Value>| {
        let kind = value.and_then(|it| it.get("type")).and_then(Value::as_str);
        matches!(kind, Some("json_object" | "json_schema"))
    };
    let json = generation_config(body).is_some_and(|config| {
        let schema = ["responseSchema", "responseJsonSchema"].iter();
        { schema }.any(|name| in_either(config, name).is_some())
            || in_either(config, "responseMimeType").is_some_and(|it| it == "application/json")
    });
    kind(body.get("response_format"))
        || kind(body.get("text").and_then(|it| it.get("format")))
        || kind(body.get("output_config").and_then(|it| it.get("format")))
        || json
}

fn reasoning(body: &Object) -> bool {
    let effort = text(body, "reasoning_effort")
        .or_else(|| body.get("reasoning")?.get("effort")?.as_str())
        .or_else(|| body.get("output_config")?.get("effort")?.as_str());
    let thinking = body.get("thinking").and_then(|it| it.get("type")).and_then(Value::as_str);
    let thinks = || in_either(generation_config(body)?, "thinkingConfig")?.as_object();
    effort.is_some_and(|effort| !matches!(effort, "none" | "minimal"))
        || matches!(thinking, Some("enabled" | "adaptive"))
        || thinks().is_some_and(|it| in_either(it, "thinkingBudget") != Some(&Value::from(0)))
}
