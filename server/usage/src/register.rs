//! The register: every use of a model that can be told from another, with its exact volume.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, Problem};
use ralex_store::{calls_from, problem};
use uuid::Uuid;

use crate::Usage;
use crate::range::Range;
use crate::sql::register;

pub use crate::sql::register::Used;

impl Usage {
    /// What was used within the time, and of one team where one is named.
    pub async fn register(
        &self,
        org: OrgId,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        team: Option<Uuid>,
    ) -> Result<Vec<Used>, Problem> {
        let now = self.clock.now();
        let mut tx = self.db.tenant(org).await?;
        let all_from = calls_from(&mut tx, org).await.map_err(problem)?;
        let range = Range::of(Some(from), Some(to), now)?.before_pruning(all_from, now);
        let used = register::used(&mut tx, &range, team).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        Ok(used)
    }
}
