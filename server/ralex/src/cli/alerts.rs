//! `ralex alerts`: what happened that one should know of, and who is told.

mod rules;

use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::alerts::{
    Alert, AlertKind, AlertKinds, AlertState, AlertsQuery, AlertsUnread, DeliveryState, ReadAlerts,
    Severity,
};
use ralex_kernel::AlertId;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let id = || Arg::new("id").value_name("ID").required(true).value_parser(value_parser!(AlertId));
    api::flags(Command::new("alerts").about("See and end alerts, and set who is told of them"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(json_flag())
        .subcommand(list_command())
        .subcommand(Command::new("kinds").about("List what there are alerts of"))
        .subcommand(Command::new("show").about("Show one, and whom it was told").arg(id()))
        .subcommand(
            Command::new("ack")
                .about("Take one on, so that others know that somebody looks after it")
                .arg(id()),
        )
        .subcommand(Command::new("resolve").about("End one; most end by themselves").arg(id()))
        .subcommand(
            Command::new("read").about("Mark alerts as read, for yourself").arg(
                Arg::new("ids")
                    .value_name("ID")
                    .action(ArgAction::Append)
                    .num_args(0..)
                    .value_parser(value_parser!(AlertId))
                    .help("All that there are, where none is named"),
            ),
        )
        .subcommand(rules::command())
}

fn list_command() -> Command {
    let of = |name: &'static str, help: &'static str, words: Vec<&'static str>| {
        let parser = PossibleValuesParser::new(words);
        Arg::new(name).long(name).value_parser(parser).help(help)
    };
    let states = AlertState::ALL.iter().map(|it| it.as_str()).chain(["all"]).collect();
    Command::new("list").about("List alerts, the newest first").args([
        of("state", "Only those in this state", states).default_value(AlertState::Open.as_str()),
        of("kind", "Only of this kind", AlertKind::ALL.iter().map(|it| it.as_str()).collect()),
        of(
            "least-severity",
            "Only what matters as much or more",
            Severity::ALL.iter().map(|it| it.as_str()).collect(),
        ),
        Arg::new("subject")
            .long("subject")
            .value_name("SUBJECT")
            .help("Only what is about this, budget:ID for example"),
        Arg::new("unread")
            .long("unread")
            .action(ArgAction::SetTrue)
            .help("Only what you have not read"),
        limit_flag(),
    ])
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    if verb == "rules" {
        return rules::run(matches, environment);
    }
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => return list(api, matches).await,
        "kinds" => {
            let kinds: AlertKinds = api.get(&["alerts", "kinds"], &()).await?;
            return told(&kinds, matches, kinds_shown);
        }
        "read" => {
            let ids: Vec<AlertId> =
                matches.get_many("ids").map(|ids| ids.copied().collect()).unwrap_or_default();
            let alerts = (!ids.is_empty()).then_some(ids);
            let left: AlertsUnread = api.post(&["alerts", "read"], &ReadAlerts { alerts }).await?;
            return told(&left, matches, |left| format!("{} left to read", left.unread));
        }
        _ => {}
    }
    let Some(id) = matches.get_one::<AlertId>("id") else { return Ok(ExitCode::from(3)) };
    let id = id.to_string();
    let alert: Alert = match verb {
        "ack" => api.post(&["alerts", &id, "acknowledge"], &json!({})).await?,
        "resolve" => api.post(&["alerts", &id, "resolve"], &json!({})).await?,
        _ => api.get(&["alerts", &id], &()).await?,
    };
    told(&alert, matches, shown)
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let word = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let query = AlertsQuery {
        limit: matches.get_one::<u32>("limit").copied(),
        state: word("state").and_then(AlertState::named),
        kind: word("kind").and_then(AlertKind::named),
        least_severity: word("least-severity").and_then(Severity::named),
        subject: word("subject").map(str::to_owned),
        unread: matches.get_flag("unread").then_some(true),
        cursor: None,
    };
    let page: Page<Alert> = api.get(&["alerts"], &query).await?;
    told(&page, matches, |page| {
        let rows = page.items.iter().map(|it| {
            let raised = it.raised_at.format("%Y-%m-%d %H:%M UTC").to_string();
            let (severity, state) = (it.severity.to_string(), it.state.to_string());
            [it.id.to_string(), raised, severity, state, delivered(it), it.title.clone()]
        });
        table(["Id", "Raised", "Severity", "State", "Told", "What"], rows)
    })
}

/// `2 sent`, `1 sent, 1 gave_up`.
fn delivered(alert: &Alert) -> String {
    let count = |state: DeliveryState| {
        let count = alert.deliveries.iter().filter(|it| it.state == state).count();
        (count > 0).then(|| format!("{count} {state}"))
    };
    let parts: Vec<String> = DeliveryState::ALL.iter().copied().filter_map(count).collect();
    if parts.is_empty() { "inbox".to_owned() } else { parts.join(", ") }
}

fn shown(alert: &Alert) -> String {
    let mut all = vec![
        ("title", alert.title.clone()),
        ("kind", alert.kind.to_string()),
        ("severity", alert.severity.to_string()),
        ("state", alert.state.to_string()),
        ("about", format!("{} ({})", alert.subject_name, alert.subject)),
        ("where", alert.scope.clone()),
        ("raised", alert.raised_at.to_rfc3339()),
        ("times", alert.occurrences.to_string()),
        ("detail", alert.detail.to_string()),
    ];
    all.extend(alert.event.map(|event| ("audit event", event.to_string())));
    all.extend(alert.acknowledged_by.clone().map(|who| ("taken on by", who)));
    all.extend(alert.resolved_at.map(|at| ("ended", at.to_rfc3339())));
    for it in &alert.deliveries {
        let why = it.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        all.push(("told", format!("{} {} {}{why}", it.kind, it.to, it.state)));
    }
    facts(&alert.id.to_string(), &all)
}

fn kinds_shown(kinds: &AlertKinds) -> String {
    let rows = kinds.items.iter().map(|it| {
        let usual = if it.usual { "yes" } else { "" };
        [it.kind.to_string(), it.severity.to_string(), usual.to_owned(), it.name.clone()]
    });
    table(["Kind", "Severity", "Usual", "What"], rows)
}
