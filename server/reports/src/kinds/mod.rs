//! What each kind of report says.

mod access;
mod extract;
mod health;
mod keys;
mod person;
mod register;

use ralex_api::reports::ReportKind;
use ralex_kernel::Problem;

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
