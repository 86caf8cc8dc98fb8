//! Escalation: an answer that is not good enough is set aside for a better model's, a whole one or
//! the opening of a stream of which no byte has gone out.
//!
//! What always holds: the answer that is set aside is paid; the better one is held for before it
//! is asked for; where it cannot be had, the first one is given after all.

use std::sync::Arc;
use std::time::Instant;

use ralex_providers::Usage;
use ralex_routing::{Tried, escalate};

use crate::Broker;
use crate::attempt::{Given, Sending};
use crate::call::Decided;
use crate::ending::opened;
use crate::exchange::CallRequest;
use crate::first::drained;
use crate::in_flight::InFlight;
use crate::judge::judge;

type Answer = (Arc<Sending>, Given);

impl Broker {
    /// The answer to give: this one, or that of a better model where the route says so and it pays.
    pub(crate) async fn better(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
        in_flight: &mut InFlight,
        mut answer: Answer,
        until: Instant,
    ) -> Answer {
        let Some(choice) = decided.choice.clone().filter(|it| it.escalation.is_some()) else {
            return answer;
        };
        for escalations in 0.. {
            let (sending, given) = &answer;
            let signal = match given {
                Given::Whole { body, .. } => judge(body, &decided.outline, &request.body),
                Given::Stream { opening, .. } => opened(opening),
                Given::Raw { .. } => None,
            };
            let Some(signal) = signal else { return answer };
            let tried = Tried { at: sending.ready.at, escalations, signal };
            let Some(step) = escalate(&choice, tried) else { return answer };
            let ready = decided.ready.clone();
            let Some(candidate) = ready.iter().position(|one| one.at == step.at) else {
                return answer;
            };
            let admits = self.admits(request.org, &ready);
            let Some(next) = decided.course.up(candidate, admits) else { return answer };
            let index = sending.index;
            in_flight.set_aside(index, used(&answer.0, &mut answer.1).await);
            let room = (ready.get(candidate), next.cause);
            if !self.make_room(request, in_flight, room).await {
                return answer;
            }
            let Ok(next) = self.begin(request, decided, in_flight, next, Some(step.why)) else {
                return answer;
            };
            metrics::counter!("ralex_escalations_total", "signal" => signal.as_str()).increment(1);
            match self.send(Arc::clone(&next), until).await {
                Ok(given) => answer = (next, given),
                Err(error) => {
                    in_flight.failed(next.index, &error, false);
                    return answer;
                }
            }
        }
        answer
    }
}

/// What an answer used. A stream that says nothing is read to its end for that: it is short.
pub(crate) async fn used(sending: &Sending, given: &mut Given) -> Usage {
    match given {
        Given::Whole { usage, .. } => *usage,
        Given::Stream { stream, opening } => {
            drained(stream, opening).await.unwrap_or_else(|| sending.used())
        }
        Given::Raw { .. } => sending.used(),
    }
}
