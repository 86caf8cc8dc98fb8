//! The book: an organisation's guardrails in memory, as new as its policy version, and the policies
//! that were compiled from them.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_api::guardrails::{Direction, Reaction};
use ralex_kernel::{Code, GuardrailId, OrgId, Problem, ScopePath};
use ralex_store::problem;

use crate::policy::Policy;
use crate::setting::Setting;
use crate::sql::{self, Filter, Stored};
use crate::{Guards, Inner};

const ORGS: u64 = 10_000;
/// Policies of scopes that nobody calls from any more fall out.
const IDLE: Duration = Duration::from_mins(30);
const POLICIES: u64 = 1_000;

pub(crate) type Books = moka::future::Cache<(OrgId, i64), Arc<Book>>;
/// By the guardrails and when each was changed, so that a policy outlives all changes of others.
pub(crate) type Policies = moka::sync::Cache<Vec<(GuardrailId, DateTime<Utc>)>, Arc<Policy>>;

pub(crate) fn books() -> Books {
    moka::future::Cache::builder().max_capacity(ORGS).time_to_idle(IDLE).build()
}

pub(crate) fn policies() -> Policies {
    moka::sync::Cache::builder().max_capacity(POLICIES).time_to_idle(IDLE).build()
}

/// The guardrails of an organisation that are on.
#[derive(Debug)]
pub(crate) struct Book(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    at: ScopePath,
    changed: DateTime<Utc>,
    id: GuardrailId,
    setting: Setting,
}

impl Guards {
    /// All that is looked for in a call at `at`: what its organisation, team and project ask for
    /// together. After a change the next call gets the new policy.
    pub async fn for_scope(&self, org: OrgId, at: ScopePath) -> Result<Arc<Policy>, Problem> {
        let key = (org, self.0.access.version(org));
        let book = self.0.books.try_get_with(key, load(&self.0, org)).await;
        let book = book.map_err(|problem| Problem::clone(&problem))?;
        self.0.compiled(&book, at)
    }
}

impl Inner {
    fn compiled(&self, book: &Book, at: ScopePath) -> Result<Arc<Policy>, Problem> {
        let holds = |entry: &&Entry| at.is_within(entry.at);
        let entries: Vec<&Entry> = book.0.iter().filter(holds).collect();
        if entries.is_empty() {
            return Ok(self.nothing.clone());
        }
        let key: Vec<_> = entries.iter().map(|entry| (entry.id, entry.changed)).collect();
        let compile = || {
            let settings: Vec<Setting> =
                entries.iter().map(|entry| entry.setting.clone()).collect();
            Policy::compile(&self.packs, &settings).map(Arc::new)
        };
        // Calls that come at once wait for one compilation.
        let policy = self.policies.try_get_with(key, compile);
        policy.map_err(|problem: Arc<Problem>| Problem::clone(&problem))
    }
}

async fn load(inner: &Inner, org: OrgId) -> Result<Arc<Book>, Problem> {
    let mut tx = inner.db.tenant(org).await?;
    let filter = Filter { within: ScopePath::Org, only: None, after: None, at_most: None };
    let stored = sql::select(&mut tx, org, filter).await.map_err(problem)?;
    let on = stored.into_iter().filter(|stored| stored.enabled);
    on.map(entry).collect::<Result<_, _>>().map(|entries| Arc::new(Book(entries)))
}

fn entry(stored: Stored) -> Result<Entry, Problem> {
    Ok(Entry {
        at: place(&stored),
        changed: stored.updated_at,
        id: stored.id,
        setting: Setting {
            id: Some(stored.id),
            reaction: reaction(&stored.action)?,
            direction: direction(&stored.direction)?,
            name: stored.name.to_string(),
            check: stored.check.0,
        },
    })
}

pub(crate) const fn place(stored: &Stored) -> ScopePath {
    match (stored.team, stored.project) {
        (Some(team), Some(project)) => ScopePath::Project { team, project },
        (Some(team), None) => ScopePath::Team { team },
        (None, _) => ScopePath::Org,
    }
}

pub(crate) fn reaction(name: &str) -> Result<Reaction, Problem> {
    let known = Reaction::ALL.iter().copied().find(|known| known.as_str() == name);
    known.ok_or_else(unreadable)
}

pub(crate) fn direction(name: &str) -> Result<Direction, Problem> {
    let known = Direction::ALL.iter().copied().find(|known| known.as_str() == name);
    known.ok_or_else(unreadable)
}

/// The schema allows only names that are known. What cannot be read is not let through unguarded.
fn unreadable() -> Problem {
    Problem::new(Code::Internal, "A stored guardrail cannot be read.")
}
