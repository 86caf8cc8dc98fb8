//! The path of a model call, top to bottom as it is enforced.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ralex_access::{Permission, Scope};
use ralex_audit::CallOpened;
use ralex_budgets::{Charge, Decision, Hold, OpenCall, Prices};
use ralex_identity::SignedIn;
use ralex_kernel::{CallId, Code, Money, OrgId, Problem, ScopePath, Secret};
use ralex_providers::{Answer, Inbound, Meter, Prepared, UpstreamError, Usage, prepare};
use ralex_routing::Plan;
use ralex_vault::KeyRef;
use sha2::{Digest, Sha256};

use crate::Broker;
use crate::in_flight::InFlight;
use crate::stream::CallStream;
use crate::writer::Opening;

/// Larger bodies are hashed and counted away from the threads that serve.
const SMALL_BODY: usize = 64 * 1024;

/// A call as the HTTP layer hands it over.
pub struct CallRequest {
    pub signed_in: SignedIn,
    pub org: OrgId,
    /// The team or project that it counts against.
    pub at: ScopePath,
    pub inbound: Inbound,
    /// The body as it came, for its digest.
    pub body: Bytes,
}

/// What the caller gets.
pub enum Answered {
    Whole {
        call: CallId,
        body: Bytes,
        cost: Money,
    },
    /// `held` is the most that it can cost.
    Stream {
        call: CallId,
        held: Money,
        stream: Box<CallStream>,
    },
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Failure {
    pub problem: Problem,
    /// The call, where it was recorded.
    pub call: Option<CallId>,
    /// The provider's refusal, which knows its own words for what is wrong.
    pub upstream: Option<UpstreamError>,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, call: None, upstream: None }
    }
}

/// What was decided about a call before anything is held for it.
struct Decided {
    call: CallId,
    scope: Scope,
    plan: Arc<Plan>,
    key: Option<KeyRef>,
    prepared: Prepared,
    worst_case: Money,
    charges: Vec<Charge>,
    digest: String,
    started: Instant,
}

impl Broker {
    /// Decides, holds, records, sends, and settles.
    ///
    /// # Errors
    /// What any step refuses; before the intent is durable nothing has been sent.
    pub async fn call(&self, request: CallRequest) -> Result<Answered, Failure> {
        let decided = self.decide(&request).await?;
        let in_flight = self.open(&request, &decided).await?;
        let secret = match &decided.key {
            Some(key) => match self.parts.vault.open_key(key) {
                Ok(secret) => Some(secret),
                Err(problem) => return Err(unsent(in_flight, problem)),
            },
            None => None,
        };
        self.send(&request, &decided, in_flight, secret.as_ref()).await
    }

    async fn decide(&self, request: &CallRequest) -> Result<Decided, Failure> {
        let started = Instant::now();
        let parts = &self.parts;
        let caller = &request.signed_in.caller;
        let permission = Permission::LlmInvoke;
        let scope = parts.access.allow(caller, request.org, permission, request.at).await?;
        let model = request.inbound.model();
        allowed_by_token(&request.signed_in, model)?;
        let plan = parts.routing.plan(request.org, model).await?;
        let key = self.key(request.org, &plan).await?;
        if key.is_some() {
            // To have a key used is a right of its own; nobody gets to see it by it.
            let permission = Permission::SecretUse;
            parts.access.allow(caller, request.org, permission, request.at).await?;
        }
        let (digest, input) = measured(request).await?;
        let prepared = prepare(&request.inbound, &plan.target, parts.default_max_output)?;
        // A provider refuses more input than the window, so no more can be billed.
        let input = input.min(u64::from(plan.context_window));
        let output = prepared.max_output().min(u64::from(plan.max_output).max(1));
        let output = output.saturating_mul(request.inbound.answers());
        let worst_case = plan.worst_case(input, output);
        let token = caller.credential.token();
        let now = parts.clock.now();
        let charges = parts.budgets.applicable(request.org, request.at, token, now).await?;
        let call = CallId::generate();
        Ok(Decided { call, scope, plan, key, prepared, worst_case, charges, digest, started })
    }

    async fn key(&self, org: OrgId, plan: &Plan) -> Result<Option<KeyRef>, Problem> {
        let Some(origin) = &plan.origin else { return Ok(None) };
        let key = self.parts.vault.locate(org, plan.provider, origin).await?;
        if key.is_none() && plan.needs_key {
            return Err(plan.key_missing());
        }
        Ok(key)
    }

    /// Holds the worst case and makes the intent durable.
    async fn open(&self, request: &CallRequest, decided: &Decided) -> Result<InFlight, Failure> {
        let author = decided.scope.author().clone();
        // Made before the wait: where this future is dropped meanwhile, the call may have been
        // opened, and is then closed at no cost.
        let in_flight = InFlight {
            call: decided.call,
            org: request.org,
            author: author.clone(),
            plan: Arc::clone(&decided.plan),
            writer: self.writer.clone(),
            started: decided.started,
            meter: None,
            first_byte: None,
            closed: false,
        };
        let opening = Opening {
            hold: Hold {
                org: request.org,
                call: decided.call,
                amount: decided.worst_case,
                charges: decided.charges.clone(),
            },
            row: self.row(request, decided),
            author,
            intent: intent(request, decided),
        };
        match self.writer.open(opening).await {
            Ok(()) => Ok(in_flight),
            Err(problem) => {
                let recorded = problem.code == Code::BudgetExhausted;
                let mut in_flight = in_flight;
                // Refused calls are closed from the start, failed ones by the writer.
                in_flight.closed = true;
                metrics::counter!("ralex_calls_refused_total", "code" => problem.code.as_str())
                    .increment(1);
                let call = recorded.then_some(decided.call);
                Err(Failure { problem, call, upstream: None })
            }
        }
    }

