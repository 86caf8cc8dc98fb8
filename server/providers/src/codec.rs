//! The codecs: each dialect to and from the [intermediate representation](crate::ir).
//!
//! A codec is a folder: `request` decodes a caller's and encodes an upstream's, `reply` does both
//! for whole answers, `stream` for events, where it also has the relay that passes an upstream's
//! events on untouched to a caller of the same dialect. Adding a dialect is a folder and a line in
//! [`of`].

pub(crate) mod chat;
mod converse;
pub(crate) mod embeddings;
pub(crate) mod gemini;
mod messages;
pub(crate) mod refuse;
mod responses;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use ralex_kernel::Problem;
use serde_json::Value;

use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::inbound::Inbound;
use crate::ir::{Delta, Reply, Request};
use crate::json::Object;
use crate::prepare::{Splice, Target};
use crate::relay::Relay;
use crate::sse::Event;
use crate::usage::{Meter, Usage};

/// Both directions of one dialect.
pub(crate) trait Codec: Sync {
    /// Checks a caller's body as far as every upstream would, and reads what a gateway must know.
    fn read(&self, body: &Object) -> Result<Asked, Problem>;

    /// Changes what must change on the way to an upstream of the same dialect: the model's name, a
    /// missing maximum of output, and what makes the upstream tell its usage.
    fn splice(
        &self,
        inbound: &Inbound,
        target: &Target,
        max_output: u64,
        splice: &mut Splice,
    ) -> Result<(), Problem>;

    fn decode_request(&self, inbound: &Inbound) -> Result<Request, Problem>;

    /// Refuses by name what the dialect has no place for.
    fn encode_request(
        &self,
        request: &Request,
        target: &Target,
        max_output: u64,
    ) -> Result<Object, Problem>;

    /// Reads a whole answer; an answer without any part is malformed.
    fn decode_reply(&self, answer: &Object) -> Result<Reply, UpstreamError>;

    fn encode_reply(&self, reply: &Reply, usage: Usage, asked: &Inbound) -> Object;

    /// The usage in a whole answer; nothing unless both counts are there.
    fn usage(&self, answer: &Object) -> Option<Usage>;

    fn decoder(&self, meter: Meter) -> Box<dyn Decode>;

    fn encoder(&self, meter: Meter, asked: &Inbound) -> Box<dyn Encode>;

    /// Passes events on as they are.
    fn pass(&self, meter: Meter, asked: &Inbound) -> Box<dyn Relay>;

    /// What keeps a stream alive that has nothing to say: a comment, where clients pass over them.
    fn heartbeat(&self) -> &'static [u8] {
        b": ping\n\n"
    }

    /// A problem in the dialect's own error shape.
    fn error_body(&self, problem: &Problem) -> Value;

    /// The same for a stream that has begun, where no status can be sent any more.
    fn error_event(&self, problem: &Problem) -> Bytes;
}

/// What a gateway must know of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub streamed: bool,
    /// The most tokens that one answer may have, where the caller says so.
    pub max_output: Option<u64>,
    pub answers: u64,
}

/// Reads an upstream's events.
pub(crate) trait Decode: Send {
    /// Appends the steps that an event means; none for what says nothing. Tells the meter of usage
    /// and of what was produced. After [`Delta::Finish`] nothing is read any more, so that it is
    /// held back until the upstream has told its usage.
    fn event(&mut self, event: &Event, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError>;

    /// The upstream's stream ended without a last event.
    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<(), UpstreamError>;

    /// True where the upstream ended its answer and did not say why. It may be cut short, which no
    /// dialect has a word for.
    fn ended_unsaid(&self) -> bool {
        false
    }
}

/// Writes a caller's events.
pub(crate) trait Encode: Send {
    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>);
}

/// The codec of a dialect.
pub(crate) fn of(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::OpenaiChat => &chat::Chat,
        Dialect::OpenaiResponses => &responses::Responses,
        Dialect::AnthropicMessages => &messages::Messages,
        Dialect::Gemini => &gemini::Gemini,
        Dialect::BedrockConverse => &converse::Converse,
    }
}

/// An id of the caller's dialect that still names the upstream's answer.
pub(crate) fn identifier(prefix: &str, upstream: Option<&str>) -> String {
    let upstream = upstream.unwrap_or("none");
    // A vendor's prefix is a word; the ids of others are random letters that may hold a dash.
    let word = |head: &str| head.bytes().all(|letter| letter.is_ascii_lowercase());
    let bare =
        upstream.split_once(['-', '_']).filter(|(head, bare)| word(head) && !bare.is_empty());
    let bare = bare.map_or(upstream, |(_, bare)| bare);
    format!("{prefix}{bare}")
}

/// An id for an answer whose upstream gives none.
pub(crate) fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("ralex-{:016x}{count:08x}", since.as_nanos())
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golden;
#[cfg(test)]
pub(crate) mod tests;
