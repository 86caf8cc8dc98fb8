//! The audit log of a running node: its sequencer, and what it knows of its own health.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use parking_lot::{Mutex, RwLock};
use ralex_kernel::{Clock, Code, DeploymentId, OrgId, Problem};
use ralex_store::{Db, Error};
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{error, warn};

use crate::checkpoint::{Signer, VerifierKey};
use crate::keys::Seeds;
use crate::list::{newest_transaction, pending, signed_size, size_with_all_before};
use crate::sequencer::{Look, Round, has_strays, sequence};
use crate::signing::{Refused, sign_all};
use crate::superlog::anchor;
use crate::witness::Witnesses;

/// How long a committed event waits at most before the sequencer looks.
const POLL: Duration = Duration::from_millis(200);
/// The shortest time between two checkpoints of one tree.
const SIGN_EVERY: Duration = Duration::from_secs(1);
/// How long an export waits for the newest events to be in a signed tree.
const FLUSH_PATIENCE: Duration = Duration::from_secs(8);

/// The audit log. Cheap to clone.
#[derive(Clone)]
pub struct Audit(Arc<Parts>);

struct Parts {
    db: Db,
    signer: RwLock<Arc<Signer>>,
    /// Where a newer key comes from.
    seeds: Option<(DeploymentId, Arc<dyn Seeds>)>,
    witnesses: Witnesses,
    clock: Clock,
    status: Mutex<Status>,
    /// Someone waits for a checkpoint.
    wanted: Notify,
    /// Someone waits for the witnesses.
    witness_wanted: Notify,
}

/// How the log fares on this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// When the sequencer and the signer last did, or found nothing left to do.
    pub last_success: Option<DateTime<Utc>>,
    /// Events without a place when it was last counted; counting stops at 10,000.
    pub pending: u64,
    /// Trees that are not what was written, so that no further head of them is signed.
    pub refused: Vec<Refused>,
    /// Why the log of logs is not signed any further.
    pub broken: Option<String>,
    /// Why a witness does not believe this history.
    pub conflict: Option<String>,
}

impl Audit {
    /// With one key that is never changed, and without witnesses; see [`Audit::open`].
    pub fn new(db: Db, signer: Signer, clock: Clock) -> Self {
        Self::with(db, signer, clock, None, Witnesses::default())
    }

    pub(crate) fn with(
        db: Db,
        signer: Signer,
        clock: Clock,
        seeds: Option<(DeploymentId, Arc<dyn Seeds>)>,
        witnesses: Witnesses,
    ) -> Self {
        Self(Arc::new(Parts {
            db,
            signer: RwLock::new(Arc::new(signer)),
            seeds,
            witnesses,
            clock,
            status: Mutex::default(),
            wanted: Notify::new(),
            witness_wanted: Notify::new(),
        }))
    }

    pub fn status(&self) -> Status {
        self.0.status.lock().clone()
    }

