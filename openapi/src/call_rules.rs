//! Call rules: which calls are allowed, asked about or denied, and what becomes of one.

use chrono::{DateTime, Utc};
use ralex_kernel::{CallId, CallRuleId, Money, Name};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

crate::words! {
    /// What a rule says of the calls that it is about. Where several are about one call, denying
    /// goes before asking, and asking before allowing.
    pub enum CallEffect {
        /// The call goes on where the organisation's default would stop it. It gives no right that
        /// nobody gave, and takes nothing from a rule that asks or denies.
        Allow = "allow",
        /// The call waits until a person approves it.
        Ask = "ask",
        /// The call is refused.
        Deny = "deny",
    }
    /// What a rule is about: what is shown, or what is called.
    pub enum CallPhase {
        /// What lists show. Nobody is asked about that.
        List = "list",
        Call = "call",
        Both = "both",
    }
}

impl CallPhase {
    pub const fn covers_list(self) -> bool {
        matches!(self, Self::List | Self::Both)
    }

    pub const fn covers_call(self) -> bool {
        matches!(self, Self::Call | Self::Both)
    }
}

crate::answer! {
    /// A rule about calls at a scope and below.
    pub struct CallRule {
        pub id: CallRuleId,
        pub name: Name,
        pub description: String,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        /// The scope in words (`Platform team`).
        pub scope_name: String,
        pub effect: CallEffect,
        pub phase: CallPhase,
        /// Patterns of actions: `model.call` and all below it, `model.call.embeddings`, `*`.
        pub actions: Vec<String>,
        /// Patterns of what is called: `model:gpt-*`, `provider:openai`, `*`.
        pub resources: Vec<String>,
        /// Whose calls: `user:<id>`, `group:<id>`, `service_account:<id>`, `token:<id>`,
        /// `role:<name>`. None: everybody's.
        pub subjects: Vec<String>,
        /// The same for people to read, in the same order.
        pub subject_names: Vec<String>,
        /// A CEL expression that is true for the calls that are meant; absent: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub condition: Option<String>,
        /// What the caller is told.
        pub message: String,
        pub enabled: bool,
        /// Rises with each change; the `ETag`.
        pub version: u64,
        /// Why the stored condition cannot be used by this release. The rule then counts for every
        /// call where it asks or denies, and for none where it allows.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub broken: Option<String>,
        pub created_by: String,
        pub created_at: DateTime<Utc>,
        pub updated_by: String,
        pub updated_at: DateTime<Utc>,
    }

    /// What holds where no rule is about a call.
    pub struct CallRuleSettings {
        pub default_effect: CallEffect,
    }

    /// What became of a call that was tried on the rules.
    pub struct TestedCall {
        /// What would become of it.
        pub effect: CallEffect,
        /// What that rests on: the rule's id, or absent where it is the default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub decided_by: Option<CallRuleId>,
        /// What the caller would be told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub message: Option<String>,
        /// The default of the organisation.
        pub default_effect: CallEffect,
        /// Every rule that is on, and whether it is about this call.
        pub rules: Vec<TestedRule>,
        /// How long the decision took, in microseconds, all rules evaluated.
        pub took_us: u64,
    }

    /// What a change of rules would have done to the calls that were made.
    pub struct SimulatedCallRules {
        pub since: DateTime<Utc>,
        /// Calls since then, refused ones among them.
        pub recorded: u64,
        /// The newest of them, which were looked at.
        pub looked_at: u64,
        /// How many of those would have come out otherwise.
        pub changed: u64,
        /// How many hinge on what is not kept of a call.
        pub unclear: u64,
        /// What that is (`call.arguments`).
        pub not_kept: Vec<String>,
        /// Those that would have come out otherwise, by who made them, where and with what; the most
        /// first.
        pub changes: Vec<SimulatedCalls>,
        /// How many more of such lines there are.
        pub more: u32,
    }

    /// Calls of one person or program, which would have come out otherwise.
    pub struct SimulatedCalls {
        /// `user:<id>`, `service_account:<slug>`, or `token:<id>` for a team's own.
        pub subject: String,
        pub subject_name: String,
        /// `org`, `team:<slug>` or `project:<slug>`.
        pub scope: String,
        pub model: String,
        /// By the rules of today.
        pub before: CallEffect,
        pub after: CallEffect,
        /// The rule that would decide; absent where it is the draft or the default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rule: Option<CallRuleId>,
        /// Its name; absent where it is the default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub rule_name: Option<String>,
        pub calls: u64,
        /// What they cost.
        pub cost: Money,
        pub last_call: DateTime<Utc>,
    }

    /// One rule, and whether it is about a call.
    pub struct TestedRule {
        /// Absent for the draft.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub id: Option<CallRuleId>,
        pub name: String,
        pub effect: CallEffect,
        pub matched: bool,
        /// Why it is, or is not.
        pub why: String,
    }
}

