//! The path of a model call, top to bottom as it is enforced.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use ralex_access::{Permission, Scope};
use ralex_api::guardrails::Noted;
use ralex_budgets::{Cached, Charge, Limit, Taken, Why};
use ralex_kernel::{CallId, Code, Money, OrgId, Problem, ProviderId};
use ralex_providers::{Outline, UNKNOWN_INPUT};
use ralex_routing::Choice;
use ralex_routing::breaker::{Admission, Verdict};
use sha2::{Digest, Sha256};

use crate::Broker;
use crate::approval::Pass;
use crate::cache::{Kept, Slot};
use crate::choice::Chosen;
use crate::course::{Course, Try};
use crate::exchange::{About, Answered, CallRequest, Failure};
use crate::guard::Guard;
use crate::keep::named::keeping;
use crate::open::Terms;
use crate::queue::Permit;
use crate::ready::{self, Ready};
use crate::rules::{Asking, Ruled};
use crate::stream::CallStream;

/// Larger bodies are hashed and counted away from the threads that serve.
const SMALL_BODY: usize = 64 * 1024;

/// What was decided this long ago is looked at again before it is acted on, since what is taken
/// away must have an end within a second.
const LONG_WAIT_MS: u32 = 500;

/// What is known of a call before its candidates are made ready.
struct Known {
    scope: Scope,
    guard: Option<Guard>,
    ruled: Ruled,
    measured: Measured,
    started: Instant,
}

/// What was decided about a call before anything is held for it.
pub(crate) struct Decided {
    pub call: CallId,
    pub scope: Scope,
    pub why: Why,
    pub guard: Option<Guard>,
    pub ruled: Ruled,
    pub header: Option<String>,
    pub choice: Option<Arc<Choice>>,
    pub outline: Outline,
    /// Where its answer may be kept.
    pub slot: Option<Slot>,
    /// Who may answer, in order; never empty.
    pub ready: Vec<Arc<Ready>>,
    pub course: Course,
    pub first: Try,
    pub charges: Vec<Charge>,
    /// The rate limits that it may count against.
    pub limits: Vec<Arc<Limit>>,
    pub digest: String,
    pub started: Instant,
}

impl Broker {
    /// Chooses, decides, holds, records, sends, and settles.
    ///
    /// # Errors
    /// What any step refuses. Before the intent is durable nothing is answered, and nothing is sent
    /// that this node's leases do not cover. A right that ends while the call is under way, waiting
    /// included, ends it as its caller's going away would, and says so.
    pub async fn call(&self, request: CallRequest) -> Result<Answered, Failure> {
        let tenure = self.tenure(&request);
        // What is answered and what has ended in the same moment is answered: it is paid already.
        tokio::select! {
            biased;
            answered = self.call_decided(request) => answered,
            why = tenure => Err(why.into()),
        }
    }

    async fn call_decided(&self, mut request: CallRequest) -> Result<Answered, Failure> {
        let started = Instant::now();
        let scope = self.allow(&request).await?;
        self.prioritise(&mut request).await?;
        self.name_files(&mut request).await?;
        self.go_on(&mut request).await?;
        let asking = self.asking(&request).await?;
        if let Some(asking) = &asking {
            self.forbid(&request, &scope, asking).await?;
        }
        let guard = self.guard(&mut request, &scope, (None, true)).await?;
        let pass = guard.as_ref().and_then(|guard| guard.pass);
        let about = (scope.clone(), (guard, asking), started);
        // It is most of a call, and would be part of every future that has a call in it.
        let answered = Box::pin(self.call_guarded(request, about)).await;
        if let (Some(pass), Err(_)) = (pass, &answered) {
            self.give_back(&scope, pass).await;
        }
        answered
    }

    /// The rest of a call that guardrails let pass.
    async fn call_guarded(
        &self,
        request: CallRequest,
        (scope, (guard, asking), started): (Scope, (Option<Guard>, Option<Asking>), Instant),
    ) -> Result<Answered, Failure> {
        let pass = guard.as_ref().and_then(|guard| guard.pass);
        let call = pass.map_or_else(CallId::generate, |pass| pass.call);
        let measured = measured(&request).await?;
        let now = self.parts.clock.now();
        let mut chosen = match self.choose(&request, &measured, now, asking.as_ref()).await? {
            Ok(chosen) => chosen,
            Err(verdict) => return Err(self.denied(&request, &scope, (call, &verdict)).await),
        };
        let mut ruled = std::mem::take(&mut chosen.ruled);
        self.ask_first(&request, &scope, &mut ruled, call).await?;
        let asked = ruled.pass;
        let shadow = chosen
            .shadow
            .clone()
            .map(|plan| (request.clone(), Chosen::shadow(plan, chosen.why.route.as_deref())));
        let about = Known { scope: scope.clone(), guard, ruled, measured, started };
        let answered = self.call_chosen(request, about, chosen).await;
        if let (Some(pass), Err(_)) = (asked, &answered) {
            self.give_back(&scope, pass).await;
        }
        if let (Some((request, chosen)), Ok(_)) = (shadow, &answered) {
            self.send_shadow(request, chosen, pass);
        }
        answered
    }

