//! `ralex audit verify`: checks an exported bundle with no server and no database.

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ralex_audit::offline::{self, Finding, Key, Verdict};

use crate::say;

/// The exit code of a wrong use; the others are the verdict's.
const USAGE: u8 = 3;

pub fn command() -> Command {
    Command::new("audit").about("Check the audit log").subcommand_required(true).subcommand(
        Command::new("verify")
            .about("Check an exported bundle, offline")
            .after_help("Exit codes: 0 good, 1 tampered (the first bad index is named), 2 incomplete, 3 wrong use.")
            .arg(Arg::new("file").value_name("FILE").required(true).help("The exported bundle (.jsonl); - for standard input"))
            .arg(Arg::new("key").long("key").value_name("VKEY").help("The log's public key, noted earlier or from elsewhere; without it the bundle's own is used"))
            .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Answer as JSON")),
    )
}

pub fn run(matches: &ArgMatches) -> ExitCode {
    let Some(("verify", matches)) = matches.subcommand() else { return ExitCode::from(USAGE) };
    let path = matches.get_one::<String>("file").map_or("-", String::as_str);
    let key = matches.get_one::<String>("key").map(|text| text.parse::<Key>());
    let key = match key.transpose() {
        Ok(key) => key,
        Err(error) => {
            say::problem(&format!("ralex: --key {error}"));
            return ExitCode::from(USAGE);
        }
    };
    let verdict = if path == "-" {
        offline::verify_bundle(std::io::stdin().lock(), key.as_ref())
    } else {
        match File::open(path) {
            Ok(file) => {
                offline::verify_bundle(BufReader::with_capacity(1 << 20, file), key.as_ref())
            }
            Err(error) => {
                say::problem(&format!("ralex: {path} cannot be read: {error}."));
                return ExitCode::from(USAGE);
            }
        }
    };
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(error) => {
            say::problem(&format!("ralex: {path}: {error}"));
            return ExitCode::from(USAGE);
        }
    };
    say::line(&if matches.get_flag("json") { json(&verdict) } else { sentence(&verdict) });
    ExitCode::from(verdict.exit_code())
}

fn sentence(verdict: &Verdict) -> String {
    match verdict.finding {
        Finding::Good => {
            let Verdict { leaves, events, tree_size, root, origin, key, .. } = verdict;
            let trust = if verdict.key_was_given {
                "the key that you named"
            } else {
                "the key that the bundle names; compare it with one that you noted"
            };
            format!(
                "good: {leaves} of {tree_size} leaves, {events} with their events\n  log   {origin}\n  root  {root}\n  key   {key}\n  by    {trust}"
            )
        }
        Finding::Tampered => {
            let index = verdict.first_bad_index.unwrap_or(0);
            format!("tampered: first bad index {index} (line {}): {}", verdict.line, verdict.reason)
        }
        Finding::Incomplete => format!("incomplete: {} (line {})", verdict.reason, verdict.line),
    }
}

fn json(verdict: &Verdict) -> String {
    serde_json::json!({
        "finding": match verdict.finding {
            Finding::Good => "good",
            Finding::Tampered => "tampered",
            Finding::Incomplete => "incomplete",
        },
        "origin": verdict.origin,
        "tree_size": verdict.tree_size,
        "root": verdict.root,
        "leaves": verdict.leaves,
        "events": verdict.events,
        "filtered": verdict.filtered,
        "key": verdict.key,
        "key_was_given": verdict.key_was_given,
        "first_bad_index": verdict.first_bad_index,
        "line": verdict.line,
        "reason": verdict.reason,
    })
    .to_string()
}
