//! Runs: what an agent does from its first call on, under a name that its callers give.
//!
//! A budget per run counts each run by itself. A run is made when it is first seen where a budget
//! counts runs, and its first instant, which no other run of the organisation has, is that of its
//! periods; so all else takes them for what they are, periods.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use ralex_access::Sight;
use ralex_api::budgets::BudgetRun;
use ralex_api::page::{Page, PageQuery};
use ralex_kernel::period::Bounds;
use ralex_kernel::{BudgetId, OrgId, Period, Problem, ProjectId, TeamId, UserId};
use ralex_store::problem;

use crate::Budgets;
use crate::applicable::Spender;
use crate::budget::one;
use crate::sql;

/// From the first call on; the same name is another run afterwards.
const LIFE: Duration = Duration::from_hours(30 * 24);
const KNOWN: u64 = 100_000;
const IDLE: Duration = Duration::from_mins(10);

pub(crate) type Cache = moka::future::Cache<(OrgId, RunKey), Bounds>;

pub(crate) fn cache() -> Cache {
    moka::future::Cache::builder().max_capacity(KNOWN).time_to_idle(IDLE).build()
}

/// A run's name, and whose it is: others may use the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunKey {
    pub name: Arc<str>,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub user: Option<UserId>,
}

impl RunKey {
    fn of(spender: &Spender<'_>) -> Option<Self> {
        let Spender { at, user, run, .. } = *spender;
        Some(Self { name: run?.into(), team: at.team(), project: at.project(), user })
    }
}

impl Budgets {
    /// From when until when the run of a call lasts; nothing where the call names none.
    pub(crate) async fn run(
        &self,
        org: OrgId,
        spender: &Spender<'_>,
        now: DateTime<Utc>,
    ) -> Result<Option<Bounds>, Problem> {
        let Some(run) = RunKey::of(spender) else { return Ok(None) };
        let key = (org, run);
        if let Some(known) = self.runs.get(&key).await
            && known.ends_at > now
        {
            return Ok(Some(known));
        }
        self.runs.invalidate(&key).await;
        let made = self.runs.try_get_with_by_ref(&key, self.find_or_begin(org, &key.1)).await;
        made.map(Some).map_err(|problem| Problem::clone(&problem))
    }

    async fn find_or_begin(&self, org: OrgId, run: &RunKey) -> Result<Bounds, Problem> {
        let mut tx = self.db.tenant(org).await?;
        let life = LIFE.as_secs_f64();
        let bounds = sql::run::find_or_begin(&mut tx, org, run, life).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(bounds)
    }

    /// The runs that a budget has counted, the newest first; none of one that is not per run.
    pub async fn runs(
        &self,
        sight: &impl Sight,
        id: BudgetId,
        page: &PageQuery,
    ) -> Result<Page<BudgetRun>, Problem> {
        let (org, size) = (sight.org(), page.size());
        let mut tx = self.db.tenant(org).await?;
        let stored = one(&mut tx, sight, id).await?;
        let before = page.after::<DateTime<Utc>>()?;
        if stored.period != Period::Run {
            return Ok(Page { items: Vec::new(), next_cursor: None });
        }
        let items = sql::run::list(&mut tx, org, id, before, size + 1).await.map_err(problem)?;
        Ok(Page::of(items, size, |run: &BudgetRun| run.starts_at.to_rfc3339()))
    }
}

/// A run's name as a caller wrote it.
///
/// # Errors
/// Where it is empty or longer than 128 characters.
pub fn run_name(field: &str, text: &str) -> Result<String, Problem> {
    let (name, longest) = (text.trim(), 128);
    if name.is_empty() || name.chars().count() > longest {
        return Err(Problem::field(field, format!("must be from 1 to {longest} characters")));
    }
    Ok(name.to_owned())
}
