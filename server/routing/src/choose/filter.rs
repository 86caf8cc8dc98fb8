//! What keeps a model from answering a call.

use ralex_api::catalog::{ModelCapability, ModelOperation};
use ralex_api::routing::{LeftOut, Refusal};
use ralex_kernel::{Code, Problem};

use super::pick::Sight;
use crate::book::Entry;
use crate::breaker::{Place, State};
use crate::plan::Plan;
use crate::traits::Traits;

/// How many reasons a problem names.
const NAMED: usize = 3;

impl Sight<'_> {
    /// What keeps a model from being used at all by this caller for this data.
    pub(super) fn forbids(&self, plan: &Plan, named: bool) -> Option<(Refusal, String)> {
        let question = self.question;
        if !named && !self.allowed(&plan.name) {
            return Some((Refusal::NotAllowed, "the token may not use it".to_owned()));
        }
        if self.wishes.banned.contains(&plan.name) {
            return Some((Refusal::Banned, "it is banned here".to_owned()));
        }
        let traits = Traits(plan);
        let asked: Vec<String> = question.residency.iter().map(|&place| place.to_owned()).collect();
        for places in [&asked, &self.wishes.residency] {
            if !traits.resides_in(places) {
                let told = format!("it is not known to run in {}", places.join(" or "));
                return Some((Refusal::Residency, told));
            }
        }
        let refused =
            traits.refuses(question.labels).or_else(|| traits.refuses(&self.wishes.labels));
        refused.map(|label| (Refusal::Labels, format!("it may not see data labelled {label}")))
    }

    /// What keeps a model from answering this call, where there is a choice.
    pub(super) fn unfit(&self, entry: &Entry, named: bool) -> Option<(Refusal, String)> {
        let plan = &entry.plan;
        if !entry.is_on() {
            return Some((Refusal::SwitchedOff, "it or its provider is switched off".to_owned()));
        }
        self.forbids(plan, named).or_else(|| self.incapable(plan)).or_else(|| self.too_much(plan))
    }

    fn incapable(&self, plan: &Plan) -> Option<(Refusal, String)> {
        let (sample, traits) = (&self.question.sample, Traits(plan));
        let operation = self.question.operation;
        if !traits.answers(operation) {
            return Some((Refusal::Operation, format!("it does no {}", operation.as_str())));
        }
        if operation != ModelOperation::Generate {
            return None;
        }
        let lacks = [
            (
                !sample.tools.is_empty() && !traits.can(ModelCapability::Tools),
                Refusal::Tools,
                "it calls no tools",
            ),
            (sample.images > 0 && !traits.sees(), Refusal::Vision, "it reads no images"),
            (sample.audio > 0 && !traits.hears(), Refusal::Audio, "it takes no audio"),
            (
                sample.structured && !traits.can(ModelCapability::JsonSchema),
                Refusal::Structured,
                "it keeps to no schema",
            ),
            (
                sample.reasoning && !traits.can(ModelCapability::Reasoning),
                Refusal::Reasoning,
                "it does not reason",
            ),
        ];
        let lack = lacks.into_iter().find(|(lack, ..)| *lack);
        lack.map(|(_, why, told)| (why, told.to_owned()))
    }

    fn too_much(&self, plan: &Plan) -> Option<(Refusal, String)> {
        let wanted = self.question.sample.max_output.unwrap_or(1);
        if wanted > u64::from(plan.max_output) && plan.max_output > 0 {
            let told = format!("it answers with {} tokens at most", plan.max_output);
            return Some((Refusal::Output, told));
        }
        // The bound of the input is an upper one: a model is left out for what was counted.
        let input = self.counted();
        if input.saturating_add(wanted) > u64::from(plan.context_window) {
            let told = format!("its window is {} tokens", plan.context_window);
            return Some((Refusal::Window, told));
        }
        let left = self.question.budget_left?;
        let output = self.question.sample.max_output.unwrap_or(1);
        let most = plan.worst_case(input, output);
        (most > left).then(|| (Refusal::Budget, "the budget has not enough left for it".to_owned()))
    }

    fn counted(&self) -> u64 {
        match self.question.sample.input_tokens {
            0 => self.task.input_tokens,
            counted => counted,
        }
    }

    /// True while its circuit, or its provider's, is open.
    pub(super) fn ill(&self, plan: &Plan) -> bool {
        let place = Place { org: self.org, provider: plan.provider, model: plan.model, key: None };
        self.breakers.state(&place) == State::Open
    }

    /// Whether the token's list has the name.
    pub(super) fn allowed(&self, name: &str) -> bool {
        self.question.allowed.is_none_or(|names| names.iter().any(|allowed| allowed == name))
    }
}

/// Why a route has nobody for a call.
pub(super) fn nobody(asked: &str, left_out: &[LeftOut]) -> Problem {
    let rights = |why: Refusal| match why {
        Refusal::NotAllowed | Refusal::Banned | Refusal::Residency | Refusal::Labels => true,
        Refusal::SwitchedOff
        | Refusal::Window
        | Refusal::Output
        | Refusal::Operation
        | Refusal::Tools
        | Refusal::Vision
        | Refusal::Audio
        | Refusal::Structured
        | Refusal::Reasoning
        | Refusal::Health
        | Refusal::Budget
        | Refusal::Degraded => false,
    };
    let away = |out: &LeftOut| matches!(out.why, Refusal::SwitchedOff | Refusal::Health);
    let code = if left_out.is_empty() {
        Code::ModelNotFound
    } else if left_out.iter().any(|out| out.why == Refusal::Budget) {
        Code::BudgetExhausted
    } else if left_out.iter().all(|out| rights(out.why)) {
        Code::ModelNotAllowed
    } else if left_out.iter().any(away) {
        Code::ProviderNotReady
    } else {
        Code::Unsupported
    };
    let reasons: Vec<String> =
        left_out.iter().take(NAMED).map(|out| format!("{}: {}", out.model, out.detail)).collect();
    let more = left_out.len() - reasons.len();
    let told = match (reasons.as_slice(), more) {
        ([], _) => "there are no models yet".to_owned(),
        (reasons, 0) => reasons.join("; "),
        (reasons, more) => format!("{}; and {more} more", reasons.join("; ")),
    };
    Problem::new(code, format!("No model can answer this call to \u{201c}{asked}\u{201d}: {told}."))
}
