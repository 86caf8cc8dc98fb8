//! Whose model it is, as far as that changes what may be sent to it, and how it is made to think.

use serde_json::{Value, json};

use crate::ir::Reasoning;

/// A vendor's models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Anthropic,
    /// Amazon's own.
    Nova,
    /// OpenAI's open ones.
    OpenWeight,
    Other,
}

impl Family {
    /// From a model's id, its inference profile's (`us.anthropic.…`) or its ARN. An application's
    /// own profile does not tell; it is treated as the form alone allows.
    pub fn of(model: &str) -> Self {
        if model.contains("anthropic.") {
            Self::Anthropic
        } else if model.contains("amazon.nova") {
            Self::Nova
        } else if model.contains("openai.gpt-oss") {
            Self::OpenWeight
        } else {
            Self::Other
        }
    }
}

/// Claude's models up to 4.5 know a budget of thought and neither efforts nor their own measure.
pub(super) fn thinks_by_budget(model: &str) -> bool {
    ["claude-3-", "claude-opus-4-2025", "claude-sonnet-4-2025", "claude-opus-4-1", "-4-5-2025"]
        .iter()
        .any(|part| model.contains(part))
}

/// Claude's field `thinking`. A budget must be at least 1,024 and leave room to answer.
pub(super) fn thinking(model: &str, asked: &Reasoning, max_output: u64) -> Option<Value> {
    let usual = match asked.effort.as_deref() {
        Some("minimal" | "low") => 2048,
        None | Some("medium") => 8192,
        Some(_) => 16_384,
    };
    let budget = asked.budget.or(thinks_by_budget(model).then_some(usual));
    match budget {
        None => Some(json!({ "type": "adaptive" })),
        Some(budget) if max_output > 1024 => {
            let budget = budget.clamp(1024, max_output - 1);
            Some(json!({ "type": "enabled", "budget_tokens": budget }))
        }
        Some(_) => None,
    }
}

/// Claude knows five efforts, of which `minimal` is none.
pub(super) fn effort_of_claude(effort: &str) -> String {
    if effort == "minimal" { "low".to_owned() } else { effort.to_owned() }
}

/// Nova's highest effort refuses a maximum of output, without which nothing could be held.
pub(super) fn effort_of_nova(effort: Option<&str>) -> &'static str {
    match effort {
        Some("minimal" | "low") => "low",
        Some(_) | None => "medium",
    }
}

pub(super) fn effort_of_three(effort: Option<&str>) -> &'static str {
    match effort {
        Some("minimal" | "low") => "low",
        None | Some("medium") => "medium",
        Some(_) => "high",
    }
}
