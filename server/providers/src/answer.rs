//! A provider's answer in the caller's dialect: whole, or as it is produced.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, Stream, StreamExt};
use ralex_kernel::Secret;
use serde_json::Value;

use crate::codec::{self, chat};
use crate::error::{Refusal, Stop, UpstreamError};
use crate::filter::{self, TextFilter};
use crate::framing::Framing;
use crate::ir::{Content, Reply};
use crate::json::{Object, given, objects};
use crate::kept_ids;
use crate::one_call;
use crate::prepare::Prepared;
use crate::relay::{Progress, Relay, relay};
use crate::usage::{Meter, Usage};

/// What came back.
#[derive(Debug)]
pub enum Answer {
    Whole {
        /// JSON in the caller's dialect.
        body: Bytes,
        usage: Usage,
        /// The ids in it of what the provider keeps.
        kept: Vec<String>,
    },
    Stream(AnswerStream),
    /// What is neither JSON nor events: sound, a file, a transcription as plain text.
    Raw {
        content_type: String,
        body: AnswerStream,
    },
}

impl Answer {
    /// The same where an error that is still to come does not quote the key.
    pub(crate) fn without(self, secret: &Secret) -> Self {
        match self {
            Self::Whole { .. } => self,
            Self::Stream(stream) => Self::Stream(stream.without(secret)),
            Self::Raw { content_type, body } => {
                Self::Raw { content_type, body: body.without(secret) }
            }
        }
    }
}

/// A piece of a streamed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Whole server-sent events in the caller's dialect; empty when the last one is only usage.
    pub bytes: Bytes,
    /// Set on the last chunk, and only there.
    pub usage: Option<Usage>,
}

/// A streamed answer. Ends after the chunk that has a usage, or after an error. Dropping it closes
/// the connection to the upstream, which ends its work.
pub struct AnswerStream {
    chunks: BoxStream<'static, Result<Chunk, UpstreamError>>,
    meter: Meter,
}

impl AnswerStream {
    pub(crate) fn new(
        chunks: BoxStream<'static, Result<Chunk, UpstreamError>>,
        meter: Meter,
    ) -> Self {
        Self { chunks, meter }
    }

    /// The same where an error that is still to come does not quote the key.
    fn without(self, secret: &Secret) -> Self {
        let secret = Secret::new(secret.expose().to_owned());
        let without = move |item: Result<Chunk, UpstreamError>| {
            item.map_err(|error| error.without(secret.expose()))
        };
        Self { chunks: self.chunks.map(without).boxed(), ..self }
    }

    /// What the call has used so far; right at any time, also after an error.
    pub fn usage_so_far(&self) -> Usage {
        self.meter.usage()
    }

    /// A handle that tells the same when the stream itself is gone or lent away.
    pub fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl Stream for AnswerStream {
    type Item = Result<Chunk, UpstreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(cx)
    }
}

impl std::fmt::Debug for AnswerStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerStream").field("usage", &self.usage_so_far()).finish_non_exhaustive()
    }
}

/// Reads a plain answer, and says it in the caller's dialect.
pub(crate) fn whole(
    prepared: &Prepared,
    body: Bytes,
    filter: Option<Box<dyn TextFilter>>,
) -> Result<Answer, UpstreamError> {
    let upstream = prepared.upstream_dialect();
    let answer: Object = serde_json::from_slice(&body)
        .map_err(|_| UpstreamError::Malformed("it is not a JSON object"))?;
    // Some servers send errors with a status of success.
    if let Some(error) = given(&answer, "error") {
        return Err(UpstreamError::Status(Refusal::in_stream(Some(error))));
    }
    let codec = codec::of(upstream);
    let caller = prepared.inbound.dialect();
    let usage = match codec.usage(&answer) {
        Some(usage) => usage,
        None => counted(prepared, &answer, &codec.decode_reply(&answer)?),
    };
    let told = || kept_ids::told(&prepared.inbound, &answer);
    let kept = if upstream == caller { told() } else { Vec::new() };
    let kept = kept.into_iter().map(str::to_owned).collect();
    let mut said = if upstream == caller {
        // What the caller's own dialect says is the caller's to read, whatever is new in it.
        answer
    } else {
        let mut reply = codec.decode_reply(&answer)?;
        if prepared.one_call {
            one_call::keep_first(&mut reply);
        }
        reply.id.get_or_insert_with(codec::new_id);
        if reply.model.is_empty() {
            reply.model.clone_from(&prepared.target.upstream_model);
        }
        codec::of(caller).encode_reply(&reply, usage, &prepared.inbound)
    };
    let changed = match filter {
        None => false,
        Some(mut filter) => filter::whole(&mut said, filter.as_mut()).map_err(|problem| {
            UpstreamError::Stopped(Box::new(Stop { problem, usage: Some(usage) }))
        })?,
    };
    let same = upstream == caller && !changed;
    let body = if same { body } else { Value::Object(said).to_string().into() };
    Ok(Answer::Whole { body, usage, kept })
}

