//! Batches: asked for, shown, canceled.
//!
//! A batch is one call. Its row is written first, so that nobody takes its open call for lost; then
//! the worst case of all its lines is held and the intent recorded, as for any call; then the
//! provider is asked. Where its answer is lost, the batch is found again by the mark that it bears.

use std::sync::Arc;

use ralex_access::{Reach, Scope, Sight};
use ralex_audit::{CallOpened, Event};
use ralex_budgets::{Ending, Hold, OpenCall, Settlement, Tokens, Told as CallTold};
use ralex_kernel::{CallId, Code, Money, Problem};
use ralex_providers::{Endpoint, Kept, Operation};
use ralex_routing::{BatchPrices, Plan};
use ralex_store::problem;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::find::Keeper;
use super::lines::line_bound;
use super::reckon::Ended;
use super::send::Told;
use super::shape::{list, shown_batch};
use super::sql::batch::{self as sql, BatchRow, Filter, Seen};
use super::sql::file::{self, FileRow, InputRow};
use super::{BATCH, KeepRequest, about, meant};
use crate::Broker;
use crate::exchange::Failure;
use crate::in_flight::prices;
use crate::writer::{Closing, Opening, Otherwise};

/// The mark that a batch bears at its provider.
pub(super) const MARK: &str = "ralex_batch";
/// When to look for a batch whose beginning was not heard of, in seconds.
const SOON: f64 = 5.0;
/// As many as OpenAI takes, but for the mark.
const METADATA: usize = 15;
/// How many batches a list holds at most, as OpenAI's does.
const MOST: i64 = 100;

/// What a caller asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBatch {
    input_file_id: String,
    endpoint: String,
    completion_window: String,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    output_expires_after: Option<Value>,
}

/// A batch that is decided.
struct Decided {
    id: CallId,
    scope: Scope,
    new: NewBatch,
    file: FileRow,
    input: InputRow,
    keeper: Keeper,
    prices: BatchPrices,
    worst_case: Money,
}