    fn row(&self, request: &CallRequest, decided: &Decided) -> OpenCall {
        let caller = &request.signed_in.caller;
        let plan = &decided.plan;
        OpenCall {
            org: request.org,
            id: decided.call,
            node: self.parts.node,
            user: caller.subject.user(),
            token: caller.credential.token(),
            at: request.at,
            model: plan.name.clone(),
            model_id: Some(plan.model),
            provider_id: Some(plan.provider),
            provider: plan.provider_slug.to_string(),
            upstream_model: plan.target.upstream_model.clone(),
            dialect: request.inbound.dialect().as_str(),
            streamed: request.inbound.streamed(),
            prices: Prices {
                input: plan.input_price,
                output: plan.output_price,
                cache_read: plan.cache_read_price,
                cache_write: plan.cache_write_price,
            },
            decision: Decision::Refused { problem: Code::Unavailable },
            started_at: self.parts.clock.now(),
        }
    }

    async fn send(
        &self,
        request: &CallRequest,
        decided: &Decided,
        mut in_flight: InFlight,
        secret: Option<&Secret>,
    ) -> Result<Answered, Failure> {
        metrics::histogram!("ralex_call_overhead_seconds").record(decided.started.elapsed());
        in_flight.meter = Some(Meter::new(request.inbound.clone()));
        let call = decided.call;
        match self.parts.client.send(&decided.prepared, secret).await {
            Ok(Answer::Whole { body, usage }) => {
                in_flight.note_first_byte();
                let cost = in_flight.succeed(usage);
                Ok(Answered::Whole { call, body, cost })
            }
            Ok(Answer::Stream(stream)) => {
                in_flight.meter = Some(stream.meter());
                let dialect = request.inbound.dialect();
                let stream = Box::new(CallStream::new(stream, in_flight, dialect));
                Ok(Answered::Stream { call, held: decided.worst_case, stream })
            }
            Err(error) => {
                let problem = error.to_problem();
                let used = used_by(&error, &in_flight);
                in_flight.fail(used, problem.code);
                Err(Failure { problem, call: Some(call), upstream: Some(error) })
            }
        }
    }
}

/// What a failed call used: nothing where the provider refused it or was never reached, the
/// counted input where it may have worked on it.
fn used_by(error: &UpstreamError, in_flight: &InFlight) -> Usage {
    match error {
        UpstreamError::Status(_) | UpstreamError::Unreachable | UpstreamError::Egress(_) => {
            Usage::default()
        }
        UpstreamError::Timeout | UpstreamError::Cut | UpstreamError::Malformed(_) => {
            in_flight.used()
        }
    }
}

fn unsent(in_flight: InFlight, problem: Problem) -> Failure {
    let call = Some(in_flight.call);
    in_flight.fail(Usage::default(), problem.code);
    Failure { problem, call, upstream: None }
}

fn allowed_by_token(signed_in: &SignedIn, model: &str) -> Result<(), Problem> {
    match &signed_in.models {
        Some(models) if !models.iter().any(|allowed| allowed == model) => {
            let detail = format!(
                "This token may not use the model `{model}`. It may use {}.",
                models.join(", ")
            );
            Err(Problem::new(Code::ModelNotAllowed, detail))
        }
        _ => Ok(()),
    }
}

/// The body's digest and an upper bound of its tokens.
async fn measured(request: &CallRequest) -> Result<(String, u64), Problem> {
    let (inbound, body) = (request.inbound.clone(), request.body.clone());
    let measure = move || (hex(&Sha256::digest(&body)), inbound.input_tokens());
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

fn intent(request: &CallRequest, decided: &Decided) -> CallOpened {
    let plan = &decided.plan;
    CallOpened {
        call: decided.call,
        model: plan.name.clone(),
        provider: plan.provider_slug.to_string(),
        upstream_model: plan.target.upstream_model.clone(),
        dialect: request.inbound.dialect().as_str(),
        streamed: request.inbound.streamed(),
        scope: request.at,
        token: request.signed_in.caller.credential.token(),
        allowed_by: decided.scope.by().to_string(),
        policy_version: decided.scope.policy_version(),
        secret: decided.key.as_ref().map(|key| key.secret),
        secret_version: decided.key.as_ref().map(|key| key.version),
        held: decided.worst_case,
        budgets: decided.charges.iter().map(|charge| charge.budget).collect(),
        input_price: plan.input_price,
        output_price: plan.output_price,
        prompt_digest: decided.digest.clone(),
    }
}
