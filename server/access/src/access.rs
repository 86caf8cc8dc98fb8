//! The one question, and the lists that follow from it.

use std::future::Future;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;

use ralex_kernel::{Caller, Clock, Code, OrgId, Problem, ScopePath, Subject};
use ralex_store::{Db, Feed, Hint, System, Tenant};
use sqlx::PgConnection;
use tracing::warn;

use crate::denial::{self, Denial, Denials};
use crate::narrow::leaves_out;
use crate::node::{Limits, Node};
use crate::policies::Policies;
use crate::recheck::{Recheck, Sample};
use crate::scope::{Reach, Scope};
use crate::sight::Places;
use crate::snapshot::{Decision, Reason, Snapshot};
use crate::{Permission, sql};

/// Decides. One for the whole process; share it in an `Arc`.
#[derive(Debug)]
pub struct Access {
    pub(crate) node: Arc<Node>,
    db: Db,
    clock: Clock,
    denials: Denials,
    recheck: Recheck,
}

/// How well this node can decide.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// True while decisions can be made.
    pub open: bool,
    /// Since the last look at the database that succeeded.
    pub polled_ago: Option<Duration>,
    /// Organisations whose rights are in memory.
    pub warm_orgs: usize,
    /// Differences between the snapshot and casbin since the start; anything but 0 is a mistake.
    pub disagreements: u64,
}

/// A transaction that can change what nodes hold in memory.
pub trait Changed: DerefMut<Target = PgConnection> + Send {
    fn commit(self) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

impl Changed for Tenant {
    async fn commit(self) -> Result<(), sqlx::Error> {
        Tenant::commit(self).await
    }
}

impl Changed for System {
    async fn commit(self) -> Result<(), sqlx::Error> {
        System::commit(self).await
    }
}

impl Access {
    /// Keeps this node's memory current, checks samples of decisions, and forgets how rights were
    /// where that is not kept, until `shutdown`.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let checks = self.recheck.run();
        let history = self.run_history(std::future::pending());
        let work = async { tokio::join!(self.poll(), self.listen(), checks, history) };
        tokio::select! {
            () = shutdown => {}
            _ = work => {}
        }
    }

    async fn poll(&self) {
        let mut tick = tokio::time::interval(self.node.limits.poll_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(why) = self.node.poll().await {
                metrics::counter!("ralex_access_poll_failures_total").increment(1);
                warn!("policy versions cannot be read: {why}");
            }
        }
    }

    /// Hints make a change arrive in milliseconds; without them the poll brings it.
    async fn listen(&self) {
        let mut feed = Feed::listen(&self.db, &["ralex_policy"]);
        loop {
            match feed.next().await {
                Hint::Sent { payload, .. } => {
                    if let Ok(org) = payload.parse() {
                        self.node.hint(org);
                    }
                }
                // What was sent meanwhile is lost, and the next look is at most a second away.
                Hint::Connected => {}
            }
        }
    }

    /// Starts with one look at the database, so that organisations can be found at once.
    /// [`Access::run`] must run beside it, or everything is closed after five seconds.
    pub async fn open(db: Db, policies: Policies, clock: Clock) -> Result<Self, Problem> {
        Self::open_with(db, policies, clock, Limits::default()).await
    }

    /// The same with other limits.
    pub async fn open_with(
        db: Db,
        policies: Policies,
        clock: Clock,
        limits: Limits,
    ) -> Result<Self, Problem> {
        let recheck = Recheck::one_in(limits.recheck_one_in);
        let node = Arc::new(Node::new(db.clone(), policies, limits));
        node.poll().await.map_err(|why| {
            warn!("policy versions cannot be read: {why}");
            Problem::new(Code::Unavailable, "The database does not answer.").with_retry_after(1)
        })?;
        Ok(Self { node, db, clock, denials: Denials::default(), recheck })
    }

    /// The deployment's own rights in an organisation: for its jobs and its first start.
    pub fn internal(org: OrgId) -> Scope {
        Scope::internal(org)
    }

    /// The organisation of this id or slug. That it exists is not for everyone to know: ask
    /// [`Access::allow`] before telling.
    pub fn org(&self, id_or_slug: &str) -> Option<OrgId> {
        self.node.find(id_or_slug)
    }

