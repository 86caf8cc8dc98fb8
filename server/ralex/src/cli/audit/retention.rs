//! `ralex audit retention`: how long the log is kept, and what holds it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::retention::{
    AuditPruned, AuditRequest, AuditRequestKind, AuditRetention, NewAuditRequest, PruneQuery,
};
use ralex_kernel::{AuditRequestId, HoldId};
use serde_json::json;

use super::super::Environment;
use super::super::api::{self, Api};
use super::super::table::{asked, json_flag, table, told};

pub fn command() -> Command {
    let reason = || {
        Arg::new("reason")
            .long("reason")
            .value_name("TEXT")
            .required(true)
            .help("For whoever decides, and for the audit log")
    };
    let request = || {
        Arg::new("request")
            .value_name("REQUEST")
            .required(true)
            .value_parser(value_parser!(AuditRequestId))
    };
    api::flags(Command::new("retention").about("See and set how long the audit log is kept"))
        .subcommand_required(true)
        .arg(json_flag())
        .subcommand(Command::new("show").about("Show classes, holds, and what waits for a second person"))
        .subcommand(
            Command::new("keep")
                .about("Ask that a class of events is kept so many days; another person has to approve")
                .arg(Arg::new("class").value_name("CLASS").required(true))
                .arg(Arg::new("days").value_name("DAYS").required(true).help("A number, or `forever`"))
                .arg(reason()),
        )
        .subcommand(Command::new("hold").about("Ask that nothing is pruned until it is lifted").arg(reason()))
        .subcommand(
            Command::new("lift")
                .about("Ask that a hold ends")
                .arg(Arg::new("hold").value_name("HOLD").required(true).value_parser(value_parser!(HoldId)))
                .arg(reason()),
        )
        .subcommand(
            Command::new("approve").about("Approve what somebody else asked for").arg(request()).arg(reason()),
        )
        .subcommand(
            Command::new("deny")
                .about("Deny what was asked for, or take back what oneself asked")
                .arg(request())
                .arg(reason()),
        )
        .subcommand(
            Command::new("prune")
                .about("Prune now, which happens by itself once an hour")
                .arg(Arg::new("archive-anew").long("archive-anew").action(ArgAction::SetTrue).help("Begin another archive with all that the log still says; for one of which a file is lost for good")),
        )
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let reason = || matches.get_one::<String>("reason").cloned().unwrap_or_default();
    match verb {
        "show" => {
            let kept: AuditRetention = api.get(&["audit", "retention"], &()).await?;
            told(&kept, matches, shown)
        }
        "prune" => {
            let query = PruneQuery { archive_anew: matches.get_flag("archive-anew") };
            let path = ["audit", "retention", "prune"];
            let pruned: AuditPruned = api.post_asking(&path, &query).await?;
            told(&pruned, matches, |it| {
                let (events, records) = (it.count, it.records);
                let archive = match it.archives.as_slice() {
                    [] if events > 0 => "; no archive is configured".to_owned(),
                    [] => String::new(),
                    names => format!(", and they are in the archive, {}", names.join(", ")),
                };
                format!(
                    "{events} events pruned; their hashes stay{archive}\n{records} records of calls pruned; their sums stay"
                )
            })
        }
        "approve" | "deny" => {
            let id = matches.get_one::<AuditRequestId>("request").map(ToString::to_string);
            let id = id.unwrap_or_default();
            let path = ["audit", "retention", "requests", &id, verb];
            let decided: AuditRequest = api.post(&path, &json!({ "reason": reason() })).await?;
            told(&decided, matches, |it| format!("{} is {}", it.id, it.state))
        }
        _ => {
            let new = new(verb, matches, reason())?;
            let asked: AuditRequest = api.post(&["audit", "retention", "requests"], &new).await?;
            told(&asked, matches, |it| {
                let until = it.expires_at.format("%Y-%m-%d %H:%M UTC");
                format!("{}\nwaits for another person to approve, until {until}", it.id)
            })
        }
    }
}

fn new(verb: &str, matches: &ArgMatches, reason: String) -> anyhow::Result<NewAuditRequest> {
    let mut new = NewAuditRequest {
        kind: AuditRequestKind::Hold,
        class: None,
        days: None,
        hold: None,
        person: None,
        reason,
    };
    match verb {
        "keep" => {
            new.kind = AuditRequestKind::Retention;
            new.class = matches.get_one::<String>("class").cloned();
            let days = matches.get_one::<String>("days").map_or("", String::as_str);
            if days != "forever" {
                new.days = Some(days.parse().map_err(|_| {
                    anyhow::anyhow!("the days must be a number, or `forever`, and not `{days}`")
                })?);
            }
        }
        "lift" => {
            new.kind = AuditRequestKind::Lift;
            new.hold = matches.get_one::<HoldId>("hold").copied();
        }
        _ => {}
    }
    Ok(new)
}

fn shown(kept: &AuditRetention) -> String {
    let classes = kept.classes.iter().map(|class| {
        let days = class.days.map_or_else(|| "forever".to_owned(), |days| format!("{days} days"));
        [class.class.clone(), class.label.clone(), days, format!("{} days", class.minimum_days)]
    });
    let mut text = table(["Class", "Events", "Kept", "At least"], classes);
    let (pruned, below) = (kept.pruned, kept.prunable_below);
    write!(text, "\n{pruned} events pruned so far; none from {below} on can be pruned yet.").ok();
    if let Some(records) = &kept.records {
        let (count, before) = (records.count, records.before.format("%Y-%m-%d %H:%M UTC"));
        write!(text, "\n{count} records of calls pruned so far; all from {before} on are there.")
            .ok();
    }
    let archive = &kept.archive;
    match (&archive.failure, &archive.name) {
        (Some(why), _) => write!(text, "\nArchive: FAILED, so nothing is pruned. {why}").ok(),
        (None, Some(name)) => write!(text, "\nArchive: {name}").ok(),
        (None, None) if archive.configured => write!(text, "\nArchive: nothing written yet.").ok(),
        (None, None) => write!(
            text,
            "\nArchive: none is configured (RALEX_AUDIT_ARCHIVE); what is pruned is gone."
        )
        .ok(),
    };
    if !kept.holds.is_empty() {
        let holds = kept.holds.iter().map(|hold| {
            let since = hold.set_at.format("%Y-%m-%d %H:%M").to_string();
            [hold.id.to_string(), since, hold.reason.clone()]
        });
        let holds = table(["Hold", "Since", "Why"], holds);
        write!(text, "\n\nHeld: nothing is pruned.\n{holds}").ok();
    }
    if !kept.requests.is_empty() {
        let requests = kept.requests.iter().map(|it| {
            let what = match (&it.class, it.days) {
                (Some(class), Some(days)) => format!("{class}: {days} days"),
                (Some(class), None) => format!("{class}: forever"),
                (None, _) => it
                    .hold
                    .map(|hold| hold.to_string())
                    .or_else(|| it.person.clone())
                    .unwrap_or_default(),
            };
            [
                it.id.to_string(),
                it.kind.to_string(),
                what,
                it.state.to_string(),
                it.asked_by.clone(),
                it.reason.clone(),
            ]
        });
        let heads = ["Request", "Kind", "What", "State", "Asked by", "Why"];
        write!(text, "\n\n{}", table(heads, requests)).ok();
    }
    text
}
