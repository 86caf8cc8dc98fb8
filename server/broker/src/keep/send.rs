//! Asking a provider about what it keeps, and reading what it says.

use std::io;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use ralex_guardrails::Output;
use ralex_kernel::Problem;
use ralex_providers::{Answer, Kept, Operation, TextFilter, UpstreamError, prepare_operation};
use serde_json::{Map, Value};
use tokio::io::AsyncReadExt as _;

use super::about;
use super::find::Keeper;
use crate::Broker;
use crate::guard::Watch;

/// Bytes of a file that are read at once.
const PIECE: usize = 256 * 1024;

/// What a provider says.
pub(super) type Told = Map<String, Value>;

/// Why a provider's answer is not there.
#[derive(Debug)]
pub(super) enum Unasked {
    /// Nothing was sent.
    Refused(Problem),
    Upstream(UpstreamError),
}

impl Unasked {
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(problem) => problem.clone(),
            Self::Upstream(error) => error.to_problem(),
        }
    }

    /// True where the provider says that there is no such thing.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Upstream(UpstreamError::Status(refusal)) if refusal.status == 404)
    }

    /// True where the provider surely has not done what it was asked.
    pub fn is_certain(&self) -> bool {
        match self {
            Self::Upstream(UpstreamError::Status(refusal)) => refusal.status < 500,
            Self::Refused(_)
            | Self::Upstream(UpstreamError::Unreachable | UpstreamError::Egress(_)) => true,
            Self::Upstream(
                UpstreamError::Timeout
                | UpstreamError::Cut
                | UpstreamError::Malformed(_)
                | UpstreamError::Stopped(_),
            ) => false,
        }
    }
}

impl From<Unasked> for crate::exchange::Failure {
    fn from(unasked: Unasked) -> Self {
        let problem = unasked.problem();
        match unasked {
            Unasked::Refused(problem) => problem.into(),
            Unasked::Upstream(upstream) => Self { upstream: Some(upstream), ..problem.into() },
        }
    }
}

impl Broker {
    /// Asks for a thing that is kept.
    pub(super) async fn ask(
        &self,
        keeper: &Keeper,
        operation: Operation,
        kept: Kept<'_>,
        body: Option<&Value>,
    ) -> Result<Told, Unasked> {
        match self.answer(keeper, operation, kept, body, None).await? {
            Answer::Whole { body, .. } => serde_json::from_slice(&body).map_err(|_| {
                Unasked::Upstream(UpstreamError::Malformed("it is not a JSON object"))
            }),
            Answer::Stream(_) | Answer::Raw { .. } => {
                Err(Unasked::Upstream(UpstreamError::Malformed("it is not JSON")))
            }
        }
    }

    /// A file's content, as it arrives.
    pub(super) async fn content(
        &self,
        keeper: &Keeper,
        upstream_id: &str,
    ) -> Result<(String, BoxStream<'static, io::Result<Bytes>>), Unasked> {
        let below = format!("/{upstream_id}/content");
        let kept = Kept { method: "GET", below: &below, query: None };
        match self.answer(keeper, Operation::Files, kept, None, None).await? {
            Answer::Raw { content_type, body } => {
                let bytes = body.map_ok(|chunk| chunk.bytes).map_err(io::Error::other);
                Ok((content_type, bytes.boxed()))
            }
            // What calls itself JSON has come as a whole.
            Answer::Whole { body, .. } => {
                Ok(("application/json".to_owned(), stream::iter([Ok(body)]).boxed()))
            }
            Answer::Stream(_) => Err(Unasked::Upstream(UpstreamError::Malformed("it is a stream"))),
        }
    }

    /// Asks for an answer that is kept; as its bytes come, but for what guardrails change.
    pub(super) async fn kept_answer(
        &self,
        keeper: &Keeper,
        kept: Kept<'_>,
        output: Option<Output>,
    ) -> Result<Bytes, Unasked> {
        let filter = output.map(Watch::boxed);
        match self.answer(keeper, Operation::Responses, kept, None, filter).await? {
            Answer::Whole { body, .. } => Ok(body),
            Answer::Stream(_) | Answer::Raw { .. } => {
                Err(Unasked::Upstream(UpstreamError::Malformed("it is not JSON")))
            }
        }
    }

    async fn answer(
        &self,
        keeper: &Keeper,
        operation: Operation,
        kept: Kept<'_>,
        body: Option<&Value>,
        filter: Option<Box<dyn TextFilter>>,
    ) -> Result<Answer, Unasked> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let inbound = about(operation, kept, body).map_err(Unasked::Refused)?;
        let prepared = prepare_operation(&inbound, keeper.target()).map_err(Unasked::Refused)?;
        let key = keeper.key.as_ref().map(|key| self.parts.vault.open_key(key));
        let key = key.transpose().map_err(Unasked::Refused)?;
        let sent = self.parts.client.send_through(&prepared, key.as_ref(), filter).await;
        sent.map_err(Unasked::Upstream)
    }
}

/// A file from the disk, piece by piece.
pub(super) fn pieces(file: std::fs::File) -> BoxStream<'static, io::Result<Bytes>> {
    let file = tokio::fs::File::from_std(file);
    stream::try_unfold(file, |mut file| async move {
        let mut piece = bytes::BytesMut::with_capacity(PIECE);
        let read = file.read_buf(&mut piece).await?;
        Ok((read > 0).then(|| (piece.freeze(), file)))
    })
    .boxed()
}
