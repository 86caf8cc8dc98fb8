//! What a call takes of rate limits before each try, and what it has used of them when it ends.

use std::sync::Arc;

use ralex_api::rate_limits::Measure;
use ralex_budgets::{Demand, Limit, Shortage, Taken};

use crate::Broker;
use crate::call::Decided;
use crate::exchange::Failure;
use crate::in_flight::{Attempt, InFlight};
use crate::ready::Ready;

impl Broker {
    /// What the first try needs. Nothing where no limit counts it.
    pub(crate) async fn take_first(&self, decided: &Decided) -> Result<Option<Taken>, Shortage> {
        let (limits, first) = (&decided.limits, decided.first());
        self.take(limits.iter().filter_map(|limit| demand(limit, first, true)).collect()).await
    }

    /// A call that a kept answer is given to is a call, but takes no tokens and asks no model.
    pub(crate) async fn take_for_kept(&self, decided: &Decided) -> Result<Option<Taken>, Failure> {
        let limits = decided.limits.iter();
        let counted = limits.filter(|it| it.only.is_none() && it.measure == Measure::Requests);
        let demand = |limit: &Arc<Limit>| Demand { limit: Arc::clone(limit), units: 1 };
        let taken = self.take(counted.map(demand).collect()).await;
        Ok(taken.map_err(|shortage| refused(&shortage))?)
    }

    /// What a further try needs.
    pub(crate) async fn take_more(
        &self,
        in_flight: &mut InFlight,
        ready: &Ready,
    ) -> Result<(), Shortage> {
        let demands = in_flight.limits.iter().filter_map(|limit| demand(limit, ready, false));
        let more = self.take(demands.collect()).await?;
        match (&mut in_flight.taken, more) {
            (Some(taken), Some(more)) => taken.add(more),
            (taken @ None, more) => *taken = more,
            (Some(_), None) => {}
        }
        Ok(())
    }

    async fn take(&self, demands: Vec<Demand>) -> Result<Option<Taken>, Shortage> {
        if demands.is_empty() {
            return Ok(None);
        }
        self.parts.rates.take(&demands).await.map(Some)
    }
}

/// A refusal, counted.
pub(crate) fn refused(shortage: &Shortage) -> ralex_kernel::Problem {
    let problem = shortage.problem();
    metrics::counter!("ralex_calls_refused_total", "code" => problem.code.as_str()).increment(1);
    problem
}

/// A call is one request to who counts calls, and to who counts what one model or provider is asked
/// one for each try.
fn demand(limit: &Arc<Limit>, ready: &Ready, first: bool) -> Option<Demand> {
    if !counts(limit, ready) {
        return None;
    }
    let requests = u64::from(first || limit.only.is_some());
    let units = limit.units(requests, ready.bound.input_tokens, ready.bound.output_tokens);
    (units > 0).then(|| Demand { limit: Arc::clone(limit), units })
}

/// What the tries of a call came to, for one limit.
pub(crate) fn used(limit: &Limit, attempts: &[Attempt]) -> u64 {
    let tries: Vec<&Attempt> = attempts.iter().filter(|it| counts(limit, &it.ready)).collect();
    let requests = if limit.only.is_some() { tries.len() as u64 } else { 1 };
    let usages = tries.iter().filter_map(|attempt| attempt.ended).map(|ended| ended.usage);
    let (input, output) = usages.fold((0_u64, 0_u64), |(input, output), usage| {
        let input = input.saturating_add(usage.total_input());
        (input, output.saturating_add(usage.total_output()))
    });
    limit.units(requests, input, output)
}

fn counts(limit: &Limit, ready: &Ready) -> bool {
    limit.counts(ready.plan.model, ready.plan.provider)
}
