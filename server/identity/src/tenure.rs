//! Tenure: what stays open is open for as long as its caller may.
//!
//! A call is decided when it begins, and an answer that streams can take minutes. Each node looks at what
//! it has open every half second: whether the caller still may, which is in memory, and in one query for
//! all of them whether their sessions and tokens live. Only a clear no ends something: where the database
//! does not answer, what was decided while it did goes on, and nothing new begins.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use ralex_access::Permission;
use ralex_kernel::{Caller, Code, Credential, OrgId, Problem, ScopePath};
use ralex_store::problem;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::{Identity, sql};

/// With the second that a change takes to be known, this ends things well within five.
const PACE: Duration = Duration::from_millis(500);

/// What is open on this node.
#[derive(Clone, Default)]
pub(crate) struct Tenures(Arc<Open>);

#[derive(Default)]
struct Open {
    held: Mutex<HashMap<u64, Held>>,
    next: AtomicU64,
}

struct Held {
    right: Right,
    end: oneshot::Sender<Problem>,
}

/// What something open rests on.
#[derive(Clone)]
struct Right {
    caller: Caller,
    org: OrgId,
    permission: Permission,
    at: ScopePath,
}

/// Held by what is open, and let go with it. Comes to an end, with the problem to close it with, when its
/// caller no longer may.
pub struct Tenure {
    id: u64,
    open: Arc<Open>,
    ended: oneshot::Receiver<Problem>,
}

impl Future for Tenure {
    type Output = Problem;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Problem> {
        match pin!(&mut self.ended).poll(cx) {
            Poll::Ready(Ok(why)) => Poll::Ready(why),
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.open.held.lock().remove(&self.id);
    }
}

impl Tenures {
    fn hold(&self, right: Right) -> Tenure {
        let (end, ended) = oneshot::channel();
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.held.lock().insert(id, Held { right, end });
        Tenure { id, open: Arc::clone(&self.0), ended }
    }

    fn all(&self) -> Vec<(u64, Right)> {
        self.0.held.lock().iter().map(|(id, held)| (*id, held.right.clone())).collect()
    }

    fn end(&self, id: u64, why: Problem) {
        let Some(held) = self.0.held.lock().remove(&id) else { return };
        metrics::counter!("ralex_tenures_ended_total").increment(1);
        // Whoever let go of it meanwhile has no use for the reason.
        held.end.send(why).ok();
    }
}

impl Identity {
    /// Watches over something that stays open by a right of its caller.
    pub fn tenure(
        &self,
        caller: &Caller,
        org: OrgId,
        permission: Permission,
        at: ScopePath,
    ) -> Tenure {
        self.tenures.hold(Right { caller: caller.clone(), org, permission, at })
    }

    /// Ends what nobody may keep open any more, steadily, until `shutdown`.
    pub async fn run_tenures(&self, shutdown: impl Future<Output = ()>) {
        let mut tick = interval(PACE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let work = async {
            loop {
                tick.tick().await;
                if let Err(why) = self.end_tenures().await {
                    warn!("what is open cannot be looked at: {}", why.detail);
                }
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = work => {}
        }
    }

    async fn end_tenures(&self) -> Result<(), Problem> {
        let open = self.tenures.all();
        metrics::gauge!("ralex_tenures").set(u32::try_from(open.len()).unwrap_or(u32::MAX));
        if open.is_empty() {
            return Ok(());
        }
        for (id, right) in &open {
            let Right { caller, org, permission, at } = right;
            let decided = self.access.allow(caller, *org, *permission, *at).await;
            let Err(why) = decided else { continue };
            if why.code != Code::Unavailable {
                // They knew of the organisation when they began.
                let code = if why.code == Code::NotFound { Code::Forbidden } else { why.code };
                self.tenures.end(*id, ended("The right that this rests on has ended.", code));
            }
        }
        let shown: HashSet<_> = open.iter().map(|(_, right)| right.caller.credential).collect();
        let dead = self.dead(&shown).await?;
        for (id, _) in open.iter().filter(|(_, right)| dead.contains(&right.caller.credential)) {
            let detail = "The session or token by which this was opened has ended.";
            self.tenures.end(*id, ended(detail, Code::Unauthenticated));
        }
        Ok(())
    }

    /// Which of these open nothing any more.
    async fn dead(&self, shown: &HashSet<Credential>) -> Result<HashSet<Credential>, Problem> {
        let (mut sessions, mut personal, mut teams) = (Vec::new(), Vec::new(), Vec::new());
        for credential in shown {
            match *credential {
                Credential::Session(id) => sessions.push(id),
                Credential::PersonalToken(id) => personal.push(id),
                Credential::TeamToken(id) => teams.push(id),
                // A directory keeps nothing open, and the process itself shows nothing.
                Credential::ScimToken(_) | Credential::Internal => {}
            }
        }
        let now = self.clock.now();
        let mut tx = self.db.system("see which sessions and tokens live").await?;
        let mut live = HashSet::new();
        let found = sql::tenure::live_sessions(&mut tx, &sessions, now).await.map_err(problem)?;
        live.extend(found.into_iter().map(Credential::Session));
        let found = sql::tenure::live_personal(&mut tx, &personal, now).await.map_err(problem)?;
        live.extend(found.into_iter().map(Credential::PersonalToken));
        let found = sql::tenure::live_teams(&mut tx, &teams, now).await.map_err(problem)?;
        live.extend(found.into_iter().map(Credential::TeamToken));
        let watched = shown.iter().filter(|it| {
            !matches!(it, Credential::ScimToken(_) | Credential::Internal) && !live.contains(it)
        });
        Ok(watched.copied().collect())
    }
}

fn ended(detail: &str, code: Code) -> Problem {
    Problem::new(code, format!("{detail} What came until then is paid."))
}
