//! `ralex audit sinks`: where the log is sent as it grows.

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::sinks::{
    AuditSink, AuditSinks, NewAuditSink, ResumeAuditSink, SinkKind, SinkStart, SinkState,
    SinkTested,
};
use ralex_kernel::{Name, SinkId};
use serde_json::json;

use super::super::Environment;
use super::super::api::{self, Api};
use super::super::table::{asked, json_flag, table, told};

pub fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let id =
        || Arg::new("sink").value_name("ID").required(true).value_parser(value_parser!(SinkId));
    let reason = || option("reason", "TEXT", "For the audit log").required(true);
    api::flags(Command::new("sinks").about("See and set where the audit log is sent as it grows"))
        .subcommand_required(true)
        .arg(json_flag())
        .subcommand(Command::new("list").about("List the receivers and how each fares"))
        .subcommand(add_command())
        .subcommand(Command::new("test").about("Send something that is no record").arg(id()))
        .subcommand(
            Command::new("resume")
                .about("Go on at once with one that is parked or failing")
                .arg(id())
                .arg(reason()),
        )
        .subcommand(
            Command::new("skip")
                .about("Leave out the record that parked it, and go on")
                .arg(id())
                .arg(
                    Arg::new("index")
                        .value_name("INDEX")
                        .required(true)
                        .value_parser(value_parser!(u64)),
                )
                .arg(reason()),
        )
        .subcommand(Command::new("remove").about("Send nothing there any more").arg(id()))
}

fn add_command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let starts = SinkStart::ALL.iter().map(|start| start.as_str());
    Command::new("add")
        .about("Send the log to a webhook; prints the secret that signs deliveries, once")
        .arg(Arg::new("name").value_name("NAME").required(true).value_parser(value_parser!(Name)))
        .arg(
            Arg::new("address")
                .value_name("ADDRESS")
                .required(true)
                .help("Where it is sent, with https"),
        )
        .arg(
            option("batch-size", "NUMBER", "So many records at most in one delivery")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            option("flush-seconds", "SECONDS", "A record waits so long at most for others")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            option("start", "WHERE", "With which record it begins")
                .default_value(SinkStart::Beginning.as_str())
                .value_parser(PossibleValuesParser::new(starts)),
        )
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if verb == "list" {
        let sinks: AuditSinks = api.get(&["audit", "sinks"], &()).await?;
        return list(&sinks, matches);
    }
    if verb == "add" {
        return add(api, matches).await;
    }
    let Some(id) = matches.get_one::<SinkId>("sink") else { return Ok(ExitCode::from(3)) };
    let id = id.to_string();
    match verb {
        "test" => {
            let tested: SinkTested = api.post(&["audit", "sinks", &id, "test"], &()).await?;
            told(&tested, matches, |it| format!("{} ({} ms)", it.detail, it.duration_ms))?;
            Ok(if tested.delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        "remove" => {
            api.delete(&["audit", "sinks", &id]).await?;
            let gone = json!({ "id": id, "removed": true });
            told(&gone, matches, |_| format!("{id} receives nothing any more"))
        }
        _ => {
            let skip = matches.try_get_one::<u64>("index").ok().flatten().copied();
            let reason = matches.get_one::<String>("reason").cloned().unwrap_or_default();
            let resume = ResumeAuditSink { skip, reason };
            let sink: AuditSink = api.post(&["audit", "sinks", &id, "resume"], &resume).await?;
            list(&AuditSinks { items: vec![sink] }, matches)
        }
    }
}

async fn add(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (Some(name), Some(url)) =
        (matches.get_one::<Name>("name"), matches.get_one::<String>("address"))
    else {
        return Ok(ExitCode::from(3));
    };
    let new = NewAuditSink {
        name: name.clone(),
        kind: SinkKind::Webhook,
        url: url.clone(),
        batch_size: matches.get_one("batch-size").copied(),
        flush_seconds: matches.get_one("flush-seconds").copied(),
        start: matches.get_one::<String>("start").and_then(|start| SinkStart::named(start)),
    };
    let made: AuditSink = api.post(&["audit", "sinks"], &new).await?;
    told(&made, matches, |made| {
        let secret = made.secret.as_deref().unwrap_or_default();
        let id = made.id;
        format!("{id}\n  secret  {secret}\nIt signs every delivery, and is not shown again.")
    })
}

fn list(sinks: &AuditSinks, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let rows = sinks.items.iter().map(|sink| {
        let ill = sink.failure.as_ref().filter(|_| sink.state != SinkState::Active);
        [
            sink.id.to_string(),
            sink.name.as_str().to_owned(),
            sink.state.to_string(),
            sink.next_index.to_string(),
            sink.behind.to_string(),
            sink.url.clone(),
            ill.cloned().unwrap_or_default(),
        ]
    });
    let heads = ["Id", "Name", "State", "Next", "Behind", "Address", "Why"];
    told(sinks, matches, |_| table(heads, rows))
}