    /// The newest version of the organisation's policies that this node knows: what other
    /// crates' caches are keyed by. Read it before what it is to vouch for.
    pub fn version(&self, org: OrgId) -> i64 {
        self.node.version(org)
    }

    /// May the caller do this there? The answer is the proof, or the problem to answer with:
    /// not found where the caller may not know of the organisation, forbidden otherwise.
    pub async fn allow(
        &self,
        caller: &Caller,
        org: OrgId,
        permission: Permission,
        at: ScopePath,
    ) -> Result<Scope, Problem> {
        let asked = Denial { permission, at };
        let snapshot = match self.node.snapshot(org).await {
            Ok(snapshot) => snapshot,
            Err(why) => return Box::pin(self.allow_blind(caller, org, asked, why)).await,
        };
        let decision = match snapshot.unwelcome(caller) {
            None => self.decide_for(&snapshot, caller, permission, at),
            Some(_) => Decision::Deny { by: None, reason: Reason::NotHeld },
        };
        match decision {
            Decision::Allow { by } => {
                Ok(Scope::proven(caller, org, (permission, at), by, snapshot.version()))
            }
            // Rare, so that its size is not part of every question's.
            Decision::Deny { reason, .. } => {
                Box::pin(self.allow_otherwise(&snapshot, caller, asked, reason)).await
            }
        }
    }

    /// What nothing usual allows: by an opened glass, or not at all.
    async fn allow_otherwise(
        &self,
        snapshot: &Arc<Snapshot>,
        caller: &Caller,
        asked: Denial,
        reason: Reason,
    ) -> Result<Scope, Problem> {
        if let Some(scope) = self.allow_by_glass(snapshot, caller, asked).await {
            return Ok(scope);
        }
        self.admit(snapshot, caller, asked).await?;
        Err(self.refuse(snapshot, caller, asked, reason).await)
    }

    /// The proof that the caller may do this somewhere in the organisation: at the widest place where
    /// they may, for what belongs to no place that they must hold anything at.
    pub async fn allow_somewhere(
        &self,
        caller: &Caller,
        org: OrgId,
        permission: Permission,
    ) -> Result<Scope, Problem> {
        let Ok(snapshot) = self.node.snapshot(org).await else {
            return self.allow(caller, org, permission, ScopePath::Org).await;
        };
        let now = self.clock.now();
        let may =
            |at: &ScopePath| snapshot.judge(caller.subject, permission, *at, now).is_allowed();
        let held = snapshot.places(caller.subject);
        let at = std::iter::once(ScopePath::Org).chain(held).find(may).unwrap_or(ScopePath::Org);
        self.allow(caller, org, permission, at).await
    }

    /// Where may the caller do this? For lists; a problem only where the answer is nowhere.
    pub async fn reach(
        &self,
        caller: &Caller,
        org: OrgId,
        permission: Permission,
    ) -> Result<Reach, Problem> {
        let asked = Denial { permission, at: ScopePath::Org };
        let snapshot = match self.node.snapshot(org).await {
            Ok(snapshot) => snapshot,
            Err(why) => {
                self.allow_blind(caller, org, asked, why).await?;
                return self.reach_by_glass(caller, org).await;
            }
        };
        let by_glass = || async {
            let found = self.allow_by_glass(&snapshot, caller, asked).await?;
            Some(self.reach_by_glass(found.caller(), org).await)
        };
        if snapshot.unwelcome(caller).is_some()
            && let Some(reach) = by_glass().await
        {
            return reach;
        }
        self.admit(&snapshot, caller, asked).await?;
        let may = |at| self.decide_for(&snapshot, caller, permission, at).is_allowed();
        let tree = snapshot.tree();
        let teams: Vec<_> =
            tree.teams().map(|team| (team, may(ScopePath::Team { team }))).collect();
        let projects: Vec<_> = tree
            .projects()
            .map(|(team, project)| (project, may(ScopePath::Project { team, project })))
            .collect();
        let (all_teams, all_projects) = (teams.iter().copied(), projects.iter().copied());
        let places = Places::of(may(ScopePath::Org), all_teams, all_projects);
        let everywhere = places.everywhere();
        if !everywhere && let Some(reach) = by_glass().await {
            return reach;
        }
        if !places.org && places.open.is_empty() {
            return Err(self.refuse(&snapshot, caller, asked, Reason::NotHeld).await);
        }
        let author = ralex_audit::Author::of(caller, org);
        let teams = teams.into_iter().filter_map(|(team, may)| may.then_some(team)).collect();
        let projects = projects.into_iter().filter_map(|(it, may)| may.then_some(it)).collect();
        Ok(Reach { author, everywhere, teams, projects, places })
    }

