//! A call that was opened and must be closed: settled once, however it ends.
//!
//! It remembers every try. What a try may have cost is added up at the end: nothing where the
//! provider refused or was never reached, the counted input where it may have worked, and what was
//! used where it answered. Before each try the call holds for it ([`InFlight::missing`]), so that
//! the sum of all tries never passes what is held: `sum of ended + worst case of those under way
//! <= held`, at every instant.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use ralex_api::guardrails::Noted;
use ralex_audit::Author;
use ralex_budgets::{
    Answerer, Apart, Cached, Charge, Ending, HeldPeriod, Limit, Prices, Settlement, Taken, Tokens,
    Told,
};
use ralex_guardrails::Output;
use ralex_kernel::{CallId, Code, ModelId, Money, OrgId, Problem, ProviderId};
use ralex_providers::{Inbound, Meter, UpstreamError, Usage};
use ralex_routing::Plan;
use ralex_routing::breaker::{Breakers, Place, Verdict};

use crate::course::{Cause, verdict};
use crate::guard::Guard;
use crate::keys::InUse;
use crate::passed_over::PassedOver;
use crate::queue::Permit;
use crate::rates;
use crate::ready::Ready;
use crate::slice;
use crate::writer::{Closing, Recording, Writer};

/// Settles when told how the call ended, or as canceled when dropped without being told: the
/// caller hung up, and what was used until then is paid.
pub(crate) struct InFlight {
    pub call: CallId,
    pub org: OrgId,
    pub author: Author,
    pub writer: Writer,
    pub breakers: Breakers,
    pub started: Instant,
    /// What is held for it now.
    pub held: Money,
    /// The budgets that it may count on.
    pub charges: Vec<Charge>,
    /// Those of one model or provider among them, and what is held on each.
    pub apart: Vec<(Charge, Money)>,
    /// How many tokens of output are held for at first, where the budgets have not enough left for all
    /// of them.
    pub slice: Option<u64>,
    /// The rate limits that it may count against, and what it has taken of them.
    pub limits: Vec<Arc<Limit>>,
    pub taken: Option<Taken>,
    /// Who was not asked, for want of money or of room in a limit.
    pub passed_over: Vec<PassedOver>,
    /// The model that its row names.
    pub opened_for: ModelId,
    pub attempts: Vec<Attempt>,
    /// Its places at providers, given back when it ends.
    pub permits: Vec<(ProviderId, Permit)>,
    /// What guardrails found in the request.
    pub noted: Vec<Noted>,
    /// The kept answer that was given.
    pub cached: Option<Cached>,
    pub first_byte: Option<Instant>,
    /// Its record, while that is on its way.
    pub recording: Option<Recording>,
    pub closed: bool,
}

/// What a try uses, readable while it runs; the upstream's own meter once it answers.
#[derive(Clone)]
pub(crate) struct Gauge(Arc<Mutex<Meter>>);

impl Gauge {
    pub fn new(inbound: &Inbound) -> Self {
        Self(Arc::new(Mutex::new(Meter::new(inbound.clone()))))
    }

    pub fn set(&self, meter: Meter) {
        *self.0.lock() = meter;
    }

    pub fn usage(&self) -> Usage {
        self.0.lock().usage()
    }

    /// Remembers the ids of what the provider keeps, where the answer came as a whole.
    pub fn keep(&self, ids: Vec<String>) {
        self.0.lock().keep(ids);
    }

    fn kept(&self) -> Vec<String> {
        self.0.lock().kept()
    }
}

/// One try of the call.
pub(crate) struct Attempt {
    pub ready: Arc<Ready>,
    pub place: Place,
    pub cause: Cause,
    /// The most that it may cost by now.
    pub bound: Money,
    pub gauge: Gauge,
    pub started_at: DateTime<Utc>,
    pub began: Instant,
    /// What watches its answer.
    pub output: Option<Output>,
    /// Counted as using its key until it has ended.
    pub in_use: Option<InUse>,
    pub ended: Option<Ended>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub outcome: &'static str,
    pub status: Option<u16>,
    pub usage: Usage,
    pub cost: Money,
    pub millis: u32,
}

impl Attempt {
    /// What the provider told is paid as told, for it bills that. What Ralex counted by itself is
    /// never more than was held for the try, however the try ended.
    fn end(&mut self, outcome: &'static str, status: Option<u16>, usage: Usage) {
        let mut cost = self.ready.plan.cost(&usage);
        if usage.estimated {
            cost = cost.min(self.bound);
        }
        let millis = millis(self.began.elapsed());
        self.ended = Some(Ended { outcome, status, usage, cost, millis });
        if let Some(key) = self.in_use.take() {
            key.used(usage.total_input().saturating_add(usage.total_output()));
        }
    }

    /// What it has cost, or can still cost.
    fn at_most(&self) -> Money {
        self.ended.map_or(self.bound, |ended| ended.cost)
    }
}