impl Broker {
    /// Holds, records and asks for a batch.
    ///
    /// # Errors
    /// What any step refuses; before the intent is durable nothing has been sent.
    pub async fn create_batch(&self, request: KeepRequest, body: &[u8]) -> Result<Value, Failure> {
        let decided = self.decide_batch(&request, body).await?;
        let row = decided.row(self.parts.clock.now());
        let owner = request.owner();
        let mut tx = self.tenant(request.org).await?;
        sql::insert(&mut tx, &owner, &row).await.map_err(problem)?;
        let event = Event::BatchOpened {
            batch: decided.id,
            file: decided.file.id,
            provider: row.provider.clone(),
            model: row.model.clone(),
            lines: row.lines.unsigned_abs(),
        };
        ralex_audit::record(&mut tx, decided.scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        // In a task of its own: whoever hangs up meanwhile leaves no batch half asked for.
        let broker = self.clone();
        let asked = tokio::spawn(async move { broker.open_batch(&request, decided, row).await });
        let lost = |_| Problem::new(Code::Internal, "The batch was lost on its way.");
        let row = asked.await.map_err(lost)??;
        Ok(shown_batch(&row))
    }

    /// Everything that is decided about a batch before anything is held for it.
    async fn decide_batch(&self, request: &KeepRequest, body: &[u8]) -> Result<Decided, Failure> {
        let scope = self.allow_keep(request).await?;
        let new: NewBatch = serde_json::from_slice(body).map_err(|error| {
            Problem::new(Code::InvalidRequest, format!("The body is no batch: {error}."))
        })?;
        let endpoint = Endpoint::named(&new.endpoint).ok_or_else(|| {
            let known = Endpoint::ALL.map(Endpoint::as_str).join(", ");
            Problem::field("endpoint", format!("must be one of {known}"))
        })?;
        check_metadata(new.metadata.as_ref())?;
        let (guarded_by, _) = self.guarded_by(request).await?;
        let file = self.file_of(&request.owner(), &new.input_file_id).await?;
        let mut tx = self.tenant(request.org).await?;
        let input = file::input(&mut tx, request.org, file.id).await.map_err(problem)?;
        drop(tx);
        let input = input.ok_or_else(|| {
            Problem::field("input_file_id", "must be a file with the purpose batch")
        })?;
        if Endpoint::named(&input.endpoint) != Some(endpoint) {
            let message = format!("must be {}, where the file's lines go", input.endpoint);
            return Err(Problem::field("endpoint", message).into());
        }
        if input.guarded_by != guarded_by {
            let detail = "The guardrails or call rules are others than when the file was read. Send \
                          it again.";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let plan = self.batch_plan(request, endpoint, &input.model).await?;
        let keeper = self.keeper_at(request.org, file.provider_id, file.secret_id).await?;
        if plan.provider != file.provider_id {
            let detail = format!(
                "{} is answered by another provider now than the one that keeps the file. Send \
                 the file again.",
                input.model
            );
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let keeper = Keeper { plan, ..keeper };
        self.allow_key(request, &keeper).await?;
        let kept = Kept { method: "POST", below: "", query: None };
        let call = request.as_call(about(Operation::Batches, kept, bytes::Bytes::new())?);
        self.rule_batch(&call, &scope, (endpoint.operation(), &keeper.plan)).await?;
        let prices = BatchPrices::of(&keeper.plan);
        let worst_case = worst_case(&prices, &input);
        let id = CallId::generate();
        Ok(Decided { id, scope, new, file, input, keeper, prices, worst_case })
    }

    /// Holds the worst case, asks the provider, and remembers what it says.
    async fn open_batch(
        &self,
        request: &KeepRequest,
        decided: Decided,
        mut row: BatchRow,
    ) -> Result<BatchRow, Failure> {
        let opening = self.opening(request, &decided).await?;
        let author = opening.author.clone();
        if let Err(problem) = self.writer.open(opening).await {
            metrics::counter!("ralex_calls_refused_total", "code" => problem.code.as_str())
                .increment(1);
            if problem.code == Code::BudgetExhausted {
                let mut tx = self.tenant(request.org).await?;
                sql::remove(&mut tx, request.org, decided.id)
                    .await
                    .map_err(ralex_store::problem)?;
                tx.commit().await.map_err(ralex_store::problem)?;
            }
            // Otherwise it may have been opened all the same: whoever looks after it will see.
            let call = (problem.code == Code::BudgetExhausted).then_some(decided.id);
            return Err(Failure { problem, call, cost: Money::ZERO, upstream: None });
        }
        let asked = self.ask_for(&decided).await;
        match asked {
            Ok(told) => {
                self.note(&mut row, &told, None).await;
                Ok(row)
            }
            Err(unasked) if unasked.is_certain() => {
                let code = unasked.problem().code;
                self.writer.close(Closing {
                    settlement: nothing(&row, Ending::Error, Some(code)),
                    author,
                    looks: 0,
                });
                let trouble = Some(code.as_str());
                let ended = Ended { status: "failed", trouble, ..Ended::default() };
                self.end_batch(&row, ended).await.ok();
                let failure = Failure::from(unasked);
                Err(Failure { call: Some(decided.id), ..failure })
            }
            Err(unasked) => {
                // It may run: what it may cost stays held until that is known, which may be soon.
                let seen = Seen { again_in_seconds: SOON, ..Seen::of(&row) };
                self.seen(&seen).await.ok();
                Err(Failure { call: Some(decided.id), ..Failure::from(unasked) })
            }
        }
    }

    async fn ask_for(&self, decided: &Decided) -> Result<Told, super::send::Unasked> {
        let new = &decided.new;
        let mut metadata = new.metadata.clone().unwrap_or_default();
        metadata.insert(MARK.to_owned(), json!(decided.id));
        let mut body = json!({
            "input_file_id": decided.file.upstream_id,
            "endpoint": new.endpoint,
            "completion_window": new.completion_window,
            "metadata": metadata,
        });
        if let Some(expires) = &new.output_expires_after {
            body["output_expires_after"] = expires.clone();
        }
        let kept = Kept { method: "POST", below: "", query: None };
        let told = self.ask(&decided.keeper, Operation::Batches, kept, Some(&body)).await?;
        if told.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
            let malformed = ralex_providers::UpstreamError::Malformed("it names no batch");
            return Err(super::send::Unasked::Upstream(malformed));
        }
        Ok(told)
    }

    /// The call that a batch is.
    async fn opening(&self, request: &KeepRequest, decided: &Decided) -> Result<Opening, Problem> {
        let (plan, scope) = (&decided.keeper.plan, &decided.scope);
        let now = self.parts.clock.now();
        let spender = request.spender();
        let mut charges = self.parts.budgets.applicable(request.org, &spender, now).await?;
        charges.retain(|charge| charge.counts(plan.model, plan.provider));
        let kept = Kept { method: "POST", below: "", query: None };
        let call = request.as_call(about(Operation::Batches, kept, bytes::Bytes::new())?);
        let endpoint = Endpoint::named(&decided.input.endpoint).unwrap_or(Endpoint::Chat);
        let dialect = endpoint.dialect().as_str();
        let asked = self.asked(&call, decided.id);
        let mut why = asked.why.clone();
        why.guardrails = decided.input.found.as_ref().map(ToString::to_string);
        let row = OpenCall {
            asked: decided.input.model.clone(),
            model: plan.name.clone(),
            model_id: Some(plan.model),
            provider_id: Some(plan.provider),
            provider: plan.provider_slug.to_string(),
            upstream_model: plan.target.upstream_model.clone(),
            prices: prices(plan),
            dialect,
            why,
            ..asked
        };
        let budgets = charges.iter().map(|charge| charge.budget).collect();
        let hold = Hold::new(request.org, decided.id, decided.worst_case, charges);
        let key = decided.keeper.key.as_ref();
        let intent = CallOpened {
            call: decided.id,
            model: plan.name.clone(),
            provider: plan.provider_slug.to_string(),
            upstream_model: plan.target.upstream_model.clone(),
            dialect,
            streamed: false,
            scope: request.at,
            token: request.signed_in.caller.credential.token(),
            allowed_by: scope.by().to_string(),
            policy_version: scope.policy_version(),
            secret: key.map(|key| key.secret),
            secret_version: key.map(|key| key.version),
            held: decided.worst_case,
            budgets,
            input_price: plan.input_price,
            output_price: plan.output_price,
            prompt_digest: decided.file.sha256.clone().unwrap_or_default(),
            others: Vec::new(),
            approval: None,
            call_rules: Vec::new(),
            purpose: call.wishes.purpose,
        };
        let author = scope.author().clone();
        let (overlaps, otherwise) = (false, Otherwise::Refused);
        Ok(Opening { hold, row, author, intent, refused: None, overlaps, otherwise })
    }

    /// The caller's batches, as OpenAI lists them.
    ///
    /// # Errors
    /// Where the caller may not call models, or a parameter makes no sense.
    pub async fn batches(
        &self,
        request: &KeepRequest,
        after: Option<&str>,
        limit: Option<i64>,
    ) -> Result<Value, Problem> {
        self.allow_keep(request).await?;
        let limit = limit.unwrap_or(20);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::field("limit", format!("must be 1 to {MOST}")));
        }
        let after = after.map(|after| {
            let none = || Problem::field("after", "is no batch of yours");
            meant::<CallId>(BATCH, after).ok_or_else(none)
        });
        let filter = Filter { only: None, after: after.transpose()?, at_most: limit + 1 };
        let mut tx = self.tenant(request.org).await?;
        let mut rows = sql::select(&mut tx, &request.owner(), filter).await.map_err(problem)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok(list(rows.iter().map(shown_batch).collect(), has_more))
    }

