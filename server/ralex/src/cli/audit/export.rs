//! `ralex audit export`: takes the log away, in any form, as it comes.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::audit::{ExportFormat, ExportQuery};

use super::super::api::{self, Api};
use super::super::{Environment, failed};
use crate::say;

/// A server that says nothing for so long has gone.
const SILENCE: Duration = Duration::from_mins(2);

const PROGRESS: Duration = Duration::from_secs(2);

pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let time = |name: &'static str, help: &'static str| {
        option(name, "TIME", help).value_parser(value_parser!(DateTime<Utc>))
    };
    let formats = PossibleValuesParser::new(ExportFormat::ALL.map(ExportFormat::as_str));
    api::flags(Command::new("export").about("Export the audit log of a running server"))
        .arg(
            option("format", "FORMAT", "jsonl is the bundle that `verify` reads")
                .default_value("jsonl")
                .value_parser(formats),
        )
        .arg(option("out", "FILE", "Where to write it; standard output without it"))
        .arg(option(
            "actor",
            "ACTOR",
            "Only what this actor did: an e-mail address, user:<id>, token:<id> or system",
        ))
        .arg(option(
            "action",
            "ACTION",
            "Only this action (budget.created), or a subject's (budget.*)",
        ))
        .arg(option("target", "TARGET", "Only what was done to this (budget:<id>, or budget:*)"))
        .arg(option("outcome", "OUTCOME", "Only what ended so: success, intent, denied or error"))
        .arg(time("from", "At this time or later (2026-03-01T00:00:00Z)"))
        .arg(time("to", "Before this time"))
        .arg(
            option(
                "after",
                "INDEX",
                "Only what comes after this index, to go on where an export ended; of a bundle, its last leaf",
            )
            .value_parser(value_parser!(u64)),
        )
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let done = Api::of(matches, environment).and_then(|api| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(export(&api, matches))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("{error:#}")),
    }
}

async fn export(api: &Api, matches: &ArgMatches) -> anyhow::Result<()> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let time = |name: &str| matches.get_one::<DateTime<Utc>>(name).copied();
    let word = text("format");
    let format = ExportFormat::ALL.into_iter().find(|it| Some(it.as_str()) == word.as_deref());
    let query = ExportQuery {
        format: format.unwrap_or_default(),
        actor: text("actor"),
        action: text("action"),
        target: text("target"),
        outcome: text("outcome"),
        from: time("from"),
        to: time("to"),
        after: matches.get_one::<u64>("after").copied(),
    };
    let mut answer = api.download(&["audit", "export"], &query).await?;
    let events = answer.headers().get("x-ralex-events").and_then(|it| it.to_str().ok());
    let events = events.unwrap_or("?").to_owned();
    let path = text("out");
    // Nothing is made where the server refuses.
    let mut file: Box<dyn Write> = match &path {
        Some(path) => {
            Box::new(File::create(path).with_context(|| format!("{path} cannot be made"))?)
        }
        None => Box::new(io::stdout().lock()),
    };
    let shown = io::stderr().is_terminal();
    let (mut lines, mut bytes, mut told) = (0_u64, 0_u64, Instant::now());
    loop {
        let Ok(chunk) = tokio::time::timeout(SILENCE, answer.chunk()).await else {
            bail!(
                "the server has sent nothing for {} seconds; {lines} lines came",
                SILENCE.as_secs()
            );
        };
        let chunk = chunk.with_context(|| format!("the export broke off after {lines} lines"))?;
        let Some(chunk) = chunk else { break };
        file.write_all(&chunk).context("the export cannot be written")?;
        bytes += chunk.len() as u64;
        lines += chunk.split(|byte| *byte == b'\n').skip(1).count() as u64;
        if shown && told.elapsed() >= PROGRESS {
            say::problem(&format!("{lines} lines of {events} records, {bytes} bytes"));
            told = Instant::now();
        }
    }
    file.flush().context("the export cannot be written")?;
    if let Some(path) = path {
        say::problem(&format!("{path}: {events} records, {lines} lines, {bytes} bytes"));
    }
    Ok(())
}
