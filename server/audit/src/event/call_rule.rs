//! What is recorded of call rules: who made which, and which one decided about a call.

use ralex_kernel::{ApprovalId, CallRuleId, Name, OrgId};
use serde::Serialize;

/// Something that a person did about call rules. Conditions are recorded as they are written: they
/// name models, labels and hours, and have no place for a secret.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum CallRuleEvent {
    #[serde(rename = "call_rule.created")]
    Created {
        call_rule: CallRuleId,
        scope: String,
        #[serde(flatten)]
        said: CallRuleSaid,
    },
    #[serde(rename = "call_rule.updated")]
    Updated {
        call_rule: CallRuleId,
        version: u64,
        #[serde(flatten)]
        said: CallRuleSaid,
    },
    #[serde(rename = "call_rule.deleted")]
    Deleted { call_rule: CallRuleId, name: Name, effect: &'static str, scope: String },
    #[serde(rename = "call_rule.configured")]
    Configured { org: OrgId, default_effect: &'static str, before: &'static str },
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallRuleSaid {
    pub name: Name,
    pub effect: &'static str,
    pub phase: &'static str,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub subjects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    pub enabled: bool,
}

/// That a rule was about a call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleApplied {
    pub call_rule: CallRuleId,
    pub name: String,
    pub effect: &'static str,
    /// Whether it counts only because its condition could not be evaluated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What a person approved, where the rule asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
}

impl CallRuleEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::Created { call_rule, .. }
            | Self::Updated { call_rule, .. }
            | Self::Deleted { call_rule, .. } => format!("call_rule:{call_rule}"),
            Self::Configured { org, .. } => format!("org:{org}"),
        }
    }
}
