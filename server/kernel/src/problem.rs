//! What goes wrong, as the caller sees it: RFC 9457 problem details with stable codes.
//!
//! This table is the only place where a failure gets its HTTP status.

use serde::{Deserialize, Serialize};

use crate::id::ApprovalId;

/// A stable name for what went wrong; programs match on it, so a code is never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Code {
    /// The body is not JSON, or a field has the wrong type or an unknown name.
    InvalidRequest,
    /// No credential, or one that is not known.
    Unauthenticated,
    /// Wrong e-mail or password.
    InvalidLogin,
    /// Too many failed tries; see `Retry-After`.
    Throttled,
    /// The one-time password must be changed first.
    PasswordChangeRequired,
    /// The organisation asks everybody for a second factor, and this credential has none behind it.
    SecondFactorRequired,
    /// This asks for a proof of who one is that is not older than some minutes.
    StepUpRequired,
    /// The organisation wants its people to come in by its single sign-on, or the session was opened by
    /// another organisation's.
    SignOnRequired,
    /// The organisation is suspended by the deployment's operators, or waits to be deleted.
    OrganisationClosed,
    /// A browser request from another site.
    CrossSite,
    /// The caller may know that it exists, but not do this.
    Forbidden,
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The name is taken.
    AlreadyExists,
    /// The thing is in use or in a state that does not allow this.
    Conflict,
    /// What the request asks to be so before it is carried out is not so.
    PreconditionFailed,
    /// The last owner of an organisation cannot be removed.
    LastOwner,
    /// One cannot give a right that one does not hold.
    GrantExceedsOwn,
    /// An `Idempotency-Key` came again with another request.
    IdempotencyKeyReused,
    /// The body is larger than the limit.
    TooLarge,
    /// A hard budget has not enough left for the worst case of this call.
    BudgetExhausted,
    /// The limit is below what is already spent and held.
    LimitBelowSpent,
    /// The organisation has no such model.
    ModelNotFound,
    /// The token may not use this model.
    ModelNotAllowed,
    /// A rule about calls denies this one.
    CallDenied,
    /// A guardrail of the organisation refuses this prompt or its answer.
    GuardrailBlocked,
    /// A person has to approve this call first; `approval` names what waits.
    ApprovalRequired,
    /// A person has denied this call.
    ApprovalDenied,
    /// The model has no provider that could answer.
    ProviderNotReady,
    /// The provider's address is one that Ralex may not reach.
    EgressRefused,
    /// The request asks for something that the model's provider cannot carry.
    Unsupported,
    /// The provider answered with an error.
    UpstreamError,
    /// The provider could not be reached, or cut the answer.
    UpstreamUnavailable,
    /// The provider took too long.
    UpstreamTimeout,
    /// The provider's answer made no sense.
    UpstreamMalformed,
    /// A rate limit of the organisation has no room for now; see `Retry-After`.
    RateLimited,
    /// The provider allows no more calls for now; see `Retry-After`.
    UpstreamRateLimited,
    /// The database, or a part that a decision needs, is away; see `Retry-After`.
    Unavailable,
    /// A mistake of ours; the request id finds it in the log.
    Internal,
}

