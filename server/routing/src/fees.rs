//! Fees of tools that a provider runs, besides tokens and the unit of a model's price: a vendor's list
//! prices, from the files of `policies/models`.

use ralex_kernel::Money;
use ralex_providers::ToolUse;
use serde::Deserialize;

/// What a vendor takes for one of each; nothing where it takes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fees {
    /// A gigabyte of a container that code runs in.
    pub container_gigabyte: Money,
    pub code_run: Money,
    /// A search in the files of a call.
    pub file_search: Money,
    /// An answer that is grounded in searches, however many.
    pub grounded_answer: Money,
}

impl Fees {
    /// Each that is taken, by what it is for.
    pub fn taken(&self) -> impl Iterator<Item = (&'static str, Money)> {
        let all = [
            ("gigabyte of a container", self.container_gigabyte),
            ("run of code", self.code_run),
            ("search in files", self.file_search),
            ("grounded answer", self.grounded_answer),
        ];
        all.into_iter().filter(|(_, fee)| fee.is_positive())
    }

    /// What so much use of tools costs; of at most so much, what it costs at most.
    pub fn of(&self, used: &ToolUse) -> Money {
        let parts = [
            (self.container_gigabyte, used.container_gigabytes),
            (self.code_run, used.code_runs),
            (self.file_search, used.file_searches),
            (self.grounded_answer, used.grounded_answers),
        ];
        parts.into_iter().map(|(fee, count)| crate::price::times(fee, count)).sum()
    }
}

#[cfg(test)]
mod tests {
    use crate::Catalogue;

    use super::*;

    #[test]
    fn each_vendor_s_tools_cost_what_it_takes_for_them() {
        let catalogue = Catalogue::built_in().unwrap();
        let used =
            ToolUse { container_gigabytes: 4, code_runs: 2, file_searches: 1, grounded_answers: 1 };
        for (kind, model, dollars) in [
            ("openai", "gpt-6.1-sol", "0.12"),
            ("openai", "a name that no file has", "0.12"),
            ("xai", "grok-4.7", "0.02"),
            ("gemini", "gemini-2.5-pro", "0.035"),
            ("gemini", "gemini-3.8-flash", "0"),
            ("mistral", "mistral-large-latest", "0"),
        ] {
            let fees = catalogue.fees(&kind.parse().unwrap(), model);
            assert_eq!(fees.of(&used), dollars.parse().unwrap(), "{kind}/{model}");
            assert_eq!(fees.of(&ToolUse::default()), Money::ZERO);
        }
    }
}
