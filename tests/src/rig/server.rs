//! Ralex as a process: started until ready, watched, ended gently or by force.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub const OWNER: (&str, &str) = ("owner@example.com", "correct horse battery staple");

/// A running `ralex serve` with its built-in PostgreSQL; killed when it is dropped.
pub struct Server {
    child: Child,
    data: PathBuf,
    /// By which the database names it.
    pub node: String,
    pub url: String,
    pub address: SocketAddr,
    /// From the start of the process to `ready`.
    pub start: Duration,
}

/// A program that was built together with this one.
pub fn beside_this_program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if !path.exists() {
        bail!("{} is missing; build it first: cargo build -p {name}", path.display());
    }
    Ok(path)
}

/// The command with the settings of a run; nothing of the caller's own settings reaches it but
/// where PostgreSQL is.
pub fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("RALEX_")) {
        if name != "RALEX_POSTGRES_BIN" {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .env("RALEX_LISTEN", "127.0.0.1:0")
        .env("RALEX_DATA_DIR", folder.join("data"))
        .env("RALEX_ADMIN_EMAIL", OWNER.0)
        .env("RALEX_ADMIN_PASSWORD", OWNER.1)
        .env("RALEX_EGRESS_ALLOW", "127.0.0.0/8")
        .env("RALEX_LOG", "warn");
    command
}

impl Server {
    /// Starts it on a folder and waits for `ready`. What it logs is added to `ralex.log` there.
    ///
    /// # Errors
    /// Where it ends before it is ready.
    pub fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(program, folder, &[])
    }

    /// The same with further settings, as on a database of somebody else's.
    ///
    /// # Errors
    /// Where it ends before it is ready.
    pub fn start_with(
        program: &Path,
        folder: &Path,
        settings: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let log = folder.join("ralex.log");
        let started = Instant::now();
        let mut child = command(program, folder)
            .arg("serve")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(OpenOptions::new().create(true).append(true).open(&log)?)
            .spawn()
            .with_context(|| format!("{} does not start", program.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut node = String::new();
        let ready = lines.by_ref().map_while(Result::ok).find_map(|line| {
            if let Some(id) = line.strip_prefix("node ") {
                id.clone_into(&mut node);
            }
            Some(line.strip_prefix("ready ")?.to_owned())
        });
        let start = started.elapsed();
        let Some(url) = ready else {
            let status = child.wait()?;
            bail!("ralex ended ({status}) before it was ready: {}", tail(&log));
        };
        // A full pipe would stop it some day.
        std::thread::spawn(move || lines.for_each(drop));
        let address = url.trim_start_matches("http://").parse().context("the address")?;
        Ok(Self { child, data: folder.join("data"), node, url, address, start })
    }

    /// Memory in use, in bytes.
    pub fn resident(&self) -> u64 {
        resident(self.child.id())
    }

    /// The processes of its PostgreSQL, the first one first.
    pub fn postgres(&self) -> Vec<u32> {
        let file = self.data.join("postgres/data/postmaster.pid");
        let pid = std::fs::read_to_string(file).ok();
        let Some(first) = pid.and_then(|text| text.lines().next()?.trim().parse().ok()) else {
            return Vec::new();
        };
        std::iter::once(first).chain(children(first)).collect()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, where it did so by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Asks it to end, and waits.
    ///
    /// # Errors
    /// Where it does not end well.
    pub fn stop(mut self) -> anyhow::Result<ExitStatus> {
        signal("-TERM", self.child.id())?;
        Ok(self.child.wait()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends a signal to one process.
///
/// # Errors
/// Where `kill` cannot be run.
pub fn signal(which: &str, pid: u32) -> anyhow::Result<()> {
    Command::new("kill").args([which, &pid.to_string()]).stderr(Stdio::null()).status()?;
    Ok(())
}

/// Lets this process, and those that it starts, open as many files as it may: a thousand streams
/// are two thousand connections here and as many there.
pub fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
}

/// Memory of a process that is in use, in bytes; nothing where there is none.
pub fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0);
    kib * 1024
}

/// The processes that a process has begun.
pub fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The second field, the name in parentheses, may hold anything.
        let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(1).and_then(|field| field.parse().ok()) == Some(parent)
    })
    .collect()
}

fn tail(log: &Path) -> String {
    let text = File::open(log).map(std::io::read_to_string);
    let text = text.and_then(|text| text).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
