//! One running `ralex serve`, from its start to its end.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{checkout, until};

/// The first start of a built-in PostgreSQL makes a cluster, beside other tests.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Node {
    child: Child,
    url: String,
    said: Vec<String>,
    folder: TempDir,
}

/// The binary: `RALEX_BIN`, or the one beside the tests that run.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("RALEX_BIN") {
        return PathBuf::from(named);
    }
    let here = std::env::current_exe().unwrap_or_default();
    // target/debug/deps/it-0123456789abcdef
    let folder = here.parent().and_then(Path::parent).map(PathBuf::from);
    let found = folder.unwrap_or_else(|| checkout().join("target/debug")).join("ralex");
    assert!(found.exists(), "{} is missing; `cargo build -p ralex` makes it", found.display());
    found
}

/// The binary with these arguments and settings, and none that the shell happens to have.
pub fn command(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    let ours = |name: &str| name.starts_with("RALEX_") && name != "RALEX_POSTGRES_BIN";
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    // Nobody's own logins are used either.
    command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
    command.envs(settings.iter().copied());
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    match command(arguments, settings).output() {
        Ok(output) => output,
        Err(error) => panic!("ralex does not run: {error}"),
    }
}

impl Node {
    /// Starts one in a new folder, and waits until it is ready.
    pub async fn start(settings: &[(String, String)], seal: Option<&Path>) -> Self {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        // An unprivileged PostgreSQL must be able to pass through it.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).ok();
        let data = folder.path().join("data");
        if let Some(seal) = seal {
            fs::create_dir_all(&data).ok();
            fs::copy(seal, data.join("seal.key")).ok();
        }
        Self::launch(folder, settings).await
    }

    /// Starts in the same folder once more; what ran there has ended.
    pub async fn again(&mut self, settings: &[(String, String)]) {
        let fresh = match TempDir::new() {
            Ok(folder) => folder,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        let folder = std::mem::replace(&mut self.folder, fresh);
        *self = Self::launch(folder, settings).await;
    }

    async fn launch(folder: TempDir, settings: &[(String, String)]) -> Self {
        let data = folder.path().join("data");
        let log = File::options().create(true).append(true).open(folder.path().join("log"));
        let mut settings: Vec<_> =
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let data = data.to_string_lossy().into_owned();
        settings.push(("RALEX_DATA_DIR", &data));
        let started = log.and_then(|log| {
            let mut command = command(&["serve"], &settings);
            command.current_dir(folder.path()).stdout(Stdio::piped()).stderr(log).spawn()
        });
        let mut child = match started {
            Ok(child) => child,
            Err(error) => panic!("ralex does not start: {error}"),
        };
        let (said, url) = match ready(&mut child).await {
            Ok(ready) => ready,
            Err(said) => {
                child.kill().ok();
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                panic!("ralex was not ready.\n{}\n{log}", said.join("\n"))
            }
        };
        Self { child, url, said, folder }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it said on standard output until it was ready.
    pub fn said(&self) -> String {
        self.said.join("\n")
    }

    /// Standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Where it keeps its data.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Stops it in the middle of whatever it does, until it is told to go on.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            kill_process(pid, signal).ok();
        }
    }

    /// Asks it to end, as Ctrl-C or a service manager does, and waits for it.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        until("the server ended", PATIENCE, async || self.child.try_wait().ok().flatten()).await
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What was said, and the address of the line `ready http://…`.
async fn ready(child: &mut Child) -> Result<(Vec<String>, String), Vec<String>> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let Some(stdout) = child.stdout.take() else { return Err(Vec::new()) };
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            tell.send(line).ok();
        }
    });
    let mut said = Vec::new();
    let listening = async {
        while let Some(line) = told.recv().await {
            let url = line.strip_prefix("ready ").map(str::to_owned);
            said.push(line);
            if url.is_some() {
                return url;
            }
        }
        None
    };
    match tokio::time::timeout(PATIENCE, listening).await.ok().flatten() {
        Some(url) => Ok((said, url)),
        None => Err(said),
    }
}
