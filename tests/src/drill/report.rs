//! What the drill came to.

use std::collections::BTreeMap;

use ralex_kernel::Money;
use serde::Serialize;

use super::violence::Done;

/// Everything that must be nothing, each with some examples.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Faults {
    /// A budget above its limit, as the observer saw it.
    pub overspent: Vec<String>,
    /// More or less leased than nodes have in hand.
    pub leases_off: Vec<String>,
    /// Held or leased when all is quiet.
    pub still_held: Vec<String>,
    /// Spent is not the sum of what calls cost, with what was lost.
    pub budget_drift: Vec<String>,
    pub answered_without_record: Vec<String>,
    /// A call without its beginning, its one end, or with two of them.
    pub records_wrong: Vec<String>,
    pub cost_told_differs: Vec<String>,
    pub cost_differs_from_usage: Vec<String>,
    /// The provider served more than was counted.
    pub counted_too_little: Vec<String>,
    pub upstream_without_record: Vec<String>,
    /// Refused though there was money; a few are let pass, see [`Report::is_good`].
    pub false_blocks: Vec<String>,
    /// Nodes that ended by themselves.
    pub ended: Vec<String>,
    /// What did not come to rest, or could not be read.
    pub not_quiet: Vec<String>,
}

/// Amounts and counts beside those of [`Report`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sums {
    pub spent: Money,
    pub overrun: Money,
    /// In the hands of nodes that were killed, and so counted as spent.
    pub adjusted: Money,
    /// Of it, calls that a provider got without a record: how many, and what they came to.
    pub upstream_unrecorded: u64,
    pub unrecorded_billed: Money,
    /// What calls are counted at whose node died, which is the most that they may have cost.
    pub lost_at_worst_case: Money,
    pub upstream_billed: Money,
    /// The same without what it told beyond what was allowed.
    pub upstream_fair: Money,
    /// Told beyond what was allowed, when nobody listened any more.
    pub over_reported_unheard: Money,
    /// Calls that their callers hung up on, and that are counted, as an estimate, at less than the
    /// provider sent before it noticed.
    pub canceled_below: u64,
    pub canceled_below_by: Money,
    /// Calls given up for lost whose node lived, and told the truth later.
    pub corrected: u64,
    /// Refusals where there was not enough left.
    pub refused_rightly: u64,
    /// Those where there was enough only with what dead nodes had in hand, which they may have spent.
    pub refused_for_the_dead: u64,
    /// Those of which nobody noted what was left.
    pub refusals_unexplained: u64,
}

/// What was done and found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub seed: u64,
    pub nodes: u32,
    pub callers: u32,
    /// Of violence, and until all was quiet again.
    pub seconds: f64,
    pub seconds_to_rest: f64,
    pub done: Done,
    pub starts: usize,
    pub failed_starts: u32,
    pub mean_start: f64,
    pub longest_start: f64,
    pub sent: usize,
    pub answered_whole: usize,
    pub answered_in_part: usize,
    pub hung_up: usize,
    pub gave_up: usize,
    pub no_answer: usize,
    /// Other answers than 200, by status.
    pub statuses: BTreeMap<u16, usize>,
    pub upstream_requests: usize,
    pub calls: usize,
    pub calls_by_state: BTreeMap<String, usize>,
    pub events: usize,
    pub looks: u64,
    pub observations: u64,
    pub observed_exhausted: u64,
    pub overspend: Money,
    pub most_held: Money,
    pub most_leased: Money,
    pub false_block_percent: f64,
    pub sums: Sums,
    pub budgets_verify: String,
    pub audit_verify: String,
    pub faults: Faults,
}

/// So many of a hundred calls may be refused falsely.
const FALSE_BLOCKS: f64 = 0.1;

impl Report {
    /// The names of all that does not hold.
    pub fn broken(&self) -> Vec<&'static str> {
        let mut broken: Vec<_> = self.faults.all().into_iter().collect();
        broken.retain(|(name, found)| {
            let few = *name == Faults::FALSE_BLOCKS && self.false_block_percent < FALSE_BLOCKS;
            !found.is_empty() && !few
        });
        let mut names: Vec<_> = broken.into_iter().map(|(name, _)| name).collect();
        for (name, said) in
            [("budgets verify", &self.budgets_verify), ("audit verify", &self.audit_verify)]
        {
            if !said.starts_with("good") {
                names.push(name);
            }
        }
        names
    }

    /// Whether everything holds.
    pub fn is_good(&self) -> bool {
        self.broken().is_empty()
    }
}

impl Faults {
    const FALSE_BLOCKS: &'static str = "calls refused though there was money";

    pub(super) fn all(&self) -> [(&'static str, &[String]); 13] {
        [
            ("budgets above their limits", &self.overspent),
            ("budgets whose leases are not what nodes have in hand", &self.leases_off),
            ("budgets that hold or lease when all is quiet", &self.still_held),
            ("budgets that drifted from their calls", &self.budget_drift),
            ("calls answered without record", &self.answered_without_record),
            ("calls without their one beginning and one end", &self.records_wrong),
            ("costs told other than recorded", &self.cost_told_differs),
            ("costs other than the provider's usage", &self.cost_differs_from_usage),
            ("calls counted at less than was served", &self.counted_too_little),
            ("provider's requests neither recorded nor covered", &self.upstream_without_record),
            (Self::FALSE_BLOCKS, &self.false_blocks),
            ("nodes that ended by themselves", &self.ended),
            ("things that did not come to rest", &self.not_quiet),
        ]
    }
}
