//! Where a call may go, in order, and why: what the caller wishes and what routing chose.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ralex_api::catalog::ModelOperation;
use ralex_api::routing::{Priority, Signal, Via};
use ralex_budgets::{Left, Why};
use ralex_kernel::{Code, Money, Problem, ProviderId};
use ralex_providers::{Operation, Outline};
use ralex_routing::classify::Sample;
use ralex_routing::{Choice, Plan, Question, Tried, escalate};
use ralex_rules::Verdict;

use crate::call::Measured;
use crate::exchange::CallRequest;
use crate::rules::{Asking, Ruled};
use crate::{Broker, Parts};

/// What a caller asks for beside the request itself.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `x-ralex-model`: whatever the body names.
    pub model: Option<String>,
    /// `x-ralex-route`.
    pub route: Option<String>,
    /// `x-ralex-labels`: what the data is.
    pub labels: Vec<String>,
    /// `x-ralex-tags`: words of the caller's own, to sum usage up by.
    pub tags: Vec<String>,
    /// `x-ralex-run`: the run that it is part of.
    pub run: Option<String>,
    /// `x-ralex-residency`: where it must stay.
    pub residency: Option<String>,
    /// Calls of one session stay with one model where a route says so.
    pub session: Option<String>,
    /// `x-ralex-priority`: who goes first where calls wait; absent: as the scope's preferences say.
    pub priority: Option<Priority>,
    /// `x-ralex-escalate`: the last answer was not good enough.
    pub escalate: bool,
    /// `x-ralex-cache: no-store`: no kept answer, and nothing kept of this one.
    pub fresh: bool,
    /// `x-ralex-cache: exact`: a kept answer only where the question is the very same.
    pub exact: bool,
    /// What the call is made for, where that is not its caller's own request; no header says it.
    pub purpose: Option<&'static str>,
    /// The provider that keeps the files which the call names; no header says it.
    pub keeper: Option<ProviderId>,
    /// Headers that a route's conditions may read; never a credential.
    pub headers: BTreeMap<String, String>,
}

impl Wishes {
    pub(crate) fn priority(&self) -> Priority {
        self.priority.unwrap_or_default()
    }
}

/// The models that may answer a call, the preferred one first; never empty.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub candidates: Vec<Candidate>,
    /// What the call's record says about it.
    pub why: Why,
    /// The choice in one header line.
    pub header: Option<String>,
    /// What routing said, where it may say more when an answer is there.
    pub choice: Option<Arc<Choice>>,
    /// Gets a copy of the call, whose answer nobody sees.
    pub shadow: Option<Arc<Plan>>,
    /// What the budgets have left, where the choice could go by it.
    pub budget_left: Option<Money>,
    /// What rules say of these candidates.
    pub(crate) ruled: Ruled,
}

/// One of them, and why it stands where it stands.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub plan: Arc<Plan>,
    pub reason: String,
}

impl Chosen {
    /// These and no others.
    pub fn of(candidates: Vec<Candidate>) -> Self {
        Self {
            candidates,
            why: Why::default(),
            header: None,
            choice: None,
            shadow: None,
            budget_left: None,
            ruled: Ruled::default(),
        }
    }

    /// The one model that gets a copy of a call of this route.
    pub(crate) fn shadow(plan: Arc<Plan>, route: Option<&str>) -> Self {
        let candidate = Candidate { plan, reason: "a copy, as the route says".to_owned() };
        let route = Some(format!("{} (shadow)", route.unwrap_or_default()));
        Self { why: Why { route, ..Why::default() }, ..Self::of(vec![candidate]) }
    }

    fn from_choice(choice: Choice, budget_left: Option<Money>) -> Self {
        let header = Some(choice.header());
        // A call of one named model explains itself; all others keep the whole explanation.
        let alone = choice.candidates.len() == 1
            && matches!(choice.explanation.via, Via::Model | Via::Forced);
        let explanation = || serde_json::to_string(&choice.explanation).ok();
        let why = Why {
            route: choice.route.clone(),
            task_type: Some(choice.task.kind.as_str().to_owned()),
            difficulty: Some(choice.task.difficulty),
            choice: if alone { None } else { explanation() },
            ..Why::default()
        };
        let candidates = choice.candidates.iter();
        let candidates = candidates
            .map(|one| Candidate { plan: Arc::clone(&one.plan), reason: one.reason.clone() })
            .collect();
        let shadow = choice.shadow.clone();
        let choice = choice.escalation.is_some().then(|| Arc::new(choice));
        let ruled = Ruled::default();
        Self { candidates, why, header, choice, shadow, budget_left, ruled }
    }
}