crate::request! {
    #[derive(PartialEq)]
    pub struct NewCallRule {
        pub name: Name,
        #[serde(default)]
        pub description: String,
        /// `org`, `team:<slug>` or `project:<slug>`; `org` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scope: Option<String>,
        pub effect: CallEffect,
        /// `call` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub phase: Option<CallPhase>,
        /// `["*"]` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub actions: Option<Vec<String>>,
        /// `["*"]` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub resources: Option<Vec<String>>,
        /// `user:<id or e-mail>`, `group:<slug or id>`, `service_account:<slug or id>`,
        /// `token:<id>`, `role:<name>`; everybody when absent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub subjects: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub condition: Option<String>,
        #[serde(default)]
        pub message: String,
        /// True when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
    }

    /// A change; absent fields stay. Where a rule holds stays as it is.
    #[derive(Default)]
    pub struct UpdateCallRule {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub name: Option<Name>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub description: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub effect: Option<CallEffect>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub phase: Option<CallPhase>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub actions: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub resources: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub subjects: Option<Vec<String>>,
        /// Null takes the condition away.
        #[serde(default, deserialize_with = "crate::given", skip_serializing_if = "Option::is_none")]
        pub condition: Option<Option<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub message: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub enabled: Option<bool>,
    }

    /// What is to hold where no rule is about a call.
    pub struct SetCallRuleSettings {
        pub default_effect: CallEffect,
    }

    /// A change of rules as it is thought of. With both, the draft stands in for what is taken away.
    #[derive(Default, PartialEq)]
    pub struct SimulateCallRules {
        /// A rule that there would be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub draft: Option<NewCallRule>,
        /// Rules that there would be no more.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub without: Vec<CallRuleId>,
        /// What would hold where no rule is about a call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub default_effect: Option<CallEffect>,
        /// Calls of so many last days; 30 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub days: Option<u32>,
        /// So many lines at most, 100 when absent; the numbers are of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub limit: Option<u32>,
    }

    /// A call to try the rules on. Nothing is called, recorded or kept.
    #[derive(Default)]
    pub struct TestCallRules {
        /// A call that was made: its model, caller, place, labels and time are taken, as far as they
        /// are not given here. What its body said is not kept, so give its arguments.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub call: Option<CallId>,
        /// `model.call.generate` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub action: Option<String>,
        /// By its name here; its provider and the provider's own name for it are looked up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub model: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub provider: Option<String>,
        /// `org`, `team:<slug>` or `project:<slug>`; `org` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub scope: Option<String>,
        /// Whose call: `user:<id or e-mail>` or `service_account:<slug or id>`; one's own when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub subject: Option<String>,
        /// The fields of its body, without what is said in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<Object>))]
        pub arguments: Option<Map<String, Value>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub labels: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub tags: Option<Vec<String>>,
        /// When; now when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub at: Option<DateTime<Utc>>,
        /// What its budgets have left, in millionths of a US dollar; no budget when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub budget_left: Option<i64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub budget_left_percent: Option<f64>,
        /// Try this one beside those that are set up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub draft: Option<NewCallRule>,
    }
}

/// Which rules to list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
pub struct CallRulesQuery {
    /// `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many items, 1 to 500; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<CallEffect>,
    /// Those that are about lists, about calls, or about both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<CallPhase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Those at this scope and below: `org`, `team:<slug>` or `project:<slug>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}