impl InFlight {
    /// What must be held beyond what is, before a try of this candidate may begin: on all budgets,
    /// and on each of those of one model or provider.
    pub fn missing(&self, next: &Ready) -> (Money, Vec<Apart>) {
        let bound = self.bound(next);
        let all = self.attempts.iter().map(Attempt::at_most).sum::<Money>() + bound;
        let apart = self.apart.iter().map(|(charge, held)| {
            let needed =
                if next.counts_on(charge) { self.spent_on(charge) + bound } else { Money::ZERO };
            let amount = (needed - *held).max(Money::ZERO);
            Apart { charge: charge.clone(), amount }
        });
        ((all - self.held).max(Money::ZERO), apart.collect())
    }

    /// What a try of this candidate may cost before more is held for it.
    pub fn bound(&self, ready: &Ready) -> Money {
        slice::of_try(self.slice, ready).map_or(ready.worst_case, |tokens| ready.within(tokens))
    }

    /// Remembers what is held now.
    pub fn holds(&mut self, held: Money, more: &[Apart]) {
        self.held = held;
        for ((_, held), more) in self.apart.iter_mut().zip(more) {
            *held += more.amount;
        }
    }

    /// What the tries that a budget counts have cost, or can still cost.
    fn spent_on(&self, charge: &Charge) -> Money {
        let tries = self.attempts.iter().filter(|attempt| attempt.ready.counts_on(charge));
        tries.map(Attempt::at_most).sum()
    }

    /// What the tries of each budget of one model or provider have cost.
    fn costs_apart(&self) -> Vec<(HeldPeriod, Money)> {
        let apart = self.apart.iter();
        apart.map(|(charge, _)| (charge.held_period(), self.spent_on(charge))).collect()
    }

    /// Returns when the call is recorded; until then nobody gets anything of its answer.
    ///
    /// # Errors
    /// Where it could not be recorded: the call must end then.
    pub async fn recorded(&mut self) -> Result<(), Problem> {
        let Some(recording) = &mut self.recording else { return Ok(()) };
        let waits = Instant::now();
        let durable = recording.durable().await;
        metrics::histogram!("ralex_record_wait_seconds").record(waits.elapsed());
        let Err(unrecorded) = durable else {
            self.recording = None;
            return Ok(());
        };
        let problem = unrecorded.problem.clone();
        self.recording = unrecorded.again();
        Err(problem)
    }

    /// Remembers a try that begins now.
    pub fn begin(&mut self, attempt: Attempt) -> usize {
        self.attempts.push(attempt);
        self.attempts.len() - 1
    }

    /// Ends a try that failed. `flowing`: its answer had begun to go out to the caller.
    pub fn failed(&mut self, index: usize, error: &UpstreamError, flowing: bool) {
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        let usage = used_by(error, &attempt.gauge, flowing);
        attempt.end(error.code().as_str(), status(error), usage);
        self.breakers.report(&attempt.place, verdict(error));
        let labels = [
            ("provider", attempt.ready.plan.provider_slug.to_string()),
            ("outcome", error.code().as_str().to_owned()),
        ];
        metrics::counter!("ralex_attempts_failed_total", &labels).increment(1);
    }