impl Code {
    /// The HTTP status of this code.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::IdempotencyKeyReused
            | Self::Unsupported
            | Self::EgressRefused => 422,
            // Not 403: clients take that for a bad credential and ask for another.
            Self::GuardrailBlocked | Self::ApprovalRequired | Self::ApprovalDenied => 400,
            Self::Unauthenticated | Self::InvalidLogin => 401,
            Self::Throttled | Self::RateLimited | Self::UpstreamRateLimited => 429,
            Self::PasswordChangeRequired
            | Self::SecondFactorRequired
            | Self::StepUpRequired
            | Self::SignOnRequired
            | Self::OrganisationClosed
            | Self::CrossSite
            | Self::Forbidden
            | Self::GrantExceedsOwn
            | Self::ModelNotAllowed
            | Self::CallDenied => 403,
            Self::NotFound | Self::ModelNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::AlreadyExists | Self::Conflict | Self::LastOwner | Self::LimitBelowSpent => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge => 413,
            Self::BudgetExhausted => 402,
            Self::UpstreamError | Self::UpstreamUnavailable | Self::UpstreamMalformed => 502,
            Self::ProviderNotReady | Self::Unavailable => 503,
            Self::UpstreamTimeout => 504,
            Self::Internal => 500,
        }
    }

    /// A few words that stay the same for every occurrence (RFC 9457 `title`).
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is not valid",
            Self::Unauthenticated => "Authentication is required",
            Self::InvalidLogin => "Wrong e-mail or password",
            Self::Throttled => "Too many tries",
            Self::PasswordChangeRequired => "Choose a password first",
            Self::SecondFactorRequired => "Second factor required",
            Self::StepUpRequired => "Fresh proof required",
            Self::SignOnRequired => "Single sign-on is required",
            Self::OrganisationClosed => "The organisation is closed",
            Self::CrossSite => "Request from another site",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Method not allowed",
            Self::AlreadyExists => "Already exists",
            Self::Conflict => "Conflict",
            Self::PreconditionFailed => "Precondition failed",
            Self::LastOwner => "Last owner",
            Self::GrantExceedsOwn => "Grant exceeds own rights",
            Self::IdempotencyKeyReused => "Idempotency key reused",
            Self::TooLarge => "Too large",
            Self::BudgetExhausted => "Budget exhausted",
            Self::LimitBelowSpent => "Limit below what is spent",
            Self::ModelNotFound => "Model not found",
            Self::ModelNotAllowed => "Model not allowed",
            Self::CallDenied => "Denied by a call rule",
            Self::GuardrailBlocked => "Blocked by a guardrail",
            Self::ApprovalRequired => "Approval required",
            Self::ApprovalDenied => "Approval denied",
            Self::ProviderNotReady => "Provider not ready",
            Self::EgressRefused => "Address not allowed",
            Self::Unsupported => "Not supported by this provider",
            Self::UpstreamError => "The provider answered with an error",
            Self::UpstreamUnavailable => "The provider is not reachable",
            Self::UpstreamTimeout => "The provider took too long",
            Self::UpstreamMalformed => "The provider's answer is malformed",
            Self::RateLimited => "A rate limit is reached",
            Self::UpstreamRateLimited => "The provider's rate limit is reached",
            Self::Unavailable => "Temporarily unavailable",
            Self::Internal => "Internal error",
        }
    }

    /// The code as it stands in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::Unauthenticated => "unauthenticated",
            Self::InvalidLogin => "invalid_login",
            Self::Throttled => "throttled",
            Self::PasswordChangeRequired => "password_change_required",
            Self::SecondFactorRequired => "second_factor_required",
            Self::StepUpRequired => "step_up_required",
            Self::SignOnRequired => "sign_on_required",
            Self::OrganisationClosed => "organisation_closed",
            Self::CrossSite => "cross_site",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::PreconditionFailed => "precondition_failed",
            Self::LastOwner => "last_owner",
            Self::GrantExceedsOwn => "grant_exceeds_own",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::TooLarge => "too_large",
            Self::BudgetExhausted => "budget_exhausted",
            Self::LimitBelowSpent => "limit_below_spent",
            Self::ModelNotFound => "model_not_found",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::CallDenied => "call_denied",
            Self::GuardrailBlocked => "guardrail_blocked",
            Self::ApprovalRequired => "approval_required",
            Self::ApprovalDenied => "approval_denied",
            Self::ProviderNotReady => "provider_not_ready",
            Self::EgressRefused => "egress_refused",
            Self::Unsupported => "unsupported",
            Self::UpstreamError => "upstream_error",
            Self::UpstreamUnavailable => "upstream_unavailable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::RateLimited => "rate_limited",
            Self::UpstreamRateLimited => "upstream_rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// One thing that is wrong with one part of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// Where, as a path into the body (`limit`, `messages[2].role`) or a parameter's name.
    pub path: String,
    pub message: String,
}

/// A problem as RFC 9457 writes it (`application/problem+json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// What is wrong here and what to do next; never holds a secret.
    pub detail: String,
    pub code: Code,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Seconds after which a retry can succeed; also sent as `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// What a person has to approve first, or has denied; also sent as `x-ralex-approval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
}

impl Problem {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:ralex:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status(),
            detail: detail.into(),
            code,
            request_id: None,
            errors: Vec::new(),
            retry_after: None,
            approval: None,
        }
    }

    /// A part of the request that is wrong, by its path.
    pub fn field(path: impl Into<String>, message: impl Into<String>) -> Self {
        let (path, message) = (path.into(), message.into());
        let mut problem = Self::new(Code::InvalidRequest, format!("`{path}` {message}"));
        problem.errors.push(FieldError { path, message });
        problem
    }

    /// The same for whatever a caller may not know to exist.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}, or you may not see it."))
    }

    #[must_use]
    pub fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub const fn with_approval(mut self, approval: ApprovalId) -> Self {
        self.approval = Some(approval);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_code_is_the_serialised_one() {
        for code in [Code::InvalidRequest, Code::BudgetExhausted, Code::IdempotencyKeyReused] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
