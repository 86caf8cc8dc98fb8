//! Answers for questions that mean the same.
//!
//! What is the same in everything but its last question has one likeness: scope, policy, model and
//! every other part of the request, and of the question itself its facts. Among the kept answers
//! of one likeness the one is given again whose question's vector is nearest, where it is near
//! enough. Vectors come from a model of the organisation, by calls that are decided, held, recorded
//! and paid like any other, as the same caller.
//!
//! What always holds: nothing crosses a scope; nobody waits long for it, and no call fails by it;
//! questions and answers leave memory only sealed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use moka::sync::Cache as Shelf;
use parking_lot::Mutex;
use ralex_api::resilience::SemanticCache;
use ralex_api::routing::Priority;
use ralex_kernel::{CallId, Money, OrgId, Problem, ScopePath};
use ralex_providers::{Inbound, Operation};
use ralex_store::problem;
use ralex_vault::{OrgSealer, Sealer};
use serde_json::{Value, json};
use tokio::sync::{OnceCell, Semaphore};
use tracing::warn;
use uuid::Uuid;

use super::answers::Kept;
use super::nearest::{Meaning, Neighbours, Words};
use super::sql::{self, NewAnswer};
use crate::Broker;
use crate::choice::Wishes;
use crate::exchange::{Answered, CallRequest, Failure};

/// The marking of calls that make vectors.
pub(crate) const PURPOSE: &str = "cache";
/// The key of the deployment that questions and answers are sealed with.
const SEALING_KEY: &str = "kept-answers";
/// Answers of one likeness that a question is compared with, the newest.
const NEIGHBOURS: i64 = 1_000;
/// Answers that an organisation keeps, the newest.
const MOST: i64 = 5_000;
/// No answer larger than this is kept in the database.
const LARGEST: usize = 256 * 1024;
/// How long a call waits for its question's vector.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take once nobody waits.
const LEISURE: Duration = Duration::from_secs(30);
/// How long a scope goes without, once its vectors could not be made.
const REST: Duration = Duration::from_secs(5);
/// Answers that are written at once; more are not kept.
const WRITES: usize = 8;
/// Vectors that nobody asked for are forgotten.
const IDLE: Duration = Duration::from_mins(10);

/// What this node knows of meanings.
#[derive(Debug)]
pub(crate) struct Meanings {
    known: Shelf<[u8; 32], Arc<Neighbours>>,
    sealer: OnceCell<Sealer>,
    resting: Mutex<HashMap<(OrgId, ScopePath), Instant>>,
    writes: Arc<Semaphore>,
}

/// What a call asks, as another may have asked it in other words.
#[derive(Clone)]
pub(crate) struct Asked {
    pub likeness: [u8; 32],
    pub text: String,
    pub by: Arc<SemanticCache>,
    pub policy_version: i64,
    /// Once it is known.
    pub meaning: Option<Arc<Meaning>>,
}

impl Meanings {
    pub fn new(bytes: u64) -> Self {
        let weigh =
            |_: &[u8; 32], known: &Arc<Neighbours>| u32::try_from(known.size()).unwrap_or(u32::MAX);
        let known = Shelf::builder().max_capacity(bytes).weigher(weigh).time_to_idle(IDLE).build();
        let (resting, writes) = (Mutex::default(), Arc::new(Semaphore::new(WRITES)));
        Self { known, sealer: OnceCell::new(), resting, writes }
    }

    fn rests(&self, org: OrgId, at: ScopePath) -> bool {
        self.resting.lock().get(&(org, at)).is_some_and(|until| Instant::now() < *until)
    }

    fn rest(&self, org: OrgId, at: ScopePath) {
        let (now, mut resting) = (Instant::now(), self.resting.lock());
        resting.retain(|_, until| now < *until);
        resting.insert((org, at), now + REST);
    }
}

impl Broker {
    pub(crate) async fn org_sealer(&self, org: OrgId) -> Result<OrgSealer, Problem> {
        let sealer = &self.answers.meanings().sealer;
        sealer.get_or_try_init(|| self.parts.vault.sealer(SEALING_KEY)).await?.of(org)
    }

