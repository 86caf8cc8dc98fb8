//! The whole drill: set up, race under violence, come to rest, reckon.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use ralex_kernel::Money;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use super::blocks::Blocks;
use super::books::Books;
use super::caller::{Caller, Memory};
use super::cluster::Cluster;
use super::fleet::Fleet;
use super::observer::{self, Observed};
use super::records::Records;
use super::report::Report;
use super::setting::{self, Setting};
use super::violence::Victims;
use crate::rig::proof::{self, CallEvent};
use crate::rig::{Api, Folder, command};
use crate::upstream::{Manner, Upstream};

/// How violent, and for how long.
pub struct Options {
    pub ralex: PathBuf,
    pub seed: u64,
    pub nodes: u32,
    pub callers: u32,
    /// The violence ends after so long, or after so many kills.
    pub length: Duration,
    pub kills: u32,
    /// Milliseconds between two deeds, on average.
    pub pace: u64,
    /// A node is killed within so many milliseconds of a provider's being asked.
    pub aim: u64,
    /// Stop nodes now and then for so long that others take them for dead.
    pub long_pauses: bool,
    /// Added to what the observer sees as spent, to see that it notices.
    pub shift: Money,
    pub keep: bool,
}

/// Runs it.
///
/// # Errors
/// Where something could not be run; what does not hold is in the report.
pub async fn run(options: &Options, say: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let mut folder = Folder::create("drill")?;
    folder.keep = options.keep;
    let cluster = Arc::new(Cluster::start().await?);
    let manner = Manner { forget_requests: true, invoice: true, ..Manner::default() };
    let upstream = Arc::new(Upstream::start_with("127.0.0.1:0", manner)?);
    let fleet = Fleet::start(&options.ralex, folder.path(), &cluster.url, options.nodes).await?;
    let setting = Setting::create(&fleet.url().context("no node")?, &upstream).await?;
    observer::install(&cluster).await?;
    let memory = Arc::new(Memory::default());
    let victims = Victims { fleet, cluster, upstream, memory };
    let mut report = Report {
        seed: options.seed,
        nodes: options.nodes,
        callers: options.callers,
        ..Report::default()
    };
    let begun = Instant::now();
    let observed = race(options, &setting, &victims, &mut report, say).await?;
    report.seconds = begun.elapsed().as_secs_f64();
    say("waiting until the last node has swept up");
    let begun = Instant::now();
    let api = rest(&setting.api, &victims, &mut report).await?;
    report.seconds_to_rest = begun.elapsed().as_secs_f64();
    say("reckoning");
    reckon(options, &api, &victims, folder.path(), &mut report).await?;
    report.observed(&observed);
    Ok(report)
}

/// Everything that goes on at once, until the violence ends.
async fn race(
    options: &Options,
    setting: &Setting,
    victims: &Victims,
    report: &mut Report,
    say: &dyn Fn(&str),
) -> anyhow::Result<Observed> {
    let mut rng = StdRng::seed_from_u64(options.seed);
    let stop = Arc::new(AtomicBool::new(false));
    let watching = Arc::new(AtomicBool::new(false));
    let observed = Arc::new(Mutex::new(Observed::default()));
    let tokens = Arc::new(setting.tokens.clone());
    let mut tasks = JoinSet::new();
    let watcher = tokio::spawn(observer::run(
        Arc::clone(&victims.cluster),
        Arc::clone(&watching),
        Arc::clone(&observed),
        options.shift,
    ));
    let raising = raise(setting.api.clone(), Arc::clone(&victims.fleet), Arc::clone(&stop));
    tasks.spawn(raising(StdRng::seed_from_u64(rng.random())));
    for index in 0..options.callers {
        let caller = Caller {
            name: format!("caller {index} call"),
            seed: rng.random(),
            fleet: Arc::clone(&victims.fleet),
            tokens: Arc::clone(&tokens),
            stop: Arc::clone(&stop),
            memory: Arc::clone(&victims.memory),
        };
        tasks.spawn(caller.run());
    }
    let suffered = victims.suffer(options, &mut rng, say).await;
    stop.store(true, Ordering::Relaxed);
    // Those that wait for a node that stands still are answered.
    victims.cluster.ready().await?;
    victims.fleet.complete().await?;
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    watching.store(true, Ordering::Relaxed);
    watcher.await?;
    report.done = suffered?;
    Ok(std::mem::take(&mut *observed.lock()))
}

/// Raises limits step by step, through whichever node is there.
fn raise(
    api: Api,
    fleet: Arc<Fleet>,
    stop: Arc<AtomicBool>,
) -> impl FnOnce(StdRng) -> futures_util::future::BoxFuture<'static, ()> {
    move |mut rng| {
        Box::pin(async move {
            while !stop.load(Ordering::Relaxed) {
                if let Some(url) = fleet.url() {
                    setting::raise_limits(&api.moved(&url), &mut rng).await;
                }
                let pause = rng.random_range(300..2_000);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        })
    }
}

/// Waits until nothing is open, held or leased, and every event has its place in the log.
async fn rest(api: &Api, victims: &Victims, report: &mut Report) -> anyhow::Result<Api> {
    let api = api.moved(&victims.fleet.url().context("no node")?);
    if let Err(error) = proof::settled(&api).await {
        report.faults.not_quiet.push(error.to_string());
    }
    Ok(api)
}

async fn reckon(
    options: &Options,
    api: &Api,
    victims: &Victims,
    folder: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let bundle = proof::export(api, folder).await?;
    let events: Vec<CallEvent> = proof::call_events(&bundle)?;
    let mut conn = victims.cluster.connect().await?;
    let mut blocks = Blocks::read(&mut conn).await?;
    report.events = events.len();
    let records = Records::read(&mut conn, events).await?;
    let served = victims.upstream.take_served();
    let sent = std::mem::take(&mut *victims.memory.sent.lock());
    blocks.lives =
        victims.fleet.log().lives.into_iter().map(|life| (life.node, life.gone)).collect();
    let books = Books { records: &records, sent: &sent, served: &served, blocks: &blocks };
    books.reckon(&mut report.faults, &mut report.sums);
    report.upstream_requests = served.len();
    report.recorded(&records);
    report.seen(&sent);
    let mut verify = command(&options.ralex, folder);
    verify.env("RALEX_DATABASE_URL", &victims.cluster.url).args(["budgets", "verify"]);
    let first_line = |said: anyhow::Result<String>| match said {
        Ok(said) => said.lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    report.budgets_verify = first_line(proof::said(&mut verify));
    let audit = proof::verify_audit(&options.ralex, &bundle);
    report.audit_verify = first_line(audit.map(|(said, _)| said));
    let ended = victims.fleet.stop();
    report.nodes_ended(&victims.fleet.log(), ended);
    Ok(())
}
