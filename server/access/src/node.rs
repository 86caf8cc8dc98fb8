//! What this node holds in memory, and how it knows that it is current.
//!
//! The truth is a version per organisation, read from the database each second; a notification
//! only makes that earlier. A snapshot may be asked as long as it was proven current within
//! [`Limits::blind_after`]; time here is that of a clock that nobody sets.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::Db;
use tracing::error;

use crate::policies::Policies;
use crate::rows::Rows;
use crate::snapshot::{BadRow, Snapshot};
use crate::sql;

/// How often a node looks, and how long it trusts what it saw.
#[derive(Clone)]
pub struct Limits {
    pub poll_every: Duration,
    /// Without a look for this long, nothing is allowed any more.
    pub blind_after: Duration,
    /// One of so many live decisions is compared with casbin's.
    pub recheck_one_in: u64,
    /// The time since some fixed moment; never steps back.
    pub uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Default for Limits {
    fn default() -> Self {
        let start = Instant::now();
        Self {
            poll_every: Duration::from_secs(1),
            blind_after: Duration::from_secs(5),
            recheck_one_in: 1_000,
            uptime: Arc::new(move || start.elapsed()),
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limits")
            .field("poll_every", &self.poll_every)
            .field("blind_after", &self.blind_after)
            .finish_non_exhaustive()
    }
}

/// A moment that never was.
const NEVER: u64 = 0;

/// One organisation's snapshot on this node.
#[derive(Debug, Default)]
struct Slot {
    snapshot: ArcSwapOption<Snapshot>,
    /// When a read began that found the snapshot current, in microseconds of uptime.
    proven_at: AtomicU64,
    /// Held while the snapshot is read anew, so that an older read cannot replace a newer one.
    reading: tokio::sync::Mutex<()>,
}

impl Slot {
    fn version(&self) -> i64 {
        self.snapshot.load().as_ref().map_or(-1, |snapshot| snapshot.version())
    }
}

/// Which organisations there are.
#[derive(Clone, Debug, Default)]
struct Directory {
    orgs: HashMap<OrgId, Arc<Entry>>,
    slugs: HashMap<String, OrgId>,
}

impl Directory {
    /// Says anew which slug is whose. One that is gone may be in here still while another has its slug: the
    /// one that was made later, as their ids tell.
    fn name_all(&mut self) {
        let mut named: Vec<_> =
            self.orgs.iter().map(|(org, entry)| (*org, entry.slug.clone())).collect();
        named.sort_unstable_by_key(|(org, _)| *org);
        self.slugs = named.into_iter().map(|(org, slug)| (slug, org)).collect();
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    slug: String,
    version: i64,
}

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error(transparent)]
    Store(#[from] ralex_store::Error),
    #[error("the rows make no sense: {0}")]
    BadRow(#[from] BadRow),
    #[error("reading took too long")]
    TooLong,
    #[error("the server is stopping")]
    Stopped,
}

impl From<sqlx::Error> for Unread {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The memory of this node.
#[derive(Debug)]
pub(crate) struct Node {
    db: Db,
    pub policies: Arc<Policies>,
    pub limits: Limits,
    directory: ArcSwap<Directory>,
    slots: ArcSwap<HashMap<OrgId, Arc<Slot>>>,
    /// Taken to replace one of the two maps.
    writing: Mutex<()>,
    polled_at: AtomicU64,
}

impl Node {
    pub fn new(db: Db, policies: Policies, limits: Limits) -> Self {
        Self {
            db,
            policies: Arc::new(policies),
            limits,
            directory: ArcSwap::default(),
            slots: ArcSwap::default(),
            writing: Mutex::new(()),
            polled_at: AtomicU64::new(NEVER),
        }
    }

    /// The organisation of this id or slug.
    pub fn find(&self, id_or_slug: &str) -> Option<OrgId> {
        let directory = self.directory.load();
        if let Some(org) = directory.slugs.get(id_or_slug) {
            return Some(*org);
        }
        let org: OrgId = id_or_slug.parse().ok()?;
        directory.orgs.contains_key(&org).then_some(org)
    }

    /// The newest version that this node knows of.
    pub fn version(&self, org: OrgId) -> i64 {
        self.directory.load().orgs.get(&org).map_or(0, |entry| entry.version)
    }

    /// How long ago the last look began that succeeded.
    pub fn polled_ago(&self) -> Option<Duration> {
        self.since(self.polled_at.load(Ordering::Acquire))
    }

    pub fn warm_orgs(&self) -> usize {
        self.slots.load().len()
    }

    /// The snapshot to ask now; read first if this node has none of it.
    pub async fn snapshot(&self, org: OrgId) -> Result<Arc<Snapshot>, Problem> {
        let slot = self.slots.load().get(&org).cloned();
        if let Some(slot) = slot
            && let Some(snapshot) = slot.snapshot.load_full()
        {
            let age = self.since(slot.proven_at.load(Ordering::Acquire));
            return match age {
                Some(age) if age <= self.limits.blind_after => Ok(snapshot),
                Some(_) | None => Err(closed()),
            };
        }
        let read = self.refresh(org, i64::MAX).await;
        match read {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => Err(Problem::not_found("organisation")),
            Err(why) => {
                error!(org.id = %org, "the rights in {org} cannot be read: {why}");
                Err(closed())
            }
        }
    }

    /// Reads an organisation anew, unless another read has brought `wanted` meanwhile.
    pub async fn refresh(&self, org: OrgId, wanted: i64) -> Result<Option<Arc<Snapshot>>, Unread> {
        let slot = self.slot(org);
        let _reading = slot.reading.lock().await;
        if slot.version() >= wanted {
            return Ok(slot.snapshot.load_full());
        }
        self.read(org, &slot).await
    }

    /// Looks at all versions, and has what is behind read anew.
    pub async fn poll(self: &Arc<Self>) -> Result<(), Unread> {
        let started = self.now();
        let look = async {
            let mut tx = self.db.system("poll policy versions").await?;
            Ok::<_, Unread>(sql::versions(&mut tx).await?)
        };
        let found = tokio::time::timeout(self.limits.blind_after, look).await;
        let known = found.map_err(|_| Unread::TooLong)??;
        let versions: HashMap<OrgId, i64> = known.iter().map(|k| (k.org, k.version)).collect();
        self.note(known);
        for (org, slot) in self.slots.load().iter() {
            if versions.get(org).is_some_and(|version| slot.version() >= *version) {
                slot.proven_at.fetch_max(started, Ordering::AcqRel);
            } else {
                self.catch_up(*org, Arc::clone(slot));
            }
        }
        // What this look did not find may have been made since it began; reading it tells.
        for org in self.directory.load().orgs.keys().filter(|org| !versions.contains_key(org)) {
            self.catch_up(*org, self.slot(*org));
        }
        self.polled_at.fetch_max(started, Ordering::AcqRel);
        Ok(())
    }

    /// Somebody says that an organisation has changed.
    pub fn hint(self: &Arc<Self>, org: OrgId) {
        if let Some(slot) = self.slots.load().get(&org) {
            self.catch_up(org, Arc::clone(slot));
        }
    }

    /// Reads one organisation in a task of its own, so that a slow one does not hold up the rest.
    fn catch_up(self: &Arc<Self>, org: OrgId, slot: Arc<Slot>) {
        let node = Arc::clone(self);
        tokio::spawn(async move {
            // A read that is under way may have begun before the change; the next look decides.
            let Ok(_reading) = slot.reading.try_lock() else { return };
            if let Err(why) = node.read(org, &slot).await {
                metrics::counter!("ralex_access_refresh_failures_total").increment(1);
                error!(org.id = %org, "the rights in {org} cannot be read: {why}");
            }
        });
    }

    /// Replaces the snapshot whole, or leaves the old one where anything fails. The caller holds
    /// `slot.reading`.
    async fn read(&self, org: OrgId, slot: &Slot) -> Result<Option<Arc<Snapshot>>, Unread> {
        let started = self.now();
        let load = async {
            let mut tx = self.db.tenant(org).await?;
            Ok::<_, Unread>(sql::load_text(&mut tx, org).await?)
        };
        let loaded = tokio::time::timeout(self.limits.blind_after, load).await;
        let Some(text) = loaded.map_err(|_| Unread::TooLong)?? else {
            // It was deleted.
            self.forget(org);
            return Ok(None);
        };
        // Many rows take milliseconds to compile, in which this thread would decide nothing.
        let policies = Arc::clone(&self.policies);
        let compile = move || {
            let rows = Rows::read(&text)?;
            Ok::<_, Unread>(Snapshot::compile(org, rows, &policies)?)
        };
        let compiled = tokio::task::spawn_blocking(compile).await;
        let snapshot = Arc::new(compiled.map_err(|_| Unread::Stopped)??);
        self.note(vec![sql::Known {
            org,
            slug: snapshot.slug().to_owned(),
            version: snapshot.version(),
        }]);
        slot.snapshot.store(Some(Arc::clone(&snapshot)));
        slot.proven_at.fetch_max(started, Ordering::AcqRel);
        Ok(Some(snapshot))
    }

    fn slot(&self, org: OrgId) -> Arc<Slot> {
        if let Some(slot) = self.slots.load().get(&org) {
            return Arc::clone(slot);
        }
        let _writing = self.writing.lock();
        let mut slots = HashMap::clone(&self.slots.load());
        let slot = Arc::clone(slots.entry(org).or_default());
        self.slots.store(Arc::new(slots));
        slot
    }

    fn forget(&self, org: OrgId) {
        let _writing = self.writing.lock();
        let mut slots = HashMap::clone(&self.slots.load());
        slots.remove(&org);
        self.slots.store(Arc::new(slots));
        let mut directory = Directory::clone(&self.directory.load());
        if directory.orgs.remove(&org).is_some() {
            directory.name_all();
            self.directory.store(Arc::new(directory));
        }
    }

    /// Takes in what was seen. A version never steps back, so a look that began earlier and ended
    /// later than another does no harm.
    fn note(&self, known: Vec<sql::Known>) {
        let _writing = self.writing.lock();
        let current = self.directory.load();
        let newer = known.into_iter().filter(|found| {
            current.orgs.get(&found.org).is_none_or(|entry| entry.version < found.version)
        });
        let newer: Vec<_> = newer.collect();
        if newer.is_empty() {
            return;
        }
        let mut next = Directory::clone(&current);
        for found in newer {
            let entry = Entry { slug: found.slug, version: found.version };
            next.orgs.insert(found.org, Arc::new(entry));
        }
        next.name_all();
        self.directory.store(Arc::new(next));
    }

    /// Microseconds of uptime; never [`NEVER`].
    fn now(&self) -> u64 {
        u64::try_from((self.limits.uptime)().as_micros()).unwrap_or(u64::MAX).saturating_add(1)
    }

    fn since(&self, moment: u64) -> Option<Duration> {
        (moment != NEVER).then(|| Duration::from_micros(self.now().saturating_sub(moment)))
    }
}

fn closed() -> Problem {
    let detail = "Rights cannot be checked at the moment, so nothing is allowed; try again soon.";
    Problem::new(Code::Unavailable, detail).with_retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_taken_anew_is_that_of_the_later_one() {
        let (gone, live) = (OrgId::generate(), OrgId::generate());
        for order in [[gone, live], [live, gone]] {
            let entry = |org| (org, Arc::new(Entry { slug: "acme".to_owned(), version: 1 }));
            let mut directory =
                Directory { orgs: order.map(entry).into_iter().collect(), slugs: HashMap::new() };
            directory.name_all();
            assert_eq!(directory.slugs.get("acme"), Some(&live));
            directory.orgs.remove(&gone);
            directory.name_all();
            assert_eq!(directory.slugs.get("acme"), Some(&live));
        }
    }
}
