//! `ralex audit sinks`: where the log is sent as it grows.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::sinks::{
    AuditSink, AuditSinks, ResumeAuditSink, SinkFormat, SinkKind, SinkStart, SinkState, SinkTested,
};
use ralex_kernel::{Name, SinkId};
use serde_json::{Map, Value, json};

use super::super::Environment;
use super::super::api::{self, Api};
use super::super::table::{asked, json_flag, table, told};

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

pub fn command() -> Command {
    let id =
        || Arg::new("sink").value_name("ID").required(true).value_parser(value_parser!(SinkId));
    let reason = || option("reason", "TEXT", "For the audit log").required(true);
    let index =
        Arg::new("index").value_name("INDEX").required(true).value_parser(value_parser!(u64));
    api::flags(Command::new("sinks").about("See and set where the audit log is sent as it grows"))
        .subcommand_required(true)
        .arg(json_flag())
        .subcommand(Command::new("list").about("List the receivers and how each fares"))
        .subcommand(add_command())
        .subcommand(
            settings(Command::new("update").about("Change where and how one is sent to; what is not given stays").arg(id()))
                .arg(option("address", "ADDRESS", "Where it is sent"))
                .arg(
                    option("enabled", "BOOL", "false pauses it, true goes on")
                        .value_parser(value_parser!(bool)),
                ),
        )
        .subcommand(credentials(
            Command::new("rotate")
                .about("Give one another secret, at the same place of the log; a webhook's is made by the server and printed once")
                .arg(id()),
        ))
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
                .arg(index)
                .arg(reason()),
        )
        .subcommand(Command::new("remove").about("Send nothing there any more").arg(id()))
}

fn add_command() -> Command {
    let words = |all: Vec<&'static str>| PossibleValuesParser::new(all);
    let kinds = SinkKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let starts = SinkStart::ALL.iter().map(|start| start.as_str()).collect();
    let add = Command::new("add")
        .about("Send the log to a webhook, a collector of syslog or a store of objects; the secret of a webhook is printed once")
        .arg(Arg::new("name").value_name("NAME").required(true).value_parser(value_parser!(Name)))
        .arg(
            Arg::new("address")
                .value_name("ADDRESS")
                .required(true)
                .help("https://… of a webhook, tls://HOST:PORT of a collector, https://… of a bucket with --kind s3"),
        )
        .arg(
            option("kind", "KIND", "What it is; a collector where the address begins with tls://, else a webhook")
                .value_parser(words(kinds)),
        )
        .arg(
            option("start", "WHERE", "With which record it begins")
                .default_value(SinkStart::Beginning.as_str())
                .value_parser(words(starts)),
        );
    credentials(settings(add))
}

/// What says how it is sent.
fn settings(command: Command) -> Command {
    let formats: Vec<_> = SinkFormat::ALL.iter().map(|format| format.as_str()).collect();
    command
        .arg(
            option("format", "FORMAT", "How records are written")
                .value_parser(PossibleValuesParser::new(formats)),
        )
        .arg(option("region", "REGION", "Where a store is, if its address does not say so"))
        .arg(option("ca", "FILE", "Certificates of authorities (PEM) that vouch for a collector"))
        .arg(
            option("batch-size", "NUMBER", "So many records at most in one delivery")
                .value_parser(value_parser!(u32)),
        )
        .arg(
            option("flush-seconds", "SECONDS", "A record waits so long at most for others")
                .value_parser(value_parser!(u32)),
        )
}

