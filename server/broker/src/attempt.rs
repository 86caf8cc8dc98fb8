//! The tries of a call: sent one after another, or two at a time, until one is answered.
//!
//! A try goes out only when the call holds for its worst case beside all that the tries before it
//! may have cost. Where another try needs more, that is held and recorded first; where it does not
//! fit, the try is not made. So a call never costs more than it holds, and no call is turned away
//! for what a second try might have needed.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use ralex_access::Permission;
use ralex_budgets::{Claim, Extension, Taken};
use ralex_guardrails::Output;
use ralex_identity::tenure::Tenure;
use ralex_kernel::{Code, Problem, Secret};
use ralex_providers::{Answer, AnswerStream, Chunk, UpstreamError, Usage};

use crate::Broker;
use crate::better::used;
use crate::call::Decided;
use crate::course::{Cause, Try, class};
use crate::ending::Ending;
use crate::exchange::{About, Answered, CallRequest, Failure};
use crate::first;
use crate::guard::{Guard, Watch};
use crate::in_flight::{Attempt, Gauge, InFlight};
use crate::passed_over::Why;
use crate::ready::Ready;
use crate::slice::{self, Slices};
use crate::stream::{CallStream, Form};
use crate::writer::Extending;

/// What a provider gave, with the beginning of a stream that has begun.
pub(crate) enum Given {
    Whole {
        body: Bytes,
        usage: Usage,
    },
    Stream {
        stream: AnswerStream,
        opening: Vec<Chunk>,
    },
    /// Sound, a file: no events, and so no words of ours in between.
    Raw {
        content_type: String,
        stream: AnswerStream,
        opening: Vec<Chunk>,
    },
}

/// A try that is ready to go out.
pub(crate) struct Sending {
    pub index: usize,
    pub tried: Try,
    pub ready: Arc<Ready>,
    /// Why it was made, where that is another reason than the choice's.
    why: Option<String>,
    gauge: Gauge,
    secret: Option<Secret>,
    output: Option<Output>,
    /// How many tokens of its output are held for, where that is not all of it.
    slice: Option<u64>,
}

impl Sending {
    /// What it used so far, as far as that shows.
    pub fn used(&self) -> Usage {
        self.gauge.usage()
    }
}

pub(crate) type Sent = Result<Given, UpstreamError>;

impl Broker {
    /// Tries until one is answered, or none is left.
    pub(crate) async fn attempt(
        &self,
        request: &CallRequest,
        mut decided: Decided,
        mut in_flight: InFlight,
    ) -> Result<Answered, Failure> {
        let until = Instant::now() + self.patience(&decided);
        let (mut next, mut last) = (Some(decided.first), None);
        while let Some(tried) = next {
            if Instant::now() + tried.pause >= until {
                break;
            }
            // A timer rounds up to its next tick, so even a pause of nothing takes a millisecond.
            if !tried.pause.is_zero() {
                tokio::time::sleep(tried.pause).await;
            }
            if last.is_some() && !self.still_stands(request, &decided) {
                break;
            }
            let ready = decided.ready.clone();
            let room = (ready.get(tried.candidate), tried.cause);
            if !self.make_room(request, &mut in_flight, room).await {
                next = decided.course.without(&tried, self.admits(request.org, &ready));
                continue;
            }
            let sending = match self.begin(request, &decided, &mut in_flight, tried, None) {
                Ok(sending) => sending,
                Err(problem) => return Err(failure(in_flight, problem, None)),
            };
            let (sending, mut sent) =
                self.send_or_hedge(request, &mut decided, &mut in_flight, sending, until).await;
            if let Err(problem) = in_flight.recorded().await {
                // Nobody gets it, and the provider bills it all the same.
                if let Ok(given) = &mut sent {
                    in_flight.thrown_away(sending.index, used(&sending, given).await);
                }
                return Err(failure(in_flight, problem, None));
            }
            match sent {
                Ok(given) => {
                    let answer = (sending, given);
                    let (sending, given) =
                        self.better(request, &mut decided, &mut in_flight, answer, until).await;
                    return Ok(self.answered(request, decided, in_flight, &sending, given));
                }
                Err(error) => {
                    in_flight.failed(sending.index, &error, false);
                    let admits = self.admits(request.org, &ready);
                    next = decided.course.after(&sending.tried, class(&error), admits);
                    last = Some(error);
                }
            }
        }
        let error = last.unwrap_or(UpstreamError::Timeout);
        let problem = in_flight.with_passed_over(error.to_problem());
        // The provider's own words say nothing of who was not asked.
        let own_words = in_flight.passed_over.is_empty().then_some(error);
        Err(failure(in_flight, problem, own_words))
    }

    /// How long all tries may take. A provider that may take longer than is usual gets its time.
    fn patience(&self, decided: &Decided) -> Duration {
        let whole = |ready: &Arc<Ready>| self.parts.client.timeouts(&ready.plan.target).whole;
        let longest = decided.ready.iter().map(whole).max().unwrap_or_default();
        longest.max(self.parts.resilience.deadline)
    }

