//! `ralex policy`: who may do what, as lines that casbin reads, out of a server and into it.

use std::fs;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::policies::{PolicyImport, PolicyImportMode, PolicyImported, PolicyLine};

mod simulate;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, plain, told};
use crate::say;

pub fn command() -> Command {
    let file = Arg::new("file").value_name("FILE").required(true).help("Lines as export has them");
    let from = Arg::new("from").long("from").value_name("SLUG");
    let from = from.help("The organisation that they were exported from, where it is another one");
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let all = [
        Command::new("export").about("Write the policy as casbin lines").arg(
            Arg::new("out").long("out").value_name("FILE").help("Into a file; else it is printed"),
        ),
        Command::new("diff")
            .about("Tell what a file has that the policy has not, and the other way round")
            .args([file.clone(), from.clone(), json_flag()]),
        Command::new("import")
            .about("Tell what a file would change, or change it with --apply")
            .args([
                file,
                from,
                switch("replace", "Also take away what the file does not say"),
                switch("apply", "Do it, and not only tell"),
                Arg::new("if-version")
                    .long("if-version")
                    .value_name("NUMBER")
                    .value_parser(value_parser!(i64).range(0..))
                    .help("Only where the policy is at this version, as the file's head has it"),
                json_flag(),
            ]),
    ];
    let simulate = simulate::command();
    Command::new("policy")
        .about("See, compare and change who may do what, as lines of a file")
        .subcommand_required(true)
        .subcommands(all.into_iter().chain([simulate]).map(api::flags))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some((verb, matches)) => {
            asked(matches, environment, async |api| act(&api, verb, matches).await)
        }
        None => ExitCode::from(3),
    }
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "export" => {
            let lines = api.download(&["policies", "export"], &()).await?.text().await?;
            match matches.get_one::<String>("out") {
                Some(out) => fs::write(out, lines).with_context(|| out.clone())?,
                None => say::line(lines.trim_end()),
            }
            Ok(ExitCode::SUCCESS)
        }
        "simulate" => simulate::act(api, matches).await,
        "diff" => {
            let answer = import(api, matches, (PolicyImportMode::Replace, false), None).await?;
            told(&answer, matches, changes)?;
            Ok(ended(&answer))
        }
        _ => {
            let replace = matches.get_flag("replace");
            let mode = if replace { PolicyImportMode::Replace } else { PolicyImportMode::Add };
            let version = matches.get_one::<i64>("if-version").copied();
            let answer = import(api, matches, (mode, matches.get_flag("apply")), version).await?;
            told(&answer, matches, |answer| {
                let end = match (answer.applied, answer.refused.is_empty()) {
                    (true, _) => "Done.",
                    (false, true) => "Nothing was changed; --apply does it.",
                    (false, false) => "Nothing was changed, and nothing would be.",
                };
                format!("{}\n{end}", changes(answer))
            })?;
            Ok(ended(&answer))
        }
    }
}

async fn import(
    api: &Api,
    matches: &ArgMatches,
    (mode, apply): (PolicyImportMode, bool),
    if_version: Option<i64>,
) -> anyhow::Result<PolicyImported> {
    let file = matches.get_one::<String>("file").context("no file")?;
    let lines = fs::read_to_string(file).with_context(|| file.clone())?;
    let from = matches.get_one::<String>("from").cloned();
    let header = if_version.map(|version| ("If-Policy-Version", version.to_string()));
    let wanted = PolicyImport { lines, mode, apply, from };
    api.post_if(&["policies", "import"], header, &wanted).await
}

/// A script learns by the status that a line would be refused.
fn ended(answer: &PolicyImported) -> ExitCode {
    if answer.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn changes(answer: &PolicyImported) -> String {
    let signed = |sign: &'static str| move |it: &PolicyLine| format!("{sign} {}", plain(&it.text));
    let mut all: Vec<_> = answer.removed.iter().map(signed("-")).collect();
    all.extend(answer.added.iter().map(signed("+")));
    all.extend(answer.refused.iter().map(|it| {
        let place = it.line.map_or_else(String::new, |number| format!("line {number}: "));
        format!("! {place}{}\n  {}", plain(&it.text), plain(&it.reason))
    }));
    all.push(format!(
        "{} added, {} removed, {} as they are, {} refused; version {}.",
        answer.added.len(),
        answer.removed.len(),
        answer.kept,
        answer.refused.len(),
        answer.version
    ));
    all.join("\n")
}
