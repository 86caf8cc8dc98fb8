//! Streams that are held for in slices: where the budgets have not enough left for all that an answer
//! may cost, its beginning is held for, and more as it comes. When there is no more, the answer ends
//! where it is, as one that has reached its length, and what was said is paid and kept.
//!
//! A model that thinks without saying so cannot be stopped in time, so none of these is sliced.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ralex_api::catalog::ModelCapability;
use ralex_audit::Author;
use ralex_budgets::{Apart, Claim, Extension};
use ralex_kernel::{CallId, Money, OrgId};
use ralex_providers::{Inbound, Meter, Operation};

use crate::in_flight::InFlight;
use crate::ready::Ready;
use crate::writer::{Extending, Further, Writer};

/// Tokens of output that are held for at a time.
const SLICE: u64 = 512;
/// An answer is ended so many tokens before what is held for it ends: an upstream has written a little
/// more than has arrived, and may count otherwise.
const MARGIN: u64 = 128;
/// More is asked for once so many of what may go on have not gone on yet.
const AHEAD: u64 = 192;

/// How much of an answer is held for at first, where all of it does not fit. Nothing of one that can
/// only be had as a whole.
pub(crate) fn first_slice(inbound: &Inbound, ready: &Ready) -> Option<u64> {
    let plain = inbound.operation() == Operation::Generate && inbound.streamed();
    of_try(Some(SLICE), ready).filter(|_| plain && inbound.answers() == 1)
}

/// What is held for at first of a try, of a call that is held for in slices: a candidate that cannot be
/// stopped in time is held for whole, as is one that has no more than that to say.
pub(crate) fn of_try(slice: Option<u64>, ready: &Ready) -> Option<u64> {
    let silent = ready.plan.supports(ModelCapability::Reasoning);
    slice.filter(|tokens| !silent && *tokens < ready.bound.output_tokens)
}

/// Lets so much of an answer go on as surely is held for.
pub(crate) fn grant(meter: &Meter, tokens: u64) {
    meter.allowance().grant(tokens.saturating_sub(MARGIN));
}

/// What is held for an answer that is on its way.
pub(crate) struct Slices {
    ready: Arc<Ready>,
    meter: Meter,
    writer: Writer,
    author: Author,
    org: OrgId,
    call: CallId,
    /// Tokens of output that are held for.
    held: u64,
    asked: Option<Asked>,
}

struct Asked {
    /// What will be held for.
    tokens: u64,
    bound: Money,
    apart: Vec<Apart>,
    answer: BoxFuture<'static, Further>,
}

impl Slices {
    pub fn of(in_flight: &InFlight, ready: Arc<Ready>, meter: Meter, tokens: u64) -> Self {
        let (writer, author) = (in_flight.writer.clone(), in_flight.author.clone());
        let (org, call) = (in_flight.org, in_flight.call);
        Self { ready, meter, writer, author, org, call, held: tokens, asked: None }
    }

    /// Asks for more in time, and lets go on what was got.
    pub fn look(&mut self, cx: &mut Context<'_>, in_flight: &mut InFlight, attempt: usize) {
        loop {
            if self.asked.is_none() && self.is_short() {
                self.asked = self.ask(in_flight, attempt);
            }
            let Some(asked) = &mut self.asked else { return };
            let Poll::Ready(extended) = asked.answer.poll_unpin(cx) else { return };
            let Some(asked) = self.asked.take() else { return };
            let Ok(held) = extended else {
                metrics::counter!("ralex_streams_cut_total").increment(1);
                self.meter.allowance().close();
                return;
            };
            in_flight.holds(held, &asked.apart);
            if let Some(attempt) = in_flight.attempts.get_mut(attempt) {
                attempt.bound = asked.bound;
            }
            self.held = asked.tokens;
            self.let_go_on();
        }
    }

    fn is_whole(&self) -> bool {
        self.held >= self.ready.bound.output_tokens
    }

    fn is_short(&self) -> bool {
        let going = self.held.saturating_sub(MARGIN + AHEAD);
        let open = self.meter.allowance().is_open();
        open && !self.is_whole() && self.meter.output() >= going
    }

    fn let_go_on(&self) {
        if self.is_whole() {
            self.meter.allowance().lift();
        } else {
            grant(&self.meter, self.held);
        }
    }

    /// Holds what the next slice may cost, on every budget of the call that counts it.
    fn ask(&self, in_flight: &InFlight, attempt: usize) -> Option<Asked> {
        let tokens = (self.held + SLICE).min(self.ready.bound.output_tokens);
        let bound = self.ready.within(tokens);
        let before = in_flight.attempts.get(attempt)?.bound;
        let amount = (bound - before).max(Money::ZERO);
        let apart = in_flight.apart.iter().map(|(charge, _)| {
            let counts = self.ready.counts_on(charge);
            Apart { charge: charge.clone(), amount: if counts { amount } else { Money::ZERO } }
        });
        let apart: Vec<Apart> = apart.collect();
        let (org, call, claim) = (self.org, self.call, Claim::Patient);
        let extension = Extension { org, call, amount, apart: apart.clone(), claim };
        let extending = Extending { extension, author: self.author.clone() };
        let writer = self.writer.clone();
        let answer = async move { writer.extend(extending).await }.boxed();
        Some(Asked { tokens, bound, apart, answer })
    }
}
