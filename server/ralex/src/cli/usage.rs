//! `ralex usage`: what was called and what it cost, what is likely to come, and what is unusual.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::forecast::{Anomalies, AnomalyQuery, BudgetForecastQuery, Forecast, ForecastQuery};
use ralex_api::usage::{CallExportQuery, GroupBy, Usage, UsageFormat, UsageQuery};
use ralex_kernel::{BudgetId, Money};
use ralex_store::Db;
use tokio::io::AsyncWriteExt;

use super::api::{self, Api};
use super::table::{asked, facts, json_flag, table, told};
use super::{Environment, replay, with_settings};
use crate::database::Database;
use crate::say;
use crate::settings::{self, Settings};

pub fn command() -> Command {
    let of_server = [
        filters(report_command()).arg(json_flag()),
        filters(forecast_command()).arg(json_flag()),
        anomalies_command().arg(json_flag()),
        filters(calls_command()),
    ];
    Command::new("usage")
        .about("See what was called, what it cost and what is likely to come")
        .subcommand_required(true)
        .subcommands(of_server.map(api::flags))
        .subcommand(replay::command())
        .subcommand(settings::flags(
            Command::new("rebuild")
                .about("Compare all sums of usage with the calls, and put right what differs"),
        ))
}

fn report_command() -> Command {
    let top = Arg::new("top").long("top").value_name("NUMBER");
    let csv = Arg::new("csv").long("csv").action(ArgAction::SetTrue);
    let zone = Arg::new("time-zone").long("time-zone").value_name("ZONE");
    Command::new("report").about("Sum up what was called and what it cost").args([
        by("model"),
        time("from"),
        time("to"),
        top.value_parser(value_parser!(u32).range(1..=1_000))
            .help("Only so many, those that cost most, and the sum of the rest"),
        zone.help(
            "Whose midnights days are told apart by, Europe/Berlin for example; UTC when absent",
        ),
        csv.help("Answer as a table"),
    ])
}

fn forecast_command() -> Command {
    let budget = Arg::new("budget").long("budget").value_name("BUDGET");
    let limit = Arg::new("amount").long("limit").value_name("DOLLARS");
    Command::new("forecast")
        .about(
            "Foretell what will have been spent by the end of this month, or of a budget's period",
        )
        .args([
            budget
                .value_parser(value_parser!(BudgetId))
                .conflicts_with_all(["from", "until"])
                .help("Of a budget, by its id"),
            time("from"),
            time("until"),
            limit.value_parser(value_parser!(Money)).help("What if this were the limit?"),
        ])
}

fn anomalies_command() -> Command {
    let days = Arg::new("days").long("days").value_name("NUMBER");
    Command::new("anomalies").about("Find hours that cost far more than their likes").args([
        by("team"),
        days.value_parser(value_parser!(u32).range(1..=31))
            .help("Of the last so many days; 7 when absent"),
    ])
}

fn calls_command() -> Command {
    let format = Arg::new("format").long("format").default_value("jsonl");
    Command::new("calls").about("Export single calls that ended, oldest first").args([
        time("from"),
        time("to"),
        format
            .value_parser(PossibleValuesParser::new(["jsonl", "csv"]))
            .help("One JSON object a line, or a table"),
    ])
}

fn by(usual: &'static str) -> Arg {
    let groups = GroupBy::ALL.iter().map(|group| group.as_str());
    Arg::new("by")
        .long("by")
        .value_name("GROUP")
        .value_parser(PossibleValuesParser::new(groups))
        .default_value(usual)
        .help("What is told apart")
}

pub fn time(name: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("TIME")
        .value_parser(value_parser!(DateTime<Utc>))
        .help("A moment, 2026-03-01T00:00:00Z for example")
}

/// What calls have to be of.
fn filters(command: Command) -> Command {
    let of = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("NAME").help(help)
    };
    command.next_help_heading("Only calls of").args([
        of("team", "A team, by slug or id"),
        of("project", "A project, by slug or id"),
        of("user", "A person, by e-mail address or id"),
        of("service-account", "A service account, by slug or id"),
        of("token", "A token, by its id"),
        of("provider", "A provider, by its slug"),
        of("model", "A model, by its name"),
        of("task-type", "What routing took them for"),
        of("tag", "A tag of the caller's"),
    ])
}

fn named(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

pub fn at(matches: &ArgMatches, name: &str) -> Option<DateTime<Utc>> {
    matches.get_one(name).copied()
}

fn group(matches: &ArgMatches) -> GroupBy {
    named(matches, "by").and_then(|name| GroupBy::named(&name)).unwrap_or_default()
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some(("replay", matches)) => replay::run(matches, environment),
        Some(("rebuild", matches)) => with_settings(matches, environment, rebuild),
        Some((verb, matches)) => {
            asked(matches, environment, async |api| act(&api, verb, matches).await)
        }
        None => ExitCode::from(3),
    }
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "report" => report(api, matches).await,
        "forecast" => forecast(api, matches).await,
        "anomalies" => {
            let days = matches.get_one("days").copied();
            let query = AnomalyQuery { group_by: group(matches), days };
            let found: Anomalies = api.get(&["usage", "anomalies"], &query).await?;
            told(&found, matches, unusual)
        }
        _ => calls(api, matches).await,
    }
}

fn question(matches: &ArgMatches) -> UsageQuery {
    UsageQuery {
        from: at(matches, "from"),
        team: named(matches, "team"),
        project: named(matches, "project"),
        user: named(matches, "user"),
        service_account: named(matches, "service-account"),
        token: named(matches, "token"),
        provider: named(matches, "provider"),
        model: named(matches, "model"),
        task_type: named(matches, "task-type"),
        tag: named(matches, "tag"),
        ..UsageQuery::default()
    }
}