    /// Nothing where the caller holds something in the organisation; otherwise the problem that
    /// does not tell whether there is one.
    pub async fn belongs(&self, caller: &Caller, org: OrgId) -> Result<(), Problem> {
        let snapshot = match self.node.snapshot(org).await {
            Ok(snapshot) => snapshot,
            Err(why) => return self.blind_glass(caller, org, why).await.map(drop),
        };
        let refused = if snapshot.is_known(caller.subject, self.clock.now()) {
            snapshot.unwelcome(caller)
        } else {
            Some(Problem::not_found("organisation"))
        };
        match refused {
            Some(_) if self.glass_of(&snapshot, caller).await.is_some() => Ok(()),
            Some(problem) => Err(problem),
            None => Ok(()),
        }
    }

    /// Brings this node to a version of the organisation's policies, for who has seen that one and
    /// wants an answer that is no older. Whoever holds nothing there is not told whether there is it.
    pub async fn keep_up(&self, caller: &Caller, org: OrgId, wanted: i64) -> Result<(), Problem> {
        self.belongs(caller, org).await?;
        let reached = match self.node.refresh(org, wanted).await {
            Ok(snapshot) => snapshot.map_or(0, |snapshot| snapshot.version()),
            Err(why) => {
                warn!(org.id = %org, "the rights in {org} cannot be read: {why}");
                let detail = "The database does not answer.";
                let problem = Problem::new(Code::Unavailable, detail);
                return Err(problem.with_retry_after(1));
            }
        };
        if reached >= wanted {
            return Ok(());
        }
        let detail = format!(
            "The organisation's policies are at version {reached}, and `If-Policy-Version-At-Least` \
             asks for {wanted}. Send a version that an answer's `Policy-Version` has told."
        );
        Err(Problem::new(Code::PreconditionFailed, detail))
    }

    /// The decision alone, for what acts on behalf of somebody who is not there.
    pub async fn judge(
        &self,
        subject: Subject,
        org: OrgId,
        permission: Permission,
        at: ScopePath,
    ) -> Result<Decision, Problem> {
        let snapshot = self.node.snapshot(org).await?;
        Ok(self.decide(&snapshot, subject, permission, at))
    }

    /// The decision alone, for what shows something else where it is no.
    pub async fn judge_caller(
        &self,
        caller: &Caller,
        org: OrgId,
        permission: Permission,
        at: ScopePath,
    ) -> Result<Decision, Problem> {
        let by_glass = |scope: Scope| Decision::Allow { by: scope.by() };
        let asked = Denial { permission, at };
        let snapshot = match self.node.snapshot(org).await {
            Ok(snapshot) => snapshot,
            Err(why) => return self.allow_blind(caller, org, asked, why).await.map(by_glass),
        };
        let decision = self.decide_for(&snapshot, caller, permission, at);
        if decision.is_allowed() {
            return Ok(decision);
        }
        let otherwise = self.allow_by_glass(&snapshot, caller, asked).await;
        Ok(otherwise.map_or(decision, by_glass))
    }

    /// The rights of one organisation as this node holds them.
    pub async fn snapshot(&self, org: OrgId) -> Result<Arc<Snapshot>, Problem> {
        self.node.snapshot(org).await
    }

    /// Marks what nodes hold of `org` as changed, in the transaction that changes it. Use
    /// [`Access::commit`] unless the transaction changes several organisations.
    pub async fn bump(&self, conn: &mut PgConnection, org: OrgId) -> Result<i64, Problem> {
        sql::bump(conn, org).await.map_err(ralex_store::problem)
    }

    /// Ends a change: raises the version, commits, and has this node see it before it returns.
    pub async fn commit(&self, mut tx: impl Changed, org: OrgId) -> Result<(), Problem> {
        let version = self.bump(&mut tx, org).await?;
        tx.commit().await.map_err(ralex_store::problem)?;
        // What is committed is done. If it cannot be read now, the poll brings it or closes.
        if let Err(why) = self.node.refresh(org, version).await {
            warn!(org.id = %org, "the rights in {org} cannot be read after a change: {why}");
        }
        Ok(())
    }

