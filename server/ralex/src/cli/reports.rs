//! `ralex reports`: compliance reports, asked for, waited for and fetched.

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::reports::{
    Frameworks, Report, ReportEvery, ReportFormat, ReportKind, ReportQuery, ReportSchedule,
    ReportSchedules, ReportState,
};
use ralex_kernel::{ReportId, ReportScheduleId};
use serde_json::{Map, Value, json};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

const LOOK_AGAIN: Duration = Duration::from_millis(500);

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn words(all: impl Iterator<Item = &'static str>) -> PossibleValuesParser {
    PossibleValuesParser::new(all.collect::<Vec<_>>())
}

fn kind() -> Arg {
    Arg::new("kind")
        .value_name("KIND")
        .required(true)
        .value_parser(words(ReportKind::ALL.iter().map(|kind| kind.as_str())))
}

pub fn command() -> Command {
    let id =
        || Arg::new("report").value_name("ID").required(true).value_parser(value_parser!(ReportId));
    let formats = || words(ReportFormat::ALL.iter().map(|format| format.as_str()));
    api::flags(Command::new("reports").about("Make and fetch compliance reports"))
        .subcommand_required(true)
        .arg(json_flag())
        .subcommand(Command::new("list").about("List reports").arg(limit_flag()))
        .subcommand(Command::new("get").about("Show one report and its hashes").arg(id()))
        .subcommand(
            narrowed(Command::new("create").about("Ask for a report, and wait until it is made"))
                .arg(kind())
                .arg(option("from", "TIME", "From when, such as 2026-01-01T00:00:00Z"))
                .arg(option("to", "TIME", "Before when; now when absent"))
                .arg(
                    Arg::new("no-wait")
                        .long("no-wait")
                        .action(ArgAction::SetTrue)
                        .help("Do not wait until it is made"),
                ),
        )
        .subcommand(
            Command::new("download")
                .about("Fetch a file of a report")
                .arg(id())
                .arg(
                    option("format", "FORMAT", "Which file")
                        .default_value(ReportFormat::Pdf.as_str())
                        .value_parser(formats()),
                )
                .arg(option("output", "FILE", "Where to write it; - for standard output")),
        )
        .subcommand(Command::new("delete").about("Delete a report and its files").arg(id()))
        .subcommand(
            Command::new("frameworks")
                .about("Show controls, and what evidence there is for each")
                .arg(Arg::new("framework").value_name("NAME").help("Only this one, such as soc2")),
        )
        .subcommand(schedules())
}

fn schedules() -> Command {
    let id = Arg::new("schedule")
        .value_name("ID")
        .required(true)
        .value_parser(value_parser!(ReportScheduleId));
    let add = Command::new("add")
        .about("Have a report made of each week, month or quarter when it has ended")
        .arg(Arg::new("name").value_name("NAME").required(true))
        .arg(kind())
        .arg(
            option("every", "EVERY", "How often")
                .required(true)
                .value_parser(words(ReportEvery::ALL.iter().map(|every| every.as_str()))),
        )
        .arg(
            option("day", "DAY", "The day of the week (1 is Monday), month or quarter")
                .default_value("1")
                .value_parser(value_parser!(u8)),
        )
        .arg(option("hour", "HOUR", "The hour").default_value("6").value_parser(value_parser!(u8)))
        .arg(option("time-zone", "ZONE", "An IANA name; UTC when absent"))
        .arg(
            option("recipient", "EMAIL", "Who gets it by e-mail; may be given again")
                .action(ArgAction::Append),
        );
    Command::new("schedules")
        .about("See and set what asks for reports again and again")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("List schedules"))
        .subcommand(narrowed(add))
        .subcommand(Command::new("remove").about("Ask no more; reports stay").arg(id))
}