    /// Ends a try whose answer was not good enough; it is paid all the same.
    pub fn set_aside(&mut self, index: usize, usage: Usage) {
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.end("escalated", None, usage);
            self.breakers.report(&attempt.place, Verdict::Success);
        }
    }

    /// Ends a try whose answer nobody may get; it is paid all the same.
    pub fn thrown_away(&mut self, index: usize, usage: Usage) {
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.end("canceled", None, usage);
            self.breakers.report(&attempt.place, Verdict::Success);
        }
    }

    /// Ends a try that nobody waits for any more, at the cost of what it used.
    pub fn abandoned(&mut self, index: usize) {
        let running = self.attempts.get_mut(index).filter(|attempt| attempt.ended.is_none());
        if let Some(attempt) = running {
            let usage = attempt.gauge.usage();
            attempt.end("canceled", None, usage);
            self.breakers.report(&attempt.place, Verdict::Neutral);
        }
    }

    /// Closes a call that one of its tries answered, and returns what all of them cost.
    pub fn succeed(mut self, index: usize, usage: Usage) -> Money {
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.end("success", None, usage);
            self.breakers.report(&attempt.place, Verdict::Success);
        }
        self.close(Ending::Success, Some(index), None)
    }

    /// Closes a call that a kept answer was given to.
    pub fn found(mut self, cached: Cached) {
        self.cached = Some(cached);
        self.close(Ending::Success, None, None);
    }

    /// Closes a call that failed, at the cost of what was used.
    pub fn fail(mut self, code: Code) -> Money {
        self.close(Ending::Error, None, Some(code))
    }

    pub fn note_first_byte(&mut self) {
        self.first_byte.get_or_insert_with(Instant::now);
    }

    fn close(&mut self, ending: Ending, answered: Option<usize>, problem: Option<Code>) -> Money {
        self.closed = true;
        for index in 0..self.attempts.len() {
            self.abandoned(index);
        }
        if let Some(taken) = self.taken.take() {
            taken.settle(|limit| rates::used(limit, &self.attempts));
        }
        let cost = self.attempts.iter().map(Attempt::at_most).sum();
        // Of a call that nobody answered, the last try says who and how much.
        let told = answered.and_then(|at| self.attempts.get(at)).or(self.attempts.last());
        let usage = told.and_then(|attempt| attempt.ended).map(|ended| ended.usage);
        let settlement = Settlement {
            org: self.org,
            call: self.call,
            ending,
            tokens: tokens(&usage.unwrap_or_default()),
            cost,
            apart: self.costs_apart(),
            problem,
            first_byte_ms: self.first_byte.map(|at| millis(at - self.started)),
            duration_ms: millis(self.started.elapsed()),
            told: self.told(ending, told),
        };
        let closing = Closing { settlement, author: self.author.clone(), looks: 0 };
        match self.recording.take() {
            None => self.writer.close(closing),
            Some(recording) => self.writer.close_after(recording, closing),
        }
        let provider = told.map(|attempt| attempt.ready.plan.provider_slug.to_string());
        let labels =
            [("provider", provider.unwrap_or_default()), ("state", ending.as_str().to_owned())];
        metrics::counter!("ralex_calls_total", &labels).increment(1);
        metrics::histogram!("ralex_call_duration_seconds", &labels).record(self.started.elapsed());
        cost
    }

    fn told(&self, ending: Ending, told: Option<&Attempt>) -> Told {
        let tries = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let plain = tries == 0 || (tries == 1 && ending == Ending::Success);
        let all_said = plain && self.passed_over.is_empty();
        let attempts = if all_said { Vec::new() } else { self.rows() };
        let answered = told.filter(|attempt| attempt.ready.plan.model != self.opened_for);
        Told {
            answered: answered.map(|attempt| Arc::new(answerer(&attempt.ready.plan))),
            secret: told.and_then(|attempt| attempt.place.key),
            kept: told.map(|attempt| attempt.gauge.kept()).unwrap_or_default(),
            tries,
            attempts,
            guardrails: self.found_in(told),
            cached: self.cached,
        }
    }

    /// What guardrails found in the request and in the answer that was given.
    fn found_in(&self, told: Option<&Attempt>) -> Option<String> {
        let output = told.and_then(|attempt| attempt.output.as_ref());
        let findings = output.map(Output::findings).unwrap_or_default();
        if findings.is_empty() { None } else { Guard::record(&self.noted, &findings) }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.closed {
            self.close(Ending::Canceled, None, None);
        }
    }
}

/// What a failed try used: nothing where the provider refused it or was never reached, the counted
/// input where it may have worked on it, and all that came where its answer had begun.
fn used_by(error: &UpstreamError, gauge: &Gauge, flowing: bool) -> Usage {
    match error {
        UpstreamError::Status(_) | UpstreamError::Unreachable | UpstreamError::Egress(_)
            if !flowing =>
        {
            Usage::default()
        }
        UpstreamError::Status(_)
        | UpstreamError::Unreachable
        | UpstreamError::Egress(_)
        | UpstreamError::Timeout
        | UpstreamError::Cut
        | UpstreamError::Malformed(_) => gauge.usage(),
        UpstreamError::Stopped(stop) => stop.usage.unwrap_or_else(|| gauge.usage()),
    }
}

fn status(error: &UpstreamError) -> Option<u16> {
    match error {
        UpstreamError::Status(refusal) => Some(refusal.status),
        UpstreamError::Unreachable
        | UpstreamError::Timeout
        | UpstreamError::Cut
        | UpstreamError::Malformed(_)
        | UpstreamError::Egress(_)
        | UpstreamError::Stopped(_) => None,
    }
}

pub(crate) fn tokens(usage: &Usage) -> Tokens {
    Tokens {
        input: usage.input_tokens.saturating_add(usage.audio_input_tokens),
        output: usage.total_output(),
        cache_read: usage.cache_read_tokens,
        cache_write: usage.cache_write_tokens.saturating_add(usage.cache_write_1h_tokens),
        reasoning: usage.reasoning_tokens,
        estimated: usage.estimated,
    }
}

fn answerer(plan: &Plan) -> Answerer {
    Answerer {
        model: plan.name.clone(),
        model_id: plan.model,
        provider_id: plan.provider,
        provider: plan.provider_slug.to_string(),
        upstream_model: plan.target.upstream_model.clone(),
        prices: prices(plan),
    }
}

/// A plan's prices as a call's row keeps them.
pub(crate) fn prices(plan: &Plan) -> Prices {
    Prices {
        input: plan.input_price,
        output: plan.output_price,
        cache_read: plan.cache_read_price,
        cache_write: plan.cache_write_price,
        version: Some(plan.price_version),
    }
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
