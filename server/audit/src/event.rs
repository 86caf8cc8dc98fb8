//! The closed list of things worth recording, and exactly what is recorded of each.
//!
//! A field that does not stand here cannot get into the log: the list is the allow-list. Secrets,
//! prompts and answers have no field.

use ralex_kernel::{
    BindingId, BudgetId, CallId, Email, GuardrailId, ModelId, Money, Name, OrgId, Period, Price,
    ProjectId, ProviderId, RouteId, ScopePath, SecretId, SessionId, Slug, TeamId, TokenId, UserId,
};
use serde::Serialize;

/// Something that happened, with what is recorded of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum Event {
    #[serde(rename = "org.created")]
    OrgCreated { org: OrgId, slug: Slug, name: Name },

    #[serde(rename = "session.opened")]
    SessionOpened { session: SessionId },
    #[serde(rename = "session.ended")]
    SessionEnded { session: SessionId },
    /// A wrong password for a known person; floods are counted, not listed one by one.
    #[serde(rename = "login.failed")]
    LoginFailed { user: UserId, failures: u32 },
    #[serde(rename = "password.changed")]
    PasswordChanged { user: UserId, sessions_ended: u32 },

    #[serde(rename = "member.added")]
    MemberAdded { user: UserId, email: Email },
    #[serde(rename = "member.removed")]
    MemberRemoved { user: UserId, bindings: u32 },
    #[serde(rename = "role.bound")]
    RoleBound { binding: BindingId, subject: String, role: String, scope: ScopePath },
    #[serde(rename = "role.unbound")]
    RoleUnbound { binding: BindingId, subject: String, role: String, scope: ScopePath },

    #[serde(rename = "team.created")]
    TeamCreated { team: TeamId, slug: Slug, name: Name },
    #[serde(rename = "team.updated")]
    TeamUpdated { team: TeamId, name: Name },
    #[serde(rename = "team.deleted")]
    TeamDeleted { team: TeamId, slug: Slug },
    #[serde(rename = "project.created")]
    ProjectCreated { project: ProjectId, team: TeamId, slug: Slug, name: Name },
    #[serde(rename = "project.deleted")]
    ProjectDeleted { project: ProjectId, slug: Slug },

    #[serde(rename = "token.created")]
    TokenCreated { token: TokenId, name: Name, scope: ScopePath, models: Option<Vec<String>> },
    #[serde(rename = "token.revoked")]
    TokenRevoked { token: TokenId, name: Name },
    #[serde(rename = "personal_token.created")]
    PersonalTokenCreated { token: TokenId, name: Name },
    #[serde(rename = "personal_token.revoked")]
    PersonalTokenRevoked { token: TokenId, name: Name },

    #[serde(rename = "provider.created")]
    ProviderCreated { provider: ProviderId, slug: Slug, kind: String, base_url: Option<String> },
    #[serde(rename = "provider.updated")]
    ProviderUpdated {
        provider: ProviderId,
        base_url: Option<String>,
        enabled: bool,
        keys_detached: u32,
    },
    #[serde(rename = "provider.deleted")]
    ProviderDeleted { provider: ProviderId, slug: Slug },
    #[serde(rename = "model.created")]
    ModelCreated { model: ModelId, name: String, input_price: Price, output_price: Price },
    #[serde(rename = "model.updated")]
    ModelUpdated {
        model: ModelId,
        name: String,
        input_price: Price,
        output_price: Price,
        price_version: u32,
        enabled: bool,
        /// The fields that are not what they were.
        changed: Vec<String>,
    },
    #[serde(rename = "model.deleted")]
    ModelDeleted { model: ModelId, name: String },
    #[serde(rename = "route.created")]
    RouteCreated { route: RouteId, name: String, spec: String },
    #[serde(rename = "route.updated")]
    RouteUpdated { route: RouteId, name: String, enabled: bool, spec: String },
    #[serde(rename = "route.deleted")]
    RouteDeleted { route: RouteId, name: String },
    #[serde(rename = "alias.set")]
    AliasSet { alias: String, target: String },
    #[serde(rename = "alias.deleted")]
    AliasDeleted { alias: String, target: String },
    #[serde(rename = "routing.preference_set")]
    RoutingPreferenceSet {
        scope: ScopePath,
        preferred: Vec<String>,
        banned: Vec<String>,
        default_route: Option<String>,
        residency: Vec<String>,
        labels: Vec<String>,
        no_override: bool,
        priority: Option<String>,
    },
    #[serde(rename = "routing.settings_changed")]
    RoutingSettingsChanged { explore_percent: f64, escalates: bool, fallbacks: u32 },

    #[serde(rename = "secret.created")]
    SecretCreated { secret: SecretId, name: Name, provider: ProviderId, fingerprint: String },
    #[serde(rename = "secret.rotated")]
    SecretRotated { secret: SecretId, version: u32, fingerprint: String },
    #[serde(rename = "secret.updated")]
    SecretUpdated {
        secret: SecretId,
        weight: u8,
        requests_per_minute: Option<u32>,
        tokens_per_minute: Option<u32>,
    },
    #[serde(rename = "secret.deleted")]
    SecretDeleted { secret: SecretId, name: Name, versions: u32 },

    #[serde(rename = "budget.created")]
    BudgetCreated {
        budget: BudgetId,
        scope: String,
        period: Period,
        time_zone: String,
        limit: Money,
        hard: bool,
    },
    #[serde(rename = "budget.updated")]
    BudgetUpdated { budget: BudgetId, limit: Money, hard: bool },
    #[serde(rename = "budget.deleted")]
    BudgetDeleted { budget: BudgetId, scope: String, limit: Money },
    /// Spend passed a threshold of a budget's limit.
    #[serde(rename = "budget.threshold_crossed")]
    BudgetThresholdCrossed { budget: BudgetId, percent: u32, spent: Money, limit: Money },
    /// A provider billed more than the worst case that was held.
    #[serde(rename = "budget.overrun")]
    BudgetOverrun { budget: BudgetId, call: CallId, overrun: Money },

    /// Something is looked for at a scope. Patterns and phrases can be secrets themselves, so only
    /// their kind is recorded.
    #[serde(rename = "guardrail.created")]
    GuardrailCreated {
        guardrail: GuardrailId,
        name: Name,
        scope: String,
        looks_for: String,
        action: &'static str,
        direction: &'static str,
        enabled: bool,
    },
    #[serde(rename = "guardrail.updated")]
    GuardrailUpdated {
        guardrail: GuardrailId,
        name: Name,
        looks_for: String,
        action: &'static str,
        direction: &'static str,
        enabled: bool,
    },
    #[serde(rename = "guardrail.deleted")]
    GuardrailDeleted { guardrail: GuardrailId, name: Name, scope: String },

    /// Whether answers are kept, and for how long.
    #[serde(rename = "cache.configured")]
    CacheConfigured { mode: &'static str, ttl_seconds: u32 },
    #[serde(rename = "cache.cleared")]
    CacheCleared { org: OrgId },

    /// A call was decided and its worst case held: written before anything is sent.
    #[serde(rename = "call.opened")]
    CallOpened(CallOpened),
    /// More was held for a call, because it is tried again: written before the next try is sent.
    #[serde(rename = "call.extended")]
    CallExtended { call: CallId, added: Money, held: Money },
    /// The outcome of an opened call.
    #[serde(rename = "call.closed")]
    CallClosed(CallClosed),
    /// A call was refused; nothing was sent.
    #[serde(rename = "call.refused")]
    CallRefused {
        call: CallId,
        model: String,
        dialect: &'static str,
        code: &'static str,
        budget: Option<BudgetId>,
    },

    /// Someone asked for something that they may not do.
    #[serde(rename = "access.denied")]
    AccessDenied { permission: String, scope: ScopePath },
    #[serde(rename = "audit.exported")]
    AuditExported { format: &'static str, filtered: bool, tree_size: u64 },
}

/// What is recorded before a call goes out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallOpened {
    pub call: CallId,
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub dialect: &'static str,
    pub streamed: bool,
    pub scope: ScopePath,
    pub token: Option<TokenId>,
    /// The binding or built-in rule that allowed it.
    pub allowed_by: String,
    pub policy_version: i64,
    pub secret: Option<SecretId>,
    pub secret_version: Option<u32>,
    pub held: Money,
    pub budgets: Vec<BudgetId>,
    pub input_price: Price,
    pub output_price: Price,
    /// SHA-256 of the request body as it came, in hexadecimal.
    pub prompt_digest: String,
    /// Where else it may go, and with which keys, should the first not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Candidate>,
}