async fn report(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let query = UsageQuery {
        group_by: group(matches),
        to: at(matches, "to"),
        top: matches.get_one("top").copied(),
        time_zone: named(matches, "time-zone"),
        ..question(matches)
    };
    if matches.get_flag("csv") {
        let query = UsageQuery { format: UsageFormat::Csv, ..query };
        return save(api.download(&["usage"], &query).await?).await;
    }
    let usage: Usage = api.get(&["usage"], &query).await?;
    told(&usage, matches, summed_up)
}

fn summed_up(usage: &Usage) -> String {
    let line = |name: String, sums: &ralex_api::usage::UsageSums| {
        [
            name,
            sums.calls.to_string(),
            sums.failed.to_string(),
            sums.refused.to_string(),
            sums.input_tokens.to_string(),
            sums.output_tokens.to_string(),
            format!("${}", sums.cost),
        ]
    };
    let rows = usage.rows.iter().map(|row| line(row.name.clone(), &row.sums));
    let rest = usage.rest.iter().map(|rest| line(format!("{} more", rest.rows), &rest.sums));
    let total = std::iter::once(line("In all".to_owned(), &usage.total));
    let heads = ["Name", "Calls", "Failed", "Refused", "Tokens in", "Tokens out", "Cost"];
    table(heads, rows.chain(rest).chain(total))
}

async fn forecast(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let limit = matches.get_one("amount").copied();
    if let Some(budget) = matches.get_one::<BudgetId>("budget") {
        let path = ["budgets", &budget.to_string(), "forecast"];
        let answer: Forecast = api.get(&path, &BudgetForecastQuery { limit }).await?;
        return told(&answer, matches, |answer| foretold("Spend", answer));
    }
    let only = question(matches);
    let query = ForecastQuery {
        from: only.from,
        until: at(matches, "until"),
        limit,
        team: only.team,
        project: only.project,
        user: only.user,
        service_account: only.service_account,
        token: only.token,
        provider: only.provider,
        model: only.model,
        task_type: only.task_type,
        tag: only.tag,
    };
    let answer: Forecast = api.get(&["usage", "forecast"], &query).await?;
    told(&answer, matches, |answer| foretold("Spend", answer))
}

fn foretold(name: &str, forecast: &Forecast) -> String {
    let mut said = vec![
        ("from", forecast.from.to_rfc3339()),
        ("until", forecast.until.to_rfc3339()),
        ("spent", format!("${}", forecast.spent)),
    ];
    said.extend(forecast.limit.map(|limit| ("limit", format!("${limit}"))));
    said.extend(forecast.trend_percent.map(|trend| ("last week", format!("{trend:+.0} %"))));
    match &forecast.expected {
        None => said.push((
            "expected",
            format!("unknown, with {} hours of history", forecast.history_hours),
        )),
        Some(expected) => {
            said.push(("expected", format!("${}", expected.middle)));
            said.push(("80 % between", format!("${} and ${}", expected.low, expected.high)));
            let passes = expected.passes_limit.filter(|chance| *chance > 0.0);
            said.extend(passes.map(|chance| {
                let when =
                    expected.passes_limit_at.map(|at| format!(", about {}", at.to_rfc3339()));
                let percent = chance * 100.0;
                ("passes the limit", format!("{percent:.0} %{}", when.unwrap_or_default()))
            }));
        }
    }
    facts(name, &said)
}

fn unusual(found: &Anomalies) -> String {
    if found.items.is_empty() {
        return format!("Nothing unusual since {}", found.from.to_rfc3339());
    }
    let rows = found.items.iter().map(|it| {
        let (cost, usual) = (format!("${}", it.cost), format!("${}", it.usual));
        [it.at.to_rfc3339(), it.name.clone(), it.calls.to_string(), cost, usual]
    });
    table(["Hour", "Name", "Calls", "Cost", "Usual"], rows)
}

async fn calls(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let only = question(matches);
    let query = CallExportQuery {
        format: match named(matches, "format").as_deref() {
            Some("csv") => UsageFormat::Csv,
            _ => UsageFormat::Json,
        },
        from: only.from,
        to: at(matches, "to"),
        team: only.team,
        project: only.project,
        user: only.user,
        service_account: only.service_account,
        token: only.token,
        provider: only.provider,
        model: only.model,
        task_type: only.task_type,
        tag: only.tag,
    };
    save(api.download(&["calls", "export"], &query).await?).await
}

/// Writes a file that may be large to the standard output as it comes.
pub async fn save(mut answer: reqwest::Response) -> anyhow::Result<ExitCode> {
    let from = answer.headers().get("X-Ralex-Records-From").and_then(|from| from.to_str().ok());
    if let Some(from) = from {
        say::problem(&format!("records of calls that began before {from} were pruned"));
    }
    let mut out = tokio::io::stdout();
    while let Some(part) = answer.chunk().await.context("the server broke off")? {
        out.write_all(&part).await?;
    }
    out.flush().await?;
    Ok(ExitCode::SUCCESS)
}

async fn rebuild(settings: Settings) -> anyhow::Result<()> {
    let running = match settings.database_url {
        Some(_) => None,
        None => ralex_store::BuiltIn::running(&settings.data_dir),
    };
    let wrong = if let Some(url) = running {
        anew(&url).await?
    } else {
        let database = Database::start_existing(&settings).await?;
        let wrong = anew(database.url()).await;
        database.stop().await;
        wrong?
    };
    say::line(&format!("done: {wrong} sums were wrong and have been made anew from the calls"));
    Ok(())
}

async fn anew(url: &str) -> anyhow::Result<u64> {
    let db = Db::connect(url, 2).await?;
    let wrong = ralex_usage::rebuild(&db).await?;
    db.close().await;
    Ok(wrong)
}
