//! Rules about calls: what denies a call, about which a person is asked first, and which models a
//! caller is shown.
//!
//! What always holds: a candidate that a rule denies is not called, also not where another one
//! fails; whoever names a model that they may not call is refused, and a route goes to whichever of
//! its models may be called; a rule that asks is answered by the same approvals as a guardrail.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_access::Scope;
use ralex_api::call_rules::CallEffect;
use ralex_api::guardrails::Noted;
use ralex_approvals::Answer;
use ralex_audit::RuleApplied;
use ralex_budgets::Left as BudgetLeft;
use ralex_identity::SignedIn;
use ralex_kernel::{CallId, Code, OrgId, Problem, ScopePath};
use ralex_providers::{Inbound, Operation};
use ralex_routing::{Choice, Plan};
use ralex_rules::{Arguments, Call, CallRules, Left, Resource, Rules, Verdict, Who, judge};

use crate::Broker;
use crate::approval::{Pass, binding, question, waiting};
use crate::exchange::{CallRequest, Failure};

const NANOS_IN_MICRO: i64 = 1_000;

/// What is asked of the rules about one call, gathered once.
#[derive(Clone)]
pub(crate) struct Asking {
    source: CallRules,
    rules: Arc<Rules>,
    who: Who,
    arguments: Arguments,
    left: Left,
    at: ScopePath,
    labels: Vec<String>,
    tags: Vec<String>,
    now: DateTime<Utc>,
}

/// What the rules said of a call that goes on.
#[derive(Clone, Debug, Default)]
pub struct Ruled {
    /// Rules about which a person is asked first.
    asks: Option<Verdict>,
    /// For the record of the call.
    pub(crate) noted: Vec<Noted>,
    /// For the audit log.
    pub(crate) applied: Vec<RuleApplied>,
    /// What let it pass.
    pub(crate) pass: Option<Pass>,
}

impl Ruled {
    /// What the rules that stopped or let pass a call leave on record.
    fn of(verdict: &Verdict, pass: Option<Pass>) -> Self {
        let approval = pass.map(|pass| pass.approval);
        let (noted, applied) = (verdict.noted(approval), verdict.applied(approval));
        Self { asks: None, noted, applied, pass }
    }
}

impl Asking {
    fn judge(&self, inbound: &Inbound, plan: &Plan) -> Verdict {
        self.judge_as(action(inbound.operation()), inbound, plan)
    }

    fn judge_as(&self, action: &str, inbound: &Inbound, plan: &Plan) -> Verdict {
        let call = Call {
            action,
            resource: resource(plan),
            asked: inbound.model(),
            at: self.at,
            who: &self.who,
            dialect: inbound.dialect().as_str(),
            streamed: inbound.streamed(),
            max_output: self.source.max_output(inbound.max_output()),
            arguments: &self.arguments,
            labels: &self.labels,
            tags: &self.tags,
            left: self.left,
            now: self.now,
        };
        judge(&self.rules, &call)
    }

    /// What becomes of a line of a batch, for which nobody can be asked.
    ///
    /// # Errors
    /// What its sender is told.
    pub fn line(&self, inbound: &Inbound, plan: &Plan) -> Result<(), Box<Barred>> {
        let arguments = if self.rules.uses().arguments {
            Arguments::of(&inbound.arguments())
        } else {
            Arguments::none()
        };
        unasked(Self { arguments, ..self.clone() }.judge(inbound, plan))
    }

    /// Leaves only candidates that may be called: those about which nobody has to be asked where the
    /// first one is such, or else also those about which one has.
    ///
    /// # Errors
    /// The verdict, where none is left.
    pub fn narrow(&self, request: &CallRequest, choice: &mut Choice) -> Result<Ruled, Verdict> {
        let candidates = std::mem::take(&mut choice.candidates);
        let mut denied = None;
        let mut left = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let verdict = self.judge(&request.inbound, &candidate.plan);
            if verdict.effect == CallEffect::Deny {
                denied.get_or_insert(verdict);
            } else {
                left.push((candidate, verdict));
            }
        }
        let Some((_, first)) = left.first() else {
            return Err(denied.unwrap_or(Verdict { effect: CallEffect::Deny, by: Vec::new() }));
        };
        let first = first.clone();
        // What one model asks is no answer about another one.
        let same = |verdict: &Verdict| {
            verdict.effect == CallEffect::Allow
                || (first.effect == CallEffect::Ask && verdict.stamp() == first.stamp())
        };
        left.retain(|(_, verdict)| same(verdict));
        choice.candidates = left.into_iter().map(|(candidate, _)| candidate).collect();
        let may_copy =
            |plan: &Arc<Plan>| self.judge(&request.inbound, plan).effect == CallEffect::Allow;
        choice.shadow = choice.shadow.take().filter(may_copy);
        let ruled = Ruled::of(&first, None);
        let asks = (first.effect == CallEffect::Ask).then_some(first);
        Ok(Ruled { asks, ..ruled })
    }
}

