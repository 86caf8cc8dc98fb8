//! Other gateways beside Ralex: the same client, the same upstream, the same machine, one run.
//!
//! `tests/peers/start.py` starts each and says where it listens. Those that are not installed are
//! named, never left out in silence.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::latency::Percentiles;
use super::load::{Measured, Tally, Target, closed_loop, open_loop};
use crate::rig::{Request, in_target};

/// Calls a second while latency is measured: what the slowest can bear with ease.
const RATE: u32 = 25;
/// Callers at once while throughput is.
const CALLERS: u32 = 16;

/// `LiteLLM`, in Python, and litellm-rs, in Rust; each bare, and with what it has to govern calls.
#[derive(Clone, Copy)]
pub enum Peer {
    Python,
    PythonKeyed,
    Rust,
    RustGoverned,
}

impl Peer {
    pub const ALL: [Self; 4] = [Self::Python, Self::PythonKeyed, Self::Rust, Self::RustGoverned];

    /// As `start.py` knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "litellm",
            Self::PythonKeyed => "litellm keyed",
            Self::Rust => "litellm-rs",
            Self::RustGoverned => "litellm-rs governed",
        }
    }

    pub fn installed(self) -> anyhow::Result<bool> {
        let program = match self {
            Self::Python | Self::PythonKeyed => "litellm/bin/litellm",
            Self::Rust | Self::RustGoverned => "bin/gateway",
        };
        Ok(folder()?.join(program).exists())
    }

    /// Starts it in front of an upstream, and waits until it answers.
    pub fn start(self, starter: &Path, upstream: &Target, logs: &Path) -> anyhow::Result<Running> {
        let mut child = Command::new("python3")
            .arg(starter.join("start.py"))
            .arg(self.name())
            .arg(format!("http://{}", upstream.address))
            .arg(logs.join(self.name().replace(' ', "-")))
            .env("PEERS", folder()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("python3 does not start")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        if line.is_empty() {
            bail!("{} did not start: {}", self.name(), child.wait()?);
        }
        let told = serde_json::from_str(&line).context("what start.py said")?;
        Ok(Running { peer: self, told, input: child.stdin.take(), child })
    }
}

fn folder() -> anyhow::Result<PathBuf> {
    in_target("peers")
}

/// What `start.py` says of a gateway.
#[derive(Deserialize)]
struct Told {
    address: SocketAddr,
    headers: std::collections::BTreeMap<String, String>,
    model: String,
    version: String,
    configuration: String,
}

/// A gateway that answers; ended when it is dropped.
pub struct Running {
    peer: Peer,
    told: Told,
    /// It ends when this is closed.
    input: Option<ChildStdin>,
    child: Child,
}

impl Running {
    /// The call that is asked of everyone, in this gateway's own name of the model.
    pub fn target(&self, body: &Value) -> Target {
        let mut body = body.clone();
        body["model"] = self.told.model.as_str().into();
        let headers: Vec<(&str, &str)> =
            self.told.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request::post("/v1/chat/completions", &headers, &body.to_string());
        Target { address: self.told.address, request }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.input.take());
        self.child.wait().ok();
    }
}

/// What one way was measured to do.
pub struct Sample {
    pub paced: Measured,
    pub crowded: Measured,
}

impl Sample {
    pub async fn take(target: &Target, length: Duration) -> Self {
        // Interpreters and pools need longer than the phases' own warming.
        let warm = closed_loop(target, 4, Duration::from_secs(2)).await;
        let mut paced = open_loop(target, RATE, length).await;
        paced.tally.extend(warm.tally);
        Self { paced, crowded: closed_loop(target, CALLERS, length).await }
    }
}

/// Ralex and others, against the direct way.
#[derive(Debug, Serialize)]
pub struct Beside {
    pub rate: u32,
    pub callers: u32,
    pub direct: Row,
    pub rows: Vec<Row>,
    /// Not installed.
    pub absent: Vec<String>,
    #[serde(skip)]
    length: Duration,
}

#[derive(Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub version: String,
    pub configuration: String,
    pub latency: Percentiles,
    /// Above the direct way.
    pub added: Percentiles,
    pub per_second: f64,
    /// Calls that were not answered well, of both phases.
    pub failed: u64,
    pub failure: Option<String>,
}

impl Row {
    fn of(name: [&str; 3], sample: Sample, direct: &Percentiles, length: Duration) -> Self {
        let [name, version, configuration] = name.map(str::to_owned);
        let mut tally = Tally::default();
        tally.extend(sample.paced.tally);
        tally.extend(sample.crowded.tally);
        let latency = sample.paced.whole.percentiles();
        let per_second = f64::from(sample.crowded.calls) / length.as_secs_f64();
        let (added, failed, failure) = (latency.above(direct), tally.failed, tally.failure);
        Self { name, version, configuration, latency, added, per_second, failed, failure }
    }
}

impl Beside {
    pub fn new(direct: Sample, ralex: Sample, length: Duration) -> Self {
        let direct = Row::of(
            ["directly", "", "the scripted upstream"],
            direct,
            &Percentiles::default(),
            length,
        );
        let what = "token, three hard budgets held and settled, durable audit log";
        let name = ["ralex governed", env!("CARGO_PKG_VERSION"), what];
        let rows = vec![Row::of(name, ralex, &direct.latency, length)];
        Self { rate: RATE, callers: CALLERS, direct, rows, absent: Vec::new(), length }
    }

    pub fn add(&mut self, running: &Running, sample: Sample) {
        let Told { version, configuration, .. } = &running.told;
        let name = [running.peer.name(), version, configuration];
        self.rows.push(Row::of(name, sample, &self.direct.latency, self.length));
    }
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, callers, direct, rows, absent, .. } = self;
        writeln!(
            f,
            "\nBeside others: {rate} calls/s for latency, {callers} callers for throughput."
        )?;
        writeln!(
            f,
            "Ralex has no bare form: whatever is asked of it is proven, held and recorded."
        )?;
        writeln!(
            f,
            "{:30}{:>11}{:>8}{:>11}{:>8}{:>10}{:>8}{:>8}",
            "", "added p50", "ratio", "added p99", "ratio", "calls/s", "ratio", "failed"
        )?;
        let ours =
            rows.first().map_or((1.0, 1.0, 1.0), |it| (it.added.p50, it.added.p99, it.per_second));
        for row in rows {
            writeln!(
                f,
                "{:30}{:>11.2}{:>7.1}x{:>11.2}{:>7.1}x{:>10.0}{:>7.2}x{:>8}",
                format!("{} {}", row.name, row.version),
                row.added.p50,
                row.added.p50 / ours.0.max(f64::EPSILON),
                row.added.p99,
                row.added.p99 / ours.1.max(f64::EPSILON),
                row.per_second,
                row.per_second / ours.2.max(f64::EPSILON),
                row.failed,
            )?;
        }
        writeln!(
            f,
            "{:30}{:>11.2}{:>8}{:>11.2}{:>8}{:>10.0}",
            "directly (whole time)",
            direct.latency.p50,
            "",
            direct.latency.p99,
            "",
            direct.per_second
        )?;
        for row in rows {
            writeln!(f, "  {} {}: {}", row.name, row.version, row.configuration)?;
            if let Some(failure) = &row.failure {
                writeln!(f, "    one of {} failures: {failure}", row.failed)?;
            }
        }
        if !absent.is_empty() {
            writeln!(
                f,
                "  not installed: {}; `make bench-peers` installs them",
                absent.join(", ")
            )?;
        }
        Ok(())
    }
}
