//! Refusals: what went wrong, as RFC 7644 section 3.12 has it told.

use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

/// A request that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// One of the RFC's words, where one fits.
    pub kind: Option<&'static str>,
    pub detail: String,
    /// In how many seconds the same may be done.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// What went wrong; nothing says when it can be done.
    pub fn new(status: u16, kind: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), retry_after: None }
    }

    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, Some(kind), detail)
    }

    pub(crate) fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    pub(crate) fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    pub(crate) fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    pub(crate) fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    pub(crate) fn target(detail: impl Into<String>) -> Self {
        Self::bad("noTarget", detail)
    }

    pub(crate) fn mutability(detail: impl Into<String>) -> Self {
        Self::bad("mutability", detail)
    }

    pub(crate) fn too_many(detail: impl Into<String>) -> Self {
        Self::bad("tooMany", detail)
    }

    pub(crate) fn taken(detail: impl Into<String>) -> Self {
        Self::new(409, Some("uniqueness"), detail)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, None, format!("There is no such {what}."))
    }

    /// The body of the answer.
    pub fn told(&self) -> Value {
        let mut told = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.kind {
            told["scimType"] = json!(kind);
        }
        told
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem.code {
            Code::InvalidRequest => Self::value(problem.detail),
            Code::AlreadyExists => Self::taken(problem.detail),
            _ => {
                let retry_after = problem.retry_after;
                Self { retry_after, ..Self::new(problem.status, None, problem.detail) }
            }
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        ralex_store::problem(error).into()
    }
}

impl From<ralex_store::Error> for Refusal {
    fn from(error: ralex_store::Error) -> Self {
        Problem::from(error).into()
    }
}
