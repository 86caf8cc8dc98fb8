//! The archive: where the log goes, whole and verified, before anything of it is pruned.

use chrono::{DateTime, Utc};
use ralex_api::retention::AuditArchive;
use ralex_audit::{Archived, Author, Event, LogEvent, PruneRules, record};
use ralex_kernel::{OrgId, Problem};
use ralex_store::problem;
use tracing::error;

use crate::{Retention, sql};

impl Retention {
    /// Writes the archive if there is to be one, and anything that it would be for. What goes wrong
    /// is recorded, and nothing is pruned then.
    pub(crate) async fn archive(
        &self,
        org: OrgId,
        rules: &PruneRules,
    ) -> Result<Option<Archived>, Problem> {
        let Some(folder) = &self.0.archive else { return Ok(None) };
        if !self.0.audit.has_prunable(org, rules).await? {
            return Ok(None);
        }
        let done = self.0.audit.archive(org, folder).await;
        let event = match &done {
            Ok(archived) => LogEvent::Archived {
                name: archived.name.clone(),
                sha256: archived.sha256.clone(),
                bytes: archived.bytes,
                tree_size: archived.tree_size,
            },
            Err(failed) => {
                metrics::counter!("ralex_audit_archive_failures_total").increment(1);
                error!(org.id = %org, "the audit log of org {org} is not archived: {}", failed.detail);
                LogEvent::ArchiveFailed { why: failed.detail.clone() }
            }
        };
        let mut tx = self.0.db.tenant(org).await?;
        record(&mut tx, &Author::system(org), Event::Log(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        done.map(Some)
    }

    /// How the archive stands, as the log itself tells.
    pub(crate) async fn archive_status(&self, org: OrgId) -> Result<AuditArchive, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let written = sql::newest_of(&mut tx, org, "audit.archived").await.map_err(problem)?;
        let failed = sql::newest_of(&mut tx, org, "audit.archive_failed").await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let at = |told: &Option<(DateTime<Utc>, _)>| told.as_ref().map(|told| told.0);
        let text = |told: &Option<(_, serde_json::Value)>, name: &str| {
            let detail = told.as_ref().and_then(|told| told.1.get(name)?.as_str());
            detail.map(str::to_owned)
        };
        let configured = self.0.archive.is_some();
        let failure = (configured && at(&failed) > at(&written)).then(|| text(&failed, "why"));
        Ok(AuditArchive {
            configured,
            name: text(&written, "name"),
            sha256: text(&written, "sha256"),
            at: at(&written),
            failure: failure.flatten(),
        })
    }
}