    /// Gets a place at the provider and holds what the try may cost.
    pub(crate) async fn make_room(
        &self,
        request: &CallRequest,
        in_flight: &mut InFlight,
        (ready, cause): (Option<&Arc<Ready>>, Cause),
    ) -> bool {
        let Some(ready) = ready else { return false };
        let provider = ready.plan.provider;
        if in_flight.permits.iter().all(|(at, _)| *at != provider) {
            match self.place(request, provider).await {
                Ok(permit) => in_flight.permits.push((provider, permit)),
                Err(_) => return false,
            }
        }
        if !in_flight.attempts.is_empty()
            && let Err(shortage) = self.take_more(in_flight, ready).await
        {
            let why = Why::limit(&shortage);
            in_flight.pass_over(ready, cause, why, self.parts.clock.now());
            return false;
        }
        self.afford(in_flight, ready, cause).await
    }

    fn answered(
        &self,
        request: &CallRequest,
        decided: Decided,
        mut in_flight: InFlight,
        sending: &Sending,
        given: Given,
    ) -> Answered {
        let call = in_flight.call;
        // Only the first choice's answer is kept: a stand-in's is not what was asked for.
        let slot = decided.slot.filter(|_| sending.tried.candidate == decided.first.candidate);
        let about = About {
            model: sending.ready.plan.name.clone(),
            provider: sending.ready.plan.provider_slug.to_string(),
            route: decided.why.route,
            reason: sending.why.clone().unwrap_or_else(|| sending.ready.reason.clone()),
            routing: decided.header,
            cache: slot.as_ref().map(|_| "miss"),
            similarity: None,
            attempts: u32::try_from(in_flight.attempts.len()).unwrap_or(u32::MAX),
            limits: in_flight.taken.as_ref().map(Taken::standing).unwrap_or_default(),
        };
        let keeper = slot.map(|slot| self.keeper(request, slot, call));
        let ending = decided.choice.as_ref().and_then(|_| self.ending(request));
        in_flight.note_first_byte();
        match given {
            Given::Whole { body, usage } => {
                let cost = in_flight.succeed(sending.index, usage);
                if let Some(keeper) = keeper {
                    keeper.keep(body.clone(), cost);
                }
                Answered::Whole { call, about, body, cost }
            }
            Given::Stream { stream, opening } => {
                let (held, form) = (in_flight.held, Form::Events(request.inbound.dialect()));
                let slices = sending.slice.map(|tokens| {
                    Slices::of(&in_flight, Arc::clone(&sending.ready), stream.meter(), tokens)
                });
                let stream =
                    CallStream::live(stream, opening, in_flight, sending.index, form, keeper);
                let stream = stream.telling(ending).slicing(slices);
                let stream = Box::new(stream.held_by(self.tenure(request)));
                Answered::Stream { call, about, held, stream }
            }
            Given::Raw { content_type, stream, opening } => {
                let (held, form) = (in_flight.held, Form::Raw(content_type));
                let stream =
                    CallStream::live(stream, opening, in_flight, sending.index, form, None);
                let stream = Box::new(stream.held_by(self.tenure(request)));
                Answered::Stream { call, about, held, stream }
            }
        }
    }

    /// A call ends with the right to call models there.
    pub(crate) fn tenure(&self, request: &CallRequest) -> Tenure {
        let caller = &request.signed_in.caller;
        self.parts.identity.tenure(caller, request.org, Permission::LlmInvoke, request.at)
    }

    /// Who is told how a stream of a session ended.
    fn ending(&self, request: &CallRequest) -> Option<Ending> {
        let session = request.wishes.session.clone()?;
        let routing = self.parts.routing.clone();
        Some(Ending { routing, org: request.org, session, last: VecDeque::new() })
    }

    /// Holds what a further try needs beyond what is held already.
    async fn afford(&self, in_flight: &mut InFlight, ready: &Arc<Ready>, cause: Cause) -> bool {
        let (amount, apart) = in_flight.missing(ready);
        if !amount.is_positive() && apart.iter().all(|it| !it.amount.is_positive()) {
            return true;
        }
        // Only a call that is there can hold more.
        if in_flight.recorded().await.is_err() {
            return false;
        }
        let (org, call, more) = (in_flight.org, in_flight.call, apart.clone());
        let extension = Extension { org, call, amount, apart, claim: Claim::Patient };
        let extending = Extending { extension, author: in_flight.author.clone() };
        match self.writer.extend(extending).await {
            Ok(held) => {
                in_flight.holds(held, &more);
                true
            }
            Err(short) => {
                let why = Why::budget(&in_flight.charges, short);
                in_flight.pass_over(ready, cause, why, self.parts.clock.now());
                false
            }
        }
    }

