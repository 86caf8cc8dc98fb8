//! What an event says of itself: how it went, which call it belongs to, what it was done to.

use ralex_kernel::CallId;

use super::{Event, Outcome, SinkEvent};

impl Event {
    #[expect(clippy::too_many_lines, reason = "an arm for each event, and no arm for all others")]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::CallOpened(_)
            | Self::CallExtended { .. }
            | Self::FileOpened { .. }
            | Self::BatchOpened { .. } => Outcome::Intent,
            Self::LoginFailed { .. }
            | Self::CallRefused { .. }
            | Self::FileRefused { .. }
            | Self::AccessDenied { .. } => Outcome::Denied,
            Self::CallClosed(closed) if closed.state != "success" => Outcome::Error,
            Self::FileClosed { problem: Some(_), .. } => Outcome::Error,
            Self::Sink(SinkEvent::Parked { .. } | SinkEvent::Tested { delivered: false, .. }) => {
                Outcome::Error
            }
            Self::CallClosed(_)
            | Self::OrgCreated { .. }
            | Self::SessionOpened { .. }
            | Self::SessionEnded { .. }
            | Self::PasswordChanged { .. }
            | Self::MemberAdded { .. }
            | Self::MemberRemoved { .. }
            | Self::RoleBound { .. }
            | Self::RoleUnbound { .. }
            | Self::TeamCreated { .. }
            | Self::TeamUpdated { .. }
            | Self::TeamDeleted { .. }
            | Self::ProjectCreated { .. }
            | Self::ProjectDeleted { .. }
            | Self::TokenCreated { .. }
            | Self::TokenRevoked { .. }
            | Self::PersonalTokenCreated { .. }
            | Self::PersonalTokenRevoked { .. }
            | Self::ProviderCreated { .. }
            | Self::ProviderUpdated { .. }
            | Self::ProviderDeleted { .. }
            | Self::ModelCreated { .. }
            | Self::ModelUpdated { .. }
            | Self::ModelDeleted { .. }
            | Self::RouteCreated { .. }
            | Self::RouteUpdated { .. }
            | Self::RouteDeleted { .. }
            | Self::AliasSet { .. }
            | Self::AliasDeleted { .. }
            | Self::RoutingPreferenceSet { .. }
            | Self::RoutingSettingsChanged { .. }
            | Self::SecretCreated { .. }
            | Self::SecretRotated { .. }
            | Self::SecretUpdated { .. }
            | Self::SecretDeleted { .. }
            | Self::BudgetCreated { .. }
            | Self::BudgetUpdated { .. }
            | Self::BudgetDeleted { .. }
            | Self::BudgetThresholdCrossed { .. }
            | Self::BudgetLeaseLost { .. }
            | Self::GuardrailCreated { .. }
            | Self::GuardrailUpdated { .. }
            | Self::GuardrailDeleted { .. }
            | Self::Approval(_)
            | Self::Adjustment(_)
            | Self::Increase(_)
            | Self::Log(_)
            | Self::Sink(_)
            | Self::BudgetOverrun { .. }
            | Self::CacheConfigured { .. }
            | Self::CacheCleared { .. }
            | Self::FileClosed { .. }
            | Self::FileRead { .. }
            | Self::FileDeleted { .. }
            | Self::BatchCanceled { .. }
            | Self::BatchClosed { .. }
            | Self::AuditExported { .. } => Outcome::Success,
        }
    }

    /// The call that this belongs to.
    #[expect(clippy::too_many_lines, reason = "an arm for each event, and no arm for all others")]
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::CallOpened(opened) => Some(opened.call),
            Self::CallClosed(closed) => Some(closed.call),
            Self::Approval(event) => event.call(),
            Self::CallRefused { call, .. }
            | Self::CallExtended { call, .. }
            | Self::BudgetOverrun { call, .. } => Some(*call),
            Self::BatchOpened { batch, .. }
            | Self::BatchCanceled { batch }
            | Self::BatchClosed { batch, .. } => Some(*batch),
            Self::OrgCreated { .. }
            | Self::SessionOpened { .. }
            | Self::SessionEnded { .. }
            | Self::LoginFailed { .. }
            | Self::PasswordChanged { .. }
            | Self::MemberAdded { .. }
            | Self::MemberRemoved { .. }
            | Self::RoleBound { .. }
            | Self::RoleUnbound { .. }
            | Self::TeamCreated { .. }
            | Self::TeamUpdated { .. }
            | Self::TeamDeleted { .. }
            | Self::ProjectCreated { .. }
            | Self::ProjectDeleted { .. }
            | Self::TokenCreated { .. }
            | Self::TokenRevoked { .. }
            | Self::PersonalTokenCreated { .. }
            | Self::PersonalTokenRevoked { .. }
            | Self::ProviderCreated { .. }
            | Self::ProviderUpdated { .. }
            | Self::ProviderDeleted { .. }
            | Self::ModelCreated { .. }
            | Self::ModelUpdated { .. }
            | Self::ModelDeleted { .. }
            | Self::RouteCreated { .. }
            | Self::RouteUpdated { .. }
            | Self::RouteDeleted { .. }
            | Self::AliasSet { .. }
            | Self::AliasDeleted { .. }
            | Self::RoutingPreferenceSet { .. }
            | Self::RoutingSettingsChanged { .. }
            | Self::SecretCreated { .. }
            | Self::SecretRotated { .. }
            | Self::SecretUpdated { .. }
            | Self::SecretDeleted { .. }
            | Self::BudgetCreated { .. }
            | Self::BudgetUpdated { .. }
            | Self::BudgetDeleted { .. }
            | Self::BudgetThresholdCrossed { .. }
            | Self::BudgetLeaseLost { .. }
            | Self::GuardrailCreated { .. }
            | Self::GuardrailUpdated { .. }
            | Self::GuardrailDeleted { .. }
            | Self::AccessDenied { .. }
            | Self::CacheConfigured { .. }
            | Self::CacheCleared { .. }
            | Self::Log(_)
            | Self::Sink(_)
            | Self::Adjustment(_)
            | Self::Increase(_)
            | Self::FileOpened { .. }
            | Self::FileClosed { .. }
            | Self::FileRefused { .. }
            | Self::FileRead { .. }
            | Self::FileDeleted { .. }
            | Self::AuditExported { .. } => None,
        }
    }

    /// What it was done to, as `kind:id`; ids only, so that a name can change.
    #[expect(clippy::too_many_lines, reason = "an arm for each event, and no arm for all others")]
    pub fn target(&self) -> Option<String> {
        let target = match self {
            Self::OrgCreated { org, .. } | Self::CacheCleared { org } => format!("org:{org}"),
            Self::SessionOpened { session } | Self::SessionEnded { session } => {
                format!("session:{session}")
            }
            Self::LoginFailed { user, .. }
            | Self::PasswordChanged { user, .. }
            | Self::MemberAdded { user, .. }
            | Self::MemberRemoved { user, .. } => format!("user:{user}"),
            Self::RoleBound { binding, .. } | Self::RoleUnbound { binding, .. } => {
                format!("binding:{binding}")
            }
            Self::TeamCreated { team, .. }
            | Self::TeamUpdated { team, .. }
            | Self::TeamDeleted { team, .. } => format!("team:{team}"),
            Self::ProjectCreated { project, .. } | Self::ProjectDeleted { project, .. } => {
                format!("project:{project}")
            }
            Self::TokenCreated { token, .. }
            | Self::TokenRevoked { token, .. }
            | Self::PersonalTokenCreated { token, .. }
            | Self::PersonalTokenRevoked { token, .. } => format!("token:{token}"),
            Self::ProviderCreated { provider, .. }
            | Self::ProviderUpdated { provider, .. }
            | Self::ProviderDeleted { provider, .. } => format!("provider:{provider}"),
            Self::ModelCreated { model, .. }
            | Self::ModelUpdated { model, .. }
            | Self::ModelDeleted { model, .. } => format!("model:{model}"),
            Self::RouteCreated { route, .. }
            | Self::RouteUpdated { route, .. }
            | Self::RouteDeleted { route, .. } => format!("route:{route}"),
            Self::AliasSet { alias, .. } | Self::AliasDeleted { alias, .. } => {
                format!("alias:{alias}")
            }
            Self::SecretCreated { secret, .. }
            | Self::SecretRotated { secret, .. }
            | Self::SecretUpdated { secret, .. }
            | Self::SecretDeleted { secret, .. } => format!("secret:{secret}"),
            Self::BudgetCreated { budget, .. }
            | Self::BudgetUpdated { budget, .. }
            | Self::BudgetDeleted { budget, .. }
            | Self::BudgetThresholdCrossed { budget, .. }
            | Self::BudgetLeaseLost { budget, .. }
            | Self::BudgetOverrun { budget, .. } => format!("budget:{budget}"),
            Self::GuardrailCreated { guardrail, .. }
            | Self::GuardrailUpdated { guardrail, .. }
            | Self::GuardrailDeleted { guardrail, .. } => format!("guardrail:{guardrail}"),
            Self::Approval(event) => event.target(),
            Self::Adjustment(event) => event.target(),
            Self::Increase(event) => event.target(),
            Self::Log(event) => event.target(),
            Self::Sink(event) => event.target(),
            Self::CallOpened(opened) => format!("call:{}", opened.call),
            Self::CallClosed(closed) => format!("call:{}", closed.call),
            Self::CallRefused { call, .. } | Self::CallExtended { call, .. } => {
                format!("call:{call}")
            }
            Self::AccessDenied { scope, .. } | Self::RoutingPreferenceSet { scope, .. } => {
                scope.to_string()
            }
            Self::FileOpened { file, .. }
            | Self::FileClosed { file, .. }
            | Self::FileRead { file }
            | Self::FileDeleted { file } => format!("file:{file}"),
            Self::BatchOpened { batch, .. }
            | Self::BatchCanceled { batch }
            | Self::BatchClosed { batch, .. } => format!("batch:{batch}"),
            Self::AuditExported { .. }
            | Self::FileRefused { .. }
            | Self::CacheConfigured { .. }
            | Self::RoutingSettingsChanged { .. } => return None,
        };
        Some(target)
    }
}
