//! All cycles, and the reckoning after the last.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ralex_api::usage::CallState;

use super::books::Records;
use super::client::Sent;
use super::cycle::{Victim, Witness, live, start};
use super::invoice;
use super::report::Report;
use super::setting::Setting;
use crate::rig::{Folder, Server, proof};
use crate::upstream::Upstream;

pub struct Options {
    pub ralex: PathBuf,
    pub cycles: u32,
    /// Ends earlier than after all cycles.
    pub most: Option<Duration>,
    pub clients: u32,
    /// Kill PostgreSQL too, now and then.
    pub postgres: bool,
    pub keep: bool,
}

/// Kills and starts, then compares everything with everything.
///
/// # Errors
/// Where something could not be run; what is wrong with the books is in the report.
pub async fn run(options: &Options, say: &dyn Fn(&str)) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let mut folder = Folder::create("torture")?;
    folder.keep = options.keep;
    let upstream = Upstream::start("127.0.0.1:0")?;
    let server = Server::start(&options.ralex, folder.path())?;
    let mut setting = Setting::create(&server.url, &upstream).await?;
    server.stop()?;
    let witness = Witness::default();
    let (mut report, mut asked, mut starts) = (Report::default(), Vec::new(), Vec::new());
    while report.cycles < options.cycles && options.most.is_none_or(|most| begun.elapsed() < most) {
        report.cycles += 1;
        let victim = if options.postgres { Victim::random() } else { Victim::Ralex };
        *report.count_of(victim) += 1;
        let (server, took) =
            start(&options.ralex, folder.path(), &mut report.failed_starts).await?;
        starts.push(took);
        setting.api = setting.api.moved(&server.url);
        let name = format!("cycle {}", report.cycles);
        live(&name, server, &setting, options.clients, victim, &witness).await?;
        asked.extend(invoice::take(&upstream).await?);
        let (sent, took) = (witness.memory.lock().len(), took.as_secs_f64());
        say(&format!("{name}: {victim:?} killed, was ready in {took:.2} s, {sent} calls so far"));
    }
    say("waiting until the last server has swept up");
    let (server, took) = start(&options.ralex, folder.path(), &mut report.failed_starts).await?;
    starts.push(took);
    setting.api = setting.api.moved(&server.url);
    let sent = std::mem::take(&mut *witness.memory.lock());
    report.seen(&sent, &starts);
    proof::settled(&setting.api).await?;
    let bundle = proof::export(&setting.api, folder.path()).await?;
    let records = Records::read(&setting.api, proof::call_events(&bundle)?).await?;
    server.stop()?;
    report.said(options, &folder, &bundle);
    report.upstream_requests = asked.len();
    report.calls_recorded = records.calls.len();
    report.calls_lost = records.count(CallState::Lost);
    report.audit_events = records.events;
    report.faults = records.faults(&sent, &asked);
    let observed = std::mem::take(&mut *witness.observed.lock());
    report.budget_observations = observed.observations;
    report.faults.overspent.extend(observed.overspent);
    report.minutes = begun.elapsed().as_secs_f64() / 60.0;
    Ok(report)
}

impl Report {
    fn count_of(&mut self, victim: Victim) -> &mut u32 {
        match victim {
            Victim::Ralex => &mut self.of_ralex_alone,
            Victim::Both => &mut self.of_ralex_and_postgres,
            Victim::Postgres => &mut self.of_postgres_first,
            Victim::Backend => &mut self.of_a_backend_first,
        }
    }

    /// What Ralex itself says of its books.
    fn said(&mut self, options: &Options, folder: &Folder, bundle: &Path) {
        self.audit = match proof::verify_audit(&options.ralex, bundle) {
            Ok((said, _)) => said.lines().next().unwrap_or_default().to_owned(),
            Err(error) => error.to_string(),
        };
        self.budgets = proof::verify_budgets(&options.ralex, folder.path())
            .unwrap_or_else(|error| error.to_string());
    }

    fn seen(&mut self, sent: &[Sent], starts: &[Duration]) {
        let count = |wanted: &dyn Fn(&&Sent) -> bool| sent.iter().filter(wanted).count();
        let success = |sent: &&Sent| sent.seen.status == Some(200);
        self.sent = sent.len();
        self.answered_whole = count(&|sent| success(sent) && sent.seen.ended);
        self.answered_in_part = count(&|sent| success(sent) && !sent.seen.ended);
        self.hung_up = count(&|sent| sent.hung_up);
        self.stuck = count(&|sent| sent.stuck);
        self.refused = count(&|sent| sent.seen.status == Some(402));
        let other =
            |status: Option<u16>| status.is_some_and(|status| status != 200 && status != 402);
        self.turned_away = count(&|sent| other(sent.seen.status));
        let sum: Duration = starts.iter().sum();
        let count = u32::try_from(starts.len()).unwrap_or(u32::MAX).max(1);
        self.mean_start = (sum / count).as_secs_f64();
        self.longest_start = starts.iter().max().map_or(0.0, Duration::as_secs_f64);
    }

    /// True where everything that must be zero is, and Ralex itself says so.
    pub fn is_good(&self) -> bool {
        let verified = [&self.audit, &self.budgets].iter().all(|said| said.starts_with("good"));
        verified && self.faults.none() && self.failed_starts.is_empty() && self.stuck == 0
    }
}
