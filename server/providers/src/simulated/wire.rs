//! The simulated answer in the caller's dialect.

use serde_json::{Value, json};

use super::{Content, Said};
use crate::codec::{self, Encode};
use crate::inbound::Inbound;
use crate::ir::{self, Delta, Finish, Part, Reply, ToolCall};
use crate::json::Object;
use crate::usage::Meter;

/// A plain answer.
pub(super) fn whole(inbound: &Inbound, said: &Said) -> Object {
    let content = match &said.content {
        Content::Text { text, .. } => ir::Content::Text(text.clone()),
        Content::Call { name, arguments } => ir::Content::ToolCall(ToolCall {
            id: format!("call_{}", said.id),
            name: name.clone(),
            arguments: serde_json::from_str(arguments).unwrap_or_default(),
            signature: None,
        }),
    };
    let reply = Reply {
        id: Some(said.id.clone()),
        model: said.model.clone(),
        parts: vec![Part::new("", content)],
        finish: finish(&said.content),
    };
    let mut body = codec::of(inbound.dialect()).encode_reply(&reply, said.usage, inbound);
    // Only chat asks for several, and all of them are the same.
    if let Some(Value::Array(choices)) = body.get_mut("choices") {
        let first = choices.first().cloned().unwrap_or_default();
        choices.extend((1..said.answers).map(|index| numbered(first.clone(), index)));
    }
    body
}

fn numbered(mut choice: Value, index: u64) -> Value {
    choice["index"] = json!(index);
    choice
}

fn finish(content: &Content) -> Finish {
    match content {
        Content::Text { whole: true, .. } => Finish::Stop,
        Content::Text { whole: false, .. } => Finish::Length,
        Content::Call { .. } => Finish::ToolCalls,
    }
}

/// A streamed answer, event by event.
pub(super) fn events(inbound: &Inbound, said: &Said) -> Vec<String> {
    let meter = Meter::new(inbound.clone());
    meter.settle(said.usage);
    let mut encoder = codec::of(inbound.dialect()).encoder(meter, inbound);
    let mut events = Vec::new();
    let mut say = |encoder: &mut dyn Encode, delta: Delta| {
        let mut out = Vec::new();
        encoder.delta(&delta, &mut out);
        events.push(String::from_utf8_lossy(&out).into_owned());
    };
    let (id, model) = (Some(said.id.clone()), said.model.clone());
    say(encoder.as_mut(), Delta::Start { id, model });
    match &said.content {
        Content::Text { text, .. } => {
            for word in text.split_inclusive(' ') {
                say(encoder.as_mut(), Delta::Text(word.to_owned()));
            }
        }
        Content::Call { name, arguments } => {
            let (id, name) = (format!("call_{}", said.id), name.clone());
            say(encoder.as_mut(), Delta::Call { id, name, signature: None });
            say(encoder.as_mut(), Delta::Arguments(arguments.clone()));
        }
    }
    say(encoder.as_mut(), Delta::Finish(finish(&said.content)));
    events
}