    /// One batch of the caller's, as new as a second where its provider answers.
    ///
    /// # Errors
    /// `not_found` for what is not the caller's, whether it exists or not.
    pub async fn batch(&self, request: &KeepRequest, id: &str) -> Result<Value, Problem> {
        self.allow_keep(request).await?;
        let row = self.batch_of(request, id).await?;
        if row.settled_at.is_some() || !self.take_batch(&row).await? {
            return Ok(shown_batch(&row));
        }
        // In a task of its own: whoever hangs up meanwhile leaves no batch that nobody looks after.
        let broker = self.clone();
        tokio::spawn(async move { broker.look_after(&row).await }).await.ok();
        self.batch_of(request, id).await.map(|row| shown_batch(&row))
    }

    /// Asks the provider to end a batch. What is answered by then is paid.
    ///
    /// # Errors
    /// `not_found` as above, `conflict` where it has ended, or what the provider says.
    pub async fn cancel_batch(&self, request: &KeepRequest, id: &str) -> Result<Value, Failure> {
        let scope = self.allow_keep(request).await?;
        let mut row = self.batch_of(request, id).await?;
        let ended = || Problem::new(Code::Conflict, "The batch has ended.");
        let upstream_id = match &row.upstream_id {
            Some(upstream_id) if row.settled_at.is_none() => upstream_id.clone(),
            Some(_) => return Err(ended().into()),
            None => {
                let detail = "It is not known yet whether the provider has begun. Try again soon.";
                return Err(Problem::new(Code::Conflict, detail).with_retry_after(60).into());
            }
        };
        let keeper = self.keeper_at(request.org, row.provider_id, row.secret_id).await?;
        self.allow_key(request, &keeper).await?;
        let event = Event::BatchCanceled { batch: row.id };
        self.record_alone(request.org, scope.author(), event).await?;
        let below = format!("/{upstream_id}/cancel");
        let kept = Kept { method: "POST", below: &below, query: None };
        let told = self.ask(&keeper, Operation::Batches, kept, None).await?;
        self.note(&mut row, &told, None).await;
        Ok(shown_batch(&row))
    }

    async fn batch_of(&self, request: &KeepRequest, id: &str) -> Result<BatchRow, Problem> {
        let missing = || Problem::not_found("batch");
        let only = Some(meant::<CallId>(BATCH, id).ok_or_else(missing)?);
        let mut tx = self.tenant(request.org).await?;
        let filter = Filter { only, at_most: 1, ..Filter::default() };
        let found = sql::select(&mut tx, &request.owner(), filter).await.map_err(problem)?;
        found.into_iter().next().ok_or_else(missing)
    }

