//! Rules for tests.

use ralex_api::guardrails::{Action, Direction, Severity};

use crate::rule::{Matcher, Rule, Trigger};

pub(crate) fn rule(pattern: &str) -> Rule {
    Rule {
        id: format!("test.{pattern}").into(),
        name: pattern.to_owned(),
        severity: Severity::Medium,
        action: Action::Redact,
        direction: Direction::Both,
        label: "TEST".to_owned(),
        weight: None,
        on_by_default: true,
        trigger: Trigger::Always,
        checksum: None,
        entropy: None,
        allow: Vec::new(),
        matcher: Matcher::pack(pattern, true, None).unwrap(),
    }
}
