//! `ralex break-glass`: the way in for an emergency, by a server's API.
//!
//! To open it and to confirm that take a passkey, and no command line asks an authenticator: these verbs
//! say where the console does.

use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::RoleName;
use ralex_api::break_glass::{
    ArmBreakGlass, BreakGlass, BreakGlassOpening, BreakGlassState, ReviewBreakGlass,
};
use ralex_api::page::PageQuery;
use ralex_kernel::BreakGlassId;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

const PATH: &str = "break-glass";

pub fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true);
    let id = id.value_parser(value_parser!(BreakGlassId)).help("The use, as list shows it");
    let person = Arg::new("person").value_name("PERSON").required(true).num_args(2..=5);
    let role = Arg::new("role").long("role").value_name("ROLE");
    let minutes = Arg::new("minutes").long("minutes").value_name("NUMBER");
    let note = Arg::new("note").long("note").value_name("TEXT").required(true);
    let all = [
        Command::new("status").about("Show who may open it, what it gives and whether it is open"),
        Command::new("list").about("List its uses, the newest first").arg(limit_flag()),
        Command::new("arm").about("Say who may open it, and what it gives").args([
            person.help("Who may open it, by e-mail or id; each needs a passkey"),
            role.help("Whose permissions it gives; owner where absent"),
            minutes
                .value_parser(value_parser!(u32).range(5..=60))
                .help("The longest time; 60 where absent"),
        ]),
        Command::new("disarm").about("Have nobody be able to open it"),
        Command::new("open").about("Say where to open it: that takes a passkey"),
        Command::new("drill").about("Say where to drill it: that takes a passkey"),
        Command::new("confirm").about("Say where to confirm it: that takes a passkey"),
        Command::new("end").about("Withdraw what waits to be confirmed, or end what is open").arg(
            id.clone().required(false).help("The use; the one that waits or is open where absent"),
        ),
        Command::new("review")
            .about("Close the review of a use that is over")
            .args([id, note.help("What came of it, 10 to 2,000 characters")]),
    ];
    Command::new("break-glass")
        .about("See, arm, end and review the way in for an emergency")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "status" => {
            let status: BreakGlass = api.get(&[PATH], &()).await?;
            told(&status, matches, status_shown)
        }
        "list" => list(api, matches).await,
        "arm" => arm(api, matches).await,
        "disarm" => {
            api.delete(&[PATH]).await?;
            told(&json!({ "armed": false }), matches, |_| "It is not armed any more.".to_owned())
        }
        "end" => {
            let id = current(api, matches).await?;
            let path = [PATH, "openings", &id, "end"];
            let opening: BreakGlassOpening = api.post(&path, &()).await?;
            told(&opening, matches, shown)
        }
        "review" => {
            let id = matches.get_one::<BreakGlassId>("id").context("no id")?.to_string();
            let note = matches.get_one::<String>("note").cloned().context("no note")?;
            let path = [PATH, "openings", &id, "review"];
            let opening: BreakGlassOpening = api.post(&path, &ReviewBreakGlass { note }).await?;
            told(&opening, matches, shown)
        }
        _ => in_console(api, verb, matches).await,
    }
}

/// Where a browser asks for the passkey.
async fn in_console(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let status: BreakGlass = api.get(&[PATH], &()).await?;
    if status.may_arm && status.armed.is_none() {
        bail!("It is not armed: `ralex break-glass arm` does that.");
    }
    let url = api.console(PATH);
    let answer = json!({ "console": url, "is_named": status.is_named });
    told(&answer, matches, |_| {
        let what = match verb {
            "confirm" => "To confirm it",
            "drill" => "To drill it",
            _ => "To open it",
        };
        format!("{what} takes a passkey, which a browser asks for. Go to {url}")
    })
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let query = PageQuery { cursor: None, limit: matches.get_one::<u32>("limit").copied() };
    let page: Page<BreakGlassOpening> = api.get(&[PATH, "openings"], &query).await?;
    told(&page, matches, |page| {
        let heads = ["Id", "State", "Asked", "Who", "Second", "Review"];
        let rows = page.items.iter().map(|it| {
            let second = it.confirmed_by.clone().unwrap_or_else(|| "-".to_owned());
            let (asked, who) = (time(it.asked_at), it.asked_by.clone());
            [it.id.to_string(), state(it), asked, who, second, reviewed(it)]
        });
        table(heads, rows)
    })
}

