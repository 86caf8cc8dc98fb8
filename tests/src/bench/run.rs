//! The phases, in order.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use ralex_api::budgets::Budget;
use ralex_api::page::Page;

use super::classify::Classified;
use super::disk::fdatasync;
use super::latency::{Latencies, milliseconds};
use super::load::{Measured, Tally, closed_loop, open_loop};
use super::memory::open_streams;
use super::parts::Parts;
use super::peers::{Beside, Peer, Sample};
use super::report::{
    Compared, Inside, Machine, Memory, Proof, Report, Streaming, Throughput, mebibytes,
};
use super::setting::{Setting, Way};
use crate::rig::proof::CallEvent;
use crate::rig::{Folder, Server, proof, resident};

pub struct Options {
    pub ralex: PathBuf,
    /// Of each phase, of each way.
    pub seconds: u64,
    pub rate: u32,
    pub callers: Vec<u32>,
    pub streams: u32,
    /// Where other gateways are started from.
    pub peers: Option<PathBuf>,
    pub keep: bool,
}

/// What is under way.
struct Run<'a> {
    options: &'a Options,
    server: Server,
    setting: Setting,
    tally: Tally,
    disk: Latencies,
    folder: Folder,
    say: &'a dyn Fn(&str),
}

/// Measures everything, and proves the books afterwards.
///
/// # Errors
/// Where something does not start, a call fails, or the books are wrong.
pub async fn run(options: &Options, say: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let machine = Machine::this(&options.ralex);
    let mut folder = Folder::create("bench")?;
    folder.keep = options.keep;
    say("a first start, which makes the database");
    Server::start(&options.ralex, folder.path())?.stop()?;
    say("starts on an existing database");
    let mut starts = Latencies::default();
    for _ in 0..4 {
        let server = Server::start(&options.ralex, folder.path())?;
        starts.add(server.start);
        server.stop()?;
    }
    let server = Server::start(&options.ralex, folder.path())?;
    starts.add(server.start);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = server.resident();
    let setting = Setting::create(&server).await?;
    let (tally, disk) = (Tally::default(), Latencies::default());
    let mut run = Run { options, server, setting, tally, disk, folder, say };
    run.sync_disk()?;
    (run.say)("the classifier by itself");
    let classify = Classified::measure();
    let latency_50ms = run.latency("slow").await?;
    let latency_instant = run.latency("instant").await?;
    let streaming = run.streaming().await?;
    let throughput = run.throughput().await?;
    let beside = run.beside().await?;
    let memory = run.memory(idle).await?;
    let length = Duration::from_secs(options.seconds);
    let parts = Parts::measure(&options.ralex, length, say).await?;
    run.sync_disk()?;
    let inside = Inside::read(&run.setting.api.metrics().await?);
    let disk = std::mem::take(&mut run.disk).percentiles();
    let proof = run.proof().await?;
    Ok(Report {
        machine,
        rate: options.rate,
        seconds: options.seconds,
        fdatasync: disk,
        classify,
        cold_start: starts.percentiles(),
        latency_50ms,
        latency_instant,
        streaming,
        throughput,
        beside,
        memory,
        parts,
        inside,
        proof,
    })
}

