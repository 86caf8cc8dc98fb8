//! Opening a call: what the first try may cost is held and its intent recorded, for the first
//! candidate that the budgets have enough left for.

use std::sync::Arc;
use std::time::Instant;

use ralex_budgets::{Charge, Hold, Shortage};
use ralex_kernel::{BudgetId, CallId, Code, Money};

use crate::Broker;
use crate::call::{Decided, millis};
use crate::exchange::{CallRequest, Failure};
use crate::in_flight::InFlight;
use crate::passed_over::{PassedOver, Why, with};
use crate::rates::refused;
use crate::record::intent;
use crate::slice::first_slice;
use crate::writer::{Opening, Otherwise, Unrecorded};

/// How a call is opened.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    /// What is held.
    pub amount: Money,
    /// Whether it may be sent while its record is on its way.
    pub overlaps: bool,
    /// What becomes of it where that does not fit.
    pub otherwise: Otherwise,
}

impl Terms {
    pub const fn of(amount: Money) -> Self {
        Self { amount, overlaps: false, otherwise: Otherwise::Refused }
    }
}

/// Why a call is not opened.
pub(crate) struct Refused {
    pub failure: Failure,
    /// The budget that has nothing left for this candidate, where nothing was recorded of that: the
    /// call goes to another one.
    elsewhere: Option<BudgetId>,
}

impl Broker {
    /// Opens a call for the first candidate that the budgets have enough left for.
    pub(crate) async fn open_first(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
        waits: Instant,
    ) -> Result<InFlight, Failure> {
        let (mut passed_over, mut elsewhere, mut waited) = (Vec::new(), true, 0);
        // How much of its answer is held for at first, where all of it does not fit.
        let mut slice = None;
        loop {
            // Waited for before anything is held: money is not kept from others by one who waits.
            let queued = Instant::now();
            let permit = self.first_place(request, decided).await?;
            waited += millis(queued);
            if let Err(problem) = self.check_since(waits, request, decided) {
                self.leave(request, decided);
                return Err(problem.into());
            }
            self.look_at_periods(request, decided).await?;
            let taken = match self.take_first(decided).await {
                Ok(taken) => taken,
                Err(shortage) => {
                    self.leave(request, decided);
                    let Some(one) = self.passed_for_limit(request, decided, &shortage) else {
                        return Err(with(refused(&shortage), &passed_over).into());
                    };
                    passed_over.push(one);
                    slice = None;
                    continue;
                }
            };
            decided.why.queued_ms = (waited > 0).then_some(waited);
            let overlaps = self.may_overlap(request, decided);
            let first = decided.first();
            let otherwise = match first_slice(&request.inbound, first) {
                Some(_) if slice.is_none() => Otherwise::Shorter,
                _ if elsewhere && decided.has_others() => Otherwise::Elsewhere,
                _ => Otherwise::Refused,
            };
            let amount = slice.map_or(first.worst_case, |tokens| first.within(tokens));
            let terms = Terms { amount, overlaps, otherwise };
            let unopened = match self.open(request, decided, terms).await {
                Ok(mut in_flight) => {
                    in_flight.permits.push((decided.first().plan.provider, permit));
                    (in_flight.passed_over, in_flight.taken) = (passed_over, taken);
                    in_flight.slice = slice;
                    return Ok(in_flight);
                }
                Err(unopened) => unopened,
            };
            if unopened.elsewhere.is_none() {
                let problem = with(unopened.failure.problem, &passed_over);
                return Err(Failure { problem, ..unopened.failure });
            }
            if otherwise == Otherwise::Shorter {
                slice = first_slice(&request.inbound, decided.first());
                continue;
            }
            slice = None;
            let why = Why::budget(&decided.charges, unopened.elsewhere);
            match self.go_elsewhere(request, decided, why) {
                Some(one) => passed_over.push(one),
                // The circuits let it go nowhere else: it is refused here, for the record.
                None => elsewhere = false,
            }
        }
    }

