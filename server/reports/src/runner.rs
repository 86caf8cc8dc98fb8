//! The runner: one process of all makes what is asked for, asks for what schedules say, mails what is
//! done and deletes what is old.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ralex_api::reports::ReportKind;
use ralex_audit::{Author, Event, ReportEvent, record};
use ralex_kernel::{Code, Problem, ReportId};
use ralex_store::{Leader, Leadership, problem};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use crate::Reports;
use crate::sql::record::{self as sql, Due};

/// How often is looked what is due.
const PACE: Duration = Duration::from_secs(1);
/// So many are made at a time.
const AT_A_TIME: usize = 2;
/// So often one is begun, whatever becomes of it.
const MOST_TRIES: i32 = 5;
/// So often a mistake of ours is tried again.
const MOST_MISTAKES: i32 = 2;

type Lead = Arc<Mutex<Leadership>>;

/// What this process does at the moment.
#[derive(Default)]
struct Making {
    lead: Option<Lead>,
    tasks: JoinSet<ReportId>,
    busy: HashSet<ReportId>,
}

impl Reports {
    /// Works until `shutdown`; what is under way then is begun again by the next process.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let mut ticks = interval(PACE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut making = Making::default();
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                Some(ended) = making.tasks.join_next(), if !making.tasks.is_empty() => {
                    match ended {
                        Ok(id) => { making.busy.remove(&id); }
                        // Whose it was is not known; all are taken up again if they must be.
                        Err(_) => if making.tasks.is_empty() { making.busy.clear() },
                    }
                }
                () = self.0.wanted.notified() => {}
                _ = ticks.tick() => {}
            }
            let looked = tokio::select! {
                () = &mut shutdown => return,
                looked = self.look(&mut making) => looked,
            };
            if let Err(problem) = looked {
                let why = problem.detail;
                warn!("reports cannot be looked after, the next try is soon: {why}");
            }
        }
    }

    async fn look(&self, making: &mut Making) -> Result<(), Problem> {
        if let Some(lead) = &making.lead
            && !lead.lock().await.is_held().await
        {
            // Another process may have begun the same ones.
            making.lead = None;
            making.tasks.abort_all();
        }
        if making.lead.is_none() {
            let lead = Leader::acquire(&self.0.db, "reports").await?;
            making.lead = lead.map(|lead| Arc::new(Mutex::new(lead)));
        }
        let Some(lead) = making.lead.clone() else { return Ok(()) };
        self.ask_for_scheduled(&lead).await?;
        self.delete_expired(&lead).await?;
        self.mail(&lead).await?;
        while making.tasks.len() < AT_A_TIME {
            let busy: Vec<ReportId> = making.busy.iter().copied().collect();
            let mut tx = self.0.db.system("take up a report").await?;
            lead.lock().await.check(&mut tx).await?;
            let due = sql::take(&mut tx, &busy).await.map_err(problem)?;
            let (waiting, oldest) = sql::waiting(&mut tx).await.map_err(problem)?;
            tx.commit().await.map_err(problem)?;
            metrics::gauge!("ralex_reports_waiting").set(gauge(waiting));
            metrics::gauge!("ralex_reports_oldest_seconds").set(gauge(oldest));
            let Some(due) = due else { break };
            making.busy.insert(due.id);
            let (reports, lead) = (self.clone(), Arc::clone(&lead));
            making.tasks.spawn(async move {
                reports.make_one(&due, &lead).await;
                due.id
            });
        }
        Ok(())
    }

    async fn make_one(&self, due: &Due, lead: &Lead) {
        let began = Instant::now();
        let made = if due.tries > MOST_TRIES {
            let detail = "The server ended again and again while it was made. It may be larger than \
                          this server's memory: ask for less time, or with more filters.";
            Err(Problem::new(Code::TooLarge, detail))
        } else {
            self.0.make(due, lead).await
        };
        let outcome = match &made {
            Ok(()) => "done",
            Err(_) => "failed",
        };
        let kind = due.kind.clone();
        metrics::counter!("ralex_reports_total", "kind" => kind.clone(), "outcome" => outcome)
            .increment(1);
        metrics::histogram!("ralex_report_seconds", "kind" => kind).record(began.elapsed());
        match made {
            Ok(()) => info!(report = %due.id, org.id = %due.org, "report {} is done", due.id),
            Err(why) => {
                if let Err(unsaid) = self.note_failure(due, &why, lead).await {
                    warn!(report = %due.id, "why a report failed cannot be kept: {}", unsaid.detail);
                }
            }
        }
    }

    async fn note_failure(&self, due: &Due, why: &Problem, lead: &Lead) -> Result<(), Problem> {
        let again = match why.code {
            Code::Unavailable if due.tries < MOST_TRIES => Some(due.tries.saturating_mul(5)),
            Code::Internal if due.tries < MOST_MISTAKES => Some(10),
            _ => None,
        };
        warn!(report = %due.id, org.id = %due.org, "report {} cannot be made: {}", due.id, why.detail);
        let days = i32::try_from(self.0.limits.days).unwrap_or(i32::MAX);
        let mut tx = self.0.db.system("note that a report failed").await?;
        lead.lock().await.check(&mut tx).await?;
        let noted = sql::fail(&mut tx, due.org, due.id, (&why.detail, again, days)).await;
        if noted.map_err(problem)? && again.is_none() {
            let kind = ReportKind::named(&due.kind).map_or("unknown", ReportKind::as_str);
            let event = ReportEvent::Failed { report: due.id, kind, why: why.detail.clone() };
            let author = Author::system(due.org);
            record(&mut tx, &author, Event::Report(event)).await.map_err(problem)?;
        }
        tx.commit().await.map_err(problem)
    }

    async fn delete_expired(&self, lead: &Lead) -> Result<(), Problem> {
        let mut tx = self.0.db.system("delete reports whose time is over").await?;
        let expired = sql::expired(&mut tx).await.map_err(problem)?;
        if expired.is_empty() {
            return tx.rollback().await.map_err(problem);
        }
        lead.lock().await.check(&mut tx).await?;
        for (org, report) in expired {
            let Some(kind) = sql::delete(&mut tx, org, report).await.map_err(problem)? else {
                continue;
            };
            let kind = ReportKind::named(&kind).map_or("unknown", ReportKind::as_str);
            let event = ReportEvent::Deleted { report, kind, expired: true };
            record(&mut tx, &Author::system(org), Event::Report(event)).await.map_err(problem)?;
        }
        tx.commit().await.map_err(problem)
    }
}

fn gauge(count: i64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