/// The usage of an answer that does not tell it.
fn counted(prepared: &Prepared, answer: &Object, reply: &Reply) -> Usage {
    let meter = Meter::new(prepared.inbound.clone());
    // Only chat can give several answers, and a reply holds the first.
    if let Some(choices) = answer.get("choices") {
        objects(Some(choices))
            .filter_map(|choice| choice.get("message")?.as_object())
            .for_each(|message| chat::texts(message, |text| meter.produced(text)));
        return meter.usage();
    }
    for part in &reply.parts {
        match &part.content {
            Content::Text(text) | Content::Refusal(text) | Content::Thinking { text, .. } => {
                meter.produced(text);
            }
            Content::ToolCall(call) => {
                meter.produced(&call.name);
                meter.produced(&Value::Object(call.arguments.clone()).to_string());
            }
            Content::Image(_)
            | Content::Document { .. }
            | Content::Audio(_)
            | Content::ToolResult { .. }
            | Content::Sealed(_) => {}
        }
    }
    meter.usage()
}

/// Bytes of an upstream as they arrive.
pub(crate) type Arriving = BoxStream<'static, Result<Bytes, UpstreamError>>;

/// Reads a streamed answer, and says it in the caller's dialect.
pub(crate) fn streamed(
    prepared: &Prepared,
    arriving: Arriving,
    idle: Duration,
    meter: Meter,
    filter: Option<Box<dyn TextFilter>>,
) -> AnswerStream {
    let pump = Pump {
        arriving: Some(arriving),
        framing: Framing::of(prepared.upstream_dialect()),
        relay: relay(prepared, meter.clone(), filter),
        meter: meter.clone(),
        most: most(prepared),
        unweighed: 0,
        idle,
        heartbeat: codec::of(prepared.inbound.dialect()).heartbeat(),
        spoken: false,
        waits: false,
        ready: VecDeque::new(),
    };
    let chunks = stream::unfold(pump, |mut pump| async move {
        let item = pump.next().await?;
        Some((item, pump))
    });
    AnswerStream::new(chunks.boxed(), meter)
}

/// How many tokens an answer may come to before it is no answer any more: some times what was
/// allowed, since they are counted here as another tokenizer might.
fn most(prepared: &Prepared) -> u64 {
    let allowed = prepared.max_output().saturating_mul(prepared.inbound.answers());
    allowed.saturating_mul(4).saturating_add(4096)
}

/// After so many bytes the length of an answer is looked at again.
const WEIGHED: usize = 64 * 1024;

struct Pump {
    /// Gone once the answer has ended.
    arriving: Option<Arriving>,
    framing: Framing,
    relay: Box<dyn Relay>,
    meter: Meter,
    /// The longest answer that is passed on, in tokens.
    most: u64,
    /// Bytes that came since it was last looked at.
    unweighed: usize,
    idle: Duration,
    /// What the caller's dialect says to show that the call still lives.
    heartbeat: &'static [u8],
    /// The caller has got something; before that another provider may still be asked.
    spoken: bool,
    /// What may go on has gone on, and more is asked for.
    waits: bool,
    ready: VecDeque<Result<Chunk, UpstreamError>>,
}

