//! Answers to operations: JSON, events, or bytes of another kind.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use super::{rerank, units};
use crate::answer::{Answer, AnswerStream, Arriving, Chunk};
use crate::codec::embeddings;
use crate::dialect::{Dialect, Operation};
use crate::error::{Refusal, Stop, UpstreamError};
use crate::filter::{self, TextFilter};
use crate::inbound::Inbound;
use crate::json::{Object, given, text};
use crate::prepare::Prepared;
use crate::relay::{Progress, Relay, read};
use crate::sse::Event;
use crate::usage::{Meter, Usage};

/// An answer whose bytes arrive.
pub(crate) struct Arrived {
    pub content_type: String,
    pub arriving: Arriving,
    pub idle: Duration,
}

/// Reads an answer in JSON.
pub(crate) fn operated(
    prepared: &Prepared,
    body: Bytes,
    filter: Option<Box<dyn TextFilter>>,
) -> Result<Answer, UpstreamError> {
    let inbound = &prepared.inbound;
    let free =
        matches!(inbound.operation(), Operation::Files | Operation::Batches | Operation::Responses);
    let Ok(mut answer) = serde_json::from_slice::<Object>(&body) else {
        // What was deleted, and what is kept in another form, needs no object to say so.
        return if free {
            Ok(Answer::Whole { body, usage: Usage::default(), kept: Vec::new() })
        } else {
            Err(UpstreamError::Malformed("it is not a JSON object"))
        };
    };
    if let Some(error) = given(&answer, "error").filter(|_| !free) {
        return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
    }
    let usage = units::told(inbound, &answer);
    let mut changed = false;
    if let Some(translated) = translated(prepared, &answer, usage)? {
        (answer, changed) = (translated, true);
    }
    if let Some(mut filter) = filter {
        changed |= looked_at(inbound, &mut answer, filter.as_mut())
            .map_err(|problem| stopped(problem, usage))?;
    }
    let body = if changed { Value::Object(answer).to_string().into() } else { body };
    Ok(Answer::Whole { body, usage, kept: Vec::new() })
}

