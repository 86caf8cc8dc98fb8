//! How rights were at a moment: the same snapshot, of the rows as they were.
//!
//! Triggers keep every row that decisions rest on for the time that it was so. What is told of a moment
//! is told of all of them or of none: before the history begins there is an error and no guess. Roles
//! that come with the deployment are taken as they are now, since they are not rows.
//!
//! There are only ids in it. An erased person is an id there, as everywhere.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use ralex_api::access::{AccessHistory, Binding as Shown};
use ralex_kernel::{BindingId, Code, OrgId, Problem, ScopePath};
use ralex_store::{Error, Sweeper, problem};
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;

use crate::access::Access;
use crate::bindings::{Bearer, Which};
use crate::explain::Somebody;
use crate::rows::Rows;
use crate::scope::Scope;
use crate::snapshot::Snapshot;
use crate::sql::{self, history};

/// The class of the audit log that says what was given and taken: how it was is kept as long.
const CLASS: &str = "changes";
/// The least for which that class is kept (`policies/audit/retention.toml`).
const LEAST: PgInterval = PgInterval { months: 0, days: 365, microseconds: 0 };

const SWEEPER: Sweeper = Sweeper {
    name: "access_history",
    why: "forget how rights were, where that is not kept any longer",
    pace: Duration::from_hours(1),
    at_once: 5_000,
};

/// Rights at one moment.
pub(crate) struct Seen {
    pub snapshot: Arc<Snapshot>,
    pub now: DateTime<Utc>,
    /// Absent for the present.
    past: Option<DateTime<Utc>>,
}

impl Access {
    /// How far back it is known how rights were.
    pub async fn history(&self, scope: &Scope) -> Result<AccessHistory, Problem> {
        let mut tx = self.db().tenant(scope.org()).await?;
        let known_since = history::known_since(&mut tx, scope.org()).await.map_err(problem)?;
        Ok(AccessHistory { known_since })
    }

    /// The place that had this name at that moment; nothing where there was none.
    pub async fn place_at(
        &self,
        org: OrgId,
        text: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<ScopePath>, Problem> {
        let Some((kind, reference)) = text.split_once(':') else { return Ok(None) };
        let mut tx = self.db().tenant(org).await?;
        history::place(&mut tx, org, (kind, reference), at).await.map_err(problem)
    }

    /// The person of that id, or the group of that name, that there was at that moment.
    pub async fn bearer_at(
        &self,
        org: OrgId,
        text: &str,
        at: DateTime<Utc>,
    ) -> Result<Option<Bearer>, Problem> {
        let mut tx = self.db().tenant(org).await?;
        match text.split_once(':') {
            Some(("user", id)) => {
                let Ok(user) = id.parse() else { return Ok(None) };
                let was = history::member(&mut tx, org, user, at).await.map_err(problem)?;
                Ok(was.then_some(Bearer::User(user)))
            }
            Some(("group", name)) => {
                let group = history::group(&mut tx, org, name, at).await.map_err(problem)?;
                Ok(group.map(Bearer::Group))
            }
            Some(_) | None => Ok(None),
        }
    }

    /// Rights as they are, or as they were.
    pub(crate) async fn seen(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        at: Option<DateTime<Utc>>,
    ) -> Result<Seen, Problem> {
        let Some(at) = at else {
            let snapshot = self.snapshot(org).await?;
            return Ok(Seen { snapshot, now: self.clock().now(), past: None });
        };
        self.check_moment(&mut *conn, org, at).await?;
        let text = history::load_text(conn, org, at).await.map_err(problem)?;
        let text = text.ok_or_else(|| Problem::not_found("organisation"))?;
        let rows = Rows::read(&text).map_err(problem)?;
        let snapshot = Snapshot::compile(org, rows, &self.node.policies).map_err(|why| {
            let detail = format!("The rights of that moment make no sense to this version: {why}.");
            Problem::new(Code::Conflict, detail)
        })?;
        Ok(Seen { snapshot: Arc::new(snapshot), now: at, past: Some(at) })
    }

    pub(crate) async fn check_moment(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        at: DateTime<Utc>,
    ) -> Result<(), Problem> {
        if at > self.clock().now() {
            return Err(Problem::field("at", "is in the future"));
        }
        let since = history::known_since(conn, org).await.map_err(problem)?;
        if at < since {
            // Rounded up, so that what is told can be asked.
            let since = since + chrono::TimeDelta::milliseconds(1);
            let since = since.to_rfc3339_opts(SecondsFormat::Millis, true);
            return Err(Problem::field("at", format!("is before {since}, since when it is known")));
        }
        Ok(())
    }

    /// Forgets what is not kept any longer, at once and then steadily, until `shutdown`.
    pub(crate) async fn run_history(&self, shutdown: impl Future<Output = ()>) {
        SWEEPER.run(shutdown, || self.sweep_history()).await;
    }

    /// Forgets what is not kept any longer, and returns how much that was.
    pub async fn sweep_history(&self) -> Result<u64, Error> {
        let some = |mut tx: ralex_store::System| async move {
            let gone = history::prune(&mut tx, CLASS, LEAST, SWEEPER.at_once).await?;
            tx.commit().await?;
            Ok(gone)
        };
        SWEEPER.all(self.db(), some).await
    }
}

impl Seen {
    pub async fn somebodies(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        only: Option<Bearer>,
    ) -> Result<Vec<Somebody>, Problem> {
        match self.past {
            None => sql::somebodies(conn, org, only).await,
            Some(at) => history::somebodies(conn, org, only, at).await,
        }
        .map_err(problem)
    }

    pub async fn binding(
        &self,
        conn: &mut PgConnection,
        org: OrgId,
        id: BindingId,
    ) -> Result<Option<Shown>, Problem> {
        let all = Which { bearer: None, role: None, within: ScopePath::Org };
        let found = match self.past {
            None => return sql::binding(conn, org, id).await.map_err(problem),
            Some(at) => history::bindings(conn, org, (&all, at), (Some(id), None), 1).await,
        };
        Ok(found.map_err(problem)?.into_iter().next())
    }
}
