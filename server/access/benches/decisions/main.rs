//! `make bench-access`: how long decisions take in a large organisation, what reading its rights anew
//! takes, and what deciders notice of that; beside casbin, which answers the same questions.
//!
//! The rows are real ones in a PostgreSQL of its own, and what is measured is what the server runs. A
//! target that is missed ends it with another status than 0.

#![expect(clippy::print_stdout, reason = "a program that reports")]

mod company;
mod deciders;
mod figures;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use ralex_access::Snapshot;
use serde::Serialize;

use company::{Company, Question};
use deciders::Deciders;
use figures::{Figures, Times};

/// As the targets have it: architecture, and 7.29 of the requirements on trust.
const LARGE: Size = Size { principals: 5_000, scopes: 1_000, bindings: 30_000 };
const MEDIUM: Size = Size { principals: 5_000, scopes: 1_000, bindings: 10_000 };
const REBUILDS: usize = 25;
const QUIET: Duration = Duration::from_secs(3);
/// casbin takes a thousand times as long.
const CASBIN_QUESTIONS: usize = 300;
const WHOLE_CASBIN_QUESTIONS: usize = 30;

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Size {
    pub principals: u32,
    pub scopes: u32,
    pub bindings: u32,
}

#[derive(Debug, Serialize)]
struct Report {
    size: Size,
    allowed_of_a_hundred: f64,
    decisions: Vec<(&'static str, Figures)>,
    rebuilds: Vec<(&'static str, Figures)>,
    casbin: Vec<(&'static str, Figures)>,
    met: Vec<(&'static str, bool)>,
}

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(measure())?;
    report.print();
    // cargo adds flags of its own.
    let out = std::env::args().skip_while(|flag| flag != "--out").nth(1);
    if let Some(out) = out {
        std::fs::write(&out, serde_json::to_string_pretty(&report)?)?;
        println!("\nWritten to {out}");
    }
    let all = report.met.iter().all(|(_, met)| *met);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn measure() -> anyhow::Result<Report> {
    let large = Company::found(LARGE).await?;
    let questions = large.questions(100_000);
    let snapshot = large.snapshot().await?;
    let alone = one_by_one(&snapshot, &questions);
    let allowed = questions.iter().filter(|it| it.ask(&snapshot)).count();

    let quiet = Deciders::start(&large, &questions);
    tokio::time::sleep(QUIET).await;
    let quiet = quiet.stop()?;
    let busy = Deciders::start(&large, &questions);
    let large_rebuilds = rebuild(&large).await?;
    let busy = busy.stop()?;
    let medium = Company::found(MEDIUM).await?;
    let medium_rebuilds = rebuild(&medium).await?;

    let decision = quiet.figures();
    let rebuilt = medium_rebuilds.figures();
    let swapped = busy.figures();
    let met = vec![
        ("mean of a decision below 1 µs", decision.mean < 1.0),
        ("p99 of a decision below 10 µs", decision.p99 < 10.0),
        ("p99 below 10 µs while rights are read anew", swapped.p99 < 10.0),
        ("10,000 bindings read anew within 200 ms", rebuilt.max < 200_000.0),
    ];
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let allowed_of_a_hundred = allowed as f64 * 100.0 / questions.len() as f64;
    Ok(Report {
        size: LARGE,
        allowed_of_a_hundred,
        decisions: vec![
            ("the snapshot alone", alone.figures()),
            ("as asked, on all cores but one", decision),
            ("the same while 30,000 are read anew", swapped),
        ],
        rebuilds: vec![
            ("10,000 bindings", rebuilt),
            ("30,000 bindings, beside deciders", large_rebuilds.figures()),
        ],
        casbin: casbin(&large, &snapshot, &questions).await?,
        met,
    })
}

fn one_by_one(snapshot: &Snapshot, questions: &[Question]) -> Times {
    let mut times = Times::default();
    for question in questions {
        let begun = Instant::now();
        std::hint::black_box(question.ask(snapshot));
        times.add(begun.elapsed());
    }
    times
}

/// Reads an organisation's rights from the database, compiles them and puts them in place, again and
/// again.
async fn rebuild(company: &Company) -> anyhow::Result<Times> {
    let mut times = Times::default();
    for _ in 0..REBUILDS {
        let begun = Instant::now();
        company.refresh().await?;
        times.add(begun.elapsed());
    }
    Ok(times)
}

/// What the same questions take casbin, whose answers must be the same.
async fn casbin(
    company: &Company,
    snapshot: &Snapshot,
    questions: &[Question],
) -> anyhow::Result<Vec<(&'static str, Figures)>> {
    let (mut build, mut ask, mut whole) = (Times::default(), Times::default(), Times::default());
    for question in &questions[..CASBIN_QUESTIONS] {
        let begun = Instant::now();
        let casbin = snapshot.reference(question.subject).await?;
        build.add(begun.elapsed());
        let begun = Instant::now();
        let allowed = question.ask_casbin(&casbin)?;
        ask.add(begun.elapsed());
        ensure!(allowed == question.ask(snapshot), "casbin says otherwise: {question:?}");
    }
    let casbin = snapshot.whole_reference(company.programs()).await.context("casbin")?;
    for question in &questions[..WHOLE_CASBIN_QUESTIONS] {
        let begun = Instant::now();
        let allowed = question.ask_casbin(&casbin)?;
        whole.add(begun.elapsed());
        ensure!(allowed == question.ask(snapshot), "casbin says otherwise: {question:?}");
    }
    Ok(vec![
        ("built with one subject's rows", build.figures()),
        ("asked with one subject's rows", ask.figures()),
        ("asked with all rows", whole.figures()),
    ])
}

impl Report {
    fn print(&self) {
        let Size { principals, scopes, bindings } = self.size;
        println!(
            "Decisions: {principals} principals, {scopes} scopes, {bindings} bindings, {:.0} of a \
             hundred answers yes. Microseconds.\n",
            self.allowed_of_a_hundred
        );
        println!("{:44}{}", "", Figures::HEAD);
        for (title, rows) in [
            ("A decision", &self.decisions),
            ("Rights read anew", &self.rebuilds),
            ("casbin", &self.casbin),
        ] {
            println!("{title}");
            for (name, figures) in rows {
                println!("  {name:42}{figures}");
            }
        }
        println!();
        for (target, met) in &self.met {
            println!("{}  {target}", if *met { "met   " } else { "MISSED" });
        }
    }
}