    pub(crate) fn begin(
        &self,
        request: &CallRequest,
        decided: &Decided,
        in_flight: &mut InFlight,
        tried: Try,
        why: Option<String>,
    ) -> Result<Arc<Sending>, Problem> {
        // The first try goes out by what was decided just now; each further one was decided a while
        // ago, and what has been taken away since ends with it.
        if !in_flight.attempts.is_empty() && !self.still_stands(request, decided) {
            let detail =
                "Rules of the organisation changed while the call was under way. Send it again.";
            return Err(Problem::new(Code::Unavailable, detail).with_retry_after(1));
        }
        let missing = || Problem::new(Code::Internal, "A candidate is missing.");
        let ready = Arc::clone(decided.ready.get(tried.candidate).ok_or_else(missing)?);
        let key = ready.key(tried.key);
        let secret = key.map(|key| self.parts.vault.open_key(key)).transpose()?;
        let gauge = Gauge::new(&request.inbound);
        let output = decided.guard.as_ref().and_then(Guard::output);
        let index = in_flight.begin(Attempt {
            ready: Arc::clone(&ready),
            place: ready.place(request.org, tried.key),
            cause: tried.cause,
            bound: in_flight.bound(&ready),
            gauge: gauge.clone(),
            output: output.clone(),
            started_at: self.parts.clock.now(),
            began: Instant::now(),
            in_use: key.map(|key| self.keys.begin(key.secret)),
            ended: None,
        });
        let slice = slice::of_try(in_flight.slice, &ready);
        Ok(Arc::new(Sending { index, tried, ready, why, gauge, secret, output, slice }))
    }

    /// Sends, and where hedging is on and the first byte is late, sends to another candidate too:
    /// the first to answer is taken, and the other ended and paid for what it used.
    async fn send_or_hedge(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
        in_flight: &mut InFlight,
        sending: Arc<Sending>,
        until: Instant,
    ) -> (Arc<Sending>, Sent) {
        let first = self.send(Arc::clone(&sending), until);
        let Some(patience) = self.parts.resilience.hedge_after else {
            return (sending, first.await);
        };
        let first = pin!(first);
        let first = match select(first, pin!(tokio::time::sleep(patience))).await {
            Either::Left((sent, _)) => return (sending, sent),
            Either::Right(((), first)) => first,
        };
        let Some(second) = self.hedge(request, decided, in_flight, &sending.tried).await else {
            return (sending, first.await);
        };
        metrics::counter!("ralex_hedges_total").increment(1);
        let other = pin!(self.send(Arc::clone(&second), until));
        match select(first, other).await {
            Either::Left((Err(error), other)) => {
                in_flight.failed(sending.index, &error, false);
                (second, other.await)
            }
            Either::Right((Err(error), first)) => {
                in_flight.failed(second.index, &error, false);
                (sending, first.await)
            }
            Either::Left((Ok(given), _)) => {
                in_flight.abandoned(second.index);
                (sending, Ok(given))
            }
            Either::Right((Ok(given), _)) => {
                in_flight.abandoned(sending.index);
                (second, Ok(given))
            }
        }
    }

    async fn hedge(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
        in_flight: &mut InFlight,
        tried: &Try,
    ) -> Option<Arc<Sending>> {
        let ready = decided.ready.clone();
        let second = decided.course.beside(tried, self.admits(request.org, &ready))?;
        let room = (ready.get(second.candidate), second.cause);
        if !self.make_room(request, in_flight, room).await {
            return None;
        }
        self.begin(request, decided, in_flight, second, None).ok()
    }

    /// Sends one try, and waits until its answer is there or its stream has begun.
    pub(crate) async fn send(&self, sending: Arc<Sending>, until: Instant) -> Sent {
        let work = async {
            let prepared = &sending.ready.prepared;
            let cuttable = sending.slice.map(|_| prepared.cuttable());
            let prepared = cuttable.as_ref().unwrap_or(prepared);
            let (secret, filter) =
                (sending.secret.as_ref(), sending.output.clone().map(Watch::boxed));
            match self.parts.client.send_through(prepared, secret, filter).await? {
                Answer::Whole { body, usage, kept } => {
                    sending.gauge.keep(kept);
                    Ok(Given::Whole { body, usage })
                }
                Answer::Stream(mut stream) => {
                    sending.gauge.set(stream.meter());
                    if let Some(tokens) = sending.slice {
                        slice::grant(&stream.meter(), tokens);
                    }
                    let opening = first::begun(&mut stream).await?;
                    Ok(Given::Stream { stream, opening })
                }
                Answer::Raw { content_type, body: mut stream } => {
                    sending.gauge.set(stream.meter());
                    let first = stream.next().await.unwrap_or(Err(UpstreamError::Cut))?;
                    Ok(Given::Raw { content_type, stream, opening: vec![first] })
                }
            }
        };
        tokio::time::timeout_at(until.into(), work).await.unwrap_or(Err(UpstreamError::Timeout))
    }
}

fn failure(in_flight: InFlight, problem: Problem, upstream: Option<UpstreamError>) -> Failure {
    let call = Some(in_flight.call);
    let cost = in_flight.fail(problem.code);
    Failure { problem, call, cost, upstream }
}
