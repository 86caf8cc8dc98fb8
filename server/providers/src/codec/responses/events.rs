//! Steps as a caller's events.
//!
//! One item is open at a time. All that was said is kept, since each item is shown again when it
//! is done, and all of them at the end.

use serde_json::{Value, json};

use super::reply::{
    call, call_prefix, complete, freeform, item_id, message, output_text, reasoning, refusal, shell,
};
use super::tools::{Known, Names};
use super::{thought, write};
use crate::codec::{Encode, identifier};
use crate::inbound::Inbound;
use crate::ir::{Delta, Finish};
use crate::json::Object;
use crate::usage::Meter;

/// Writes a response's events.
pub(super) struct Encoder {
    meter: Meter,
    names: Names,
    /// The response as it was at its start.
    response: Object,
    /// The upstream's id of the answer.
    answer: Option<String>,
    sequence: u64,
    done: Vec<Value>,
    open: Open,
}

/// The item that is being written.
enum Open {
    None,
    /// With the parts that are done, and the one that is being written.
    Message {
        id: String,
        parts: Vec<Value>,
        kind: Said,
        text: String,
    },
    Reasoning {
        id: String,
        text: String,
        sealed: Option<String>,
    },
    Call {
        id: String,
        call_id: String,
        known: Known,
        arguments: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Text,
    Refusal,
}

impl Said {
    const fn name(self) -> &'static str {
        match self {
            Self::Text => "output_text",
            Self::Refusal => "refusal",
        }
    }

    /// The field that holds the whole of it.
    const fn whole(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Refusal => "refusal",
        }
    }

    fn part(self, text: &str) -> Value {
        match self {
            Self::Text => output_text(text),
            Self::Refusal => refusal(text),
        }
    }
}

impl Encoder {
    pub fn new(meter: Meter, asked: &Inbound) -> Self {
        Self {
            meter,
            names: Names::of(asked),
            response: shell(asked),
            answer: None,
            sequence: 0,
            done: Vec::new(),
            open: Open::None,
        }
    }

    /// One event about the item that is open.
    fn say(&mut self, out: &mut Vec<u8>, kind: &str, mut data: Value) {
        if let Some(data) = data.as_object_mut() {
            let data = std::mem::take(data);
            write(out, kind, self.sequence, data);
            self.sequence += 1;
        }
    }

    fn start(&mut self, id: Option<&str>, model: &str, out: &mut Vec<u8>) {
        self.answer = id.map(str::to_owned);
        self.response.insert("id".to_owned(), json!(identifier("resp_", id)));
        self.response.insert("model".to_owned(), json!(model));
        let response = Value::Object(self.response.clone());
        self.say(out, "response.created", json!({ "response": response }));
        self.say(out, "response.in_progress", json!({ "response": response }));
    }

    fn id(&self, prefix: &str) -> String {
        item_id(prefix, self.answer.as_deref(), self.done.len())
    }

    fn added(&mut self, item: &Value, out: &mut Vec<u8>) {
        let index = self.done.len();
        let data = json!({ "output_index": index, "item": item });
        self.say(out, "response.output_item.added", data);
    }

    /// A piece of a message.
    fn piece(&mut self, said: Said, piece: &str, out: &mut Vec<u8>) {
        let fits = matches!(&self.open, Open::Message { kind, .. } if *kind == said);
        if !fits {
            self.open_part(said, out);
        }
        let index = self.done.len();
        let Open::Message { id, parts, text, .. } = &mut self.open else { return };
        text.push_str(piece);
        let mut data = json!({
            "item_id": id, "output_index": index, "content_index": parts.len(), "delta": piece,
        });
        if said == Said::Text {
            data["logprobs"] = json!([]);
        }
        self.say(out, &format!("response.{}.delta", said.name()), data);
    }