/// Runs an answer's texts through a filter. What an answer was given to is a list of the same items
/// that answers have, and may hold earlier ones.
fn looked_at(
    inbound: &Inbound,
    answer: &mut Object,
    filter: &mut (dyn TextFilter + '_),
) -> Result<bool, Problem> {
    let listed = (inbound.operation() == Operation::Responses).then(|| answer.remove("data"));
    let Some(items) = listed.flatten() else { return filter::whole(answer, filter) };
    let mut said = Object::from_iter([("output".to_owned(), items)]);
    let changed = filter::whole(&mut said, filter);
    answer.extend(said.remove("output").map(|items| ("data".to_owned(), items)));
    changed
}

/// The answer in the caller's form; nothing where it is that already.
fn translated(
    prepared: &Prepared,
    answer: &Object,
    usage: Usage,
) -> Result<Option<Object>, UpstreamError> {
    let (inbound, target) = (&prepared.inbound, &prepared.target);
    match inbound.operation() {
        Operation::Rerank => Ok(rerank::answer(inbound, target, answer)),
        Operation::Embeddings => embeddings::answer(inbound, target, answer, usage),
        Operation::Generate
        | Operation::Moderations
        | Operation::Images
        | Operation::ImageEdits
        | Operation::ImageVariations
        | Operation::Speech
        | Operation::Transcriptions
        | Operation::Translations
        | Operation::CountTokens
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => Ok(None),
    }
}

/// Passes on what is no JSON: sound, or a transcription as plain text, whose length is what the
/// request tells of it.
pub(crate) fn raw(
    prepared: &Prepared,
    arrived: Arrived,
    filter: Option<Box<dyn TextFilter>>,
) -> Result<Answer, UpstreamError> {
    let Arrived { content_type, arriving, idle } = arrived;
    let meter = Meter::new(prepared.inbound.clone());
    let usage = units::estimate(&prepared.inbound);
    meter.settle(usage);
    // A guardrail refuses such a request before it is sent; an answer that is not what was asked
    // for must not slip past it either.
    let spoken = matches!(prepared.inbound.operation(), Operation::Speech | Operation::Files);
    if filter.is_some() && !spoken {
        return Err(stopped(unreadable(), usage));
    }
    let chunks = stream::unfold(Some(arriving), move |arriving| async move {
        let mut arriving = arriving?;
        match tokio::time::timeout(idle, arriving.next()).await {
            Err(_) => Some((Err(UpstreamError::Timeout), None)),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(Some(Ok(bytes))) => Some((Ok(Chunk { bytes, usage: None }), Some(arriving))),
            Ok(None) => Some((Ok(Chunk { bytes: Bytes::new(), usage: Some(usage) }), None)),
        }
    });
    Ok(Answer::Raw { content_type, body: AnswerStream::new(chunks.boxed(), meter) })
}

fn stopped(problem: Problem, usage: Usage) -> UpstreamError {
    UpstreamError::Stopped(Box::new(Stop { problem, usage: Some(usage) }))
}

fn unreadable() -> Problem {
    let detail = "A guardrail looks at this answer, and can read it as whole JSON only. Leave out \
                  `response_format` and `stream`.";
    Problem::new(Code::Unsupported, detail)
}

/// Refuses what a guardrail could not read in the answer.
pub(crate) fn check_readable(inbound: &Inbound) -> Result<(), Problem> {
    let heard = matches!(inbound.operation(), Operation::Transcriptions | Operation::Translations);
    let format = text(inbound.body(), "response_format").unwrap_or("json");
    let json = format.ends_with("json");
    if heard && (inbound.streamed() || !json) { Err(unreadable()) } else { Ok(()) }
}

/// Counts a conversation here, for a provider that cannot be asked to.
pub(crate) fn count_here(inbound: &Inbound) -> Answer {
    let count = inbound.counted_tokens();
    let body = match inbound.dialect() {
        Dialect::AnthropicMessages => json!({ "input_tokens": count }),
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            json!({ "object": "response.input_tokens", "input_tokens": count })
        }
        Dialect::Gemini => json!({ "totalTokens": count }),
        Dialect::BedrockConverse => json!({ "inputTokens": count }),
    };
    Answer::Whole { body: body.to_string().into(), usage: Usage::default(), kept: Vec::new() }
}

/// Passes an operation's events on, and reads what they say of its usage.
pub(crate) struct Pass {
    meter: Meter,
    inbound: Inbound,
    /// What the last events told: one for each image.
    told: Option<Usage>,
}

impl Pass {
    pub fn new(meter: Meter, inbound: &Inbound) -> Self {
        meter.report(units::estimate(inbound));
        Self { meter, inbound: inbound.clone(), told: None }
    }
}

impl Relay for Pass {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        out.extend_from_slice(&event.raw);
        let Some(data) = event.data.as_deref() else { return Ok(Progress::Going) };
        if data.trim() == "[DONE]" {
            return Ok(Progress::Done);
        }
        let said = read(data)?;
        if let Some(error) = given(&said, "error") {
            return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
        }
        // `speech.audio.done`, `transcript.text.done`, `image_generation.completed`.
        let kind = text(&said, "type").unwrap_or_default();
        let last = kind.rsplit('.').next().is_some_and(|end| matches!(end, "done" | "completed"));
        if last {
            let told = units::told(&self.inbound, &said);
            let before = self.told.unwrap_or_default();
            let usage = Usage {
                input_tokens: told.input_tokens.saturating_add(before.input_tokens),
                output_tokens: told.output_tokens.saturating_add(before.output_tokens),
                ..told
            };
            self.told = Some(usage);
            self.meter.settle(usage);
        }
        Ok(Progress::Going)
    }

    fn end(&mut self, _: &mut Vec<u8>) -> Result<(), UpstreamError> {
        self.told.map(|_| ()).ok_or(UpstreamError::Cut)
    }
}
