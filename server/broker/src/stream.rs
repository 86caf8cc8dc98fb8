//! A streamed answer on its way to the caller: bytes pass as they come, and the end settles.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use ralex_kernel::Money;
use ralex_providers::{AnswerStream, Chunk, Dialect, UpstreamError, error_event};

use crate::in_flight::InFlight;

/// Server-sent events in the caller's dialect. A failure of the upstream is told in the stream
/// itself, since the status has gone out long before. Dropping it cancels the upstream and settles
/// what was produced.
pub struct CallStream {
    inner: AnswerStream,
    /// What came while it was not sure that the answer would.
    opening: VecDeque<Chunk>,
    /// Gone once the call is closed.
    in_flight: Option<InFlight>,
    /// Which of its tries this is.
    attempt: usize,
    dialect: Dialect,
}

impl CallStream {
    pub(crate) fn new(
        inner: AnswerStream,
        opening: Vec<Chunk>,
        in_flight: InFlight,
        attempt: usize,
        dialect: Dialect,
    ) -> Self {
        let opening = opening.into();
        Self { inner, opening, in_flight: Some(in_flight), attempt, dialect }
    }

    fn chunk(&mut self, chunk: Chunk) -> Bytes {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.note_first_byte();
        }
        let Some(usage) = chunk.usage else { return chunk.bytes };
        let Some(in_flight) = self.in_flight.take() else { return chunk.bytes };
        with_cost(&chunk.bytes, in_flight.succeed(self.attempt, usage))
    }

    fn failure(&mut self, error: &UpstreamError) -> Bytes {
        let mut problem = error.to_problem();
        if let Some(mut in_flight) = self.in_flight.take() {
            problem.request_id = in_flight.author.request.map(|id| id.to_string());
            in_flight.failed(self.attempt, error, true);
            in_flight.fail(problem.code);
        }
        error_event(self.dialect, &problem)
    }
}

impl Stream for CallStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.in_flight.is_none() {
                return Poll::Ready(None);
            }
            let item = match self.opening.pop_front() {
                Some(chunk) => Some(Ok(chunk)),
                None => match self.inner.poll_next_unpin(cx) {
                    Poll::Ready(item) => item,
                    Poll::Pending => return Poll::Pending,
                },
            };
            let bytes = match item {
                Some(Ok(chunk)) => self.chunk(chunk),
                Some(Err(error)) => self.failure(&error),
                None => self.failure(&UpstreamError::Cut),
            };
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
        }
    }
}

/// Adds the cost as a comment, which readers of server-sent events pass over: the headers, where
/// a plain answer has it, went out before it was known.
fn with_cost(bytes: &Bytes, cost: Money) -> Bytes {
    let comment = format!(": x-ralex-cost {cost}\n\n");
    [bytes.as_ref(), comment.as_bytes()].concat().into()
}
