//! The archive: where the log goes, verified, before anything of it is pruned.
//!
//! Its files go on from each other, so each event is in one of them once. One that is not where it was
//! written stops pruning: what it holds may be nowhere else any more.

use std::path::Path;

use ralex_api::retention::AuditArchive;
use ralex_audit::{
    Archived, Author, Event, LogEvent, PruneRules, Pruning, archived, hold_still, record,
};
use ralex_kernel::{OrgId, Problem};
use ralex_store::problem;
use tracing::error;

use crate::{Retention, sql};

impl Retention {
    /// The files that hold what may be pruned, once a new one is written where there are events that
    /// no earlier one holds. What goes wrong is recorded, and nothing is pruned then. `anew` begins
    /// with the log, whatever earlier files there are.
    pub(crate) async fn archive(
        &self,
        org: OrgId,
        rules: &PruneRules,
        anew: bool,
    ) -> Result<Option<Vec<Archived>>, Problem> {
        let Some(folder) = &self.0.archive else { return Ok(None) };
        let done = self.archive_into(folder, org, rules, anew).await;
        if let Err(failed) = &done {
            metrics::counter!("ralex_audit_archive_failures_total").increment(1);
            error!(org.id = %org, "the audit log of org {org} is not archived: {}", failed.detail);
        }
        self.told(org, Pruning::Archive, done).await.map(Some)
    }

    async fn archive_into(
        &self,
        folder: &Path,
        org: OrgId,
        rules: &PruneRules,
        anew: bool,
    ) -> Result<Vec<Archived>, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let mut files = archived(&mut tx, org).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        if anew {
            files.clear();
        }
        if !self.0.audit.has_prunable(org, rules, 0).await? {
            return Ok(files);
        }
        self.must_be_there(folder, &files).await?;
        let end = end_of(&files);
        if !self.0.audit.has_prunable(org, rules, end).await? {
            return Ok(files);
        }
        let new = self.0.audit.archive(org, folder, end).await?;
        let mut tx = self.0.db.tenant(org).await?;
        hold_still(&mut tx, org).await.map_err(problem)?;
        let now = archived(&mut tx, org).await.map_err(problem)?;
        if !anew && end_of(&now) != end {
            // Another server was first, and its file holds the same.
            tx.rollback().await.map_err(problem)?;
            tokio::fs::remove_file(folder.join(&new.name)).await.ok();
            return Ok(now);
        }
        let event = LogEvent::Archived {
            name: new.name.clone(),
            sha256: new.sha256.clone(),
            bytes: new.bytes,
            first_index: new.first_index,
            tree_size: new.tree_size,
        };
        record(&mut tx, &Author::system(org), Event::Log(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        self.0.intact.lock().await.insert(new.sha256.clone());
        files.push(new);
        Ok(files)
    }

    /// Every file is looked for each time, and read once by each server: an archive is large, and lies
    /// behind a network.
    async fn must_be_there(&self, folder: &Path, files: &[Archived]) -> Result<(), Problem> {
        let mut intact = self.0.intact.lock().await;
        for file in files {
            file.must_seem_in(folder).await?;
            if !intact.contains(&file.sha256) {
                file.must_be_in(folder).await?;
                intact.insert(file.sha256.clone());
            }
        }
        Ok(())
    }

    /// How the archive stands, as the log itself tells.
    pub(crate) async fn archive_status(&self, org: OrgId) -> Result<AuditArchive, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let written = sql::newest_of(&mut tx, org, "audit.archived").await.map_err(problem)?;
        let failed = sql::newest_of(&mut tx, org, "audit.archive_failed").await.map_err(problem)?;
        let fails = sql::fails(&mut tx, org, Pruning::Archive.as_str()).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let text = |told: &Option<(_, serde_json::Value)>, name: &str| {
            let detail = told.as_ref().and_then(|told| told.1.get(name)?.as_str());
            detail.map(str::to_owned)
        };
        let configured = self.0.archive.is_some();
        let failure = (configured && fails).then(|| text(&failed, "why"));
        Ok(AuditArchive {
            configured,
            name: text(&written, "name"),
            sha256: text(&written, "sha256"),
            at: written.as_ref().map(|told| told.0),
            failure: failure.flatten(),
        })
    }
}

fn end_of(files: &[Archived]) -> u64 {
    files.last().map_or(0, |last| last.tree_size)
}
