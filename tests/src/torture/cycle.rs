//! One life of the server: started, loaded, killed at a random moment.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::RngExt;

use super::client::{self, Memory};
use super::setting::Setting;
use super::watch::{self, Observed};
use crate::rig::{Server, signal};

/// What was seen from outside, in all cycles.
#[derive(Default)]
pub struct Witness {
    pub memory: Memory,
    pub observed: Arc<Mutex<Observed>>,
}

/// Whose life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    Ralex,
    /// Ralex and PostgreSQL's first process at the same moment.
    Both,
    /// PostgreSQL's first process, and Ralex a while later.
    Postgres,
    /// One of PostgreSQL's other processes, which makes it recover; and Ralex a while later.
    Backend,
}

impl Victim {
    pub fn random() -> Self {
        match rand::rng().random_range(0..10) {
            0 => Self::Both,
            1 => Self::Postgres,
            2 => Self::Backend,
            _ => Self::Ralex,
        }
    }
}

/// Starts a server where one was killed.
///
/// # Errors
/// Where it does not start within a minute, however often it is tried.
pub async fn start(
    program: &Path,
    folder: &Path,
    failed: &mut Vec<String>,
) -> anyhow::Result<(Server, Duration)> {
    let begun = Instant::now();
    loop {
        match Server::start(program, folder) {
            Ok(server) => return Ok((server, begun.elapsed())),
            Err(error) if begun.elapsed() > Duration::from_mins(1) => return Err(error),
            Err(error) => failed.push(error.to_string()),
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Loads a server with several clients and kills it; what they saw stays with the `witness`.
///
/// # Errors
/// Where budgets cannot be raised, or a signal not be sent.
pub async fn live(
    name: &str,
    server: Server,
    setting: &Setting,
    clients: u32,
    victim: Victim,
    witness: &Witness,
) -> anyhow::Result<()> {
    setting.raise_limits().await?;
    let stop = Arc::new(AtomicBool::new(false));
    let teams = Arc::new(setting.teams.clone());
    let mut tasks = vec![tokio::spawn(watch::run(
        setting.api.clone(),
        Arc::clone(&stop),
        Arc::clone(&witness.observed),
    ))];
    for index in 0..clients {
        let name = format!("{name} client {index}");
        let (teams, stop) = (Arc::clone(&teams), Arc::clone(&stop));
        let memory = Arc::clone(&witness.memory);
        tasks.push(tokio::spawn(client::run(name, server.address, teams, stop, memory)));
    }
    if rand::rng().random_range(0..4) > 0 {
        first_answer(witness).await;
    }
    pause(20..1500).await;
    let postgres = server.postgres();
    match victim {
        Victim::Ralex => {}
        Victim::Both => postgres.first().map_or(Ok(()), |pid| signal("-KILL", *pid))?,
        Victim::Postgres => {
            postgres.first().map_or(Ok(()), |pid| signal("-KILL", *pid))?;
            pause(500..3000).await;
        }
        Victim::Backend => {
            let others = postgres.get(1..).unwrap_or_default();
            if !others.is_empty() {
                signal("-KILL", others[rand::rng().random_range(0..others.len())])?;
            }
            pause(500..3000).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    server.kill();
    for task in tasks {
        task.await?;
    }
    // What was on its way to the provider arrives.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(())
}

/// A young server needs a moment for its first answer; most cycles are to die in full flight.
async fn first_answer(witness: &Witness) {
    let before = witness.memory.lock().len();
    for _ in 0..500 {
        if witness.memory.lock().len() > before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn pause(milliseconds: std::ops::Range<u64>) {
    let length = rand::rng().random_range(milliseconds);
    tokio::time::sleep(Duration::from_millis(length)).await;
}
