//! The drill as a program: kills, races, compares, prints the figures; fails where one does not
//! hold.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ralex_kernel::Money;
use ralex_tests::drill::{Options, run};
use ralex_tests::rig::{allow_many_connections, beside_this_program, in_target};

/// Races on small budgets while nodes and PostgreSQL are killed, and checks money and record.
#[derive(Parser)]
struct Arguments {
    /// Nodes on one PostgreSQL.
    #[arg(long, default_value_t = 2)]
    nodes: u32,
    /// Callers that race.
    #[arg(long, default_value_t = 200)]
    callers: u32,
    /// End after so many kills of nodes.
    #[arg(long, default_value_t = 1000)]
    kills: u32,
    /// End after so long, whatever was done by then.
    #[arg(long, default_value_t = 180)]
    seconds: u64,
    /// Milliseconds between two deeds, on average.
    #[arg(long, default_value_t = 2000)]
    pace: u64,
    /// Kill a node within so many milliseconds of a provider's being asked.
    #[arg(long, default_value_t = 150)]
    aim: u64,
    /// Of all that is chosen at random; a random one where it is absent.
    #[arg(long)]
    seed: Option<u64>,
    /// The program; else the one beside this.
    #[arg(long)]
    ralex: Option<PathBuf>,
    /// Where the figures go; `drill.json` in the build's folder, when absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Let the observer see so many dollars more than are spent, to see that the drill fails.
    #[arg(long, default_value = "0")]
    shift: Money,
    /// Keep the data folder, with the logs and the exported bundle.
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let out = arguments.out.map_or_else(|| in_target("drill.json"), Ok)?;
    let ralex = match arguments.ralex {
        Some(ralex) => std::path::absolute(ralex)?,
        None => beside_this_program("ralex")?,
    };
    let options = Options {
        ralex,
        seed: arguments.seed.unwrap_or_else(|| rand::random_range(0..1_000_000)),
        nodes: arguments.nodes.max(1),
        callers: arguments.callers.max(1),
        length: Duration::from_secs(arguments.seconds),
        kills: arguments.kills,
        pace: arguments.pace,
        aim: arguments.aim,
        long_pauses: true,
        shift: arguments.shift,
        keep: arguments.keep,
    };
    eprintln!("· seed {}", options.seed);
    allow_many_connections();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run(&options, &|step| eprintln!("· {step}")))?;
    println!("{report}");
    std::fs::write(&out, serde_json::to_string_pretty(&report)?)?;
    println!("Written to {}", out.display());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
