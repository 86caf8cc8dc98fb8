//! Failures: what two people agreed about and cannot be carried out is told in the log, from which
//! alerts are raised, and so is that it goes again.

use ralex_access::Scope;
use ralex_api::retention::AuditRequestState;
use ralex_audit::{Author, Event, LogEvent, Pruning, record};
use ralex_kernel::{AuditRequestId, Code, OrgId, Problem};
use ralex_store::problem;

use crate::request::{one, shown};
use crate::{Retention, sql};

impl Retention {
    /// Records a failure each time, and a success where there was a failure before.
    pub(crate) async fn told<T>(
        &self,
        org: OrgId,
        what: Pruning,
        done: Result<T, Problem>,
    ) -> Result<T, Problem> {
        let mut tx = self.0.db.tenant(org).await?;
        let event = match (&done, what) {
            (Err(failed), Pruning::Archive) => {
                Some(LogEvent::ArchiveFailed { why: failed.detail.clone() })
            }
            (Err(failed), Pruning::Events | Pruning::Records) => {
                Some(LogEvent::PruneFailed { what, why: failed.detail.clone() })
            }
            (Ok(_), _) => {
                let failed = sql::fails(&mut tx, org, what.as_str()).await.map_err(problem)?;
                failed.then_some(LogEvent::PruneResumed { what })
            }
        };
        if let Some(event) = event {
            record(&mut tx, &Author::system(org), Event::Log(event)).await.map_err(problem)?;
            tx.commit().await.map_err(problem)?;
        }
        done
    }

    /// Records why nobody was erased, as long as the request waits.
    pub(crate) async fn not_erased(
        &self,
        scope: &Scope,
        id: AuditRequestId,
        why: &Problem,
    ) -> Result<(), Problem> {
        // Other refusals are about who approves, and what they say.
        if !matches!(why.code, Code::Conflict | Code::Internal | Code::Unavailable) {
            return Ok(());
        }
        let mut tx = self.0.db.tenant(scope.org()).await?;
        let request = shown(one(&mut tx, scope.org(), id).await?, false)?;
        if request.state != AuditRequestState::Pending {
            return Ok(());
        }
        let event = LogEvent::ErasureFailed { request: id, why: why.detail.clone() };
        record(&mut tx, scope.author(), Event::Log(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}