    /// Begins a part of a message: of the open one, or of a new one.
    fn open_part(&mut self, said: Said, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Message { .. }) {
            self.end_part(out);
        } else {
            self.close("completed", out);
            let id = self.id("msg_");
            self.added(&message(&id, "in_progress", Vec::new()), out);
            let (parts, text) = (Vec::new(), String::new());
            self.open = Open::Message { id, parts, kind: said, text };
        }
        let index = self.done.len();
        let Open::Message { id, parts, kind, .. } = &mut self.open else { return };
        *kind = said;
        let data = json!({
            "item_id": id, "output_index": index, "content_index": parts.len(),
            "part": said.part(""),
        });
        self.say(out, "response.content_part.added", data);
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        let index = self.done.len();
        let Open::Message { id, parts, kind, text } = &mut self.open else { return };
        let (kind, text) = (*kind, std::mem::take(text));
        let part = kind.part(&text);
        let place = json!({
            "item_id": id, "output_index": index, "content_index": parts.len(),
        });
        parts.push(part.clone());
        let (mut whole, mut done) = (place.clone(), place);
        whole[kind.whole()] = json!(text);
        if kind == Said::Text {
            whole["logprobs"] = json!([]);
        }
        done["part"] = part;
        self.say(out, &format!("response.{}.done", kind.name()), whole);
        self.say(out, "response.content_part.done", done);
    }

    fn think(&mut self, piece: &str, out: &mut Vec<u8>) {
        self.open_reasoning(out);
        let index = self.done.len();
        let Open::Reasoning { id, text, .. } = &mut self.open else { return };
        let place = json!({ "item_id": id, "output_index": index, "summary_index": 0 });
        let first = text.is_empty();
        text.push_str(piece);
        if first {
            let mut data = place.clone();
            data["part"] = json!({ "type": "summary_text", "text": "" });
            self.say(out, "response.reasoning_summary_part.added", data);
        }
        let mut data = place;
        data["delta"] = json!(piece);
        self.say(out, "response.reasoning_summary_text.delta", data);
    }

    /// Opens a thought where none is open that can still grow.
    fn open_reasoning(&mut self, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Reasoning { .. }) {
            return;
        }
        self.close("completed", out);
        let id = self.id("rs_");
        self.added(&json!({ "id": id, "type": "reasoning", "summary": [] }), out);
        self.open = Open::Reasoning { id, text: String::new(), sealed: None };
    }

    /// Ends a thought with its proof. OpenAI's own id of it comes only now, and must be kept.
    fn seal(&mut self, proof: String, own_id: Option<&str>, out: &mut Vec<u8>) {
        self.open_reasoning(out);
        if let Open::Reasoning { id, sealed, .. } = &mut self.open {
            if let Some(own) = own_id {
                own.clone_into(id);
            }
            *sealed = Some(proof);
        }
        self.close("completed", out);
    }

    fn begin_call(&mut self, call_id: &str, name: &str, out: &mut Vec<u8>) {
        self.close("completed", out);
        let known = self.names.known(name);
        let id = self.id(call_prefix(&known));
        let mut item = call(&id, call_id, &known, "");
        item["status"] = json!("in_progress");
        self.added(&item, out);
        let (call_id, arguments) = (call_id.to_owned(), String::new());
        self.open = Open::Call { id, call_id, known, arguments };
    }

    fn arguments(&mut self, piece: &str, out: &mut Vec<u8>) {
        let index = self.done.len();
        let Open::Call { id, known, arguments, .. } = &mut self.open else { return };
        arguments.push_str(piece);
        // The input of a freeform tool is a text within JSON, whole only at the end.
        if matches!(known, Known::Function { .. }) {
            let data = json!({ "item_id": id, "output_index": index, "delta": piece });
            self.say(out, "response.function_call_arguments.delta", data);
        }
    }

    /// Ends the open item, whatever it is.
    fn close(&mut self, status: &str, out: &mut Vec<u8>) {
        if matches!(self.open, Open::Message { .. }) {
            self.end_part(out);
        }
        let item = match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return,
            Open::Message { id, parts, .. } => message(&id, status, parts),
            Open::Reasoning { id, text, sealed } => {
                self.end_reasoning(&id, &text, out);
                reasoning(&id, &text, sealed.as_deref())
            }
            Open::Call { id, call_id, known, arguments } => {
                let empty = arguments.trim().is_empty();
                let arguments = if empty { "{}" } else { arguments.as_str() };
                self.end_call(&id, &known, arguments, out);
                let mut item = call(&id, &call_id, &known, arguments);
                item["status"] = json!(status);
                item
            }
        };
        let data = json!({ "output_index": self.done.len(), "item": item });
        self.say(out, "response.output_item.done", data);
        self.done.push(item);
    }

    fn end_reasoning(&mut self, id: &str, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let place = json!({ "item_id": id, "output_index": self.done.len(), "summary_index": 0 });
        let (mut whole, mut part) = (place.clone(), place);
        whole["text"] = json!(text);
        part["part"] = json!({ "type": "summary_text", "text": text });
        self.say(out, "response.reasoning_summary_text.done", whole);
        self.say(out, "response.reasoning_summary_part.done", part);
    }

    fn end_call(&mut self, id: &str, known: &Known, arguments: &str, out: &mut Vec<u8>) {
        let mut data = json!({ "item_id": id, "output_index": self.done.len() });
        match known {
            Known::Function { name, .. } => {
                data["name"] = json!(name);
                data["arguments"] = json!(arguments);
                self.say(out, "response.function_call_arguments.done", data);
            }
            Known::Custom { .. } => {
                let input = freeform(arguments);
                let mut delta = data.clone();
                delta["delta"] = json!(input);
                data["input"] = json!(input);
                self.say(out, "response.custom_tool_call_input.delta", delta);
                self.say(out, "response.custom_tool_call_input.done", data);
            }
            Known::Search => {}
        }
    }

    fn finish(&mut self, finish: &Finish, out: &mut Vec<u8>) {
        let cut = matches!(finish, Finish::Length | Finish::Refused);
        self.close(if cut { "incomplete" } else { "completed" }, out);
        let done = std::mem::take(&mut self.done);
        complete(&mut self.response, done, finish, self.meter.usage());
        let kind = if cut { "response.incomplete" } else { "response.completed" };
        let response = std::mem::take(&mut self.response);
        self.say(out, kind, json!({ "response": response }));
    }
}

impl Encode for Encoder {
    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Start { id, model } => self.start(id.as_deref(), model, out),
            Delta::Text(said) => self.piece(Said::Text, said, out),
            Delta::Refusal(said) => self.piece(Said::Refusal, said, out),
            Delta::Thinking(said) => self.think(said, out),
            Delta::Signature(signature) => {
                self.seal(thought::signed(signature), thought::own_id(signature), out);
            }
            Delta::Sealed(data) => {
                // A thought of its own, also right after another.
                self.close("completed", out);
                self.seal(thought::sealed(data), thought::own_id(data), out);
            }
            Delta::Call { id, name, signature } => {
                if let Some(signature) = signature {
                    self.close("completed", out);
                    self.seal(thought::called(id, signature), None, out);
                }
                self.begin_call(id, name, out);
            }
            Delta::Arguments(part) => self.arguments(part, out),
            // A comment keeps the connection alive as a ping does.
            Delta::Ping => out.extend_from_slice(b": ping\n\n"),
            Delta::Finish(finish) => self.finish(finish, out),
        }
    }
}
