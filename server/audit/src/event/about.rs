//! What an event says of itself: how it went, which call it belongs to, what it was done to.

use std::fmt::Display;

use ralex_kernel::CallId;

use super::{
    AlertEvent, ChangeEvent, Event, FactorEvent, LogEvent, Outcome, ReportEvent, ScimEvent,
    SinkEvent, SsoEvent, TokenEvent,
};

/// All that an event says of itself. Done and of no call, unless it says otherwise.
struct About<'a> {
    outcome: Outcome,
    call: Option<CallId>,
    target: Target<'a>,
}

/// What something was done to.
enum Target<'a> {
    Nothing,
    /// A kind and an id; never a name, so that a name can change.
    Thing(&'static str, &'a dyn Display),
    Written(String),
}

impl<'a> About<'a> {
    fn of(kind: &'static str, id: &'a dyn Display) -> Self {
        Self::to(Target::Thing(kind, id))
    }

    fn to(target: Target<'a>) -> Self {
        Self { outcome: Outcome::Success, call: None, target }
    }

    /// It was done to a call, and belongs to it.
    fn of_call(call: &'a CallId) -> Self {
        Self { call: Some(*call), ..Self::of("call", call) }
    }

    /// It was done to a batch, which is a call as well.
    fn of_batch(batch: &'a CallId) -> Self {
        Self { call: Some(*batch), ..Self::of("batch", batch) }
    }

    fn ended(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    fn failed_if(self, failed: bool) -> Self {
        if failed { self.ended(Outcome::Error) } else { self }
    }
}

impl Event {
    pub fn outcome(&self) -> Outcome {
        self.about().outcome
    }

    /// The call that this belongs to.
    pub fn call(&self) -> Option<CallId> {
        self.about().call
    }