    /// The answer to a question that means the same. Where there is none, or it cannot be told,
    /// the call goes its way.
    pub(crate) async fn alike(
        &self,
        request: &CallRequest,
        asked: &mut Asked,
    ) -> Option<Arc<Kept>> {
        let found = self.try_alike(request, asked).await;
        found.unwrap_or_else(|problem| {
            warn!("kept answers could not be searched: {}", problem.detail);
            None
        })
    }

    async fn try_alike(
        &self,
        request: &CallRequest,
        asked: &mut Asked,
    ) -> Result<Option<Arc<Kept>>, Problem> {
        let sealer = self.org_sealer(request.org).await?;
        let neighbours = self.neighbours(request.org, &sealer, &asked.likeness).await?;
        if neighbours.0.is_empty() {
            // Its vector is made once it is kept, when nobody waits for it.
            return Ok(None);
        }
        let near = if let Some(same) = neighbours.same(Words::of(&asked.text)) {
            Some((same, 1.0))
        } else {
            let asking = self.meaning(request, asked, None);
            let Ok(Some(meaning)) = tokio::time::timeout(PATIENCE, asking).await else {
                return Ok(None);
            };
            asked.meaning = Some(Arc::clone(&meaning));
            let began = Instant::now();
            #[expect(clippy::cast_possible_truncation, reason = "a share between 0 and 1")]
            let near = neighbours.nearest(&meaning, asked.by.threshold as f32);
            metrics::histogram!("ralex_cache_search_seconds").record(began.elapsed());
            near
        };
        let Some((id, similarity)) = near else { return Ok(None) };
        let mut tx = self.db.tenant(request.org).await?;
        let row = sql::answer(&mut tx, request.org, id).await.map_err(problem)?;
        let Some(row) = row else { return Ok(None) };
        let body = sealer.open(&[b"answer", id.as_bytes()], &row.answer)?;
        let lives = Duration::try_from_secs_f64(row.seconds_left).unwrap_or_default();
        let kept = Kept::new(body.into(), row.cost, row.call, lives);
        Ok(Some(Arc::new(kept.for_one_alike(similarity))))
    }

    /// The questions that are kept of one likeness. Which there are the database says each time;
    /// only what they mean is remembered.
    async fn neighbours(
        &self,
        org: OrgId,
        sealer: &OrgSealer,
        likeness: &[u8; 32],
    ) -> Result<Arc<Neighbours>, Problem> {
        let shelf = &self.answers.meanings().known;
        let known = shelf.get(likeness).unwrap_or_default();
        let mut tx = self.db.tenant(org).await?;
        let ids = sql::alike(&mut tx, org, likeness, NEIGHBOURS).await.map_err(problem)?;
        let new: Vec<Uuid> = ids.iter().filter(|id| !known.0.contains_key(*id)).copied().collect();
        if new.is_empty() && ids.len() == known.0.len() {
            return Ok(known);
        }
        let mut all = HashMap::with_capacity(ids.len());
        all.extend(ids.iter().filter_map(|id| Some((*id, Arc::clone(known.0.get(id)?)))));
        if !new.is_empty() {
            for row in sql::meanings(&mut tx, org, &new).await.map_err(problem)? {
                let identity: [&[u8]; 3] = [b"question", row.id.as_bytes(), likeness];
                let opened = sealer.open(&identity, &row.meaning)?;
                if let Some(meaning) = Meaning::from_bytes(&opened) {
                    all.insert(row.id, Arc::new(meaning));
                }
            }
        }
        let all = Arc::new(Neighbours(all));
        shelf.insert(*likeness, Arc::clone(&all));
        Ok(all)
    }

