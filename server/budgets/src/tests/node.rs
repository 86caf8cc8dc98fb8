//! A node of tests that keeps money in hand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ralex_kernel::NodeId;
use tokio::sync::Mutex;

use super::world::World;
use crate::{
    Batch, Charge, Claim, Committed, Hold, HoldOutcome, Leases, commit, heartbeat, lost, open_calls,
};

/// A node with the one lane that it opens calls by.
pub struct Node {
    pub world: Arc<World>,
    pub id: NodeId,
    pub leases: Leases,
    lane: Mutex<()>,
    dead: std::sync::Mutex<bool>,
}

impl Node {
    pub async fn new(world: &Arc<World>) -> Arc<Self> {
        let leases = Leases::default();
        let id = NodeId::generate();
        let mut tx = world.db.system("beat in a test").await.unwrap();
        let begun = Instant::now();
        heartbeat(&mut tx, id).await.unwrap();
        tx.commit().await.unwrap();
        leases.alive(begun);
        Arc::new(Self {
            world: Arc::clone(world),
            id,
            leases,
            lane: Mutex::default(),
            dead: false.into(),
        })
    }

    /// Takes it out of what is in hand, where that is enough.
    pub fn promise(&self, hold: Hold) -> Hold {
        let dead = self.dead.lock().unwrap();
        let promised = !*dead && self.leases.promise(&hold);
        Hold { claim: if promised { Claim::Promised } else { Claim::Patient }, ..hold }
    }

    /// One batch, with all that is in hand of it where `all` is set.
    pub async fn write(&self, hold: Option<&Hold>, all: bool) -> Committed {
        self.try_write(hold, all).await.unwrap()
    }

    /// Nothing where the node is dead.
    pub async fn try_write(&self, hold: Option<&Hold>, all: bool) -> Option<Committed> {
        let _lane = self.lane.lock().await;
        if *self.dead.lock().unwrap() {
            return None;
        }
        let needed: Vec<_> = hold.filter(|_| all).into_iter().flat_map(Hold::periods).collect();
        let holds: Vec<Hold> = hold.into_iter().cloned().collect();
        let leasing = self.leases.leasing(self.id, &holds, &needed);
        let mut tx = self.world.db.system("hold in a test").await.unwrap();
        let batch = Batch { holds: &holds, leasing: Some(&leasing), ..Batch::default() };
        let done = commit(&mut tx, &batch).await.unwrap();
        let decided = holds.iter().zip(&done.held);
        let decided = decided.filter(|(_, held)| !matches!(held, HoldOutcome::Later(_)));
        let rows: Vec<_> = decided.map(|(hold, held)| self.world.row(hold, held)).collect();
        open_calls(&mut tx, &rows).await.unwrap();
        tx.commit().await.unwrap();
        self.leases.written(holds.iter(), &done.leases);
        Some(done)
    }

    pub async fn open(&self, hold: Hold) -> HoldOutcome {
        self.write(Some(&self.promise(hold)), false).await.held.remove(0)
    }

    /// So that it has something in hand.
    pub async fn warm_up(&self, amount: i64, charges: &[Charge]) {
        let hold = self.world.hold(amount, charges);
        assert!(matches!(self.open(hold).await, HoldOutcome::Held { .. }));
        assert!(self.world.leased(&charges[0]).await > 0);
    }

    /// Does nothing any more.
    pub async fn stop(&self) {
        let _lane = self.lane.lock().await;
        *self.dead.lock().unwrap() = true;
    }

    /// Says nothing any more, and others have waited long enough.
    pub async fn die(&self) {
        self.world.hush(0, 40).await;
        self.silence().await;
        self.world.sweep_leases().await;
    }

    /// Says nothing any more.
    pub async fn silence(&self) {
        let mut tx = self.world.db.system("silence a test's node").await.unwrap();
        sqlx::query!(
            "update node set seen_at = now() - interval '31 seconds' where id = $1",
            self.id.uuid()
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }
}

impl World {
    /// As if for the last seconds nobody had said that they live, and somebody had in those before.
    pub async fn hush(&self, silent: i32, since: i32) {
        let mut tx = self.db.system("age a test's pulse").await.unwrap();
        sqlx::query!(
            "update pulse set last_at = now() - make_interval(secs => $1::int),
                 since = now() - make_interval(secs => $2::int)",
            silent,
            since,
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn sweep_leases(&self) {
        lost::sweep(&self.db, Duration::from_secs(30)).await.unwrap();
    }
}
