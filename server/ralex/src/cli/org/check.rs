//! `ralex org check-export`: whether an archive is whole and unchanged, offline.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_audit::offline::{Finding, Trust};
use ralex_portability::check::{self, Checked};
use serde_json::json;

use super::super::audit::keys;
use super::super::table::{facts, json_flag};
use crate::say;

/// The exit code of a wrong use; the others are those of `ralex audit verify`.
const USAGE: u8 = 3;

pub fn command() -> Command {
    let file = Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("What was exported");
    let identity = Arg::new("identity")
        .long("identity")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("A file with the private key of age (AGE-SECRET-KEY-1…), where it is encrypted");
    let key = Arg::new("key")
        .long("key")
        .value_name("VKEY")
        .action(ArgAction::Append)
        .help("The audit log's public key, noted earlier or from elsewhere; without it the archive's own is used. May be given more than once");
    Command::new("check-export")
        .about("Check that an export is whole and unchanged, and its audit log what was signed, offline")
        .after_help("Exit codes: 0 good, 1 changed, 2 incomplete, 3 wrong use.")
        .args([file, identity, key, json_flag()])
}

pub fn run(matches: &ArgMatches) -> ExitCode {
    let checked = checked(matches);
    match checked {
        Ok(checked) => {
            let json = matches.get_flag("json");
            say::line(&if json { as_json(&checked) } else { as_words(&checked) });
            ExitCode::from(match checked.finding {
                Finding::Good => 0,
                Finding::Tampered => 1,
                Finding::Incomplete => 2,
            })
        }
        Err(why) => {
            say::problem(&format!("ralex: {why}"));
            ExitCode::from(USAGE)
        }
    }
}

fn checked(matches: &ArgMatches) -> Result<Checked, String> {
    let trust = Trust { keys: keys(matches, "key", true)?, witnesses: Vec::new() };
    let file = matches.get_one::<PathBuf>("file").ok_or("no file")?;
    let identity = matches.get_one::<PathBuf>("identity");
    check::check(file, identity.map(PathBuf::as_path), &trust).map_err(|why| why.to_string())
}

fn word(finding: Finding) -> &'static str {
    match finding {
        Finding::Good => "good",
        Finding::Tampered => "tampered",
        Finding::Incomplete => "incomplete",
    }
}

fn as_json(checked: &Checked) -> String {
    let manifest = checked.manifest.as_ref();
    let log = checked.log.as_ref();
    let said = json!({
        "finding": word(checked.finding),
        "reason": checked.reason,
        "org": manifest.map(|it| &it.org),
        "taken_at": manifest.map(|it| it.taken_at),
        "files": manifest.map(|it| it.files.len()),
        "rows": manifest.map(|it| it.files.iter().map(|file| file.rows).sum::<u64>()),
        "tree_size": log.map(|it| it.tree_size),
        "root": log.map(|it| &it.root),
        "key": log.map(|it| &it.key),
        "key_was_given": log.map(|it| it.key_was_given),
    });
    format!("{said:#}")
}

fn as_words(checked: &Checked) -> String {
    let mut said = vec![("why", checked.reason.clone())];
    if let Some(manifest) = &checked.manifest {
        let rows: u64 = manifest.files.iter().map(|file| file.rows).sum();
        said.extend([
            ("organisation", format!("{} ({})", manifest.org.slug, manifest.org.id)),
            ("as it was at", manifest.taken_at.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
            ("files", manifest.files.len().to_string()),
            ("rows", rows.to_string()),
        ]);
    }
    if let Some(log) = checked.log.as_ref().filter(|log| log.good()) {
        let whose = if log.key_was_given {
            "as you gave it"
        } else {
            "its own; compare it with the one you noted"
        };
        said.extend([
            ("audit log", format!("{} events, root {}", log.tree_size, log.root)),
            ("signed by", format!("{} ({whose})", log.key)),
        ]);
    }
    facts(word(checked.finding), &said)
}
