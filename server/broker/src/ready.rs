//! A candidate made ready: its request written, its keys found, its worst case known.

use std::sync::Arc;

use ralex_budgets::Charge;
use ralex_kernel::{Code, Money, OrgId, Problem};
use ralex_providers::{Inbound, Operation, Prepared, prepare};
use ralex_routing::breaker::Place;
use ralex_routing::{Bound, Plan};
use ralex_vault::KeyRef;

use crate::Parts;
use crate::choice::{Candidate, Chosen};
use crate::keys::Keys;

/// Everything that a try needs but the key's value.
pub(crate) struct Ready {
    pub plan: Arc<Plan>,
    /// In the order in which to use them; none where none is needed.
    pub keys: Vec<KeyRef>,
    pub prepared: Prepared,
    pub worst_case: Money,
    /// How much it can use at most.
    pub bound: Bound,
    pub reason: String,
    /// Its place in the choice.
    pub at: usize,
}

impl Ready {
    pub fn key(&self, index: Option<usize>) -> Option<&KeyRef> {
        self.keys.get(index?)
    }

    /// The most that it costs with no more than so many tokens of output.
    pub fn within(&self, output_tokens: u64) -> Money {
        let bound = Bound { output_tokens, ..self.bound };
        let tools = self.plan.fees.of(&self.prepared.worst_tools());
        self.worst_case.min(self.plan.worst_case_within(&bound) + tools)
    }

    /// Whether a budget counts what is spent here.
    pub fn counts_on(&self, charge: &Charge) -> bool {
        charge.counts(self.plan.model, self.plan.provider)
    }

    pub fn place(&self, org: OrgId, key: Option<usize>) -> Place {
        let key = self.key(key).map(|key| key.secret);
        Place { org, provider: self.plan.provider, model: self.plan.model, key }
    }
}

/// Makes all candidates ready that can be; where none can, says why of the first.
pub(crate) async fn all(
    parts: &Parts,
    keys: &Keys,
    org: OrgId,
    inbound: &Inbound,
    input: u64,
    chosen: &Chosen,
) -> Result<Vec<Arc<Ready>>, Problem> {
    let (mut ready, mut refused) = (Vec::with_capacity(chosen.candidates.len()), None);
    for (at, candidate) in chosen.candidates.iter().enumerate() {
        match one(parts, keys, org, inbound, input, candidate).await {
            Ok(one) => ready.push(Arc::new(Ready { at, ..one })),
            Err(problem) => drop(refused.get_or_insert(problem)),
        }
    }
    match refused {
        Some(problem) if ready.is_empty() => Err(problem),
        Some(_) | None if !ready.is_empty() => Ok(ready),
        Some(_) | None => Err(Problem::new(Code::Internal, "No model was chosen.")),
    }
}

/// Leaves out whom the budgets have not enough left for. Where that is everybody, nobody is left
/// out: the hold refuses the call, and records it.
pub(crate) fn affordable(ready: Vec<Arc<Ready>>, left: Option<Money>) -> Vec<Arc<Ready>> {
    let Some(left) = left else { return ready };
    let fits = |one: &Arc<Ready>| one.worst_case <= left;
    if ready.iter().any(fits) { ready.into_iter().filter(fits).collect() } else { ready }
}

async fn one(
    parts: &Parts,
    keys: &Keys,
    org: OrgId,
    inbound: &Inbound,
    input: u64,
    candidate: &Candidate,
) -> Result<Ready, Problem> {
    let plan = &candidate.plan;
    let located = match &plan.origin {
        Some(origin) => parts.vault.locate_all(org, plan.provider, origin).await?,
        None => Vec::new(),
    };
    if located.is_empty() && plan.needs_key {
        return Err(plan.key_missing());
    }
    let prepared = prepare(inbound, &plan.target, parts.default_max_output)?;
    let bound = bound(inbound, input, &prepared, plan);
    // What costs nothing needs nothing left in a budget.
    let free = inbound.operation().is_free();
    let worst_case = if free {
        Money::ZERO
    } else {
        plan.worst_case_within(&bound) + plan.fees.of(&prepared.worst_tools())
    };
    Ok(Ready {
        plan: Arc::clone(plan),
        keys: keys.order(located),
        worst_case,
        bound: if free { Bound::tokens(0, 0) } else { bound },
        prepared,
        reason: candidate.reason.clone(),
        at: 0,
    })
}

/// How much a call can use at most.
pub(crate) fn bound(inbound: &Inbound, input: u64, prepared: &Prepared, plan: &Plan) -> Bound {
    // A provider refuses more input than the window, so no more can be billed; but what is
    // embedded or ranked is many inputs in one.
    let generates = inbound.operation() == Operation::Generate;
    let input = input.min(prepared.input_tokens());
    let input = if generates { input.min(u64::from(plan.context_window)) } else { input };
    let output = prepared.max_output().min(u64::from(plan.max_output).max(1));
    Bound {
        input_tokens: input,
        output_tokens: output.saturating_mul(inbound.answers()),
        units: prepared.worst_units(),
        // Anthropic writes for an hour only where it is told to.
        may_cache_for_an_hour: inbound.mentions("1h"),
        may_hold_audio: !generates || inbound.mentions("audio"),
    }
}
