//! What was found, as a table for people and as JSON for comparisons.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::classify::Classified;
use super::latency::Percentiles;
use super::parts::Parts;
use super::peers::Beside;

#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub rate: u32,
    pub seconds: u64,
    pub fdatasync: Percentiles,
    pub classify: Classified,
    pub cold_start: Percentiles,
    pub latency_50ms: Compared,
    pub latency_instant: Compared,
    pub streaming: Streaming,
    pub throughput: Vec<Throughput>,
    /// Other gateways, where they were asked for.
    pub beside: Option<Beside>,
    pub memory: Memory,
    pub parts: Parts,
    pub inside: Inside,
    pub proof: Proof,
}

#[derive(Debug, Serialize)]
pub struct Machine {
    pub cores: usize,
    /// `release` or `debug`, as the folder of the measured program says.
    pub build: String,
    /// Processes that wanted a core in the minute before: others at work blur every figure.
    pub load_before: f64,
}

/// The same calls on both ways; milliseconds.
#[derive(Debug, Serialize)]
pub struct Compared {
    pub direct: Percentiles,
    pub governed: Percentiles,
    pub added: Percentiles,
}

#[derive(Debug, Serialize)]
pub struct Streaming {
    pub first: Compared,
    /// From the upstream's sending of the first token to its arrival.
    pub behind: Compared,
    pub whole: Compared,
    /// Parts in which a stream arrived, on average.
    pub arrivals_direct: f64,
    pub arrivals_governed: f64,
}

#[derive(Debug, Serialize)]
pub struct Throughput {
    pub callers: u32,
    pub direct_per_second: f64,
    pub governed_per_second: f64,
    pub latency: Percentiles,
}

/// Mebibytes resident.
#[derive(Debug, Serialize)]
pub struct Memory {
    pub idle: f64,
    pub after_load: f64,
    pub open_streams: u32,
    pub with_open_streams: f64,
    pub after_streams: f64,
    /// All processes of PostgreSQL; memory that they share is counted in each.
    pub postgres: f64,
}

/// What Ralex measured itself: means over the whole run, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Inside {
    /// From the request to its sending: decision, hold and durable intent.
    pub before_sending: f64,
    /// One transaction of the writer.
    pub batch: f64,
    /// Calls opened or closed by one transaction.
    pub batch_size: f64,
}

#[derive(Debug, Serialize)]
pub struct Proof {
    pub calls: u64,
    pub spent: String,
    pub audit: String,
    pub audit_verify_ms: f64,
    pub audit_leaves_per_second: f64,
    pub budgets: String,
}

impl Machine {
    pub fn this(program: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let folder = program.parent().and_then(Path::file_name);
        let build = folder.map_or("unknown".into(), OsStr::to_string_lossy).into_owned();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_before = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
        Self { cores, build, load_before }
    }
}

impl Compared {
    pub fn of(direct: Percentiles, governed: Percentiles) -> Self {
        Self { direct, governed, added: governed.above(&direct) }
    }
}

impl Inside {
    /// Reads Prometheus' text.
    pub fn read(metrics: &str) -> Self {
        let value = |name: &str| {
            let lines = metrics.lines().filter(|line| !line.starts_with('#'));
            lines
                .filter_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
                .sum::<f64>()
        };
        let mean = |name: &str| {
            value(&format!("{name}_sum ")) * 1e3 / value(&format!("{name}_count ")).max(1.0)
        };
        // The lane that calls wait for; closings have one of their own.
        let of = |name: &str| value(&format!("ralex_writer_{name}{{lane=\"open\"}} "));
        let batches = of("batch_seconds_count").max(1.0);
        Self {
            before_sending: mean("ralex_call_overhead_seconds"),
            batch: of("batch_seconds_sum") * 1e3 / batches,
            batch_size: of("operations_total") / batches,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cores, build, load_before } = &self.machine;
        writeln!(
            f,
            "Ralex, {build} build; client, upstream, Ralex and PostgreSQL share {cores} cores."
        )?;
        writeln!(f, "Governed: token, decision, key from the vault, holds on three hard budgets,")?;
        writeln!(f, "durable audit log; PostgreSQL with fsync on. Milliseconds.")?;
        writeln!(f, "Load average before the run: {load_before:.2}.\n")?;
        writeln!(f, "{:42}{:>9}{:>9}{:>9}{:>9}", "", "p50", "p90", "p99", "p99.9")?;
        row(f, "disk: 4 KiB + fdatasync", &self.fdatasync)?;
        let rate = self.rate;
        compared(f, &format!("{rate} calls/s, upstream of 50 ms"), &self.latency_50ms)?;
        compared(f, &format!("{rate} calls/s, instant upstream"), &self.latency_instant)?;
        compared(f, "first streamed token, after 50 ms", &self.streaming.first)?;
        compared(f, "that token, behind the upstream's sending of it", &self.streaming.behind)?;
        compared(f, "whole stream of 10 pieces", &self.streaming.whole)?;
        self.verdict(f)?;
        self.capacity(f)?;
        if let Some(beside) = &self.beside {
            write!(f, "{beside}")?;
        }
        write!(f, "{}", self.parts)?;
        self.rest(f)
    }
}

