//! Judging: what becomes of a call, by the rules alone.

use std::sync::Arc;

use cel::Context;
use ralex_api::call_rules::CallEffect;
use ralex_api::guardrails::{Action, Direction, Noted};
use ralex_audit::RuleApplied;
use ralex_kernel::{ApprovalId, Code, Problem};
use sha2::{Digest, Sha256};

use crate::call::{Call, Phase};
use crate::facts;
use crate::ruleset::{Asked, Compiled, Rules};

/// A rule that is about a call.
#[derive(Clone, Debug)]
pub struct Applied {
    pub rule: Arc<Compiled>,
    /// Why its condition could not be evaluated, where it counts only for that.
    pub failed: Option<String>,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub effect: CallEffect,
    /// The rule that denies, all that ask, or the one that allows; none where it is the default.
    pub by: Vec<Applied>,
}

/// Denying goes before asking, asking before allowing, and whatever was found before the default.
///
/// Pure: the same rules and the same call give the same verdict, in whatever order the rules came.
pub fn judge(rules: &Rules, call: &Call<'_>) -> Verdict {
    let phase = Phase::of(call.action);
    let mut context: Option<Context<'static, 'static>> = None;
    weigh(rules, phase, |rule| {
        let asked = rule.is_about(call, phase).then(|| {
            let make = || facts::context(call, rules.place(call.at), |name| rules.reads(name));
            rule.holds(|| &*context.get_or_insert_with(make))
        });
        counts(asked, rule.effect())
    })
}

/// What becomes of a call about which each rule says whether it counts, and why it does all the same
/// where its condition could not be evaluated.
pub(crate) fn weigh(
    rules: &Rules,
    phase: Phase,
    mut counts: impl FnMut(&Compiled) -> Option<Option<String>>,
) -> Verdict {
    let mut asking: Vec<Applied> = Vec::new();
    // They stand in order: those that deny, those that ask, those that allow.
    for rule in rules.entries() {
        let effect = rule.effect();
        if !asking.is_empty() && effect == CallEffect::Allow {
            break;
        }
        if phase == Phase::List && effect == CallEffect::Ask {
            continue;
        }
        let Some(failed) = counts(rule) else { continue };
        let applied = Applied { rule: Arc::clone(rule), failed };
        match effect {
            CallEffect::Ask => asking.push(applied),
            CallEffect::Deny | CallEffect::Allow => return Verdict { effect, by: vec![applied] },
        }
    }
    if !asking.is_empty() {
        return Verdict { effect: CallEffect::Ask, by: asking };
    }
    let effect = match (phase, rules.default_effect()) {
        // Nobody is asked about what is shown.
        (Phase::List, CallEffect::Ask) => CallEffect::Allow,
        (Phase::List | Phase::Call, effect) => effect,
    };
    Verdict { effect, by: Vec::new() }
}

/// Whether a rule counts, and why it failed where it counts for that: a rule that would stop a call
/// stops it where nobody can tell, one that would let it pass does not.
#[expect(clippy::option_option, reason = "whether it counts, and why it does all the same")]
pub(crate) fn counts(asked: Option<Asked>, effect: CallEffect) -> Option<Option<String>> {
    match asked? {
        Asked::Holds => Some(None),
        Asked::HoldsNot => None,
        Asked::Failed(why) => {
            let label = effect.as_str();
            metrics::counter!("ralex_call_rule_failures_total", "effect" => label).increment(1);
            (effect != CallEffect::Allow).then_some(Some(why))
        }
    }
}

impl Verdict {
    /// What the caller is told of a denial.
    pub fn refusal(&self) -> Problem {
        let detail = self.said("denies this call", "No rule of your organisation allows this call");
        Problem::new(Code::CallDenied, format!("{detail} Ask for something else, or ask an admin."))
    }

    /// What the caller is told while a person is asked.
    pub fn question(&self) -> Problem {
        let otherwise = "No rule of your organisation allows this call by itself";
        let detail = self.said("wants a person to approve this call", otherwise);
        Problem::new(Code::ApprovalRequired, detail)
    }

    fn said(&self, does: &str, otherwise: &str) -> String {
        let Some(first) = self.by.first() else { return format!("{otherwise}.") };
        let mut said =
            format!("The call rule \"{}\" ({}) {does}", first.rule.name(), first.rule.id());
        if !first.rule.message().is_empty() {
            said = format!("{said}: {}", first.rule.message());
        }
        if !said.ends_with(['.', '!', '?']) {
            said.push('.');
        }
        if let Some(why) = &first.failed {
            said = format!("{said} It counts because its condition {why}.");
        }
        said
    }

    /// For the record of the call.
    pub fn noted(&self, approval: Option<ApprovalId>) -> Vec<Noted> {
        let action = match self.effect {
            CallEffect::Deny => Action::Block,
            CallEffect::Ask => Action::Ask,
            CallEffect::Allow => Action::Flag,
        };
        let of = |rule: String, name: String| Noted {
            rule,
            name,
            action,
            direction: Direction::In,
            guardrail: None,
            count: 1,
            approval,
        };
        if self.by.is_empty() && self.effect != CallEffect::Allow {
            let name = format!("No rule is about it: {}", self.effect.as_str());
            return vec![of("call_rule.default".to_owned(), name)];
        }
        let by = self.by.iter().map(|applied| {
            let failed = applied.failed.as_ref().map(|why| format!(" (its condition {why})"));
            let name = format!("{}{}", applied.rule.name(), failed.unwrap_or_default());
            of(format!("call_rule.{}", applied.rule.id()), name)
        });
        by.collect()
    }

    /// For the audit log.
    pub fn applied(&self, approval: Option<ApprovalId>) -> Vec<RuleApplied> {
        let by = self.by.iter().map(|applied| RuleApplied {
            call_rule: applied.rule.id(),
            name: applied.rule.name().to_owned(),
            effect: applied.rule.effect().as_str(),
            failed: applied.failed.is_some(),
            approval,
        });
        by.collect()
    }

    /// What a decision of a person is bound to: these rules, as they are.
    pub fn stamp(&self) -> Vec<u8> {
        let mut stamp = Sha256::new_with_prefix(b"call rules\n");
        for applied in &self.by {
            stamp.update(format!("{} {}\n", applied.rule.id(), applied.rule.version()));
        }
        stamp.finalize().to_vec()
    }
}
