//! Downloads: a file, chunk by chunk, so that its size does not matter.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use ralex_access::Scope;
use ralex_api::reports::ReportFormat;
use ralex_audit::{Event, ReportEvent, record};
use ralex_kernel::{OrgId, Problem, ReportId};
use ralex_store::problem;

use crate::Reports;
use crate::letter::name;
use crate::packed::unpack;
use crate::sql::file;

/// The parts of a file, in order.
pub type Parts = Pin<Box<dyn Stream<Item = Result<Bytes, Problem>> + Send>>;

/// A file on its way out.
pub struct Download {
    pub name: String,
    pub content_type: &'static str,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    pub parts: Parts,
}

impl Reports {
    /// A file of a report. That it was taken is on record before the first byte leaves.
    pub async fn download(
        &self,
        scope: &Scope,
        id: ReportId,
        format: ReportFormat,
    ) -> Result<Download, Problem> {
        let report = self.find(scope, id).await?;
        let org = scope.org();
        let mut tx = self.0.db.tenant(org).await?;
        let found = file::find(&mut tx, org, id, format.as_str()).await.map_err(problem)?;
        let Some((bytes, sha256)) = found else {
            return Err(Problem::not_found("file"));
        };
        let sha256 = hex::encode(sha256);
        let event =
            ReportEvent::Downloaded { report: id, format: format.as_str(), sha256: sha256.clone() };
        record(&mut tx, scope.author(), Event::Report(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let from = (self.clone(), org, id, format, 0_i32);
        let parts = stream::try_unfold(from, |(reports, org, id, format, n)| async move {
            let part = reports.part(org, id, format, n).await?;
            Ok(part.map(|part| (part, (reports, org, id, format, n + 1))))
        });
        Ok(Download {
            name: name(id, report.kind.as_str(), format),
            content_type: match format {
                ReportFormat::Pdf => "application/pdf",
                ReportFormat::Csv => "text/csv; charset=utf-8",
                ReportFormat::Json => "application/json",
                ReportFormat::Bundle => "application/jsonl",
            },
            bytes,
            sha256,
            parts: Box::pin(parts),
        })
    }

    async fn part(
        &self,
        org: OrgId,
        id: ReportId,
        format: ReportFormat,
        n: i32,
    ) -> Result<Option<Bytes>, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let chunk = file::chunk(&mut tx, org, id, (format.as_str(), n)).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        chunk.map(|chunk| unpack(&chunk).map(Bytes::from)).transpose()
    }
}
