//! How a streamed answer is cut into events.

use crate::dialect::Dialect;
use crate::error::UpstreamError;
use crate::event_stream;
use crate::sse::{self, Event};

/// The decoder of a stream's framing.
#[derive(Debug)]
pub(crate) enum Framing {
    ServerSentEvents(sse::Decoder),
    EventStream(event_stream::Decoder),
}

impl Framing {
    /// The one framing of a dialect.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenaiChat
            | Dialect::OpenaiResponses
            | Dialect::AnthropicMessages
            | Dialect::Gemini => Self::ServerSentEvents(sse::Decoder::default()),
            Dialect::BedrockConverse => Self::EventStream(event_stream::Decoder::default()),
        }
    }

    /// Takes more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::ServerSentEvents(decoder) => decoder.push(bytes),
            Self::EventStream(decoder) => decoder.push(bytes),
        }
    }

    /// The next event that is complete.
    pub fn event(&mut self) -> Result<Option<Event>, UpstreamError> {
        match self {
            Self::ServerSentEvents(decoder) => {
                decoder.event().map_err(|_| UpstreamError::Malformed("an event is too large"))
            }
            Self::EventStream(decoder) => {
                decoder.event().map_err(|broken| UpstreamError::Malformed(broken.0))
            }
        }
    }

    /// What is left at the end of the stream: an event whose blank line a server forgot, which is
    /// given it. A message of the other framing has no such leniency.
    pub fn finish(&mut self) -> Result<Option<Event>, UpstreamError> {
        match self {
            Self::ServerSentEvents(decoder) => Ok(decoder.finish().map(|event| Event {
                raw: [event.raw.as_ref(), b"\n\n"].concat().into(),
                ..event
            })),
            Self::EventStream(decoder) if decoder.is_within() => Err(UpstreamError::Cut),
            Self::EventStream(_) => Ok(None),
        }
    }
}
