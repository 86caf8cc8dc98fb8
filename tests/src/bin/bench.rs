//! `make bench`: prints what governing a call costs, and writes it to `target/bench.json`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

use std::path::PathBuf;

use clap::Parser;
use ralex_tests::bench::{Options, audit, run, usage};
use ralex_tests::rig::{allow_many_connections, beside_this_program, in_target};

/// Measures governed calls against direct ones, on this machine, in one run.
#[derive(Parser)]
struct Arguments {
    /// Of every phase, of every way.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Calls a second while latency is measured.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// How many callers at once look for the highest throughput.
    #[arg(long, value_delimiter = ',', default_value = "16,64,256")]
    callers: Vec<u32>,
    /// How many streams are open at once while memory is measured.
    #[arg(long, default_value_t = 1000)]
    streams: u32,
    /// The folder with `start.py`, which starts other gateways; without it none is measured.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// The program; else the one beside this.
    #[arg(long)]
    ralex: Option<PathBuf>,
    /// Where the figures go; `bench.json` in the build's folder, when absent.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Instead of all that, how long questions about usage take over so many calls.
    #[arg(long, value_name = "CALLS")]
    usage: Option<i64>,
    /// Instead, how long searches of an audit log of so many events take.
    #[arg(long, value_name = "EVENTS", conflicts_with = "usage")]
    audit: Option<i64>,
    /// Keep the data folder, with the log and the exported bundle.
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let out = arguments.out.map_or_else(|| in_target("bench.json"), Ok)?;
    let ralex = match arguments.ralex {
        Some(ralex) => std::path::absolute(ralex)?,
        None => beside_this_program("ralex")?,
    };
    let options = Options {
        ralex,
        seconds: arguments.seconds.max(1),
        rate: arguments.rate.max(1),
        callers: arguments.callers,
        streams: arguments.streams,
        peers: arguments.peers,
        keep: arguments.keep,
    };
    allow_many_connections();
    // One thread: the client leaves the cores to what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let say = |step: &str| eprintln!("· {step}");
    let json = if let Some(calls) = arguments.usage {
        let report = runtime.block_on(usage(&options.ralex, calls, &say))?;
        println!("{report}");
        serde_json::to_string_pretty(&report)?
    } else if let Some(events) = arguments.audit {
        let report = runtime.block_on(audit(&options.ralex, events, &say))?;
        println!("{report}");
        serde_json::to_string_pretty(&report)?
    } else {
        let report = runtime.block_on(run(&options, &say))?;
        println!("{report}");
        serde_json::to_string_pretty(&report)?
    };
    std::fs::write(&out, json)?;
    println!("\nWritten to {}", out.display());
    Ok(())
}