impl Broker {
    /// Asks routing who may answer, and rules who of them may be called; the verdict, where nobody.
    pub(crate) async fn choose(
        &self,
        request: &CallRequest,
        measured: &Measured,
        now: DateTime<Utc>,
        asking: Option<&Asking>,
    ) -> Result<Result<Chosen, Verdict>, Problem> {
        let (inbound, wishes) = (&request.inbound, &request.wishes);
        let sample = sample(&measured.outline, measured.input);
        let question = Question {
            force_model: wishes.model.as_deref(),
            route: wishes.route.as_deref(),
            labels: &wishes.labels,
            residency: wishes.residency.as_deref(),
            allowed: request.signed_in.caller.models.as_deref(),
            input_tokens: measured.input,
            session: wishes.session.as_deref(),
            operation: operation(inbound.operation()),
            dialect: inbound.dialect().as_str(),
            headers: &wishes.headers,
            now,
            ..Question::new(inbound.model(), request.at, sample)
        };
        let left = self.budget_left(request, &question).await?;
        let question = Question {
            budget_left: left.as_ref().map(|left| left.amount),
            budget_left_percent: left.as_ref().map_or(100.0, |left| left.percent),
            degraded: left.as_ref().and_then(|left| left.degraded.as_deref()),
            ..question
        };
        let routing = &self.parts.routing;
        let mut choice = match routing.choose(request.org, &question).await {
            // Figures that are a second old may lead, and not refuse: only the hold knows.
            Err(problem) if problem.code == Code::BudgetExhausted => {
                let question = Question { budget_left: None, ..question };
                routing.choose(request.org, &question).await?
            }
            // The names of all models are no news for whom a rule does not show them.
            Err(problem) if problem.code == Code::ModelNotFound && asking.is_some() => {
                let detail = "There is no such model that you may use. `GET /v1/models` lists those \
                              that there are.";
                return Err(Problem::new(Code::ModelNotFound, detail));
            }
            chosen => chosen?,
        };
        let ruled = match asking.map(|asking| asking.narrow(request, &mut choice)) {
            Some(Err(verdict)) => return Ok(Err(verdict)),
            Some(Ok(ruled)) => ruled,
            None => Ruled::default(),
        };
        if let Some(signal) = self.unsettled(request, &choice) {
            begin_better(&mut choice, signal);
        }
        Ok(Ok(Chosen { ruled, ..Chosen::from_choice(choice, question.budget_left) }))
    }

    /// What was wrong with the answer before this call, as its caller says or as showed when that
    /// answer, a stream, had gone out.
    fn unsettled(&self, request: &CallRequest, choice: &Choice) -> Option<Signal> {
        choice.escalation.as_ref()?;
        let wishes = &request.wishes;
        let session = wishes.session.as_deref();
        let showed = session.and_then(|it| self.parts.routing.take_signal(request.org, it));
        if wishes.escalate { Some(Signal::Caller) } else { showed }
    }

    /// What the budgets of a call have left, where its choice depends on it.
    async fn budget_left(
        &self,
        request: &CallRequest,
        question: &Question<'_>,
    ) -> Result<Option<Left>, Problem> {
        let Parts { routing, budgets, .. } = &*self.parts;
        if !routing.asks_budget(request.org, question).await? {
            return Ok(None);
        }
        let spender = request.spender();
        budgets.left(request.org, &spender).await
    }
}

/// The answer before this one was not good enough: a better model comes first, where the route
/// lets it.
fn begin_better(choice: &mut Choice, signal: Signal) {
    let tried = Tried { at: 0, escalations: 0, signal };
    let Some((at, why)) = escalate(choice, tried).map(|step| (step.at, step.why)) else { return };
    let mut better = choice.candidates.remove(at);
    better.reason = why;
    choice.candidates.insert(0, better);
}

fn sample(outline: &Outline, input_tokens: u64) -> Sample<'_> {
    Sample {
        system: &outline.system,
        last_user: &outline.last_user,
        conversation_chars: outline.characters,
        turns: outline.turns,
        tools: &outline.tools,
        tool_results: outline.tool_results,
        images: outline.images,
        documents: outline.documents,
        audio: outline.audio,
        structured: outline.structured,
        reasoning: outline.reasoning,
        streamed: outline.streamed,
        max_output: outline.max_output,
        input_tokens,
    }
}

/// What a model must do for a call; what is no work of a model counts as answering.
pub(crate) const fn operation(operation: Operation) -> ModelOperation {
    match operation {
        Operation::Embeddings => ModelOperation::Embeddings,
        Operation::Moderations => ModelOperation::Moderations,
        Operation::Images | Operation::ImageEdits | Operation::ImageVariations => {
            ModelOperation::Images
        }
        Operation::Speech => ModelOperation::Speech,
        Operation::Transcriptions => ModelOperation::Transcriptions,
        Operation::Translations => ModelOperation::Translations,
        Operation::Rerank => ModelOperation::Rerank,
        Operation::Generate
        | Operation::CountTokens
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => ModelOperation::Generate,
    }
}
