//! What each kind of report says.

mod access;
mod extract;
mod health;
mod keys;
mod person;
mod register;

use ralex_api::reports::ReportKind;
use ralex_kernel::Problem;
use ralex_store::{calls_from, problem};

use crate::document::Document;
use crate::work::Work;

pub(crate) async fn document(work: &mut Work<'_>) -> Result<Document, Problem> {
    match work.frame.kind {
        ReportKind::AccessReview => access::document(work).await,
        ReportKind::KeyLifecycle => keys::document(work).await,
        ReportKind::AuditExtract => extract::document(work).await,
        ReportKind::DataSubject => person::document(work).await,
        ReportKind::AiRegister => register::document(work).await,
        ReportKind::ControlHealth => health::document(work).await,
    }
}

/// What a report has to say where records of calls within its period were pruned, and what that means
/// for it.
async fn pruned(work: &Work<'_>, meaning: &str) -> Result<Option<String>, Problem> {
    let mut tx = work.tenant().await?;
    let all_from = calls_from(&mut tx, work.org()).await.map_err(problem)?;
    tx.rollback().await.map_err(problem)?;
    let all_from = all_from.filter(|all_from| work.span().0 < *all_from);
    Ok(all_from.map(|from| {
        let from = from.format("%Y-%m-%d %H:%M UTC");
        format!("Records of calls that began before {from} were pruned. {meaning}")
    }))
}