    /// The key that verifies this deployment's checkpoints from now on.
    pub fn verifier(&self) -> VerifierKey {
        self.signer().verifier()
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn signer(&self) -> Arc<Signer> {
        Arc::clone(&self.0.signer.read())
    }

    /// Signs with another key from now on; never with an earlier one than before.
    pub(crate) fn use_signer(&self, signer: Signer) {
        let mut current = self.0.signer.write();
        if signer.version() > current.version() {
            *current = Arc::new(signer);
        }
    }

    pub(crate) fn seeds(&self) -> Option<&(DeploymentId, Arc<dyn Seeds>)> {
        self.0.seeds.as_ref()
    }

    pub(crate) fn witnesses(&self) -> &Witnesses {
        &self.0.witnesses
    }

    pub(crate) fn note_conflict(&self, witness: &str, why: &str) {
        self.0.status.lock().conflict = Some(format!("{witness}: {why}"));
    }

    /// The witness believes this history again; what another one said stays.
    pub(crate) fn clear_conflict(&self, witness: &str) {
        let start = format!("{witness}: ");
        self.0.status.lock().conflict.take_if(|told| told.starts_with(&start));
    }

    pub(crate) fn witness_wanted(&self) -> &Notify {
        &self.0.witness_wanted
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    /// Sequences and signs until `shutdown` is done, then once more so that nothing waits for
    /// the next start.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        tokio::pin!(shutdown);
        let mut signed: Option<Instant> = None;
        let mut look = None;
        loop {
            let wanted = tokio::select! {
                () = &mut shutdown => break,
                () = self.0.wanted.notified() => true,
                () = tokio::time::sleep(POLL) => false,
            };
            let due = wanted || signed.is_none_or(|at| at.elapsed() >= SIGN_EVERY);
            match self.round(&mut look, due).await {
                Ok(()) if due => signed = Some(Instant::now()),
                Ok(()) => {}
                Err(error) => warn!(error = ?error, "audit events wait for their place: {error}"),
            }
        }
        if let Err(error) = self.round(&mut look, true).await {
            warn!(error = ?error, "audit events wait for the next start: {error}");
        }
    }

    /// Gives every committed event its place and, if `sign`, signs what has grown. `look` is none
    /// until strays were looked for.
    async fn round(&self, look: &mut Option<Look>, sign: bool) -> Result<(), Error> {
        let mut at = match *look {
            Some(at) => at,
            None if has_strays(self.db()).await? => Look::Everywhere,
            None => Look::Ahead,
        };
        *look = Some(at);
        loop {
            match sequence(self.db(), at).await? {
                Round::Elsewhere => break,
                Round::CaughtUp => {
                    *look = Some(Look::Ahead);
                    break;
                }
                Round::More => {}
                Round::Restored => {
                    at = Look::Everywhere;
                    *look = Some(at);
                }
            }
        }
        if sign {
            if let Err(problem) = self.follow_keys().await {
                warn!("the audit log's newest key cannot be used here: {}", problem.detail);
            }
            let signer = self.signer();
            let mut refused = sign_all(self.db(), &signer).await?;
            let anchored = anchor(self.db(), &signer).await?;
            refused.extend(anchored.refused);
            let pending = pending(self.db(), None).await?;
            self.note_refusals(refused, anchored.broken, pending);
        }
        self.0.status.lock().last_success = Some(self.now());
        Ok(())
    }

    fn note_refusals(&self, refused: Vec<Refused>, broken: Option<String>, pending: u64) {
        let mut status = self.0.status.lock();
        if let Some(reason) = &broken
            && status.broken.is_none()
        {
            error!("the log of the audit logs is not signed any further: {reason}");
        }
        status.broken = broken;
        let known: HashSet<OrgId> = status.refused.iter().map(|refused| refused.org).collect();
        for Refused { org, reason } in &refused {
            metrics::counter!("ralex_audit_signing_refused_total").increment(1);
            if !known.contains(org) {
                error!(org.id = %org, "the audit log of org {org} is not signed any further: {reason}");
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counting stops at 10,000")]
        metrics::gauge!("ralex_audit_pending_events").set(pending as f64);
        status.refused = refused;
        status.pending = pending;
    }

    /// Waits until every event that has committed by now is in a signed tree. A tree that may not
    /// be signed any further is not waited for: its last signed head is what there is to show.
    /// Answers with the size that holds them all.
    pub(crate) async fn flush(&self, org: OrgId) -> Result<i64, Problem> {
        let deadline = Instant::now() + FLUSH_PATIENCE;
        let until = newest_transaction(self.db()).await?;
        let mut needed = None;
        loop {
            self.0.wanted.notify_one();
            if needed.is_none() {
                needed = size_with_all_before(self.db(), org, until).await?;
            }
            let signed = signed_size(self.db(), org).await?;
            if needed.is_some_and(|needed| signed >= needed) || self.is_refused(org) {
                return Ok(needed.unwrap_or(signed).min(signed));
            }
            if Instant::now() >= deadline {
                let detail =
                    "The newest events are not in the signed log yet; try again in a moment.";
                return Err(Problem::new(Code::Unavailable, detail).with_retry_after(2));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) fn is_refused(&self, org: OrgId) -> bool {
        self.0.status.lock().refused.iter().any(|refused| refused.org == org)
    }

    /// Asks for a round with signing.
    pub(crate) fn wake(&self) {
        self.0.wanted.notify_one();
    }

    /// One round now, with signing; tests have no running sequencer.
    #[cfg(test)]
    pub(crate) async fn round_now(&self) -> Result<(), Error> {
        self.round(&mut None, true).await
    }
}
