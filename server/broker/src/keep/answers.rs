//! Answers that a provider keeps, asked for again by those to whom they were given.
//!
//! What always holds: an id means something only to the team or project whose call it answered;
//! nothing is asked before that is recorded; and what is given out passes the guardrails of its
//! place as the answer did, since the provider keeps what it said and not what was passed on.

use bytes::Bytes;
use ralex_audit::Event;
use ralex_kernel::Problem;
use ralex_providers::Kept;
use ralex_store::problem;

use super::find::Keeper;
use super::{KeepRequest, sql};
use crate::Broker;
use crate::exchange::Failure;

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerAction {
    Read,
    /// What it was an answer to.
    InputItems,
    Cancel,
    Delete,
}

impl AnswerAction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::InputItems => "input_items",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
        }
    }

    /// The method, and what stands behind the answer's id in the address.
    const fn address(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("GET", ""),
            Self::InputItems => ("GET", "/input_items"),
            Self::Cancel => ("POST", "/cancel"),
            Self::Delete => ("DELETE", ""),
        }
    }
}

impl Broker {
    /// Does something with an answer at the provider that keeps it; what that says, as it says it.
    ///
    /// # Errors
    /// `not_found` for what is not the caller's, whether it exists or not, or what the provider says.
    pub async fn answer_kept(
        &self,
        request: &KeepRequest,
        (id, action): (&str, AnswerAction),
        query: Option<&str>,
    ) -> Result<Bytes, Failure> {
        let scope = self.allow_keep(request).await?;
        self.settle_before_reading().await;
        let ids = [id.to_owned()];
        let mut tx = self.tenant(request.org).await?;
        let named = sql::answer::named(&mut tx, &request.owner(), &ids).await.map_err(problem)?;
        drop(tx);
        let provider = named.into_iter().find_map(|named| named.provider).ok_or_else(missing)?;
        let keepers = self.keepers_of_answer(request.org, provider).await?;
        for keeper in &keepers {
            self.allow_key(request, keeper).await?;
        }
        let provider = keepers.first().map(|one| one.plan.provider_slug.to_string());
        let asked = |keeper: &Keeper| Event::AnswerAsked {
            answer: id.to_owned(),
            provider: keeper.plan.provider_slug.to_string(),
            action: action.as_str(),
            scope: request.at,
            secret: keeper.key.as_ref().map(|key| key.secret),
        };
        let policy = self.parts.guards.for_scope(request.org, request.at).await?;
        let (method, end) = action.address();
        let below = format!("/{id}{end}");
        for keeper in &keepers {
            self.record_alone(request.org, scope.author(), asked(keeper)).await?;
            let kept = Kept { method, below: &below, query };
            match self.kept_answer(keeper, kept, policy.output(None)).await {
                Ok(said) => {
                    if action == AnswerAction::Delete {
                        let provider = provider.unwrap_or_default();
                        let event = Event::AnswerDeleted { answer: id.to_owned(), provider };
                        self.record_alone(request.org, scope.author(), event).await?;
                    }
                    return Ok(said);
                }
                Err(unasked) if unasked.is_missing() => {}
                Err(unasked) => return Err(unasked.into()),
            }
        }
        Err(missing().into())
    }
}

fn missing() -> Problem {
    let mut problem = Problem::not_found("answer");
    "There is no such answer, or it was not given to this team or project. Where `store` was false, \
     or time was up, no provider keeps it."
        .clone_into(&mut problem.detail);
    problem
}
