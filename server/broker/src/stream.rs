//! A streamed answer on its way to the caller: bytes pass as they come, and the end settles.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use ralex_identity::tenure::Tenure;
use ralex_kernel::{Money, Problem};
use ralex_providers::{AnswerStream, Chunk, Dialect, UpstreamError, error_event};

use crate::cache::Keeper;
use crate::ending::Ending;
use crate::in_flight::InFlight;
use crate::slice::Slices;

/// Server-sent events in the caller's dialect. A failure of the upstream is told in the stream
/// itself, since the status has gone out long before. Dropping it cancels the upstream and settles
/// what was produced.
pub struct CallStream {
    /// Nothing of an answer that was kept.
    inner: Option<AnswerStream>,
    /// What came while it was not sure that the answer would.
    opening: VecDeque<Chunk>,
    /// Gone once the call is closed.
    in_flight: Option<InFlight>,
    /// Which of its tries this is.
    attempt: usize,
    form: Form,
    keep: Option<Keeping>,
    ending: Option<Ending>,
    /// Where not all of it is held for.
    slices: Option<Slices>,
    /// Nothing of an answer that was kept: it is there at once.
    tenure: Option<Tenure>,
}

/// What an answer's bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// Server-sent events of a dialect.
    Events(Dialect),
    /// Anything else, of this content type.
    Raw(String),
}

/// An answer that is to be kept, as far as it has come.
struct Keeping {
    keeper: Keeper,
    said: BytesMut,
}

/// Longer answers are not kept.
const KEPT: usize = 1024 * 1024;

impl CallStream {
    pub(crate) fn live(
        inner: AnswerStream,
        opening: Vec<Chunk>,
        in_flight: InFlight,
        attempt: usize,
        form: Form,
        keeper: Option<Keeper>,
    ) -> Self {
        let keep = keeper.map(|keeper| Keeping { keeper, said: BytesMut::new() });
        let (inner, opening) = (Some(inner), opening.into());
        Self {
            inner,
            opening,
            in_flight: Some(in_flight),
            attempt,
            form,
            keep,
            ending: None,
            slices: None,
            tenure: None,
        }
    }

    /// The same, which ends when its caller may no longer have it open.
    pub(crate) fn held_by(self, tenure: Tenure) -> Self {
        Self { tenure: Some(tenure), ..self }
    }

    /// The same, held for as it comes.
    pub(crate) fn slicing(self, slices: Option<Slices>) -> Self {
        Self { slices, ..self }
    }

    /// The same, and how it ends is told.
    pub(crate) fn telling(self, ending: Option<Ending>) -> Self {
        Self { ending, ..self }
    }

    /// An answer that was given before; its call is closed already.
    pub(crate) fn kept(body: Bytes, dialect: Dialect) -> Self {
        let chunk = Chunk { bytes: with_cost(&body, Money::ZERO, dialect), usage: None };
        let opening = VecDeque::from([chunk]);
        let form = Form::Events(dialect);
        Self {
            inner: None,
            opening,
            in_flight: None,
            attempt: 0,
            form,
            keep: None,
            ending: None,
            slices: None,
            tenure: None,
        }
    }

    /// What the header of the answer says its bytes are.
    pub fn content_type(&self) -> &str {
        match &self.form {
            Form::Events(_) => "text/event-stream; charset=utf-8",
            Form::Raw(content_type) => content_type,
        }
    }

    fn chunk(&mut self, chunk: Chunk) -> Bytes {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.note_first_byte();
        }
        if let Some(keeping) = &mut self.keep {
            keeping.said.extend_from_slice(&chunk.bytes);
            if keeping.said.len() > KEPT {
                self.keep = None;
            }
        }
        if let Some(ending) = &mut self.ending {
            ending.saw(&chunk.bytes);
        }
        let Some(usage) = chunk.usage else { return chunk.bytes };
        if let Some(ending) = self.ending.take() {
            ending.ended();
        }
        let Some(in_flight) = self.in_flight.take() else { return chunk.bytes };
        let cost = in_flight.succeed(self.attempt, usage);
        if let Some(Keeping { keeper, said }) = self.keep.take() {
            keeper.keep(said.freeze(), cost);
        }
        match self.form {
            Form::Events(dialect) => with_cost(&chunk.bytes, cost, dialect),
            Form::Raw(_) => chunk.bytes,
        }
    }

    fn failure(&mut self, error: &UpstreamError) -> io::Result<Bytes> {
        let mut problem = error.to_problem();
        if let Some(mut in_flight) = self.in_flight.take() {
            problem.request_id = in_flight.author.request.map(|id| id.to_string());
            in_flight.failed(self.attempt, error, true);
            in_flight.fail(problem.code);
        }
        self.tell(problem)
    }

    /// Hangs up at the provider, at the cost of what was used, and says why.
    fn end(&mut self, mut problem: Problem) -> io::Result<Bytes> {
        (self.inner, self.tenure) = (None, None);
        self.opening.clear();
        if let Some(in_flight) = self.in_flight.take() {
            problem.request_id = in_flight.author.request.map(|id| id.to_string());
            in_flight.fail(problem.code);
        }
        self.tell(problem)
    }

    fn tell(&self, problem: Problem) -> io::Result<Bytes> {
        match self.form {
            Form::Events(dialect) => Ok(error_event(dialect, &problem)),
            // Nothing can be said in it: the connection is cut, so that nobody takes it for whole.
            Form::Raw(_) => Err(io::Error::other(problem.detail)),
        }
    }
}

impl Stream for CallStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(Poll::Ready(why)) = this.tenure.as_mut().map(|tenure| tenure.poll_unpin(cx)) {
            return Poll::Ready(Some(this.end(why)));
        }
        if let (Some(slices), Some(in_flight)) = (&mut this.slices, &mut this.in_flight) {
            slices.look(cx, in_flight, this.attempt);
        }
        loop {
            let item = match self.opening.pop_front() {
                Some(chunk) => Some(Ok(chunk)),
                None if self.in_flight.is_none() => return Poll::Ready(None),
                None => match self.inner.as_mut().map(|inner| inner.poll_next_unpin(cx)) {
                    Some(Poll::Ready(item)) => item,
                    Some(Poll::Pending) => return Poll::Pending,
                    None => return Poll::Ready(None),
                },
            };
            let bytes = match item {
                Some(Ok(chunk)) => Ok(self.chunk(chunk)),
                Some(Err(error)) => self.failure(&error),
                None => self.failure(&UpstreamError::Cut),
            };
            if !bytes.as_ref().is_ok_and(Bytes::is_empty) {
                return Poll::Ready(Some(bytes));
            }
        }
    }
}

/// Adds the cost as a comment, which readers of server-sent events pass over: the headers, where
/// a plain answer has it, went out before it was known.
fn with_cost(bytes: &Bytes, cost: Money, dialect: Dialect) -> Bytes {
    // Google's own readers take every line for data.
    if dialect == Dialect::Gemini {
        return bytes.clone();
    }
    let comment = format!(": x-ralex-cost {cost}\n\n");
    [bytes.as_ref(), comment.as_bytes()].concat().into()
}
