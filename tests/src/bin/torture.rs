//! The torture as a program: kills, compares, prints the figures; fails where one is not zero.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ralex_tests::rig::{beside_this_program, in_target};
use ralex_tests::torture::{Options, run};

/// Kills Ralex under load, again and again, and checks its books.
#[derive(Parser)]
struct Arguments {
    /// How often it is killed, at most.
    #[arg(long, default_value_t = 20)]
    cycles: u32,
    /// Begin no more cycles after so many minutes.
    #[arg(long)]
    minutes: Option<u64>,
    /// Clients that call at once.
    #[arg(long, default_value_t = 12)]
    clients: u32,
    /// Kill Ralex only, never PostgreSQL.
    #[arg(long)]
    spare_postgres: bool,
    /// The program; else the one beside this.
    #[arg(long)]
    ralex: Option<PathBuf>,
    /// Keep the data folder, with the log and the exported bundle.
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let ralex = match arguments.ralex {
        Some(ralex) => std::path::absolute(ralex)?,
        None => beside_this_program("ralex")?,
    };
    let options = Options {
        ralex,
        cycles: arguments.cycles,
        most: arguments.minutes.map(Duration::from_mins),
        clients: arguments.clients,
        postgres: !arguments.spare_postgres,
        keep: arguments.keep,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run(&options, &|step| eprintln!("· {step}")))?;
    println!("{report}");
    let out = in_target("torture.json")?;
    std::fs::write(&out, serde_json::to_string_pretty(&report)?)?;
    println!("Written to {}", out.display());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