/// A model and a key that a call may use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub secret: Option<SecretId>,
    pub secret_version: Option<u32>,
}

/// What is recorded when a call has ended, however it ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallClosed {
    pub call: CallId,
    pub state: &'static str,
    pub problem: Option<&'static str>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub estimated: bool,
    pub cost: Money,
    pub duration_ms: u32,
    /// Who answered, where it is not the model that the call was opened for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// Every try, where there was more than the one that succeeded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Tried>,
    /// The kind of cache that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached: Option<&'static str>,
}

/// The model that answered in the place of another, at its prices.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answered {
    pub model: String,
    pub provider: String,
    pub upstream_model: String,
    pub input_price: Price,
    pub output_price: Price,
}

/// One try of a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    pub model: String,
    pub provider: String,
    pub secret: Option<SecretId>,
    pub cause: &'static str,
    pub outcome: &'static str,
    pub status: Option<u16>,
    pub cost: Money,
}

/// How it went, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    Intent,
    Denied,
    Error,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Intent => "intent",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}

impl Event {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::CallOpened(_) | Self::CallExtended { .. } => Outcome::Intent,
            Self::LoginFailed { .. } | Self::CallRefused { .. } | Self::AccessDenied { .. } => {
                Outcome::Denied
            }
            Self::CallClosed(closed) if closed.state != "success" => Outcome::Error,
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
            | Self::GuardrailCreated { .. }
            | Self::GuardrailUpdated { .. }
            | Self::GuardrailDeleted { .. }
            | Self::BudgetOverrun { .. }
            | Self::CacheConfigured { .. }
            | Self::CacheCleared { .. }
            | Self::AuditExported { .. } => Outcome::Success,
        }
    }

    /// The call that this belongs to.
    pub fn call(&self) -> Option<CallId> {
        match self {
            Self::CallOpened(opened) => Some(opened.call),
            Self::CallClosed(closed) => Some(closed.call),
            Self::CallRefused { call, .. }
            | Self::CallExtended { call, .. }
            | Self::BudgetOverrun { call, .. } => Some(*call),
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
            | Self::GuardrailCreated { .. }
            | Self::GuardrailUpdated { .. }
            | Self::GuardrailDeleted { .. }
            | Self::AccessDenied { .. }
            | Self::CacheConfigured { .. }
            | Self::CacheCleared { .. }
            | Self::AuditExported { .. } => None,
        }
    }

    /// What it was done to, as `kind:id`; ids only, so that a name can change.
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
            | Self::BudgetOverrun { budget, .. } => format!("budget:{budget}"),
            Self::GuardrailCreated { guardrail, .. }
            | Self::GuardrailUpdated { guardrail, .. }
            | Self::GuardrailDeleted { guardrail, .. } => format!("guardrail:{guardrail}"),
            Self::CallOpened(opened) => format!("call:{}", opened.call),
            Self::CallClosed(closed) => format!("call:{}", closed.call),
            Self::CallRefused { call, .. } | Self::CallExtended { call, .. } => {
                format!("call:{call}")
            }
            Self::AccessDenied { scope, .. } | Self::RoutingPreferenceSet { scope, .. } => {
                scope.to_string()
            }
            Self::AuditExported { .. }
            | Self::CacheConfigured { .. }
            | Self::RoutingSettingsChanged { .. } => return None,
        };
        Some(target)
    }
}
