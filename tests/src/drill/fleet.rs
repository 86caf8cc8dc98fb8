//! The nodes: each has a seat, in which it is started again whenever it was killed.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use crate::rig::{Server, signal};

const PATIENCE: Duration = Duration::from_mins(2);
/// Of all nodes, so that keys that one sealed are opened by the others.
const SEAL: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// All nodes of one database.
pub struct Fleet {
    program: PathBuf,
    folder: PathBuf,
    settings: Vec<(String, String)>,
    seats: Vec<Mutex<Seat>>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Seat {
    server: Option<Server>,
    address: Option<SocketAddr>,
    stands_still: bool,
    /// Its place among all lives.
    life: usize,
}

/// What became of the nodes.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// From the start of a process to `ready`.
    pub starts: Vec<Duration>,
    /// Starts that did not succeed, as where PostgreSQL was away.
    pub failed_starts: u32,
    /// Nodes that ended although nobody killed them.
    pub ended: Vec<String>,
    pub lives: Vec<Life>,
}

/// One process of a node.
#[derive(Clone, Debug)]
pub struct Life {
    /// By which leases name it.
    pub node: String,
    /// In milliseconds since 1970: from when until when it stood still or was dead.
    pub gone: Vec<(i64, i64)>,
}

impl Fleet {
    /// # Errors
    /// Where one does not start.
    pub async fn start(
        program: &Path,
        folder: &Path,
        database: &str,
        nodes: u32,
    ) -> anyhow::Result<Arc<Self>> {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fleet = Arc::new(Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            settings: vec![own("RALEX_DATABASE_URL", database), own("RALEX_SEAL_KEY", SEAL)],
            seats: (0..nodes).map(|_| Mutex::default()).collect(),
            log: Mutex::default(),
        });
        for seat in fleet.seats() {
            fleet.seat(seat).await?;
        }
        Ok(fleet)
    }

    pub fn seats(&self) -> Range<usize> {
        0..self.seats.len()
    }

    /// Where the node of a seat listens; nothing while there is none.
    pub fn address(&self, seat: usize) -> Option<SocketAddr> {
        self.seats[seat].lock().address
    }

    /// Of any node that is there and moves.
    pub fn url(&self) -> Option<String> {
        let there = self.seats.iter().find_map(|seat| {
            let seat = seat.lock();
            seat.address.filter(|_| !seat.stands_still)
        });
        there.map(|address| format!("http://{address}"))
    }

    pub fn log(&self) -> Log {
        self.log.lock().clone()
    }

    /// Starts a node where none is, however often that takes.
    ///
    /// # Errors
    /// Where it does not start for minutes.
    pub async fn seat(self: &Arc<Self>, seat: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let fleet = Arc::clone(self);
            let started = tokio::task::spawn_blocking(move || {
                let folder = fleet.folder.join(format!("node-{seat}"));
                std::fs::create_dir_all(&folder)?;
                Server::start_with(&fleet.program, &folder, &fleet.settings)
            });
            match started.await? {
                Ok(server) => {
                    let life = {
                        let mut log = self.log.lock();
                        log.starts.push(server.start);
                        log.lives.push(Life { node: server.node.clone(), gone: Vec::new() });
                        log.lives.len() - 1
                    };
                    let mut seat = self.seats[seat].lock();
                    seat.address = Some(server.address);
                    seat.life = life;
                    seat.server = Some(server);
                    return Ok(());
                }
                Err(error) if begun.elapsed() > PATIENCE => return Err(error),
                Err(_) => self.log.lock().failed_starts += 1,
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Kills the node of a seat, as a power cut would; false where there is none.
    pub fn kill(&self, seat: usize) -> bool {
        let mut seat = self.seats[seat].lock();
        (seat.address, seat.stands_still) = (None, false);
        let Some(mut server) = seat.server.take() else { return false };
        self.note_ended(&mut server);
        server.kill();
        self.moves(seat.life, false);
        true
    }

    /// Stops a node in the middle of whatever it does, or lets it go on. Callers still find it.
    ///
    /// # Errors
    /// Where no signal can be sent.
    pub fn stand_still(&self, seat: usize, still: bool) -> anyhow::Result<Option<u32>> {
        let mut seat = self.seats[seat].lock();
        let Some(pid) = seat.server.as_ref().map(Server::pid) else { return Ok(None) };
        seat.stands_still = still;
        signal(if still { "-STOP" } else { "-CONT" }, pid)?;
        self.moves(seat.life, !still);
        Ok(Some(pid))
    }

    /// Lets a node go on, if it is still the one that was stopped.
    ///
    /// # Errors
    /// Where no signal can be sent.
    pub fn go_on(&self, seat: usize, pid: u32) -> anyhow::Result<()> {
        let mut seat = self.seats[seat].lock();
        if seat.server.as_ref().map(Server::pid) == Some(pid) {
            seat.stands_still = false;
            self.moves(seat.life, true);
            signal("-CONT", pid)?;
        }
        Ok(())
    }

    /// Lets all go on, and starts one where none is.
    ///
    /// # Errors
    /// Where one does not start.
    pub async fn complete(self: &Arc<Self>) -> anyhow::Result<()> {
        for seat in self.seats() {
            if self.stand_still(seat, false)?.is_none() {
                self.seat(seat).await?;
            }
            if let Some(server) = &mut self.seats[seat].lock().server {
                self.note_ended(server);
            }
        }
        Ok(())
    }

    /// Asks all to end, and waits.
    ///
    /// # Errors
    /// Where one does not end well.
    pub fn stop(&self) -> anyhow::Result<()> {
        for seat in &self.seats {
            let server = seat.lock().server.take();
            server.map(Server::stop).transpose()?;
        }
        Ok(())
    }

    /// Notes that a life goes on, or does not.
    fn moves(&self, life: usize, moves: bool) {
        let mut log = self.log.lock();
        let Some(life) = log.lives.get_mut(life) else { return };
        match (moves, life.gone.last_mut()) {
            (true, Some(last)) => last.1 = last.1.min(now()),
            (true, None) => {}
            (false, _) => life.gone.push((now(), i64::MAX)),
        }
    }

    fn note_ended(&self, server: &mut Server) {
        if let Some(status) = server.ended() {
            self.log.lock().ended.push(format!("process {} ended: {status}", server.pid()));
        }
    }
}

/// Milliseconds since 1970, as PostgreSQL on the same machine tells them.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