impl Broker {
    /// Gathers what rules read of a call; nothing where none is about anything there.
    pub(crate) async fn asking(&self, request: &CallRequest) -> Result<Option<Asking>, Problem> {
        let parts = &self.parts;
        let rules = parts.rules.of_org(request.org).await?;
        if rules.is_silent(request.at) {
            return Ok(None);
        }
        let uses = rules.uses();
        let caller = &request.signed_in.caller;
        let who = parts.rules.who(caller, request.org, request.at, uses).await?;
        let arguments = if uses.arguments {
            Arguments::of(&request.inbound.arguments())
        } else {
            Arguments::none()
        };
        let left = if uses.budget {
            parts.budgets.left(request.org, &request.spender()).await?
        } else {
            None
        };
        let left = left.as_ref().map_or(Left::ALL, least);
        let now = parts.clock.now();
        Ok(Some(Asking {
            source: parts.rules.clone(),
            rules,
            who,
            arguments,
            left,
            at: request.at,
            labels: request.wishes.labels.clone(),
            tags: request.wishes.tags.clone(),
            now,
        }))
    }

    /// Refuses a call of a model that is named and that a rule denies, before anybody looks at what
    /// is said in it.
    pub(crate) async fn forbid(
        &self,
        request: &CallRequest,
        scope: &Scope,
        asking: &Asking,
    ) -> Result<(), Failure> {
        let named = request.wishes.model.as_deref().unwrap_or(request.inbound.model());
        let models = self.parts.routing.available(request.org).await?;
        let Some(plan) = models.iter().find(|plan| plan.name == named) else { return Ok(()) };
        let verdict = asking.judge(&request.inbound, plan);
        if verdict.effect == CallEffect::Deny {
            return Err(self.denied(request, scope, (CallId::generate(), &verdict)).await);
        }
        Ok(())
    }

    /// Records that rules deny a call.
    pub(crate) async fn denied(
        &self,
        request: &CallRequest,
        scope: &Scope,
        (call, verdict): (CallId, &Verdict),
    ) -> Failure {
        count("deny");
        let ruled = Ruled::of(verdict, None);
        let problem = verdict.refusal();
        self.refused(request, scope, (call, &ruled.noted, ruled.applied), problem).await
    }

    /// Uses what a person has approved, or begins to wait for one, where rules ask.
    pub(crate) async fn ask_first(
        &self,
        request: &CallRequest,
        scope: &Scope,
        ruled: &mut Ruled,
        call: CallId,
    ) -> Result<(), Failure> {
        let Some(verdict) = ruled.asks.take() else { return Ok(()) };
        let noted = verdict.noted(None);
        let (stamp, bound) = (verdict.stamp(), binding(request));
        let mut content: Vec<&[u8]> = vec![&stamp];
        content.extend(bound.iter().map(Vec::as_slice));
        let question = question(request, call, (&noted, &[]), &content);
        let answered = match self.parts.approvals.ask(&question).await {
            Ok(Answer::Approved(approval)) => {
                *ruled = Ruled::of(&verdict, Some(Pass { approval, call }));
                return Ok(());
            }
            Ok(waits) => waiting(&verdict.question(), waits),
            Err(problem) => problem,
        };
        count("ask");
        let record = (call, noted.as_slice(), ruled.applied.clone());
        Err(self.refused(request, scope, record, answered).await)
    }