    /// The same for a caller who has chosen the candidates already.
    ///
    /// # Errors
    /// As [`Broker::call`].
    pub async fn call_among(
        &self,
        request: CallRequest,
        chosen: Chosen,
    ) -> Result<Answered, Failure> {
        self.call_passed(request, chosen, (None, true)).await
    }

    /// A call that Ralex makes by itself for another one, which guardrails have looked at. It makes
    /// no calls of that kind in turn.
    pub(crate) fn call_inner(
        &self,
        request: CallRequest,
    ) -> BoxFuture<'_, Result<Answered, Failure>> {
        // On the heap, since the future of a call cannot hold another one like itself.
        async move {
            let started = Instant::now();
            let scope = self.allow(&request).await?;
            let measured = measured(&request).await?;
            // Rules do not bind it, since it is the organisation that asks.
            let now = self.parts.clock.now();
            let Ok(chosen) = self.choose(&request, &measured, now, None).await? else {
                return Err(Problem::new(Code::Internal, "No model was chosen.").into());
            };
            let (guard, ruled) = (None, Ruled::default());
            let known = Known { scope, guard, ruled, measured, started };
            self.call_chosen(request, known, chosen).await
        }
        .boxed()
    }

    /// The same where a person may have approved, and judges have seen, the call that this one goes
    /// with.
    async fn call_passed(
        &self,
        mut request: CallRequest,
        chosen: Chosen,
        passed: (Option<Pass>, bool),
    ) -> Result<Answered, Failure> {
        let started = Instant::now();
        let scope = self.allow(&request).await?;
        self.prioritise(&mut request).await?;
        let guard = self.guard(&mut request, &scope, passed).await?;
        let measured = measured(&request).await?;
        let known = Known { scope, guard, ruled: Ruled::default(), measured, started };
        self.call_chosen(request, known, chosen).await
    }

    /// A call that does not say how urgent it is, is as urgent as its team's calls are.
    async fn prioritise(&self, request: &mut CallRequest) -> Result<(), Problem> {
        if request.wishes.priority.is_none() {
            let told = self.parts.routing.priority(request.org, request.at).await?;
            request.wishes.priority = told;
        }
        Ok(())
    }

    /// A copy of a call, held, recorded and paid like any other, whose answer is read to its end
    /// and thrown away.
    fn send_shadow(&self, mut request: CallRequest, chosen: Chosen, pass: Option<Pass>) {
        let broker = self.clone();
        // A kept answer would say nothing of the model that is tried.
        request.wishes.fresh = true;
        let pass = pass.map(|pass| Pass { call: CallId::generate(), ..pass });
        tokio::spawn(async move {
            if let Ok(Answered::Stream { mut stream, .. }) =
                broker.call_passed(request, chosen, (pass, false)).await
            {
                while stream.next().await.is_some() {}
            }
        });
    }

    async fn call_chosen(
        &self,
        request: CallRequest,
        known: Known,
        chosen: Chosen,
    ) -> Result<Answered, Failure> {
        let started = known.started;
        let chosen = keeping(&request, chosen)?;
        let mut decided = self.decide(&request, known, chosen).await?;
        let waits = Instant::now();
        let kept = self.recall(&request, &mut decided).await?;
        if let Some(kept) = kept {
            self.leave(&request, &decided);
            self.check_since(waits, &request, &decided)?;
            return self.give_again(&request, &decided, &kept).await;
        }
        decided.why.priority = Some(request.wishes.priority().as_str());
        let in_flight = self.open_first(&request, &mut decided, waits).await?;
        metrics::histogram!("ralex_call_overhead_seconds").record(started.elapsed());
        // The largest part by far; on the heap, so that whoever waits for a call stays small.
        Box::pin(self.attempt(&request, decided, in_flight)).await
    }

    /// Answers with what was answered before, as a call of its own that costs nothing.
    async fn give_again(
        &self,
        request: &CallRequest,
        decided: &Decided,
        kept: &Kept,
    ) -> Result<Answered, Failure> {
        let taken = self.take_for_kept(decided).await?;
        let opened = self.open(request, decided, Terms::of(Money::ZERO)).await;
        let mut in_flight = opened.map_err(|refused| refused.failure)?;
        let limits = taken.as_ref().map(Taken::standing).unwrap_or_default();
        in_flight.taken = taken;
        let (call, cost) = (in_flight.call, Money::ZERO);
        in_flight.note_first_byte();
        in_flight.found(Cached {
            kind: kept.kind(),
            saved: kept.cost,
            from: kept.call,
            similarity: kept.similarity,
        });
        let plan = &decided.first().plan;
        let about = About {
            model: plan.name.clone(),
            provider: plan.provider_slug.to_string(),
            route: decided.why.route.clone(),
            reason: match kept.similarity {
                None => "a kept answer".to_owned(),
                Some(_) => "a kept answer to a question that means the same".to_owned(),
            },
            routing: decided.header.clone(),
            cache: Some(if kept.similarity.is_some() { "semantic" } else { "hit" }),
            similarity: kept.similarity.map(|similarity| format!("{similarity:.4}")),
            attempts: 0,
            limits,
        };
        let body = kept.body.clone();
        if !request.inbound.streamed() {
            return Ok(Answered::Whole { call, about, body, cost });
        }
        let stream = Box::new(CallStream::kept(body, request.inbound.dialect()));
        Ok(Answered::Stream { call, about, held: cost, stream })
    }

    /// Refuses a call that has waited long while what it was decided by has changed.
    pub(crate) fn check_since(
        &self,
        waits: Instant,
        request: &CallRequest,
        decided: &Decided,
    ) -> Result<(), Problem> {
        if millis(waits) <= LONG_WAIT_MS || self.still_stands(request, decided) {
            return Ok(());
        }
        let detail = "Rules of the organisation changed while the call waited for its turn. \
                      Send it again.";
        Err(Problem::new(Code::Unavailable, detail).with_retry_after(1))
    }

    /// Whether everything that the decision went by is as it was: a right, token or key that was
    /// taken away while the call waited makes a new version of the policy, and nothing is sent
    /// any more by the old one.
    pub(crate) fn still_stands(&self, request: &CallRequest, decided: &Decided) -> bool {
        self.parts.access.version(request.org) == decided.scope.policy_version()
    }

    /// A place for the first try: at the provider that was chosen, or, where too many wait there,
    /// at the next candidate's, who then is the first.
    pub(crate) async fn first_place(
        &self,
        request: &CallRequest,
        decided: &mut Decided,
    ) -> Result<Permit, Problem> {
        let (at, priority, until) = (request.at, request.wishes.priority(), self.queue.patience());
        let mut refused = None;
        loop {
            let provider = decided.first().plan.provider;
            let place = self.queue.place_until(request.org, provider, at, priority, until);
            let problem = match place.await {
                Ok(permit) => return Ok(permit),
                Err(problem) => refused.take().unwrap_or(problem),
            };
            self.leave(request, decided);
            let ready = decided.ready.clone();
            let next = decided.course.without(&decided.first, self.admits(request.org, &ready));
            let Some(next) = next else { return Err(problem) };
            // What another answers is not kept as the answer of the one that was asked for.
            (decided.first, decided.slot, refused) = (next, None, Some(problem));
        }
    }

    /// A place at a provider.
    pub(crate) async fn place(
        &self,
        request: &CallRequest,
        provider: ProviderId,
    ) -> Result<Permit, Problem> {
        self.queue.place(request.org, provider, request.at, request.wishes.priority()).await
    }

    /// A call that was admitted by the circuits does not go out after all.
    pub(crate) fn leave(&self, request: &CallRequest, decided: &Decided) {
        let place = decided.first().place(request.org, decided.first.key);
        self.parts.routing.breakers().report(&place, Verdict::Neutral);
    }

    async fn allow(&self, request: &CallRequest) -> Result<Scope, Problem> {
        let caller = &request.signed_in.caller;
        self.parts.access.allow(caller, request.org, Permission::LlmInvoke, request.at).await
    }

    async fn decide(
        &self,
        request: &CallRequest,
        known: Known,
        chosen: Chosen,
    ) -> Result<Decided, Failure> {
        let Known { scope, guard, ruled, measured, started } = known;
        let parts = &self.parts;
        let caller = &request.signed_in.caller;
        let (inbound, input) = (&request.inbound, measured.input);
        let ready = ready::all(parts, &self.keys, request.org, inbound, input, &chosen).await?;
        let ready = ready::affordable(ready, chosen.budget_left);
        if ready.iter().any(|one| !one.keys.is_empty()) {
            // To have a key used is a right of its own; nobody gets to see it by it.
            let permission = Permission::SecretUse;
            parts.access.allow(caller, request.org, permission, request.at).await?;
        }
        let now = parts.clock.now();
        let spender = request.spender();
        let charges = parts.budgets.applicable(request.org, &spender, now).await?;
        let limits = parts.rates.applicable(request.org, &spender).await?;
        let mut course = Course::new(ready.iter().map(|one| one.keys.len()), parts.resilience);
        let first = course.first(self.admits(request.org, &ready));
        let first = first.ok_or_else(|| Problem::new(Code::Internal, "No model was chosen."))?;
        let pass = guard.as_ref().and_then(|guard| guard.pass).or(ruled.pass);
        let call = pass.map_or_else(CallId::generate, |pass| pass.call);
        let (mut why, header, digest) = (chosen.why, chosen.header, measured.digest);
        why.guardrails = Guard::record(&noted(guard.as_ref(), &ruled), &[]);
        let slot = None;
        Ok(Decided {
            call,
            scope,
            why,
            guard,
            ruled,
            header,
            choice: chosen.choice,
            outline: measured.outline,
            slot,
            ready,
            course,
            first,
            charges,
            limits,
            digest,
            started,
        })
    }

    /// Whether the circuits let a call through to a candidate with a key.
    pub(crate) fn admits<'a>(
        &'a self,
        org: OrgId,
        ready: &'a [Arc<Ready>],
    ) -> impl FnMut(usize, Option<usize>) -> bool + 'a {
        move |candidate, key| {
            let place = ready.get(candidate).map(|one| one.place(org, key));
            place.is_some_and(|place| match self.parts.routing.breakers().admit(&place) {
                Admission::Open | Admission::Probe => true,
                Admission::Refused { .. } => false,
            })
        }
    }

    /// Whether a call may be sent while its record is on its way: where all it does is spend, which
    /// this node's leases cover. A tool that the provider runs by itself may do more.
    pub(crate) fn may_overlap(&self, request: &CallRequest, decided: &Decided) -> bool {
        let approved = decided.pass().is_some();
        let plain = request.inbound.input_tokens() < UNKNOWN_INPUT;
        !self.parts.record_first && plain && !approved
    }
}