fn narrowed(command: Command) -> Command {
    command
        .arg(option("team", "SLUG", "Of an access review or register: only this team"))
        .arg(option("person", "EMAIL", "Of a data-subject pack: whom it is about"))
        .arg(option("actor", "ACTOR", "Of an extract: only what this actor did"))
        .arg(option(
            "action",
            "ACTION",
            "Of an extract: only this action, or all of a subject (budget.*)",
        ))
        .arg(option("target", "TARGET", "Of an extract: only what was done to this"))
        .arg(option("outcome", "OUTCOME", "Of an extract: only what ended so"))
        .arg(
            option("sample", "SIZE", "A random sample of so many")
                .value_parser(value_parser!(u32).range(1..=500)),
        )
        .arg(option("seed", "SEED", "The sample's seed; drawn when absent").requires("sample"))
        .arg(
            option("formats", "FORMAT", "Which files; all of the kind when absent")
                .value_delimiter(',')
                .action(ArgAction::Append),
        )
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let id = matches.try_get_one::<ReportId>("report").ok().flatten().map(ToString::to_string);
    match (verb, id) {
        ("list", _) => {
            let limit = matches.get_one::<u32>("limit").copied();
            let query = ReportQuery { limit, ..ReportQuery::default() };
            let page: Page<Report> = api.get(&["reports"], &query).await?;
            told(&page, matches, list)
        }
        ("create", _) => create(api, matches).await,
        ("get", Some(id)) => {
            let report: Report = api.get(&["reports", &id], &()).await?;
            told(&report, matches, words_of)
        }
        ("download", Some(id)) => download(api, &id, matches).await,
        ("delete", Some(id)) => {
            api.delete(&["reports", &id]).await?;
            told(&json!({ "id": id, "deleted": true }), matches, |_| format!("{id} is deleted"))
        }
        ("frameworks", _) => {
            let mut all: Frameworks = api.get(&["compliance", "frameworks"], &()).await?;
            if let Some(name) = matches.get_one::<String>("framework") {
                all.items.retain(|framework| framework.name == *name);
                if all.items.is_empty() {
                    bail!("There is no framework {name}.");
                }
            }
            told(&all, matches, controls)
        }
        ("schedules", _) => {
            let Some((verb, matches)) = matches.subcommand() else { return Ok(ExitCode::from(3)) };
            schedule(api, verb, matches).await
        }
        _ => Ok(ExitCode::from(3)),
    }
}

/// What is asked for, as the API takes it.
fn wanted(matches: &ArgMatches) -> Map<String, Value> {
    let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
    let mut filters = Map::new();
    for name in ["team", "person", "actor", "action", "target", "outcome"] {
        filters.extend(text(name).map(|value| (name.to_owned(), json!(value))));
    }
    let mut new = Map::new();
    new.extend(text("kind").map(|kind| ("kind".to_owned(), json!(kind))));
    new.insert("filters".to_owned(), Value::Object(filters));
    if let Some(formats) = matches.get_many::<String>("formats") {
        new.insert("formats".to_owned(), json!(formats.collect::<Vec<_>>()));
    }
    if let Some(size) = matches.get_one::<u32>("sample") {
        new.insert("sample".to_owned(), json!({ "size": size, "seed": text("seed") }));
    }
    new
}

