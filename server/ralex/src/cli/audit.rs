//! `ralex audit verify`: checks an exported bundle with no server and no database.

use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use ralex_audit::offline;

use crate::say;

/// How `verify` ends: good, altered, cut off, or not used rightly.
const TAMPERED: u8 = 1;
const INCOMPLETE: u8 = 2;
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
    let key = matches.get_one::<String>("key").map(String::as_str);
    let verdict = if path == "-" {
        offline::verify_bundle(std::io::stdin().lock(), key)
    } else {
        match File::open(path) {
            Ok(file) => offline::verify_bundle(BufReader::with_capacity(1 << 20, file), key),
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
    if matches.get_flag("json") {
        say::line(&serde_json::to_string(&verdict).unwrap_or_default());
    } else {
        say::line(&verdict.to_string());
    }
    match verdict.state {
        offline::State::Good => ExitCode::SUCCESS,
        offline::State::Tampered => ExitCode::from(TAMPERED),
        offline::State::Incomplete => ExitCode::from(INCOMPLETE),
    }
}
