//! Which rate limits a call counts against, answered from memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ralex_access::Places;
use ralex_api::rate_limits::Measure;
use ralex_kernel::{Code, ModelId, OrgId, Problem, ProviderId, RateLimitId};
use ralex_store::{Db, problem};

use super::{Key, Rates};
use crate::applicable::{Place, Spender};
use crate::charge::Only;
use crate::sql::rate::{Filter, Stored, select};

const ORGS: u64 = 10_000;
/// Old versions are never asked for again and fall out.
const IDLE: Duration = Duration::from_mins(10);

pub(crate) type Cache = moka::future::Cache<(OrgId, i64), Arc<Known>>;

pub(crate) fn cache() -> Cache {
    moka::future::Cache::builder().max_capacity(ORGS).time_to_idle(IDLE).build()
}

/// An organisation's rate limits by what they hang on.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<Place, Vec<Arc<Limit>>>);

/// A rate limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub org: OrgId,
    pub id: RateLimitId,
    /// As it stands in the contract, with the model or provider in words.
    pub scope: String,
    pub only: Option<Only>,
    pub measure: Measure,
    /// So many within any window. Who takes reads it from the locked row.
    pub amount: u64,
    pub window: Duration,
}

/// What a call needs of one limit.
#[derive(Clone, Debug)]
pub struct Demand {
    pub limit: Arc<Limit>,
    pub units: u64,
}

impl Limit {
    pub(crate) const fn key(&self) -> Key {
        (self.org, self.id)
    }

    /// Whether a try at this model of this provider counts.
    pub fn counts(&self, model: ModelId, provider: ProviderId) -> bool {
        self.only.is_none_or(|only| only.is(model, provider))
    }

    /// What so many calls, or tries, with so many tokens are to it.
    pub const fn units(&self, requests: u64, input: u64, output: u64) -> u64 {
        match self.measure {
            Measure::Requests => requests,
            Measure::InputTokens => input,
            Measure::OutputTokens => output,
            Measure::Tokens => input.saturating_add(output),
        }
    }
}

/// `team:platform for 1000 requests in 60 s`.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, amount, measure, window, .. } = self;
        write!(f, "{scope} for {amount} {} in {} s", measure.unit(), window.as_secs())
    }
}

impl Rates {
    /// The limits that a call may count against, whichever model answers it.
    pub async fn applicable(
        &self,
        org: OrgId,
        spender: &Spender<'_>,
    ) -> Result<Vec<Arc<Limit>>, Problem> {
        let key = (org, self.access.version(org));
        let known = self
            .known
            .try_get_with(key, load(&self.db, org))
            .await
            .map_err(|problem| Problem::clone(&problem))?;
        if known.0.is_empty() {
            return Ok(Vec::new());
        }
        let places = Place::all_of(spender);
        Ok(places.filter_map(|place| known.0.get(&place)).flatten().cloned().collect())
    }
}

async fn load(db: &Db, org: OrgId) -> Result<Arc<Known>, Problem> {
    let mut tx = db.tenant(org).await?;
    let filter = Filter { within: &Places::ANYWHERE, only: None, after: None, at_most: None };
    let stored = select(&mut tx, org, filter).await.map_err(problem)?;
    let mut known = Known::default();
    for limit in stored {
        let place = Place::of((limit.team, limit.project), limit.whose());
        known.0.entry(place).or_default().push(Arc::new(Limit::of(limit)?));
    }
    Ok(Arc::new(known))
}

impl Limit {
    fn of(stored: Stored) -> Result<Self, Problem> {
        Ok(Self {
            org: stored.org,
            id: stored.id,
            scope: stored.counted(),
            only: stored.only(),
            measure: measure(&stored.measure)?,
            amount: stored.amount.unsigned_abs(),
            window: Duration::from_secs(stored.window_seconds.unsigned_abs().into()),
        })
    }
}

/// A measure as the database has it, which was checked when it was written.
pub(crate) fn measure(name: &str) -> Result<Measure, Problem> {
    let unknown = || Problem::new(Code::Internal, "A stored measure is not known.");
    Measure::named(name).ok_or_else(unknown)
}
