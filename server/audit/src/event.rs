//! The closed list of things worth recording, and exactly what is recorded of each.
//!
//! A field that does not stand here cannot get into the log: the list is the allow-list. Secrets,
//! prompts and answers have no field.

mod about;
mod access_request;
mod access_review;
mod account;
mod adjustment;
mod alert;
mod approval;
mod break_glass;
mod call;
mod call_rule;
mod change;
mod factor;
mod increase;
mod log;
mod operator;
mod personal;
mod place;
mod records;
mod report;
mod scim;
mod sink;
mod sso;
mod token;

use chrono::{DateTime, Utc};
use ralex_api::access::BindingEffect;
use ralex_api::catalog::ProviderTimeouts;
use ralex_api::factors::Method;
use ralex_kernel::{
    BindingId, BudgetId, CallId, Code, Email, FileId, GroupId, GuardrailId, ModelId, Money, Name,
    NodeId, OrgId, Period, Price, ProviderId, RateLimitId, RouteId, ScopePath, SecretId,
    ServiceAccountId, SessionId, Slug, TokenId, UserId, YearStart,
};
use serde::Serialize;

pub use access_request::AccessRequestEvent;
pub use access_review::{AccessReviewEvent, ReviewCounted};
pub use account::AccountEvent;
pub use adjustment::AdjustmentEvent;
pub use alert::AlertEvent;
pub use approval::ApprovalEvent;
pub use break_glass::BreakGlassEvent;
pub use call::{Answered, CallClosed, CallOpened, Candidate, Tried};
pub use call_rule::{CallRuleEvent, CallRuleSaid, RuleApplied};
pub use change::ChangeEvent;
pub use factor::FactorEvent;
pub use increase::IncreaseEvent;
pub use log::{ArchivedAs, DestroyedKey, LogEvent, Pruning, Retained};
pub use operator::OperatorEvent;
pub(crate) use personal::{Whose, address};
pub use place::PlaceEvent;
pub use records::RecordsEvent;
pub use report::{Hashed, ReportEvent};
pub use scim::ScimEvent;
pub use sink::SinkEvent;
pub use sso::SsoEvent;
pub use token::TokenEvent;