async fn create(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut new = wanted(matches);
    for name in ["from", "to"] {
        let value = matches.get_one::<String>(name);
        new.extend(value.map(|value| (name.to_owned(), json!(value))));
    }
    let mut report: Report = api.post(&["reports"], &new).await?;
    let id = report.id.to_string();
    while !matches.get_flag("no-wait")
        && matches!(report.state, ReportState::Queued | ReportState::Running)
    {
        tokio::time::sleep(LOOK_AGAIN).await;
        report = api.get(&["reports", &id], &()).await?;
    }
    told(&report, matches, words_of)?;
    Ok(if report.state == ReportState::Failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn download(api: &Api, id: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let format = matches.get_one::<String>("format").cloned().unwrap_or_default();
    let path = ["reports", id, "download"];
    let mut answer = api.download(&path, &[("format", &format)]).await?;
    let header = |name: &str| {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (hash, named) = (header("x-ralex-sha256"), header("content-disposition"));
    let usual = named.split('"').nth(1).unwrap_or("report").to_owned();
    let output = matches.get_one::<String>("output").cloned().unwrap_or(usual);
    if output == "-" {
        let mut out = std::io::stdout().lock();
        while let Some(chunk) = answer.chunk().await.context("the server broke off")? {
            out.write_all(&chunk)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut file = File::create(&output).with_context(|| format!("{output} cannot be written"))?;
    while let Some(chunk) = answer.chunk().await.context("the server broke off")? {
        file.write_all(&chunk)?;
    }
    let done = json!({ "file": output, "sha256": hash });
    told(&done, matches, |_| format!("{output}\n  sha256  {hash}"))
}

async fn schedule(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => {
            let all: ReportSchedules = api.get(&["report-schedules"], &()).await?;
            told(&all, matches, |all| scheduled(&all.items))
        }
        "add" => {
            let mut new = wanted(matches);
            for name in ["name", "every"] {
                let value = matches.get_one::<String>(name);
                new.extend(value.map(|value| (name.to_owned(), json!(value))));
            }
            for name in ["day", "hour"] {
                let value = matches.get_one::<u8>(name);
                new.extend(value.map(|value| (name.to_owned(), json!(value))));
            }
            let zone = matches.get_one::<String>("time-zone");
            new.extend(zone.map(|zone| ("time_zone".to_owned(), json!(zone))));
            if let Some(all) = matches.get_many::<String>("recipient") {
                new.insert("recipients".to_owned(), json!(all.collect::<Vec<_>>()));
            }
            let made: ReportSchedule = api.post(&["report-schedules"], &new).await?;
            told(&made, matches, |made| scheduled(std::slice::from_ref(made)))
        }
        _ => {
            let Some(id) = matches.get_one::<ReportScheduleId>("schedule") else {
                return Ok(ExitCode::from(3));
            };
            let id = id.to_string();
            api.delete(&["report-schedules", &id]).await?;
            told(&json!({ "id": id, "removed": true }), matches, |_| format!("{id} asks no more"))
        }
    }
}

fn day(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

fn list(page: &Page<Report>) -> String {
    let rows = page.items.iter().map(|report| {
        let state = match report.state {
            ReportState::Running => format!("{} {} %", report.state, report.percent),
            ReportState::Queued | ReportState::Done | ReportState::Failed => {
                report.state.to_string()
            }
        };
        [
            report.id.to_string(),
            report.kind.to_string(),
            state,
            format!("{} to {}", day(report.from), day(report.to)),
            report.rows.map(|rows| rows.to_string()).unwrap_or_default(),
            report.asked_by.clone(),
        ]
    });
    table(["Id", "Kind", "State", "Period", "Rows", "By"], rows)
}

fn words_of(report: &Report) -> String {
    let mut all = vec![
        ("kind", report.kind.to_string()),
        ("state", report.state.to_string()),
        ("period", format!("{} to {}", report.from.to_rfc3339(), report.to.to_rfc3339())),
        ("asked by", report.asked_by.clone()),
    ];
    if let Some(failure) = &report.failure {
        all.push(("why", failure.clone()));
    }
    if let Some(sample) = &report.sample {
        let of = report.population.map(|of| format!(" of {of}")).unwrap_or_default();
        let seed = sample.seed.clone().unwrap_or_default();
        all.push(("sample", format!("{}{of}, seed {seed}", sample.size)));
    }
    if let (Some(size), Some(root)) = (report.tree_size, &report.root) {
        all.push(("audit log", format!("{size} leaves, root {root}")));
    }
    for file in &report.files {
        let what = format!("{} bytes, sha256 {}", file.bytes, file.sha256);
        all.push((file.format.as_str(), what));
    }
    facts(&report.id.to_string(), &all)
}

fn scheduled(all: &[ReportSchedule]) -> String {
    let rows = all.iter().map(|it| {
        [
            it.id.to_string(),
            it.name.as_str().to_owned(),
            it.kind.to_string(),
            format!("{} {}, {}:00 {}", it.every, it.day, it.hour, it.time_zone),
            if it.enabled { it.next_at.to_rfc3339() } else { "off".to_owned() },
            it.recipients.join(", "),
        ]
    });
    table(["Id", "Name", "Kind", "When", "Next", "To"], rows)
}

fn controls(all: &Frameworks) -> String {
    let rows = all.items.iter().flat_map(|framework| {
        framework.controls.iter().map(|control| {
            let reports: Vec<_> = control.reports.iter().map(|it| it.kind.as_str()).collect();
            let checks = control.checks.iter().map(|it| format!("{}: {}", it.name, it.state));
            [
                framework.name.clone(),
                control.clause.clone(),
                control.title.clone(),
                reports.join(", "),
                checks.collect::<Vec<_>>().join("; "),
            ]
        })
    });
    let shown = table(["Framework", "Clause", "What", "Reports", "Checks"], rows);
    format!("{}\n\n{shown}", all.note)
}
