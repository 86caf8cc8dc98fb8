//! `ralex alerts rules`: who is told of which alerts, and where.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::alerts::{
    AlertDelivery, AlertKind, AlertRule, AlertRuleTested, AlertRules, QuietHours, Severity,
};
use ralex_api::page::PageQuery;
use ralex_kernel::{AlertRuleId, Name};
use serde_json::{Map, Value, json};

use crate::cli::Environment;
use crate::cli::api::{self, Api};
use crate::cli::table::{asked, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let id =
        || Arg::new("id").value_name("ID").required(true).value_parser(value_parser!(AlertRuleId));
    let of = |name: &'static str, about: &'static str| Command::new(name).about(about);
    let name = Arg::new("name").value_name("NAME").required(true);
    let name = name.value_parser(value_parser!(Name)).help("What the rule is called");
    api::flags(of("rules", "See and set who is told of which alerts"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(json_flag())
        .subcommand(of("list", "List rules, and how their channels fare"))
        .subcommand(
            what(of("add", "Tell somebody; the secrets of webhooks are printed once").arg(name))
                .group(channels().required(true)),
        )
        .subcommand(
            what(of("update", "Change a rule; what is not given stays").arg(id()))
                .arg(flag("name", "NAME", "What it is called").value_parser(value_parser!(Name)))
                .arg(
                    flag("enabled", "BOOL", "false switches it off, true on")
                        .value_parser(value_parser!(bool)),
                )
                .arg(
                    Arg::new("no-quiet")
                        .long("no-quiet")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("quiet")
                        .help("No quiet hours; what they hold back goes out"),
                )
                .group(channels()),
        )
        .subcommand(of("test", "Send each channel something that is no alert").arg(id()))
        .subcommand(
            of("deliveries", "List what a rule told, and what came of it")
                .arg(id())
                .arg(limit_flag()),
        )
        .subcommand(of("remove", "Delete a rule; what waits is not sent").arg(id()))
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn channels() -> ArgGroup {
    ArgGroup::new("channels").args(["email", "webhook"]).multiple(true)
}

/// What a rule says.
fn what(command: Command) -> Command {
    let kinds: Vec<_> = AlertKind::ALL.iter().map(|it| it.as_str()).collect();
    let severities: Vec<_> = Severity::ALL.iter().map(|it| it.as_str()).collect();
    command
        .arg(
            flag("email", "ADDRESS", "Tell this address; may be given often")
                .action(ArgAction::Append),
        )
        .arg(
            flag("webhook", "URL", "Tell this webhook; may be given often")
                .action(ArgAction::Append),
        )
        .arg(
            flag("kind", "KIND", "Only of this kind; may be given often; all that are usual without it")
                .action(ArgAction::Append)
                .value_parser(PossibleValuesParser::new(kinds)),
        )
        .arg(
            flag("least-severity", "SEVERITY", "Only what matters as much or more")
                .value_parser(PossibleValuesParser::new(severities)),
        )
        .arg(flag("scope", "SCOPE", "org, team:SLUG, project:SLUG or budget:ID"))
        .arg(
            flag("quiet", "HOURS", "Quiet hours, `22:00-07:00 Europe/Oslo mon,tue` for example; every day where none is named")
                .value_parser(quiet),
        )
}

/// Reads `22:00-07:00 Europe/Oslo mon,tue`; what it says is for the server to check.
fn quiet(text: &str) -> Result<QuietHours, &'static str> {
    let mut words = text.split_whitespace();
    let times = words.next().and_then(|times| times.split_once('-'));
    let (Some((from, to)), Some(zone)) = (times, words.next()) else {
        return Err("must be times and a zone such as `22:00-07:00 Europe/Oslo`");
    };
    let all = "mon,tue,wed,thu,fri,sat,sun";
    let days = words.next().unwrap_or(all).split(',').map(ralex_api::alerts::Day::named);
    let days: Option<Vec<_>> = days.collect();
    Ok(QuietHours {
        time_zone: zone.to_owned(),
        from: from.to_owned(),
        to: to.to_owned(),
        days: days.ok_or("names days as mon,tue,wed,thu,fri,sat,sun")?,
    })
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => {
            let rules: AlertRules = api.get(&["alert-rules"], &()).await?;
            return told(&rules, matches, |rules| shown(&rules.items));
        }
        "add" => {
            let made: AlertRule = api.post(&["alert-rules"], &said(matches)).await?;
            return told(&made, matches, |made| shown(std::slice::from_ref(made)));
        }
        _ => {}
    }
    let Some(id) = matches.get_one::<AlertRuleId>("id") else { return Ok(ExitCode::from(3)) };
    let id = id.to_string();
    let path = ["alert-rules", &id];
    match verb {
        "update" => {
            let change = said(matches);
            if change.is_empty() {
                bail!("Nothing is to be changed: name what is, --scope for example.");
            }
            let changed: AlertRule = api.patch(&path, &change).await?;
            told(&changed, matches, |changed| shown(std::slice::from_ref(changed)))
        }
        "test" => {
            let tested: AlertRuleTested =
                api.post(&["alert-rules", &id, "test"], &json!({})).await?;
            told(&tested, matches, tested_shown)?;
            let all = tested.channels.iter().all(|it| it.delivered);
            Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        "deliveries" => {
            let limit = matches.get_one::<u32>("limit").copied();
            let query = PageQuery { cursor: None, limit };
            let page: Page<AlertDelivery> =
                api.get(&["alert-rules", &id, "deliveries"], &query).await?;
            told(&page, matches, |page| deliveries(&page.items))
        }
        _ => {
            api.delete(&path).await?;
            let gone = json!({ "id": id, "deleted": true });
            told(&gone, matches, |_| format!("{id} tells nobody any more"))
        }
    }
}

/// What the flags say of a rule.
fn said(matches: &ArgMatches) -> Map<String, Value> {
    let mut said = Map::new();
    let texts = |name: &str| -> Vec<String> {
        matches.get_many(name).map(|all| all.cloned().collect()).unwrap_or_default()
    };
    let of = |kind: &'static str| {
        texts(kind).into_iter().map(move |to| json!({ "kind": kind, "to": to }))
    };
    let channels: Vec<Value> = of("email").chain(of("webhook")).collect();
    if !channels.is_empty() {
        said.insert("channels".to_owned(), Value::Array(channels));
    }
    let kinds = texts("kind");
    if !kinds.is_empty() {
        said.insert("kinds".to_owned(), json!(kinds));
    }
    for (flag, field) in [("least-severity", "least_severity"), ("scope", "scope")] {
        if let Some(text) = matches.get_one::<String>(flag) {
            said.insert(field.to_owned(), json!(text));
        }
    }
    if let Some(name) = matches.get_one::<Name>("name") {
        said.insert("name".to_owned(), json!(name));
    }
    if let Some(quiet) = matches.get_one::<QuietHours>("quiet") {
        said.insert("quiet".to_owned(), json!(quiet));
    }
    if let Ok(Some(enabled)) = matches.try_get_one::<bool>("enabled") {
        said.insert("enabled".to_owned(), json!(enabled));
    }
    if let Ok(Some(true)) = matches.try_get_one::<bool>("no-quiet") {
        said.insert("quiet".to_owned(), Value::Null);
    }
    said
}

fn shown(rules: &[AlertRule]) -> String {
    let rows = rules.iter().flat_map(|rule| {
        let kinds: Vec<&str> = rule.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = if kinds.is_empty() { "usual".to_owned() } else { kinds.join(", ") };
        let state = if rule.enabled { "on" } else { "off" };
        rule.channels.iter().map(move |channel| {
            let fares = channel.failure.clone().unwrap_or_else(|| "well".to_owned());
            [
                rule.id.to_string(),
                rule.name.to_string(),
                state.to_owned(),
                rule.scope.clone(),
                format!("{kinds} from {}", rule.least_severity),
                format!("{} {}", channel.kind, channel.to),
                fares,
            ]
        })
    });
    let mut text = table(["Id", "Name", "State", "Scope", "Of", "Tells", "Fares"], rows);
    for channel in rules.iter().flat_map(|rule| &rule.channels) {
        if let Some(secret) = &channel.secret {
            let to = &channel.to;
            // A text takes whatever is written to it.
            write!(text, "\n\nSigns for {to}, and is not shown again: {secret}").ok();
        }
    }
    text
}

fn tested_shown(tested: &AlertRuleTested) -> String {
    let rows = tested.channels.iter().map(|it| {
        let taken = if it.delivered { "taken" } else { "not taken" };
        let took = format!("{} ms", it.duration_ms);
        [format!("{} {}", it.kind, it.to), taken.to_owned(), it.detail.clone(), took]
    });
    table(["Channel", "Outcome", "What it says", "Took"], rows)
}

fn deliveries(items: &[AlertDelivery]) -> String {
    let rows = items.iter().map(|it| {
        [
            it.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            format!("{} {}", it.kind, it.to),
            it.state.to_string(),
            it.attempts.to_string(),
            it.alert_title.clone(),
            it.failure.clone().unwrap_or_default(),
        ]
    });
    table(["When", "Channel", "State", "Tries", "What", "Why not"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_are_read_from_one_line() {
        let read = quiet("22:00-07:00 Europe/Oslo mon,tue").unwrap();
        assert_eq!((read.from.as_str(), read.to.as_str()), ("22:00", "07:00"));
        assert_eq!((read.time_zone.as_str(), read.days.len()), ("Europe/Oslo", 2));
        assert_eq!(quiet("22:00-07:00 UTC").unwrap().days.len(), 7);
        assert!(quiet("22:00").is_err());
        assert!(quiet("22:00-07:00 UTC someday").is_err());
    }
}