impl Report {
    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = self.latency_instant.added.p50 / self.fdatasync.p50.max(f64::EPSILON);
        writeln!(f, "\nInstant upstream: p50 added is {times:.2} times the disk's fdatasync.")?;
        let Streaming { arrivals_direct, arrivals_governed, .. } = &self.streaming;
        writeln!(
            f,
            "A stream arrives in {arrivals_governed:.1} parts, directly in {arrivals_direct:.1}."
        )
    }

    fn capacity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:>10}{:>14}{:>14}{:>9}{:>9}{:>9}",
            "callers", "direct/s", "governed/s", "share", "p50", "p99"
        )?;
        for Throughput { callers, direct_per_second, governed_per_second, latency } in
            &self.throughput
        {
            let share = governed_per_second / direct_per_second.max(1.0) * 100.0;
            writeln!(
                f,
                "{callers:>10}{direct_per_second:>14.0}{governed_per_second:>14.0}{share:>8.0}%{:>9.2}{:>9.2}",
                latency.p50, latency.p99
            )?;
        }
        Ok(())
    }

    fn rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Memory { idle, after_load, open_streams, with_open_streams, after_streams, postgres } =
            &self.memory;
        writeln!(
            f,
            "\nMemory      {idle:.0} MiB idle, {after_load:.0} after load, {with_open_streams:.0} with {open_streams} open streams, {after_streams:.0} after"
        )?;
        writeln!(
            f,
            "            PostgreSQL beside it: {postgres:.0} MiB, shared memory counted in each process"
        )?;
        let start = &self.cold_start;
        writeln!(
            f,
            "Start       {:.0} ms to ready on an existing database (p50 of {}, at most {:.0})",
            start.p50, start.count, start.max
        )?;
        let Classified { kilobyte, fifty_kilobytes } = &self.classify;
        writeln!(
            f,
            "Classifier  {:.3} ms for 1 kB (p50; p99 {:.3}), {:.3} ms for 50 kB (p99 {:.3})",
            kilobyte.p50, kilobyte.p99, fifty_kilobytes.p50, fifty_kilobytes.p99
        )?;
        let Inside { before_sending, batch, batch_size } = &self.inside;
        writeln!(
            f,
            "Inside      {before_sending:.2} ms from request to sending; {batch:.2} ms a batch of {batch_size:.1} operations (means of all phases)"
        )?;
        let Proof { calls, spent, audit, audit_verify_ms, audit_leaves_per_second, budgets } =
            &self.proof;
        writeln!(
            f,
            "Books       {calls} governed calls; ${spent} spent on every budget = the sum of x-ralex-cost"
        )?;
        writeln!(f, "            budgets verify: {budgets}")?;
        write!(
            f,
            "            audit verify: {audit}, in {audit_verify_ms:.0} ms ({audit_leaves_per_second:.0} leaves/s, start of the program included)"
        )
    }
}

fn compared(f: &mut fmt::Formatter<'_>, what: &str, compared: &Compared) -> fmt::Result {
    writeln!(f, "{what}")?;
    row(f, "  direct", &compared.direct)?;
    row(f, "  through Ralex", &compared.governed)?;
    row(f, "  added", &compared.added)
}

fn row(f: &mut fmt::Formatter<'_>, what: &str, it: &Percentiles) -> fmt::Result {
    writeln!(f, "{what:42}{:>9.2}{:>9.2}{:>9.2}{:>9.2}", it.p50, it.p90, it.p99, it.p99_9)
}

#[expect(clippy::cast_precision_loss, reason = "for display only")]
pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