    /// What it was done to, as `kind:id`.
    pub fn target(&self) -> Option<String> {
        match self.about().target {
            Target::Nothing => None,
            Target::Thing(kind, id) => Some(format!("{kind}:{id}")),
            Target::Written(target) => Some(target),
        }
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each event, and no arm for all others")]
    fn about(&self) -> About<'_> {
        match self {
            Self::OrgCreated { org, .. } | Self::CacheCleared { org } => About::of("org", org),
            Self::SessionOpened { session, .. } | Self::SessionEnded { session } => {
                About::of("session", session)
            }
            Self::LoginFailed { user, .. } | Self::ProgramDenied { user, .. } => {
                About::of("user", user).ended(Outcome::Denied)
            }
            Self::PasswordChanged { user, .. }
            | Self::ProgramApproved { user, .. }
            | Self::MemberAdded { user, .. }
            | Self::MemberRemoved { user, .. }
            | Self::MemberSuspended { user, .. }
            | Self::MemberResumed { user, .. } => About::of("user", user),
            Self::RoleBound { binding, .. } | Self::RoleUnbound { binding, .. } => {
                About::of("binding", binding)
            }
            Self::RoleCreated { role, .. }
            | Self::RoleUpdated { role, .. }
            | Self::RoleDeleted { role } => About::of("role", role),
            Self::GroupCreated { group, .. }
            | Self::GroupUpdated { group, .. }
            | Self::GroupDeleted { group, .. }
            | Self::GroupMemberAdded { group, .. }
            | Self::GroupMemberRemoved { group, .. } => About::of("group", group),
            Self::ServiceAccountCreated { service_account, .. }
            | Self::ServiceAccountUpdated { service_account, .. } => {
                About::of("service_account", service_account)
            }
            Self::TokenCreated { token, .. } | Self::TokenRevoked { token, .. } => {
                About::of("token", token)
            }
            Self::ProviderCreated { provider, .. }
            | Self::ProviderUpdated { provider, .. }
            | Self::ProviderDeleted { provider, .. } => About::of("provider", provider),
            Self::ModelCreated { model, .. }
            | Self::ModelUpdated { model, .. }
            | Self::ModelDeleted { model, .. } => About::of("model", model),
            Self::RouteCreated { route, .. }
            | Self::RouteUpdated { route, .. }
            | Self::RouteDeleted { route, .. } => About::of("route", route),
            Self::AliasSet { alias, .. } | Self::AliasDeleted { alias, .. } => {
                About::of("alias", alias)
            }
            Self::RoutingPreferenceSet { scope, .. } => {
                About::to(Target::Written(scope.to_string()))
            }
            Self::AccessDenied { scope, .. } => {
                About::to(Target::Written(scope.to_string())).ended(Outcome::Denied)
            }
            Self::RoutingSettingsChanged { .. }
            | Self::CacheConfigured { .. }
            | Self::AuditExported { .. }
            | Self::Records(_) => About::to(Target::Nothing),
            Self::SecretCreated { secret, .. }
            | Self::SecretRotated { secret, .. }
            | Self::SecretUpdated { secret, .. }
            | Self::SecretDeleted { secret, .. } => About::of("secret", secret),
            Self::BudgetCreated { budget, .. }
            | Self::BudgetUpdated { budget, .. }
            | Self::BudgetDeleted { budget, .. }
            | Self::BudgetThresholdCrossed { budget, .. }
            | Self::BudgetLeaseLost { budget, .. } => About::of("budget", budget),
            Self::BudgetOverrun { budget, call, .. } => {
                About { call: Some(*call), ..About::of("budget", budget) }
            }
            Self::RateLimitCreated { rate_limit, .. }
            | Self::RateLimitUpdated { rate_limit, .. }
            | Self::RateLimitDeleted { rate_limit, .. } => About::of("rate_limit", rate_limit),
            Self::GuardrailCreated { guardrail, .. }
            | Self::GuardrailUpdated { guardrail, .. }
            | Self::GuardrailDeleted { guardrail, .. } => About::of("guardrail", guardrail),
            Self::CallOpened(opened) => About::of_call(&opened.call).ended(Outcome::Intent),
            Self::CallExtended { call, .. } => About::of_call(call).ended(Outcome::Intent),
            Self::CallRefused { call, .. } => About::of_call(call).ended(Outcome::Denied),
            Self::CallClosed(closed) => {
                About::of_call(&closed.call).failed_if(closed.state != "success")
            }
            Self::FileOpened { file, .. } => About::of("file", file).ended(Outcome::Intent),
            Self::FileClosed { file, problem, .. } => {
                About::of("file", file).failed_if(problem.is_some())
            }
            Self::FileRefused { .. } => About::to(Target::Nothing).ended(Outcome::Denied),
            Self::FileRead { file } | Self::FileDeleted { file } => About::of("file", file),
            Self::BatchOpened { batch, .. } => About::of_batch(batch).ended(Outcome::Intent),
            Self::BatchCanceled { batch } | Self::BatchClosed { batch, .. } => {
                About::of_batch(batch)
            }
            Self::AnswerAsked { answer, .. } => About::of("answer", answer).ended(Outcome::Intent),
            Self::AnswerDeleted { answer, .. } => About::of("answer", answer),
            Self::Approval(event) => {
                About { call: event.call(), ..About::to(Target::Written(event.target())) }
            }
            Self::Factor(event) => {
                let about = About::to(Target::Written(event.target()));
                let denied =
                    matches!(event, FactorEvent::Failed { .. } | FactorEvent::PasskeyCopied { .. });
                if denied { about.ended(Outcome::Denied) } else { about }
            }
            Self::Token(event) => {
                let about = About::to(Target::Written(event.target()));
                let denied = matches!(event, TokenEvent::AddressRefused { .. });
                if denied { about.ended(Outcome::Denied) } else { about }
            }
            Self::AccessRequest(event) => About::to(Target::Written(event.target())),
            Self::Account(event) => About::to(Target::Written(event.target())),
            Self::Place(event) => About::to(Target::Written(event.target())),
            Self::Change(event) => {
                let failed = matches!(event, ChangeEvent::Stale { .. });
                About::to(Target::Written(event.target())).failed_if(failed)
            }
            Self::AccessReview(event) => About::to(Target::Written(event.target())),
            Self::BreakGlass(event) => About::to(Target::Written(event.target())),
            Self::Operator(event) => {
                About::to(Target::Written(event.target())).failed_if(event.is_broken())
            }
            Self::Adjustment(event) => About::to(Target::Written(event.target())),
            Self::CallRule(event) => About::to(Target::Written(event.target())),
            Self::Increase(event) => About::to(Target::Written(event.target())),
            Self::Alert(event) => {
                let failed = matches!(event, AlertEvent::RuleTested { failed, .. } if *failed > 0);
                About::to(Target::Written(event.target())).failed_if(failed)
            }
            Self::Report(event) => About::to(Target::Written(event.target()))
                .failed_if(matches!(event, ReportEvent::Failed { .. })),
            Self::Log(event) => About::to(Target::Written(event.target())).failed_if(matches!(
                event,
                LogEvent::ArchiveFailed { .. }
                    | LogEvent::PruneFailed { .. }
                    | LogEvent::ErasureFailed { .. }
            )),
            Self::Sink(event) => About::to(Target::Written(event.target())).failed_if(matches!(
                event,
                SinkEvent::Parked { .. } | SinkEvent::Tested { delivered: false, .. }
            )),
            Self::Scim(event) => About::to(Target::Written(event.target()))
                .failed_if(matches!(event, ScimEvent::OwnerKept { .. })),
            Self::Sso(event) => {
                let failed = matches!(event, SsoEvent::ProviderTested { passed: false, .. });
                let about = About::to(Target::Written(event.target())).failed_if(failed);
                match event {
                    SsoEvent::LoginRefused { .. } => about.ended(Outcome::Denied),
                    _ => about,
                }
            }
        }
    }
}
