//! What is recorded of alerts: who is told of what, and who took one on. That an alert was raised
//! is no event of its own: it comes from one, or from figures that are there already.

use ralex_kernel::{AlertId, AlertRuleId, Name};
use serde::Serialize;

/// Something that a person did about alerts.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "action", content = "detail")]
pub enum AlertEvent {
    /// Channels as `email ada@example.com`, and of a webhook only who is reached.
    #[serde(rename = "alert_rule.created")]
    RuleCreated {
        rule: AlertRuleId,
        name: Name,
        scope: String,
        kinds: Vec<&'static str>,
        least_severity: &'static str,
        channels: Vec<String>,
        quiet: bool,
        enabled: bool,
    },
    #[serde(rename = "alert_rule.updated")]
    RuleUpdated {
        rule: AlertRuleId,
        name: Name,
        scope: String,
        kinds: Vec<&'static str>,
        least_severity: &'static str,
        channels: Vec<String>,
        quiet: bool,
        enabled: bool,
    },
    #[serde(rename = "alert_rule.deleted")]
    RuleDeleted { rule: AlertRuleId, name: Name },
    #[serde(rename = "alert_rule.tested")]
    RuleTested { rule: AlertRuleId, delivered: u32, failed: u32 },
    #[serde(rename = "alert.acknowledged")]
    Acknowledged { alert: AlertId },
    #[serde(rename = "alert.resolved")]
    Resolved { alert: AlertId },
}

impl AlertEvent {
    pub(crate) fn target(&self) -> String {
        match self {
            Self::RuleCreated { rule, .. }
            | Self::RuleUpdated { rule, .. }
            | Self::RuleDeleted { rule, .. }
            | Self::RuleTested { rule, .. } => format!("alert_rule:{rule}"),
            Self::Acknowledged { alert } | Self::Resolved { alert } => format!("alert:{alert}"),
        }
    }
}