    /// A period that ended while the call waited has left the next one all that it had.
    async fn look_at_periods(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
    ) -> Result<(), Failure> {
        let now = self.parts.clock.now();
        if decided.charges.iter().any(|charge| charge.follows && charge.ends_at <= now) {
            let spender = request.spender();
            let charges = self.parts.budgets.applicable(request.org, &spender, now).await;
            decided.charges = charges.inspect_err(|_| self.leave(request, decided))?;
        }
        Ok(())
    }

    /// Goes to the next candidate where only this one's limits have no room.
    fn passed_for_limit(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
        shortage: &Shortage,
    ) -> Option<PassedOver> {
        let why = Why::limit(shortage);
        if shortage.is_apart() { self.go_elsewhere(request, decided, why) } else { None }
    }

    /// Goes to the next candidate, and says why not to this one.
    fn go_elsewhere(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
        why: Why,
    ) -> Option<PassedOver> {
        let ready = decided.ready.clone();
        let (first, at) = (decided.first, self.parts.clock.now());
        let passed = ready.get(first.candidate).map(Arc::clone)?;
        let next = decided.course.without(&first, self.admits(request.org, &ready))?;
        // What another answers is not kept as the answer of the one that was asked for.
        (decided.first, decided.slot) = (next, None);
        Some(PassedOver { ready: passed, cause: first.cause, why, at, after: 0 })
    }

    /// Holds `amount`, the worst case of the first try, and makes the intent durable; or has that
    /// done, where the call may be sent meanwhile.
    pub(crate) async fn open(
        &self,
        request: &CallRequest,
        decided: &Decided,
        Terms { amount, overlaps, otherwise }: Terms,
    ) -> Result<InFlight, Refused> {
        let author = decided.scope.author().clone();
        let first = decided.first();
        // Made before the wait: where this future is dropped meanwhile, the call may have been
        // opened, and is then closed at no cost.
        let mut in_flight = InFlight {
            call: decided.call,
            org: request.org,
            author: author.clone(),
            writer: self.writer.clone(),
            breakers: self.parts.routing.breakers().clone(),
            started: decided.started,
            held: amount,
            charges: decided.charges.clone(),
            apart: apart(decided, amount),
            slice: None,
            limits: decided.limits.clone(),
            taken: None,
            passed_over: Vec::new(),
            opened_for: first.plan.model,
            attempts: Vec::new(),
            permits: Vec::new(),
            cached: None,
            noted: decided.noted(),
            first_byte: None,
            recording: None,
            closed: false,
        };
        let on = decided.first_charges().cloned().collect();
        let hold = Hold::new(request.org, decided.call, amount, on);
        let opening = Opening {
            hold: Hold { quiet: otherwise == Otherwise::Shorter, ..hold },
            row: self.row(request, decided),
            author,
            intent: intent(request, decided, amount),
            refused: None,
            overlaps,
            otherwise,
        };
        let opened = match self.writer.begin(opening) {
            Ok(recording) if recording.promised => {
                in_flight.recording = Some(recording);
                Ok(())
            }
            Ok(mut recording) => recording.durable().await,
            Err(problem) => Err(problem.into()),
        };
        match opened {
            Ok(()) => Ok(in_flight),
            Err(unrecorded) => {
                // Refused calls are closed from the start, failed ones by the writer.
                in_flight.closed = true;
                self.leave(request, decided);
                Err(Refused::of(decided.call, unrecorded))
            }
        }
    }
}

impl Refused {
    fn of(call: CallId, unrecorded: Unrecorded) -> Self {
        let elsewhere = unrecorded.elsewhere();
        let problem = unrecorded.problem;
        if elsewhere.is_none() {
            let code = problem.code.as_str();
            metrics::counter!("ralex_calls_refused_total", "code" => code).increment(1);
        }
        let call = (problem.code == Code::BudgetExhausted).then_some(call);
        let failure = Failure { problem, call, cost: Money::ZERO, upstream: None };
        Self { failure, elsewhere }
    }
}

/// What is held on budgets of one model or provider when a call is opened.
fn apart(decided: &Decided, amount: Money) -> Vec<(Charge, Money)> {
    let apart = decided.charges.iter().filter(|charge| charge.only.is_some());
    let held =
        |charge: &Charge| if decided.first().counts_on(charge) { amount } else { Money::ZERO };
    apart.map(|charge| (charge.clone(), held(charge))).collect()
}