    /// Reads an organisation anew now.
    pub async fn refresh(&self, org: OrgId) -> Result<(), Problem> {
        match self.node.refresh(org, i64::MAX).await {
            Ok(_) => Ok(()),
            Err(why) => {
                warn!(org.id = %org, "the rights in {org} cannot be read: {why}");
                Err(Problem::new(Code::Unavailable, "The database does not answer.")
                    .with_retry_after(1))
            }
        }
    }

    /// How well this node can decide.
    pub fn status(&self) -> Status {
        let polled_ago = self.node.polled_ago();
        Status {
            open: polled_ago.is_some_and(|ago| ago <= self.node.limits.blind_after),
            polled_ago,
            warm_orgs: self.node.warm_orgs(),
            disagreements: self.recheck.disagreements(),
        }
    }

    pub(crate) const fn db(&self) -> &Db {
        &self.db
    }

    pub(crate) const fn clock(&self) -> &Clock {
        &self.clock
    }

    #[cfg(test)]
    pub(crate) const fn rechecks(&self) -> &Recheck {
        &self.recheck
    }

    pub(crate) fn decide_for(
        &self,
        snapshot: &Arc<Snapshot>,
        caller: &Caller,
        permission: Permission,
        at: ScopePath,
    ) -> Decision {
        if leaves_out(caller, permission) {
            return Decision::Deny { by: None, reason: Reason::NotInToken };
        }
        self.decide(snapshot, caller.subject, permission, at)
    }

    fn decide(
        &self,
        snapshot: &Arc<Snapshot>,
        subject: Subject,
        permission: Permission,
        at: ScopePath,
    ) -> Decision {
        let now = self.clock.now();
        let decision = snapshot.judge(subject, permission, at, now);
        self.recheck.offer(|| Sample {
            snapshot: Arc::clone(snapshot),
            subject,
            permission,
            at,
            now,
            allowed: decision.is_allowed(),
        });
        decision
    }

    /// Refuses somebody who came in by a way that does not count here, or by less than is asked for. Who holds nothing here is not
    /// told so: the question itself will refuse them like anybody else.
    async fn admit(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        denial: Denial,
    ) -> Result<(), Problem> {
        let Some(problem) = snapshot.unwelcome(caller) else { return Ok(()) };
        if !snapshot.is_known(caller.subject, self.clock.now()) {
            return Ok(());
        }
        self.told(caller, snapshot.org(), denial).await;
        Err(problem)
    }

    async fn refuse(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        denial: Denial,
        reason: Reason,
    ) -> Problem {
        let org = snapshot.org();
        if !snapshot.is_known(caller.subject, self.clock.now()) {
            // Not waited for, so that the time taken does not tell that the organisation exists.
            if self.is_due(caller, org, denial) {
                let author = ralex_audit::Author::of(caller, org);
                tokio::spawn(denial::record(self.db.clone(), author, denial));
            }
            return Problem::not_found("organisation");
        }
        self.told(caller, org, denial).await;
        match reason {
            Reason::NoSuchPlace => Problem::not_found("team or project"),
            Reason::NotHeld
            | Reason::Denied
            | Reason::NotAMember
            | Reason::Suspended
            | Reason::OtherOrg
            | Reason::OrgClosed
            | Reason::NotASubject => denial::problem(denial),
            Reason::NotInToken => denial::narrowed(denial),
        }
    }

    /// Has a refusal recorded, unless many like it were lately.
    async fn told(&self, caller: &Caller, org: OrgId, denial: Denial) {
        if self.is_due(caller, org, denial) {
            let author = ralex_audit::Author::of(caller, org);
            // Rare, so that its size is not part of every question's.
            Box::pin(denial::record(self.db.clone(), author, denial)).await;
        } else {
            metrics::counter!("ralex_access_denials_not_listed_total").increment(1);
        }
    }

    fn is_due(&self, caller: &Caller, org: OrgId, denial: Denial) -> bool {
        self.denials.is_due((caller.subject, org), denial, (self.node.limits.uptime)())
    }
}