    /// What a question means, by a call of its own; nothing where that is refused or fails.
    fn meaning(
        &self,
        request: &CallRequest,
        asked: &Asked,
        priority: Option<Priority>,
    ) -> BoxFuture<'static, Option<Arc<Meaning>>> {
        let meanings = self.answers.meanings();
        if meanings.rests(request.org, request.at) {
            return std::future::ready(None).boxed();
        }
        let (broker, words) = (self.clone(), Words::of(&asked.text));
        let (org, at) = (request.org, request.at);
        let embedding = embedding(request, asked, priority);
        async move {
            let answered = match embedding {
                Ok(embedding) => broker.call(embedding).await,
                Err(problem) => Err(Failure::from(problem)),
            };
            let (meaning, result) = match &answered {
                Ok(Answered::Whole { body, .. }) => match read(body, words) {
                    Some(meaning) => (Some(Arc::new(meaning)), "made"),
                    None => (None, "senseless"),
                },
                Ok(Answered::Stream { .. }) => (None, "senseless"),
                Err(failure) => {
                    if failure.upstream.is_some() {
                        broker.answers.meanings().rest(org, at);
                    }
                    (None, failure.problem.code.as_str())
                }
            };
            metrics::counter!("ralex_cache_embeddings_total", "result" => result).increment(1);
            meaning
        }
        .boxed()
    }

    /// Keeps an answer for questions that mean the same, beside all other work.
    pub(crate) fn remember(&self, keep: Remember) {
        let Ok(permit) = Arc::clone(&self.answers.meanings().writes).try_acquire_owned() else {
            return;
        };
        let broker = self.clone();
        tokio::spawn(async move {
            if let Err(problem) = broker.try_remember(keep).await {
                warn!("an answer could not be kept: {}", problem.detail);
            }
            drop(permit);
        });
    }

    async fn try_remember(&self, keep: Remember) -> Result<(), Problem> {
        let Remember { request, asked, body, cost, call, ttl } = keep;
        let org = request.org;
        let meaning = if let Some(meaning) = &asked.meaning {
            Some(Arc::clone(meaning))
        } else {
            let asking = self.meaning(&request, &asked, Some(Priority::Low));
            tokio::time::timeout(LEISURE, asking).await.unwrap_or_default()
        };
        let Some(meaning) = meaning else { return Ok(()) };
        // What was answered by rules that do not hold any more is nobody's answer.
        if self.parts.access.version(org) != asked.policy_version {
            return Ok(());
        }
        let (sealer, id) = (self.org_sealer(org).await?, Uuid::now_v7());
        let question: [&[u8]; 3] = [b"question", id.as_bytes(), &asked.likeness];
        let new = NewAnswer {
            id,
            likeness: &asked.likeness,
            policy_version: asked.policy_version,
            meaning: &sealer.seal(&question, &meaning.to_bytes())?,
            answer: &sealer.seal(&[b"answer", id.as_bytes()], &body)?,
            call,
            cost,
            seconds: ttl.as_secs_f64(),
        };
        let mut tx = self.db.tenant(org).await?;
        sql::keep(&mut tx, org, new, MOST).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

/// An answer that is to be kept for questions that mean the same.
pub(crate) struct Remember {
    pub request: CallRequest,
    pub asked: Asked,
    pub body: Bytes,
    pub cost: Money,
    pub call: CallId,
    pub ttl: Duration,
}

impl Remember {
    pub fn fits(body: &Bytes) -> bool {
        body.len() <= LARGEST
    }
}

/// The call that makes a question's vector: by the same caller, in the same place, for data of the
/// same kind.
fn embedding(
    request: &CallRequest,
    asked: &Asked,
    priority: Option<Priority>,
) -> Result<CallRequest, Problem> {
    let body = json!({ "model": asked.by.embedding_model, "input": asked.text });
    let body = Bytes::from(body.to_string());
    let inbound = Inbound::parse_operation(Operation::Embeddings, body.clone(), None)?;
    let told = &request.wishes;
    let wishes = Wishes {
        labels: told.labels.clone(),
        tags: told.tags.clone(),
        run: told.run.clone(),
        residency: told.residency.clone(),
        priority: priority.or(told.priority),
        headers: told.headers.clone(),
        purpose: Some(PURPOSE),
        ..Wishes::default()
    };
    Ok(CallRequest {
        signed_in: request.signed_in.clone(),
        org: request.org,
        at: request.at,
        inbound,
        body,
        wishes,
        meaning: String::new(),
    })
}

fn read(body: &[u8], words: Words) -> Option<Meaning> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let vector = body.pointer("/data/0/embedding")?.as_array()?;
    #[expect(clippy::cast_possible_truncation, reason = "no model computes in more than 32 bits")]
    let numbers = vector.iter().map(|number| number.as_f64().map(|number| number as f32));
    Meaning::new(&numbers.collect::<Option<Vec<f32>>>()?, words)
}