impl Run<'_> {
    fn sync_disk(&mut self) -> anyhow::Result<()> {
        (self.say)("the disk's own fdatasync");
        self.disk.extend(fdatasync(self.folder.path(), 500)?);
        Ok(())
    }

    fn way(&self, model: &str) -> anyhow::Result<Way> {
        self.setting.way(&self.server, model)
    }

    /// Counts what went through Ralex; a call that failed makes every figure worthless.
    fn count(&mut self, what: &str, measured: &Measured) -> anyhow::Result<()> {
        if measured.tally.failed > 0 {
            let Tally { answered, failed, failure, .. } = &measured.tally;
            bail!("{what}: {failed} calls failed beside {answered}: {failure:?}");
        }
        self.tally.extend(measured.tally.clone());
        Ok(())
    }

    /// Direct and governed in turns, so that both meet the machine in the same mood.
    async fn alternate(&mut self, model: &str, rate: u32) -> anyhow::Result<[Measured; 2]> {
        let way = self.way(model)?;
        let (mut direct, mut governed) = (Measured::default(), Measured::default());
        let half = Duration::from_secs(self.options.seconds.div_ceil(2));
        for _ in 0..2 {
            direct.extend(open_loop(&way.direct, rate, half).await);
            let measured = open_loop(&way.governed, rate, half).await;
            self.count(model, &measured)?;
            governed.extend(measured);
        }
        Ok([direct, governed])
    }

    async fn latency(&mut self, model: &str) -> anyhow::Result<Compared> {
        (self.say)(&format!("latency at {} calls/s, upstream {model}", self.options.rate));
        let [direct, governed] = self.alternate(model, self.options.rate).await?;
        Ok(Compared::of(direct.whole.percentiles(), governed.whole.percentiles()))
    }

    async fn streaming(&mut self) -> anyhow::Result<Streaming> {
        (self.say)("first streamed token");
        let [direct, governed] = self.alternate("streamed", 50).await?;
        let arrivals =
            |measured: &Measured| ratio(measured.arrivals, u64::from(measured.calls.max(1)));
        Ok(Streaming {
            arrivals_direct: arrivals(&direct),
            arrivals_governed: arrivals(&governed),
            first: Compared::of(direct.first.percentiles(), governed.first.percentiles()),
            behind: Compared::of(direct.behind.percentiles(), governed.behind.percentiles()),
            whole: Compared::of(direct.whole.percentiles(), governed.whole.percentiles()),
        })
    }

    async fn throughput(&mut self) -> anyhow::Result<Vec<Throughput>> {
        let way = self.way("instant")?;
        let length = Duration::from_secs(self.options.seconds);
        let mut found = Vec::new();
        for callers in self.options.callers.clone() {
            (self.say)(&format!("throughput with {callers} callers"));
            let direct = closed_loop(&way.direct, callers, length / 2).await;
            let governed = closed_loop(&way.governed, callers, length).await;
            self.count("throughput", &governed)?;
            found.push(Throughput {
                callers,
                direct_per_second: f64::from(direct.calls) / (length / 2).as_secs_f64(),
                governed_per_second: f64::from(governed.calls) / length.as_secs_f64(),
                latency: governed.whole.percentiles(),
            });
        }
        Ok(found)
    }

    /// Other gateways, one after the other, between the same client and the same upstream.
    async fn beside(&mut self) -> anyhow::Result<Option<Beside>> {
        let Some(starter) = self.options.peers.clone() else { return Ok(None) };
        let way = self.way("instant")?;
        let length = Duration::from_secs(self.options.seconds);
        (self.say)("beside other gateways: directly");
        let direct = Sample::take(&way.direct, length).await;
        (self.say)("beside other gateways: through Ralex");
        let ralex = Sample::take(&way.governed, length).await;
        self.count("beside other gateways", &ralex.paced)?;
        self.count("beside other gateways", &ralex.crowded)?;
        let mut beside = Beside::new(direct, ralex, length);
        let folder = self.folder.path().join("peers");
        for peer in Peer::ALL {
            if !peer.installed()? {
                beside.absent.push(peer.name().to_owned());
                continue;
            }
            (self.say)(&format!("beside other gateways: {}", peer.name()));
            let running = peer.start(&starter, &way.direct, &folder)?;
            let sample = Sample::take(&running.target(&way.body), length).await;
            beside.add(&running, sample);
        }
        Ok(Some(beside))
    }

    async fn memory(&mut self, idle: u64) -> anyhow::Result<Memory> {
        let after_load = self.server.resident();
        (self.say)(&format!("memory with {} open streams", self.options.streams));
        let way = self.way("long")?;
        let streams = open_streams(&self.server, &way.governed, self.options.streams).await;
        if streams.tally.failed > 0 {
            bail!("{} streams failed: {:?}", streams.tally.failed, streams.tally.failure);
        }
        self.tally.extend(streams.tally);
        let postgres = self.server.postgres().into_iter().map(resident).sum();
        Ok(Memory {
            idle: mebibytes(idle),
            after_load: mebibytes(after_load),
            open_streams: streams.open,
            with_open_streams: mebibytes(streams.resident),
            after_streams: mebibytes(self.server.resident()),
            postgres: mebibytes(postgres),
        })
    }

    /// The books: spend as the callers were told it, budgets as their calls, the log as signed.
    async fn proof(self) -> anyhow::Result<Proof> {
        (self.say)("the books");
        let Self { options, server, setting, tally, folder, .. } = self;
        proof::settled(&setting.api).await?;
        let budgets: Page<Budget> = setting.api.find("budgets").await?;
        for budget in &budgets.items {
            if budget.spent != tally.cost || budget.held.is_positive() {
                let (spent, held, told) = (budget.spent, budget.held, tally.cost);
                bail!(
                    "{}: ${spent} spent and ${held} held, callers were told ${told}",
                    budget.scope
                );
            }
        }
        let bundle = proof::export(&setting.api, folder.path()).await?;
        server.stop().context("stopping")?;
        let (audit, took) = proof::verify_audit(&options.ralex, &bundle)?;
        let events = proof::call_events(&bundle)?;
        // A stream that is held for as it comes leaves further ones.
        let ends = |event: &&CallEvent| !matches!(event, CallEvent::Extended { .. });
        let recorded = u64::try_from(events.iter().filter(ends).count())?;
        if recorded != tally.answered * 2 {
            bail!("{} calls were answered, but {recorded} events tell of calls", tally.answered);
        }
        let budgets_verify = proof::verify_budgets(&options.ralex, folder.path())?;
        Ok(Proof {
            calls: tally.answered,
            spent: tally.cost.to_string(),
            audit: audit.lines().next().unwrap_or_default().to_owned(),
            audit_verify_ms: milliseconds(took),
            audit_leaves_per_second: leaves(&audit) / took.as_secs_f64(),
            budgets: budgets_verify,
        })
    }
}

/// How many leaves `ralex audit verify` has read: `good: 1000 of 1000 leaves, …`.
fn leaves(said: &str) -> f64 {
    said.split(' ').nth(1).and_then(|count| count.parse().ok()).unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of one run are small")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}
