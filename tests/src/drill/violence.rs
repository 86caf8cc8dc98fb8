//! What is done to the nodes and to PostgreSQL while calls go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;
use tokio::task::JoinSet;

use super::caller::Memory;
use super::cluster::{Cluster, End};
use super::fleet::Fleet;
use super::run::Options;
use crate::upstream::Upstream;

/// A provider is asked at least so often, as long as anything is up.
const CALL_WITHIN: Duration = Duration::from_secs(3);
/// How long calls may take to pass again after a restart of PostgreSQL.
const RECOVERY: Duration = Duration::from_secs(30);

/// What was done, and how long it lasted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Done {
    pub kills: u32,
    /// Of them, so many soon after a provider was asked.
    pub kills_amid_a_call: u32,
    pub pauses: u32,
    /// Of them, so many for so long that others took the node for dead.
    pub pauses_beyond_silence: u32,
    pub postgres_killed: u32,
    pub postgres_stopped: u32,
    pub postgres_backends_killed: u32,
    pub postgres_connections_ended: u32,
    /// Seconds from such a restart until a call was answered again: the longest.
    pub slowest_recovery: f64,
    /// Restarts after which no call was answered for half a minute.
    pub no_recovery: u32,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Kill,
    Pause { long: bool },
    Restart,
}

/// Whom it is done to.
pub struct Victims {
    pub fleet: Arc<Fleet>,
    pub cluster: Arc<Cluster>,
    pub upstream: Arc<Upstream>,
    pub memory: Arc<Memory>,
}

impl Deed {
    /// In a fixed order, so that short runs have something of each.
    const fn of(turn: u32, long: bool) -> Self {
        match turn % 40 {
            7 | 27 => Self::Restart,
            33 => Self::Pause { long },
            3 | 13 | 23 => Self::Pause { long: false },
            _ => Self::Kill,
        }
    }
}

impl Victims {
    /// Goes on for so long, or until so many were killed.
    ///
    /// # Errors
    /// Where what was killed does not start again.
    pub async fn suffer(
        &self,
        options: &Options,
        rng: &mut StdRng,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Done> {
        let begun = Instant::now();
        let mut done = Done::default();
        let mut under_way = JoinSet::new();
        for turn in 0.. {
            let pace = rng.random_range(0..=2 * options.pace);
            let left = options.length.saturating_sub(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(pace).min(left)).await;
            while let Some(ended) = under_way.try_join_next() {
                ended??;
            }
            if begun.elapsed() >= options.length || done.kills >= options.kills {
                break;
            }
            match Deed::of(turn, options.long_pauses) {
                Deed::Kill => self.kill(options, rng, &mut done, &mut under_way).await,
                Deed::Pause { long } => self.pause(long, rng, &mut done, &mut under_way)?,
                Deed::Restart => self.restart(rng, &mut done).await?,
            }
            if turn % 20 == 19 {
                let calls = self.memory.sent.lock().len();
                let seconds = begun.elapsed().as_secs();
                say(&format!("{seconds} s: {calls} calls, {} kills", done.kills));
            }
        }
        while let Some(ended) = under_way.join_next().await {
            ended??;
        }
        Ok(done)
    }

    /// Kills a node a moment after a provider was asked, and starts it again a moment later.
    async fn kill(
        &self,
        options: &Options,
        rng: &mut StdRng,
        done: &mut Done,
        under_way: &mut JoinSet<anyhow::Result<()>>,
    ) {
        let seat = rng.random_range(self.fleet.seats());
        let asked = self.upstream.counts().begun;
        let begun = Instant::now();
        while self.upstream.counts().begun == asked && begun.elapsed() < CALL_WITHIN {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let amid = self.upstream.counts().begun > asked;
        let after = rng.random_range(0..=options.aim);
        tokio::time::sleep(Duration::from_millis(after)).await;
        if !self.fleet.kill(seat) {
            return;
        }
        done.kills += 1;
        done.kills_amid_a_call += u32::from(amid);
        let down = Duration::from_millis(rng.random_range(0..500));
        let fleet = Arc::clone(&self.fleet);
        under_way.spawn(async move {
            tokio::time::sleep(down).await;
            fleet.seat(seat).await
        });
    }

    fn pause(
        &self,
        long: bool,
        rng: &mut StdRng,
        done: &mut Done,
        under_way: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let seat = rng.random_range(self.fleet.seats());
        let Some(pid) = self.fleet.stand_still(seat, true)? else { return Ok(()) };
        done.pauses += 1;
        done.pauses_beyond_silence += u32::from(long);
        let length = if long { 36_000..45_000 } else { 100..4_000 };
        let length = Duration::from_millis(rng.random_range(length));
        let fleet = Arc::clone(&self.fleet);
        under_way.spawn(async move {
            tokio::time::sleep(length).await;
            fleet.go_on(seat, pid)
        });
        Ok(())
    }

    async fn restart(&self, rng: &mut StdRng, done: &mut Done) -> anyhow::Result<()> {
        let end = End::ALL[rng.random_range(0..End::ALL.len())];
        *match end {
            End::Kill => &mut done.postgres_killed,
            End::Immediate => &mut done.postgres_stopped,
            End::Backend => &mut done.postgres_backends_killed,
            End::Terminate => &mut done.postgres_connections_ended,
        } += 1;
        self.cluster.restart(end, Duration::from_millis(rng.random_range(0..1_500))).await?;
        self.cluster.ready().await?;
        let back = Instant::now();
        while self.memory.answered.lock().is_none_or(|last| last < back) {
            if back.elapsed() > RECOVERY {
                done.no_recovery += 1;
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        done.slowest_recovery = done.slowest_recovery.max(back.elapsed().as_secs_f64());
        Ok(())
    }
}
