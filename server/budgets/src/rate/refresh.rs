//! Asking the database for more, for all calls that wait, in one statement.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use ralex_kernel::{NodeId, Problem};
use ralex_store::{Db, Feed, Hint, problem};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::known::Demand;
use super::window::{Asking, Room, Windows};
use super::{Key, away};
use crate::sql;

/// How often what is not needed goes back.
const PACE: Duration = Duration::from_millis(500);
const AT_ONCE: usize = 1_024;
/// A connection that falls silent tells nobody; no caller is made to wait for TCP.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a call is short of, and whom to tell what became of it.
pub(crate) struct Ask {
    pub demands: Vec<Demand>,
    pub done: oneshot::Sender<Result<Room, Problem>>,
}

pub(crate) struct Refresher {
    db: Db,
    node: NodeId,
    windows: Arc<Mutex<Windows>>,
}

impl Refresher {
    pub fn new(db: Db, node: NodeId, windows: Arc<Mutex<Windows>>) -> Self {
        Self { db, node, windows }
    }

    /// Answers until nobody is left who may ask; then gives everything back.
    pub async fn run(self, mut asked: mpsc::Receiver<Ask>) {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut feed = Feed::listen(&self.db, &[sql::rate::CHANNEL]);
        let mut asks = Vec::new();
        loop {
            tokio::select! {
                biased;
                some = asked.recv_many(&mut asks, AT_ONCE) => {
                    if some == 0 {
                        break;
                    }
                }
                hint = feed.next() => match hint {
                    Hint::Sent { payload, .. } => match key(&payload) {
                        Some(key) => self.windows.lock().recall(key),
                        None => continue,
                    },
                    Hint::Connected => continue,
                },
                _ = pace.tick() => {}
            }
            let told = self.refresh(wants(&asks), false).await;
            if let Err(problem) = &told {
                warn!(%problem, "rate limits could not be asked");
            }
            self.tell(asks.drain(..), &told);
        }
        if let Err(problem) = self.refresh(HashMap::new(), true).await {
            warn!(%problem, "what is in hand of rate limits counts until it has left their windows");
        }
    }

    /// Takes for those who wait, first come, before anybody else can.
    fn tell(&self, asks: impl Iterator<Item = Ask>, told: &Result<(), Problem>) {
        let mut windows = self.windows.lock();
        for Ask { demands, done } in asks {
            let room = told.clone().map(|()| windows.take(&demands));
            // Who asked may have hung up.
            if let Err(Ok(Room::Taken(slots))) = done.send(room) {
                windows.give_back(&demands, &slots);
            }
        }
    }

    async fn refresh(&self, wants: HashMap<Key, (u64, u64)>, all: bool) -> Result<(), Problem> {
        let asking = self.windows.lock().asking(&wants, all);
        if asking.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let answered = tokio::time::timeout(PATIENCE, self.ask(&asking)).await;
        let answered = answered.unwrap_or_else(|_| Err(away()));
        let mut windows = self.windows.lock();
        match answered {
            Ok(answers) => {
                windows.answered(&asking, &answers, begun);
                Ok(())
            }
            Err(problem) => {
                windows.unanswered(&asking);
                Err(problem)
            }
        }
    }

    async fn ask(&self, asking: &[(Key, Asking)]) -> Result<Vec<sql::rate::Answer>, Problem> {
        let mut tx = self.db.system("take from rate limits").await?;
        let answers = sql::rate::take(&mut tx, self.node, asking).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        Ok(answers)
    }
}

/// The limit that another node is short of.
fn key(payload: &str) -> Option<Key> {
    let (org, limit) = payload.split_once(' ')?;
    Some((org.parse().ok()?, limit.parse().ok()?))
}

/// Of each limit the least that a call waits for, and what all need together.
fn wants(asks: &[Ask]) -> HashMap<Key, (u64, u64)> {
    let mut wants: HashMap<Key, (u64, u64)> = HashMap::new();
    let demands = asks.iter().flat_map(|ask| &ask.demands);
    for Demand { limit, units } in demands.filter(|it| it.units > 0) {
        let (smallest, needed) = wants.entry(limit.key()).or_insert((u64::MAX, 0));
        *smallest = (*smallest).min(*units);
        *needed = needed.saturating_add(*units);
    }
    wants
}