/// Something that happened, with what is recorded of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum Event {
    #[serde(rename = "org.created")]
    OrgCreated { org: OrgId, slug: Slug, name: Name },

    #[serde(rename = "session.opened")]
    SessionOpened { session: SessionId, methods: Vec<Method> },
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
    /// Everything here is closed to a member until they are let back in.
    #[serde(rename = "member.suspended")]
    MemberSuspended { user: UserId, sessions_ended: u32, tokens_ended: u32 },
    #[serde(rename = "member.resumed")]
    MemberResumed {
        user: UserId,
        /// Whether another party keeps them out.
        still_suspended: bool,
    },
    #[serde(rename = "role.bound")]
    RoleBound {
        binding: BindingId,
        subject: String,
        role: String,
        scope: ScopePath,
        /// `deny`; nothing where the role is given.
        #[serde(skip_serializing_if = "Option::is_none")]
        effect: Option<BindingEffect>,
        #[serde(skip_serializing_if = "Option::is_none")]
        not_before: Option<DateTime<Utc>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_at: Option<DateTime<Utc>>,
    },
    #[serde(rename = "role.unbound")]
    RoleUnbound { binding: BindingId, subject: String, role: String, scope: ScopePath },

    #[serde(rename = "role.created")]
    RoleCreated { role: String, permissions: Vec<String>, includes: Vec<String> },
    /// What the role is made of from then on.
    #[serde(rename = "role.updated")]
    RoleUpdated { role: String, permissions: Vec<String>, includes: Vec<String> },
    #[serde(rename = "role.deleted")]
    RoleDeleted { role: String },
    #[serde(rename = "group.created")]
    GroupCreated { group: GroupId, slug: Slug, name: Name },
    #[serde(rename = "group.updated")]
    GroupUpdated { group: GroupId, name: Name },
    #[serde(rename = "group.deleted")]
    GroupDeleted { group: GroupId, slug: Slug, people: u32 },
    #[serde(rename = "group.member_added")]
    GroupMemberAdded { group: GroupId, user: UserId },
    #[serde(rename = "group.member_removed")]
    GroupMemberRemoved { group: GroupId, user: UserId },

    #[serde(rename = "service_account.created")]
    ServiceAccountCreated {
        service_account: ServiceAccountId,
        slug: Slug,
        name: Name,
        scope: ScopePath,
    },
    #[serde(rename = "service_account.updated")]
    ServiceAccountUpdated { service_account: ServiceAccountId, name: Name, disabled: bool },

    #[serde(rename = "token.created")]
    TokenCreated {
        token: TokenId,
        name: Name,
        scope: ScopePath,
        models: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        service_account: Option<ServiceAccountId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        permissions: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        addresses: Option<Vec<String>>,
    },
    #[serde(rename = "token.revoked")]
    TokenRevoked { token: TokenId, name: Name },
    /// A person said yes to a program that wants a token of theirs; what it gets is recorded once it asks.
    #[serde(rename = "program.approved")]
    ProgramApproved { user: UserId, name: String, by: &'static str },
    #[serde(rename = "program.denied")]
    ProgramDenied { user: UserId, name: String, by: &'static str },

    #[serde(rename = "provider.created")]
    ProviderCreated {
        provider: ProviderId,
        slug: Slug,
        kind: String,
        base_url: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        timeouts: Option<ProviderTimeouts>,
    },
    #[serde(rename = "provider.updated")]
    ProviderUpdated {
        provider: ProviderId,
        base_url: Option<String>,
        enabled: bool,
        keys_detached: u32,
        /// Those that are in force for it; nothing where all are as usual.
        #[serde(skip_serializing_if = "Option::is_none")]
        timeouts: Option<ProviderTimeouts>,
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
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        period: Period,
        #[serde(skip_serializing_if = "Option::is_none")]
        days: Option<u16>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        carry_over: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        carry_over_at_most: Option<Money>,
        time_zone: String,
        limit: Money,
        hard: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        year_start: Option<YearStart>,
        #[serde(skip_serializing_if = "Option::is_none")]
        degrade_at: Option<u8>,
    },
    #[serde(rename = "budget.updated")]
    BudgetUpdated {
        budget: BudgetId,
        limit: Money,
        hard: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        degrade_at: Option<u8>,
    },
    #[serde(rename = "budget.deleted")]
    BudgetDeleted { budget: BudgetId, scope: String, limit: Money },
    /// Spend passed a threshold of a budget's limit.
    #[serde(rename = "budget.threshold_crossed")]
    BudgetThresholdCrossed { budget: BudgetId, percent: u32, spent: Money, limit: Money },
    /// A provider billed more than the worst case that was held.
    #[serde(rename = "budget.overrun")]
    BudgetOverrun { budget: BudgetId, call: CallId, overrun: Money },
    /// What a node had in hand when it went silent counts as spent, since nobody can know.
    #[serde(rename = "budget.lease_lost")]
    BudgetLeaseLost { budget: BudgetId, node: NodeId, amount: Money },

    #[serde(rename = "rate_limit.created")]
    RateLimitCreated {
        rate_limit: RateLimitId,
        scope: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider: Option<String>,
        measure: &'static str,
        amount: u64,
        window_seconds: u32,
    },
    #[serde(rename = "rate_limit.updated")]
    RateLimitUpdated { rate_limit: RateLimitId, amount: u64, before: u64 },
    #[serde(rename = "rate_limit.deleted")]
    RateLimitDeleted { rate_limit: RateLimitId, scope: String, amount: u64 },

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
    CacheConfigured {
        mode: &'static str,
        ttl_seconds: u32,
        /// The model whose vectors say what means the same, and how alike it must be.
        #[serde(skip_serializing_if = "Option::is_none")]
        embedding_model: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        threshold: Option<String>,
    },
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
        /// Rules about calls that were about this one.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        call_rules: Vec<RuleApplied>,
    },

    /// A file is about to be sent to a provider.
    #[serde(rename = "file.opened")]
    FileOpened {
        file: FileId,
        provider: String,
        purpose: String,
        bytes: u64,
        /// SHA-256 of the content as it came, in hexadecimal.
        digest: String,
        scope: ScopePath,
        secret: Option<SecretId>,
    },
    /// What became of that.
    #[serde(rename = "file.closed")]
    FileClosed { file: FileId, state: &'static str, problem: Option<Code> },
    /// A file was not sent at all: what is wrong in it, and at which line.
    #[serde(rename = "file.refused")]
    FileRefused { purpose: String, digest: String, code: &'static str, line: Option<u32> },
    /// A file's content was given out.
    #[serde(rename = "file.read")]
    FileRead { file: FileId },
    #[serde(rename = "file.deleted")]
    FileDeleted { file: FileId },
    /// A batch is about to be asked for; its call is opened beside it, under the same id.
    #[serde(rename = "batch.opened")]
    BatchOpened { batch: CallId, file: FileId, provider: String, model: String, lines: u32 },
    #[serde(rename = "batch.canceled")]
    BatchCanceled { batch: CallId },
    /// A batch has ended and is counted.
    #[serde(rename = "batch.closed")]
    BatchClosed { batch: CallId, status: String, completed: u32, failed: u32 },

    /// A provider is about to be asked for an answer that it keeps.
    #[serde(rename = "answer.asked")]
    AnswerAsked {
        /// The provider's own id, as it was given out.
        answer: String,
        provider: String,
        /// `read`, `input_items`, `cancel` or `delete`.
        action: &'static str,
        scope: ScopePath,
        secret: Option<SecretId>,
    },
    /// The provider deleted it.
    #[serde(rename = "answer.deleted")]
    AnswerDeleted { answer: String, provider: String },

    /// Someone asked for something that they may not do.
    #[serde(rename = "access.denied")]
    AccessDenied { permission: String, scope: ScopePath },
    #[serde(rename = "audit.exported")]
    AuditExported { format: &'static str, filtered: bool, tree_size: u64 },

    /// Something about second factors and proofs; it brings its own name.
    #[serde(untagged)]
    Factor(FactorEvent),
    /// Something about the secrets of tokens; likewise.
    #[serde(untagged)]
    Token(TokenEvent),
    /// Something that counts on a budget beside its calls; likewise.
    #[serde(untagged)]
    Adjustment(AdjustmentEvent),
    /// Something that a person did about rules on calls; likewise.
    #[serde(untagged)]
    CallRule(CallRuleEvent),
    /// Something that a budget has beyond its limit for a while; likewise.
    #[serde(untagged)]
    Increase(IncreaseEvent),
    /// Something that a person did about alerts; likewise.
    #[serde(untagged)]
    Alert(AlertEvent),
    /// Something that happened to an approval; likewise.
    #[serde(untagged)]
    Approval(ApprovalEvent),
    /// Something that happened to a request for access; likewise.
    #[serde(untagged)]
    AccessRequest(AccessRequestEvent),
    /// Something that happened to a change that takes two people; likewise.
    #[serde(untagged)]
    Change(ChangeEvent),
    /// Something that happened to a team, a project or the organisation itself; likewise.
    #[serde(untagged)]
    Place(PlaceEvent),
    #[serde(untagged)]
    AccessReview(AccessReviewEvent),
    #[serde(untagged)]
    BreakGlass(BreakGlassEvent),
    #[serde(untagged)]
    Operator(OperatorEvent),
    #[serde(untagged)]
    Account(AccountEvent),
    #[serde(untagged)]
    Report(ReportEvent),
    /// Something that happened to the log itself; likewise.
    #[serde(untagged)]
    Log(LogEvent),
    /// Something that happened to the records of calls; likewise.
    #[serde(untagged)]
    Records(RecordsEvent),
    #[serde(untagged)]
    Sink(SinkEvent),
    #[serde(untagged)]
    Sso(SsoEvent),
    #[serde(untagged)]
    Scim(ScimEvent),
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
    pub const ALL: [Self; 4] = [Self::Success, Self::Intent, Self::Denied, Self::Error];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Intent => "intent",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}