impl Pump {
    async fn next(&mut self) -> Option<Result<Chunk, UpstreamError>> {
        let mut silent = Duration::ZERO;
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.spoken = true;
                return Some(item);
            }
            if self.waits {
                // What has arrived is looked at again when it is known whether more may go on.
                self.meter.allowance().changed().await;
                self.waits = false;
                let mut out = Vec::new();
                let step = self.relayed(&mut out);
                self.give(out, step);
                continue;
            }
            let arriving = self.arriving.as_mut()?;
            let beats = self.spoken && !self.heartbeat.is_empty();
            let wait = self.idle.saturating_sub(silent);
            let wait = if beats { wait.min(HEARTBEAT) } else { wait };
            let mut out = Vec::new();
            let step = match tokio::time::timeout(wait, arriving.next()).await {
                Err(_) if silent + wait < self.idle => {
                    silent += wait;
                    let bytes = Bytes::from_static(self.heartbeat);
                    return Some(Ok(Chunk { bytes, usage: None }));
                }
                Err(_) => Err(UpstreamError::Timeout),
                Ok(Some(Err(error))) => Err(error),
                Ok(Some(Ok(bytes))) => self.arrived(&bytes, &mut out),
                Ok(None) => self.ended(&mut out),
            };
            self.give(out, step);
        }
    }

    fn arrived(&mut self, bytes: &Bytes, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        self.framing.push(bytes);
        let step = self.relayed(out)?;
        self.weigh(bytes.len())?;
        Ok(step)
    }

    /// Passes on what has arrived, as far as that may go on.
    fn relayed(&mut self, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        loop {
            if self.meter.is_spent() {
                if self.meter.allowance().is_last() {
                    self.relay.cut(out)?;
                    return Ok(Progress::Cut);
                }
                self.waits = true;
                return Ok(Progress::Going);
            }
            let Some(event) = self.framing.event()? else { return Ok(Progress::Going) };
            if self.relay.event(&event, out)? == Progress::Done {
                return Ok(Progress::Done);
            }
        }
    }

    /// Ends what does not end by itself: only so much was held for it.
    fn weigh(&mut self, arrived: usize) -> Result<(), UpstreamError> {
        self.unweighed += arrived;
        if self.unweighed < WEIGHED {
            return Ok(());
        }
        self.unweighed = 0;
        if self.meter.usage().total_output() > self.most {
            return Err(UpstreamError::Malformed("it is far longer than was allowed"));
        }
        Ok(())
    }

    fn ended(&mut self, out: &mut Vec<u8>) -> Result<Progress, UpstreamError> {
        if let Some(event) = self.framing.finish()?
            && self.relay.event(&event, out)? == Progress::Done
        {
            return Ok(Progress::Done);
        }
        self.relay.end(out)?;
        Ok(Progress::Done)
    }

    /// Queues what a step gave: what could still be said goes before the failure.
    fn give(&mut self, out: Vec<u8>, step: Result<Progress, UpstreamError>) {
        let usage = match step {
            Ok(Progress::Done | Progress::Cut) => Some(self.meter.usage()),
            Ok(Progress::Going) | Err(_) => None,
        };
        if usage.is_some() || !out.is_empty() {
            self.ready.push_back(Ok(Chunk { bytes: out.into(), usage }));
        }
        match step {
            Ok(Progress::Going) => {}
            Ok(Progress::Done) => {
                if let Some(rest) = self.arriving.take() {
                    drain(rest);
                }
            }
            // The upstream ends its work when the connection is gone.
            Ok(Progress::Cut) => self.arriving = None,
            Err(error) => {
                self.arriving = None;
                self.ready.push_back(Err(error));
            }
        }
    }
}

/// How long a caller hears nothing at most; proxies on the way cut what is silent for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long an upstream may take to end what it has said it ended.
const LINGER: Duration = Duration::from_secs(1);

/// Reads what follows an answer, since only a connection that is read to its end is used again.
fn drain(mut rest: Arriving) {
    if matches!(rest.next().now_or_never(), Some(None | Some(Err(_)))) {
        return;
    }
    tokio::spawn(async move {
        let end = async { while let Some(Ok(_)) = rest.next().await {} };
        tokio::time::timeout(LINGER, end).await.ok();
    });
}
