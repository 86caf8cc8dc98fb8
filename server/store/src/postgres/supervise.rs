//! Starts the built-in PostgreSQL, keeps it running, and stops it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::str::FromStr;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use super::account::{Account, account_for, run_as};
use super::cluster::{self, LOGIN};
use super::error::StartError;
use super::find::{Binaries, find};
use super::folder::{Folder, has_cluster, running};
use super::orphan;
use super::reach::Reach;
use super::settings::{memory, settings};
use super::socket::{SOCKET, Socket};
use crate::error::has_code;

const DATABASE: &str = "ralex";
/// Recovery after a crash replays at most what `max_wal_size` holds.
const START_LIMIT: Duration = Duration::from_mins(5);
const FAST: Duration = Duration::from_secs(30);
const IMMEDIATE: Duration = Duration::from_secs(5);

/// A PostgreSQL of our own. It is stopped when this is dropped; [`BuiltIn::stop`] waits for it.
#[derive(Debug)]
pub struct BuiltIn {
    url: String,
    stop: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

/// All that it takes to start the server process, the first time and again.
#[derive(Debug)]
struct Server {
    folder: Folder,
    binaries: Binaries,
    account: Option<Account>,
    reach: Reach,
    socket: Socket,
    options: PgConnectOptions,
}

impl BuiltIn {
    /// Starts PostgreSQL on the data folder, making it first where it is new. `bin_dir` names the
    /// folder of PostgreSQL's programs; `on_progress` is told what takes its time.
    pub async fn start(
        data_dir: &Path,
        bin_dir: Option<&Path>,
        on_progress: impl Fn(&str) + Send + Sync,
    ) -> Result<Self, StartError> {
        let folder = Folder::open(data_dir)?;
        let account = account_for(&folder.data())?;
        folder.prepare(account.as_ref())?;
        let data = folder.data();
        let cluster = folder.cluster().map(|major| (data.as_path(), major));
        let binaries = find(bin_dir, cluster, account.as_ref()).await?;
        let reach = Reach::find(folder.home(), &binaries, account.as_ref()).await?;
        orphan::end(&data).await?;
        if cluster.is_none() {
            on_progress("Creating the database (only the first time) …");
            cluster::create(&folder, &binaries, &reach, account.as_ref()).await?;
        }
        on_progress(&format!("Starting PostgreSQL {} …", binaries.major));
        let socket = Socket::place(&folder, account.as_ref())?;
        let url = url(&folder.password()?, &socket.dir);
        let options = PgConnectOptions::from_str(&url).map_err(StartError::Connect)?;
        let server = Server { folder, binaries, account, reach, socket, options };
        let child = server.start(&on_progress).await?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self { url, stop, keeper: tokio::spawn(server.keep(child, stopped)) })
    }

    /// Where the database is. Holds its password: not for logs.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Whether a data folder has a database.
    pub fn is_in(data_dir: &Path) -> bool {
        has_cluster(data_dir)
    }

    /// The database of a data folder that a running Ralex serves, for commands beside it.
    pub fn running(data_dir: &Path) -> Option<String> {
        let (password, socket) = running(data_dir)?;
        UnixStream::connect(socket.join(SOCKET)).ok()?;
        Some(url(&password, &socket))
    }

    /// Stops PostgreSQL cleanly and waits until it has ended.
    pub async fn stop(self) {
        drop(self.stop);
        self.keeper.await.ok();
    }

    /// Forgets the server and gives the folder's lock back, as the death of this process would.
    #[cfg(test)]
    pub(crate) async fn abandon(self) {
        self.keeper.abort();
        self.keeper.await.ok();
    }
}

impl Server {
    /// One server process that answers, with our database in it.
    async fn start(&self, on_progress: &(dyn Fn(&str) + Send + Sync)) -> Result<Child, StartError> {
        let mut log = self.folder.open_log()?;
        let before = log.seek(SeekFrom::End(0)).unwrap_or_default();
        let mut child = self.spawn(log)?;
        let answered = self.wait_until_ready(&mut child, before, on_progress).await;
        if let Err(error) = answered {
            end(&mut child).await;
            self.socket.remove();
            return Err(error);
        }
        Ok(child)
    }