impl Decided {
    #[expect(clippy::indexing_slicing, reason = "a course names only candidates that are there")]
    pub fn first(&self) -> &Ready {
        &self.ready[self.first.candidate]
    }

    /// What let it pass, where a person was asked about it.
    pub fn pass(&self) -> Option<Pass> {
        self.guard.as_ref().and_then(|guard| guard.pass).or(self.ruled.pass)
    }

    /// What guardrails and rules found in the request.
    pub fn noted(&self) -> Vec<Noted> {
        noted(self.guard.as_ref(), &self.ruled)
    }

    /// Whether somebody stands behind the first candidate.
    pub fn has_others(&self) -> bool {
        self.first.candidate + 1 < self.ready.len()
    }

    /// The budgets that the first try counts on.
    pub fn first_charges(&self) -> impl Iterator<Item = &Charge> {
        self.charges.iter().filter(|charge| self.first().counts_on(charge))
    }
}

fn noted(guard: Option<&Guard>, ruled: &Ruled) -> Vec<Noted> {
    let guarded = guard.map_or(&[][..], |guard| &guard.noted);
    guarded.iter().chain(&ruled.noted).cloned().collect()
}

/// What was counted of a request.
pub(crate) struct Measured {
    /// Of the body as it came.
    pub digest: String,
    /// An upper bound of its tokens.
    pub input: u64,
    pub outline: Outline,
}

pub(crate) fn millis(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX)
}

async fn measured(request: &CallRequest) -> Result<Measured, Problem> {
    let (inbound, body) = (request.inbound.clone(), request.body.clone());
    let measure = move || Measured {
        digest: hex(&Sha256::digest(&body)),
        input: inbound.input_tokens(),
        outline: inbound.outline(),
    };
    if request.inbound.size() <= SMALL_BODY {
        return Ok(measure());
    }
    tokio::task::spawn_blocking(measure)
        .await
        .map_err(|_| Problem::new(Code::Internal, "The request could not be counted."))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}