/// What proves who sends. Secrets are read from files, since arguments are seen by everybody.
fn credentials(command: Command) -> Command {
    command
        .arg(option("access-key-id", "ID", "The key of a store"))
        .arg(option("secret-access-key-file", "FILE", "Its secret; - for standard input"))
        .arg(option("session-token-file", "FILE", "Its session, if it has one"))
        .arg(option("client-certificate", "FILE", "Shown to a collector that asks for one (PEM)"))
        .arg(option("client-key", "FILE", "Its private key (PEM)"))
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
        "update" => {
            let mut change = asked_for(matches)?;
            insert(&mut change, "url", matches.get_one::<String>("address"));
            insert(&mut change, "enabled", matches.get_one::<bool>("enabled"));
            let sink: AuditSink = api.patch(&["audit", "sinks", &id], &change).await?;
            list(&AuditSinks { items: vec![sink] }, matches)
        }
        "rotate" => {
            let credential = credential(matches)?;
            let path = ["audit", "sinks", &id, "secret"];
            let sink: AuditSink = api.post(&path, &credential).await?;
            told(&sink, matches, secret)
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
    let guessed = if url.starts_with("tls://") { SinkKind::Syslog } else { SinkKind::Webhook };
    let kind = matches.get_one::<String>("kind").map_or(guessed.as_str(), String::as_str);
    let mut new = asked_for(matches)?;
    new.insert("name".into(), json!(name));
    new.insert("kind".into(), json!(kind));
    new.insert("url".into(), json!(url));
    insert(&mut new, "start", matches.get_one::<String>("start"));
    let credential = credential(matches)?;
    if !credential.is_empty() {
        new.insert("credential".into(), Value::Object(credential));
    }
    let made: AuditSink = api.post(&["audit", "sinks"], &new).await?;
    told(&made, matches, secret)
}

/// What there is to say of a secret.
fn secret(sink: &AuditSink) -> String {
    let id = sink.id;
    match (&sink.secret, &sink.credential) {
        (Some(secret), _) => {
            let mut text = format!(
                "{id}\n  secret  {secret}\nIt signs every delivery, and is not shown again."
            );
            if let Some(until) = sink.previous_until {
                let until = until.format("%Y-%m-%d %H:%M UTC");
                write!(text, " The one before signs beside it until {until}.").ok();
            }
            text
        }
        (None, Some(credential)) => format!("{id}\n  known by  {credential}"),
        (None, None) => id.to_string(),
    }
}

fn asked_for(matches: &ArgMatches) -> anyhow::Result<Map<String, Value>> {
    let mut asked = Map::new();
    for name in ["format", "region"] {
        insert(&mut asked, name, matches.get_one::<String>(name));
    }
    insert(&mut asked, "ca_pem", file(matches, "ca")?.as_ref());
    insert(&mut asked, "batch_size", matches.get_one::<u32>("batch-size"));
    insert(&mut asked, "flush_seconds", matches.get_one::<u32>("flush-seconds"));
    Ok(asked)
}

fn credential(matches: &ArgMatches) -> anyhow::Result<Map<String, Value>> {
    let mut credential = Map::new();
    insert(&mut credential, "access_key_id", matches.get_one::<String>("access-key-id"));
    for (field, option) in [
        ("secret_access_key", "secret-access-key-file"),
        ("session_token", "session-token-file"),
        ("client_certificate", "client-certificate"),
        ("client_key", "client-key"),
    ] {
        let text = file(matches, option)?.map(|text| text.trim().to_owned());
        insert(&mut credential, field, text.as_ref());
    }
    Ok(credential)
}

fn insert(map: &mut Map<String, Value>, name: &str, value: Option<&impl serde::Serialize>) {
    if let Some(value) = value {
        map.insert(name.to_owned(), json!(value));
    }
}

fn file(matches: &ArgMatches, option: &str) -> anyhow::Result<Option<String>> {
    let Some(path) = matches.get_one::<String>(option) else { return Ok(None) };
    let read = if path == "-" {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map(Some).with_context(|| format!("{path} cannot be read"))
}

fn list(sinks: &AuditSinks, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let rows = sinks.items.iter().map(|sink| {
        let ill = sink.failure.as_ref().filter(|_| sink.state != SinkState::Active);
        [
            sink.id.to_string(),
            sink.name.as_str().to_owned(),
            format!("{} ({})", sink.kind, sink.format),
            sink.state.to_string(),
            sink.next_index.to_string(),
            sink.behind.to_string(),
            sink.url.clone(),
            ill.cloned().unwrap_or_default(),
        ]
    });
    let heads = ["Id", "Name", "Kind", "State", "Next", "Behind", "Address", "Why"];
    told(sinks, matches, |_| table(heads, rows))
}
