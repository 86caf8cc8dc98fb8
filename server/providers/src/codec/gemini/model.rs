//! What Google's models of different ages take, told by their names.

/// A name, judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Model {
    age: Age,
    /// The large models cannot stop thinking.
    pro: bool,
    flash: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// Before models thought: Gemini 1 and 2.0, and Gemma.
    Plain,
    /// Gemini 2.5: counts the tokens of its thoughts.
    Budgets,
    /// Gemini 3 and what comes after: has levels of thinking, and demands proofs of its calls.
    Levels,
}

impl Model {
    /// A name that nobody knows is taken for a new one.
    pub fn named(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let old = ["gemini-1", "gemini-2.0", "gemini-pro", "gemma", "learnlm"];
        let age = if old.iter().any(|old| name.starts_with(old)) {
            Age::Plain
        } else if name.starts_with("gemini-2") {
            Age::Budgets
        } else {
            Age::Levels
        };
        Self { age, pro: name.contains("pro"), flash: name.contains("flash") }
    }

    /// A call in the conversation needs a proof.
    pub fn demands_proofs(self) -> bool {
        self.age == Age::Levels
    }

    /// A tool's result may hold images.
    pub fn sees_results(self) -> bool {
        self.age == Age::Levels
    }

    /// Calls can be bound to their tools' schemas while the model may still answer.
    pub fn validates_calls(self) -> bool {
        self.age != Age::Plain
    }

    pub fn thinks(self) -> bool {
        self.age != Age::Plain
    }

    /// The level of an effort, for models that have levels.
    pub fn level(self, effort: &str) -> Option<&'static str> {
        let level = match effort {
            "none" | "minimal" if self.flash => "MINIMAL",
            "none" | "minimal" | "low" => "LOW",
            "medium" => "MEDIUM",
            _ => "HIGH",
        };
        (self.age == Age::Levels).then_some(level)
    }

    /// The tokens of an effort, for models that count; Google's own table.
    pub fn budget(self, effort: &str) -> u64 {
        match effort {
            "none" if self.pro => 128,
            "none" => 0,
            "minimal" | "low" => 1024,
            "medium" => 8192,
            _ => 24_576,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_name_tells_what_it_takes() {
        assert!(Model::named("gemini-3-pro-preview").demands_proofs());
        assert!(Model::named("models/gemini-3.5-flash").demands_proofs());
        assert!(Model::named("gemini-flash-latest").demands_proofs());
        assert!(!Model::named("gemini-2.5-pro").demands_proofs());
        assert!(!Model::named("publishers/google/models/gemini-2.0-flash").thinks());
        assert_eq!(Model::named("gemini-3-flash").level("none"), Some("MINIMAL"));
        assert_eq!(Model::named("gemini-3.1-pro").level("none"), Some("LOW"));
        assert_eq!(Model::named("gemini-2.5-flash").level("high"), None);
        assert_eq!(Model::named("gemini-2.5-pro").budget("none"), 128);
    }
}
