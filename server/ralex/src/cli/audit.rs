//! `ralex audit`: exports the log, sends it on, checks what was exported, and changes the key.

mod erase;
mod export;
mod report;
mod retention;
mod sinks;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ralex_audit::offline::{self, Key, Kind, Trust, Verdict};

use super::{Environment, with_settings};
use crate::database::Database;
use crate::settings::{self, Settings};
use crate::{audit_log, say};

/// The exit code of a wrong use; the others are the verdict's.
const USAGE: u8 = 3;

pub fn command() -> Command {
    Command::new("audit")
        .about("Export and check the audit log, and change its key")
        .subcommand_required(true)
        .subcommand(export::command())
        .subcommand(sinks::command())
        .subcommand(retention::command())
        .subcommand(erase::command())
        .subcommand(verify_command())
        .subcommand(settings::flags(Command::new("rotate-key").about(
            "Let another key sign the audit log from now on; run it where the vault's seal is",
        )))
}

fn verify_command() -> Command {
    let many = |id: &'static str, name: &'static str, help: &'static str| {
        Arg::new(id).long(id).value_name(name).action(ArgAction::Append).help(help)
    };
    Command::new("verify")
        .about("Check an exported bundle, a receipt or a consistency proof, offline")
        .after_help("Exit codes: 0 good, 1 tampered (the first bad index is named), 2 incomplete, 3 wrong use.")
        .arg(Arg::new("file").value_name("FILE").required(true).help("What was exported; - for standard input"))
        .arg(many("key", "VKEY", "The log's public key, noted earlier or from elsewhere; without it a bundle's own is used. May be given more than once"))
        .arg(many("witness", "VKEY", "The public key of a witness who must have signed; all that are given must"))
        .arg(Arg::new("since").long("since").value_name("OLDER").help("An earlier export of the same log, which must stand unchanged at the beginning of this one"))
        .arg(Arg::new("disclosures").long("disclosures").value_name("FILE").help("The personal values of this bundle (`export --format disclosures`), each checked against what its leaf commits to"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Answer as JSON"))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some(("verify", matches)) => match verify(matches) {
            Ok(verdict) => {
                let json = matches.get_flag("json");
                say::line(&if json { report::json(&verdict) } else { report::sentence(&verdict) });
                ExitCode::from(verdict.exit_code())
            }
            Err(why) => {
                say::problem(&format!("ralex: {why}"));
                ExitCode::from(USAGE)
            }
        },
        Some(("export", matches)) => export::run(matches, environment),
        Some(("sinks", matches)) => sinks::run(matches, environment),
        Some(("retention", matches)) => retention::run(matches, environment),
        Some(("erase", matches)) => erase::run(matches, environment),
        Some(("rotate-key", matches)) => with_settings(matches, environment, rotate_key),
        _ => ExitCode::from(USAGE),
    }
}

fn verify(matches: &ArgMatches) -> Result<Verdict, String> {
    let trust =
        Trust { keys: keys(matches, "key", true)?, witnesses: keys(matches, "witness", false)? };
    let path = matches.get_one::<String>("file").map_or("-", String::as_str);
    let failed = |error: io::Error| format!("{path} cannot be read: {error}.");
    if let Some(older) = matches.get_one::<String>("since") {
        if path == "-" || older == "-" {
            return Err("--since compares two files; standard input can be read only once.".into());
        }
        return offline::verify_since(|| open(path), || open(older), &trust)
            .map_err(|error| format!("{path} or {older} cannot be read: {error}."));
    }
    if let Some(disclosures) = matches.get_one::<String>("disclosures") {
        if path == "-" {
            return Err("--disclosures reads the bundle twice; give it as a file.".into());
        }
        let cannot = |error| format!("{path} or {disclosures} cannot be read: {error}.");
        let told = open(disclosures).map_err(cannot)?;
        return offline::verify_disclosures(|| open(path), told, &trust).map_err(cannot);
    }
    let mut reader = open(path).map_err(failed)?;
    let start = reader.fill_buf().map_err(failed)?;
    match Kind::of(start) {
        Kind::Bundle => offline::verify_bundle_for(reader, &trust).map_err(failed),
        Kind::Proof if trust.keys.is_empty() => Err(
            "a proof does not carry the log's key: give it with --key (GET …/audit/keys names it)."
                .into(),
        ),
        Kind::Proof => offline::verify_proof(reader, &trust).map_err(failed),
    }
}

fn open(path: &str) -> io::Result<Box<dyn BufRead>> {
    Ok(match path {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(BufReader::with_capacity(1 << 20, File::open(path)?)),
    })
}

/// Public keys as somebody wrote them.
pub(super) fn keys(matches: &ArgMatches, id: &str, of_log: bool) -> Result<Vec<Key>, String> {
    let texts = matches.get_many::<String>(id).unwrap_or_default();
    texts
        .map(|text| match text.parse::<Key>() {
            Ok(key) if key.signs_logs() == of_log => Ok(key),
            Ok(_) if of_log => {
                Err(format!("--{id} is the key of a witness; give it with --witness"))
            }
            Ok(_) => Err(format!("--{id} is the key of a log; give it with --key")),
            Err(error) => Err(format!("--{id} {error}")),
        })
        .collect()
}

async fn rotate_key(settings: Settings) -> anyhow::Result<()> {
    let running = match settings.database_url {
        Some(_) => None,
        None => ralex_store::BuiltIn::running(&settings.data_dir),
    };
    if let Some(url) = running {
        return rotate_key_at(&settings, &url).await;
    }
    let database = Database::start_existing(&settings).await?;
    let done = rotate_key_at(&settings, database.url()).await;
    database.stop().await;
    done
}

async fn rotate_key_at(settings: &Settings, url: &str) -> anyhow::Result<()> {
    let (db, audit) = audit_log::open_at(settings, url).await?;
    let rotated = audit.rotate_key().await?;
    db.close().await;
    say::line(&format!(
        "key {} signs the audit log from now on; the change is recorded in {} logs\n  before  {}\n  now     {}\nNote the new key where the old one is noted. Exports name both, and the old key vouches for the new one.",
        rotated.version, rotated.orgs, rotated.from, rotated.to
    ));
    Ok(())
}