    async fn take_batch(&self, row: &BatchRow) -> Result<bool, Problem> {
        let mut tx = self.tenant(row.org).await?;
        let taken = sql::take(&mut tx, row.org, row.id).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(taken)
    }

    /// Remembers what a provider says of a batch that goes on. Where that cannot be written the
    /// next look finds it again.
    pub(super) async fn note(&self, row: &mut BatchRow, told: &Told, trouble: Option<&str>) {
        let told = super::shape::without_ids(told);
        let status = told.1.get("status").and_then(Value::as_str).unwrap_or("in_progress");
        row.upstream_id = told.0.or(row.upstream_id.take());
        status.clone_into(&mut row.status);
        let counts = super::shape::counts(&told.1);
        (row.completed, row.failed) = counts.unwrap_or((row.completed, row.failed));
        let told = Value::Object(told.1);
        let seen = Seen {
            upstream_id: row.upstream_id.as_deref(),
            status: Some(&row.status),
            counts,
            told: Some(&told),
            trouble,
            again_in_seconds: self.pace(row),
            ..Seen::of(row)
        };
        if let Err(problem) = self.seen(&seen).await {
            tracing::warn!(batch.id = %row.id, code = problem.code.as_str(),
                "what became of the batch {} could not be written yet", row.id);
        }
        row.told = Some(told);
    }

    pub(super) async fn seen(&self, seen: &Seen<'_>) -> Result<(), Problem> {
        let mut tx = self.tenant(seen.org).await?;
        sql::seen(&mut tx, seen).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Batches as the console lists them.
    ///
    /// # Errors
    /// Where the database is away, or the cursor is none.
    pub async fn list_batches(
        &self,
        reach: &Reach,
        page: &ralex_api::page::PageQuery,
    ) -> Result<ralex_api::Page<ralex_api::batches::Batch>, Problem> {
        let (org, size, places) = (reach.org(), page.size(), reach.places());
        let mut tx = self.tenant(org).await?;
        let rows = sql::list(&mut tx, org, &places, page.after()?, size + 1).await;
        let items = rows.map_err(problem)?.into_iter().map(super::shape::listed).collect();
        Ok(ralex_api::Page::of(items, size, |it: &ralex_api::batches::Batch| it.id.to_string()))
    }
}

impl Decided {
    fn row(&self, now: chrono::DateTime<chrono::Utc>) -> BatchRow {
        let plan: &Arc<Plan> = &self.keeper.plan;
        BatchRow {
            org: self.scope.org(),
            id: self.id,
            provider_id: plan.provider,
            provider: plan.provider_slug.to_string(),
            secret_id: self.keeper.key.as_ref().map(|key| key.secret),
            model: plan.name.clone(),
            prices: serde_json::to_value(&self.prices).unwrap_or_default(),
            held: self.worst_case,
            input_file: self.file.id,
            output_file: None,
            error_file: None,
            endpoint: self.new.endpoint.clone(),
            lines: self.input.lines,
            completed: 0,
            failed: 0,
            status: "validating".to_owned(),
            upstream_id: None,
            told: None,
            metadata: self.new.metadata.clone().map(Value::Object),
            created_at: now,
            looks: 0,
            looked_at: None,
            settled_at: None,
        }
    }
}

/// The most that all lines together can cost.
fn worst_case(prices: &BatchPrices, input: &InputRow) -> Money {
    let lines = input.input_tokens.iter().zip(&input.output_tokens);
    let (hour, audio) = (input.caches_an_hour, input.holds_audio);
    lines
        .map(|(&input, &output)| prices.worst_case(&line_bound(input, output, hour, audio)))
        .fold(Money::ZERO, Money::saturating_add)
}

/// The end of a call that cost nothing.
pub(super) fn nothing(row: &BatchRow, ending: Ending, problem: Option<Code>) -> Settlement {
    Settlement {
        org: row.org,
        call: row.id,
        ending,
        tokens: Tokens::default(),
        cost: Money::ZERO,
        apart: Vec::new(),
        problem,
        first_byte_ms: None,
        duration_ms: 0,
        told: CallTold { secret: row.secret_id, tries: 1, ..CallTold::default() },
    }
}

fn check_metadata(metadata: Option<&Map<String, Value>>) -> Result<(), Problem> {
    let Some(metadata) = metadata else { return Ok(()) };
    if metadata.len() > METADATA {
        let message = "must have at most 15 keys: the provider's sixteenth is Ralex's own";
        return Err(Problem::field("metadata", message));
    }
    if metadata.contains_key(MARK) {
        return Err(Problem::field("metadata", format!("may not have the key {MARK}")));
    }
    if metadata.values().any(|value| !value.is_string()) {
        return Err(Problem::field("metadata", "must have texts as values"));
    }
    Ok(())
}