async fn arm(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let people = matches.get_many::<String>("person").into_iter().flatten().cloned().collect();
    let role = matches.get_one::<String>("role").map(|name| RoleName(name.clone()));
    let longest_minutes = matches.get_one::<u32>("minutes").copied();
    let arm = ArmBreakGlass { people, role, longest_minutes };
    let armed: BreakGlass = api.put(&[PATH], &arm).await?;
    told(&armed, matches, status_shown)
}

/// The use that is named, or the one that waits or is open.
async fn current(api: &Api, matches: &ArgMatches) -> anyhow::Result<String> {
    if let Some(id) = matches.get_one::<BreakGlassId>("id") {
        return Ok(id.to_string());
    }
    let status: BreakGlass = api.get(&[PATH], &()).await?;
    let current = status.current.context("None waits to be confirmed or is open.")?;
    Ok(current.id.to_string())
}

fn status_shown(status: &BreakGlass) -> String {
    let last = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), time);
    let mut all = Vec::new();
    if let Some(armed) = &status.armed {
        all.push(("gives", format!("{} permissions of {}", armed.permissions.len(), armed.role)));
        all.push(("longest time", format!("{} minutes", armed.longest_minutes)));
        all.push(("armed by", format!("{}, {}", armed.armed_by, time(armed.armed_at))));
        all.extend(armed.people.iter().map(|person| {
            let hindered = person.hindered.as_ref().map(|why| format!(" (cannot open it: {why})"));
            ("may open it", format!("{}{}", person.email, hindered.unwrap_or_default()))
        }));
    }
    if let Some(current) = &status.current {
        all.push(("now", format!("{}: {} by {}", state(current), current.id, current.asked_by)));
    }
    all.extend(status.open_until.map(|until| ("open until", time(until))));
    all.push(("last drill", last(status.last_drill_at)));
    all.push(("last opened", last(status.last_opened_at)));
    all.push(("reviews that wait", status.reviews_waiting.to_string()));
    if status.drill_due {
        all.push(("drill", "due: it was not tried for more than 92 days".to_owned()));
    }
    all.push(("never gives", status.never.join(", ")));
    facts("Break-glass", &all)
}

fn shown(opening: &BreakGlassOpening) -> String {
    let mut all = vec![
        ("state", state(opening)),
        ("asked by", format!("{}, {}", opening.asked_by, time(opening.asked_at))),
        ("reason", opening.reason.clone()),
        ("minutes", opening.minutes.to_string()),
    ];
    all.extend(opening.confirmed_by.clone().map(|who| ("confirmed by", who)));
    all.extend(opening.opened_at.map(|at| ("opened", time(at))));
    all.extend(opening.ended_at.map(|at| ("ended", time(at))));
    all.extend(opening.ended_by.clone().map(|who| ("ended by", who)));
    all.push(("review", reviewed(opening)));
    all.extend(opening.note.clone().map(|note| ("note", note)));
    facts(&opening.id.to_string(), &all)
}

fn state(opening: &BreakGlassOpening) -> String {
    let drill = if opening.drill { " (drill)" } else { "" };
    format!("{}{drill}", opening.state)
}

fn reviewed(opening: &BreakGlassOpening) -> String {
    match (&opening.reviewed_by, opening.state) {
        (Some(who), _) => format!("by {who}"),
        (None, BreakGlassState::Ended) if !opening.drill => "waits".to_owned(),
        (None, _) => "-".to_owned(),
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
