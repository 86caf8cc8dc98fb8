//! Thrift: dear models are left out of a route where a budget of the call asks for that.

use ralex_api::routing::{LeftOut, Refusal};
use ralex_kernel::Money;

use super::pick::{Placed, Sight};

impl Sight<'_> {
    /// Leaves out what is expected to cost many times what the cheapest of them costs. The cheapest
    /// always stays, so that nobody is refused for thrift.
    pub(super) fn spare(&self, placed: &mut Vec<Placed>, left_out: &mut Vec<LeftOut>) {
        let Some(reason) = self.question.degraded else { return };
        let cheapest = placed.iter().map(|one| one.ranked.expected).min().unwrap_or_default();
        let thrift = &self.ranking.thrift;
        let times = cheapest.as_nanos().saturating_mul(thrift.times_cheapest);
        let most = Money::nanos(times).max(thrift.always);
        placed.retain(|one| {
            let fits = one.ranked.expected <= most;
            if !fits {
                let detail = format!(
                    "{reason}, and it is expected to cost more than {} times the cheapest",
                    thrift.times_cheapest
                );
                let model = one.ranked.plan.name.clone();
                left_out.push(LeftOut { model, why: Refusal::Degraded, detail });
            }
            fits
        });
    }
}
