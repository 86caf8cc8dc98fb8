//! What the broker is asked and what it gives back.

use bytes::Bytes;
use ralex_budgets::{Spender, Standing};
use ralex_identity::SignedIn;
use ralex_kernel::{CallId, Money, OrgId, Problem, ScopePath};
use ralex_providers::{Inbound, Operation, UpstreamError};

use crate::choice::Wishes;
use crate::stream::CallStream;

/// A call as the HTTP layer hands it over.
#[derive(Clone)]
pub struct CallRequest {
    pub signed_in: SignedIn,
    pub org: OrgId,
    /// The team or project that it counts against.
    pub at: ScopePath,
    pub inbound: Inbound,
    /// The body as it came, for its digest.
    pub body: Bytes,
    pub wishes: Wishes,
    /// Headers that change what the body means, in one line.
    pub meaning: String,
}

impl CallRequest {
    /// What the call is made for, where that is not to have a question answered: `count` where
    /// tokens are counted, as clients do between their questions.
    pub(crate) fn purpose(&self) -> Option<&'static str> {
        let counts = self.inbound.operation() == Operation::CountTokens;
        self.wishes.purpose.or(counts.then_some("count"))
    }

    /// Who spends.
    pub(crate) fn spender(&self) -> Spender<'_> {
        Spender::of(&self.signed_in.caller, self.at, self.wishes.run.as_deref())
    }
}

/// What the caller gets.
pub enum Answered {
    Whole {
        call: CallId,
        about: About,
        body: Bytes,
        cost: Money,
    },
    /// `held` is the most that it can cost.
    Stream {
        call: CallId,
        about: About,
        held: Money,
        stream: Box<CallStream>,
    },
}

/// Who answered, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    pub model: String,
    pub provider: String,
    pub route: Option<String>,
    /// Why this model stood where it stood.
    pub reason: String,
    /// The choice in one line.
    pub routing: Option<String>,
    /// `hit`, `semantic` or `miss` where answers like this one are kept.
    pub cache: Option<&'static str>,
    /// How alike the question is to the one that was answered, from 0 to 1.
    pub similarity: Option<String>,
    pub attempts: u32,
    /// How the rate limits stand that it counts against.
    pub limits: Vec<Standing>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Failure {
    pub problem: Problem,
    /// The call, where it was recorded.
    pub call: Option<CallId>,
    /// What its tries have cost all the same.
    pub cost: Money,
    /// The provider's refusal, which knows its own words for what is wrong.
    pub upstream: Option<UpstreamError>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, call: None, cost: Money::ZERO, upstream: None }
    }
}