    /// Refuses a batch that rules deny, or about which a person would have to be asked: as what it is,
    /// and as what its lines are.
    pub(crate) async fn rule_batch(
        &self,
        request: &CallRequest,
        scope: &Scope,
        (lines, plan): (Operation, &Plan),
    ) -> Result<(), Failure> {
        let Some(asking) = self.asking(request).await? else { return Ok(()) };
        for action in [action(Operation::Batches), action(lines)] {
            if let Err(barred) = unasked(asking.judge_as(action, &request.inbound, plan)) {
                return Err(self.barred(request, scope, &barred).await);
            }
        }
        Ok(())
    }

    /// Records that rules refuse what cannot wait.
    pub(crate) async fn barred(
        &self,
        request: &CallRequest,
        scope: &Scope,
        barred: &Barred,
    ) -> Failure {
        count("deny");
        let ruled = Ruled::of(&barred.verdict, None);
        let record = (CallId::generate(), ruled.noted.as_slice(), ruled.applied);
        self.refused(request, scope, record, barred.problem.clone()).await
    }

    /// The models that a caller is shown.
    ///
    /// # Errors
    /// Where the rules cannot be read: nothing is shown then.
    pub async fn shown(
        &self,
        signed_in: &SignedIn,
        (org, at): (OrgId, ScopePath),
        models: Vec<Arc<Plan>>,
    ) -> Result<Vec<Arc<Plan>>, Problem> {
        let parts = &self.parts;
        let rules = parts.rules.of_org(org).await?;
        if rules.is_silent(at) {
            return Ok(models);
        }
        let uses = rules.uses();
        let who = parts.rules.who(&signed_in.caller, org, at, uses).await?;
        let left = if uses.budget {
            let spender = ralex_budgets::Spender::of(&signed_in.caller, at, None);
            parts.budgets.left(org, &spender).await?
        } else {
            None
        };
        let left = left.as_ref().map_or(Left::ALL, least);
        let (now, arguments) = (parts.clock.now(), Arguments::none());
        let shown = models.into_iter().filter(|plan| {
            let call = Call {
                action: "model.list",
                resource: resource(plan),
                asked: &plan.name,
                at,
                who: &who,
                dialect: "",
                streamed: false,
                max_output: 0,
                arguments: &arguments,
                labels: &[],
                tags: &[],
                left,
                now,
            };
            judge(&rules, &call).effect != CallEffect::Deny
        });
        Ok(shown.collect())
    }
}

/// What rules refuse where nobody can be asked.
#[derive(Debug)]
pub(crate) struct Barred {
    pub problem: Problem,
    pub verdict: Verdict,
}

fn unasked(verdict: Verdict) -> Result<(), Box<Barred>> {
    let problem = match verdict.effect {
        CallEffect::Allow => return Ok(()),
        CallEffect::Deny => verdict.refusal(),
        CallEffect::Ask => {
            let asks = verdict.question().detail;
            let detail = format!("{asks} A batch cannot wait for that: send it as a call.");
            Problem::new(Code::CallDenied, detail)
        }
    };
    Err(Box::new(Barred { problem, verdict }))
}

fn count(effect: &'static str) {
    metrics::counter!("ralex_call_rule_decisions_total", "effect" => effect).increment(1);
}

fn resource(plan: &Plan) -> Resource<'_> {
    Resource {
        model: &plan.name,
        upstream_model: &plan.target.upstream_model,
        provider: plan.provider_slug.as_str(),
    }
}

fn least(left: &BudgetLeft) -> Left {
    Left { micros: left.amount.as_nanos() / NANOS_IN_MICRO, percent: left.percent }
}

/// What rules call it.
pub(crate) const fn action(operation: Operation) -> &'static str {
    match operation {
        Operation::Generate | Operation::Responses => "model.call.generate",
        Operation::Embeddings => "model.call.embeddings",
        Operation::Moderations => "model.call.moderations",
        Operation::Images => "model.call.images",
        Operation::ImageEdits => "model.call.image_edits",
        Operation::ImageVariations => "model.call.image_variations",
        Operation::Speech => "model.call.speech",
        Operation::Transcriptions => "model.call.transcriptions",
        Operation::Translations => "model.call.translations",
        Operation::Rerank => "model.call.rerank",
        Operation::CountTokens => "model.call.count_tokens",
        Operation::Files | Operation::Batches => "model.call.batches",
        Operation::Models => "model.list",
    }
}