    fn spawn(&self, log: File) -> Result<Child, StartError> {
        let failed = |source| StartError::Io { what: "starting PostgreSQL", source };
        let entry = self.reach.enter()?;
        let mut command = Command::new(self.binaries.dir.join("postgres"));
        command.arg("-D").arg(entry.path.join("data"));
        command.arg("-k").arg(self.socket.for_server(&entry.path));
        for (name, value) in settings(memory()) {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
            .current_dir(&entry.path)
            .env("LC_ALL", "C")
            // The group of its own keeps a terminal's Ctrl-C from it: we stop it when we are done.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log);
        run_as(&mut command, self.account.as_ref()).spawn().map_err(failed)
    }

    async fn wait_until_ready(
        &self,
        child: &mut Child,
        log_from: u64,
        on_progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), StartError> {
        let begun = Instant::now();
        let mut told = begun;
        loop {
            let error = match self.open_database().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if let Ok(Some(_)) = child.try_wait() {
                return Err(self.exited(log_from));
            }
            if !is_starting(&error) || begun.elapsed() > START_LIMIT {
                return Err(StartError::Connect(error));
            }
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                on_progress("PostgreSQL recovers from an unclean stop …");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Connects to our database, making it where it is missing.
    async fn open_database(&self) -> Result<(), sqlx::Error> {
        let ours = self.options.clone().database(DATABASE);
        match ours.connect().await {
            Ok(conn) => conn.close().await,
            Err(error) if has_code(&error, "3D000") => {
                let mut conn = self.options.clone().database("postgres").connect().await?;
                conn.execute("create database ralex").await?;
                conn.close().await
            }
            Err(error) => Err(error),
        }
    }

    /// What the process said before it ended.
    fn exited(&self, log_from: u64) -> StartError {
        let said = read_from(&self.folder.log(), log_from);
        if StartError::is_full_disk(&said) {
            return StartError::DiskFull(self.folder.root().to_owned());
        }
        let words = ["FATAL:", "PANIC:", "ERROR:", "could not"];
        let telling = said.lines().rev().find(|line| words.iter().any(|word| line.contains(word)));
        let said = telling.or(said.lines().last()).unwrap_or("it said nothing").trim().to_owned();
        StartError::Exited { said, log: self.folder.log() }
    }

    /// Starts the process again whenever it ends by itself, until it is to stop.
    async fn keep(self, mut child: Child, mut stopped: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                status = child.wait() => {
                    match self.restart(status.ok(), &mut stopped).await {
                        Some(next) => child = next,
                        None => break,
                    }
                }
                _ = &mut stopped => {
                    end(&mut child).await;
                    break;
                }
            }
        }
        self.socket.remove();
    }

    async fn restart(
        &self,
        status: Option<ExitStatus>,
        stopped: &mut oneshot::Receiver<()>,
    ) -> Option<Child> {
        let status = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        error!(%status, "PostgreSQL ended by itself ({status}) and is started again");
        let mut pause = Duration::from_millis(100);
        loop {
            match self.start(&|_| {}).await {
                Ok(child) => {
                    info!("PostgreSQL runs again");
                    return Some(child);
                }
                Err(error) => error!(%error, "PostgreSQL does not start again: {error}"),
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(Duration::from_secs(30)),
                _ = &mut *stopped => return None,
            }
        }
    }
}

/// Ends a server: first so that it finishes cleanly, then so that it recovers at its next start.
async fn end(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid else { return };
    for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        kill_process(pid, signal).ok();
        if timeout(patience, child.wait()).await.is_ok() {
            return;
        }
        warn!("PostgreSQL does not stop within {} seconds", patience.as_secs());
    }
    child.kill().await.ok();
}

/// No socket yet, or a server that says that it is not ready.
fn is_starting(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || has_code(error, "57P03")
}

fn read_from(log: &Path, from: u64) -> String {
    let mut text = Vec::new();
    if let Ok(mut file) = File::open(log) {
        file.seek(SeekFrom::Start(from)).ok();
        file.take(1 << 16).read_to_end(&mut text).ok();
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn url(password: &str, socket: &Path) -> String {
    format!("postgres://{LOGIN}:{password}@localhost/{DATABASE}?host={}", encoded(socket))
}

/// A path in a URL's query.
fn encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").ok();
        }
        text
    })
}
