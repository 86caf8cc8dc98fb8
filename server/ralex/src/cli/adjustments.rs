//! `ralex budgets adjustments`, `reverse` and `reconcile`: what counts beside calls, by a server's API.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::adjustments::{
    Adjustment, ExportFormat, Reconcile, Reconciliation, ReverseAdjustment,
};
use ralex_api::page::PageQuery;
use ralex_kernel::{AdjustmentId, BudgetId, Money};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

pub fn commands() -> [Command; 3] {
    let budget = || {
        Arg::new("budget")
            .value_name("BUDGET")
            .required(true)
            .value_parser(value_parser!(BudgetId))
            .help("The budget's id")
    };
    let id = Arg::new("adjustment")
        .value_name("ADJUSTMENT")
        .required(true)
        .value_parser(value_parser!(AdjustmentId))
        .help("The entry's id");
    let note = Arg::new("note").long("note").value_name("TEXT").required(true);
    let provider = Arg::new("provider").long("provider").value_name("SLUG").required(true);
    let formats = ExportFormat::ALL.iter().map(|format| format.as_str());
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .required(true)
        .value_parser(PossibleValuesParser::new(formats))
        .help("Whose export it is");
    let apply = Arg::new("apply").long("apply").action(ArgAction::SetTrue);
    let file = Arg::new("file").value_name("FILE").required(true);
    [
        api::flags(
            Command::new("adjustments")
                .about("List what counts on a budget beside its calls, the newest first")
                .args([budget(), limit_flag(), json_flag()]),
        ),
        api::flags(
            Command::new("reverse").about("Take an adjustment back, by an opposing one").args([
                budget(),
                id,
                note.help("Why, for the audit log"),
                json_flag(),
            ]),
        ),
        api::flags(
            Command::new("reconcile")
                .about("Compare a provider's export of costs with the calls, by day and model")
                .args([
                    provider.help("The provider whose export it is"),
                    format,
                    apply.help("Adjust the organisation's budgets; without it nothing is changed"),
                    file.help("The export, or - for standard input"),
                    json_flag(),
                ]),
        ),
    ]
}

pub fn run(verb: &str, matches: &ArgMatches, environment: &Environment) -> ExitCode {
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if verb == "reconcile" {
        return reconcile(api, matches).await;
    }
    let budget = matches.get_one::<BudgetId>("budget").context("no budget")?.to_string();
    if verb == "adjustments" {
        let query = PageQuery { cursor: None, limit: matches.get_one::<u32>("limit").copied() };
        let page: Page<Adjustment> = api.get(&["budgets", &budget, "adjustments"], &query).await?;
        return told(&page, matches, |page| list(&page.items));
    }
    let id = matches.get_one::<AdjustmentId>("adjustment").context("no entry")?.to_string();
    let note = matches.get_one::<String>("note").cloned().unwrap_or_default();
    let path = ["budgets", &budget, "adjustments", &id, "reverse"];
    let made: Adjustment = api.post(&path, &ReverseAdjustment { note }).await?;
    told(&made, matches, |made| list(std::slice::from_ref(made)))
}

async fn reconcile(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let text = |name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let file = text("file");
    let export = if file == "-" {
        let mut export = String::new();
        std::io::stdin().read_to_string(&mut export).context("standard input")?;
        export
    } else {
        std::fs::read_to_string(&file).with_context(|| format!("{file}: no export"))?
    };
    let format = ExportFormat::named(&text("format")).context("no format")?;
    let apply = matches.get_flag("apply");
    let asked = Reconcile { provider: text("provider"), format, export, apply };
    let report: Reconciliation = api.post(&["reconciliations"], &asked).await?;
    told(&report, matches, compared)
}

fn list(entries: &[Adjustment]) -> String {
    let rows = entries.iter().map(|it| {
        let of = match (it.day, &it.provider, it.reverses) {
            (Some(day), Some(provider), _) => format!("{provider} {day}"),
            (_, _, Some(reversed)) => reversed.to_string(),
            _ => it.node.map_or_else(String::new, |node| format!("node {node}")),
        };
        [
            it.id.to_string(),
            it.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            format!("{}", it.amount),
            it.reason.as_str().to_owned(),
            of,
            if it.reversed_by.is_some() { "yes" } else { "" }.to_owned(),
            it.created_by.clone().unwrap_or_default(),
            it.note.clone(),
        ]
    });
    table(["Id", "When", "Amount", "Why", "Of", "Taken back", "Who", "Note"], rows)
}

fn compared(report: &Reconciliation) -> String {
    let amount = |amount: Option<Money>| amount.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let rows = report.rows.iter().map(|it| {
        let model = it.model.clone().unwrap_or_else(|| "-".to_owned());
        let (exported, recorded) = (amount(it.exported), it.recorded.to_string());
        [it.day.to_string(), model, exported, recorded, amount(it.difference)]
    });
    let rows = table(["Day", "Model", "Exported", "Recorded", "Difference"], rows);
    let mut lines = vec![rows];
    for day in &report.days {
        if !day.over {
            lines.push(format!("{}: is not over, so nothing is adjusted by it", day.day));
        }
        for budget in &day.budgets {
            let verb = if report.applied { "was adjusted" } else { "would be adjusted" };
            let lost = if budget.lease_lost.is_positive() {
                format!("; {} of lost leases may be part of it", budget.lease_lost)
            } else {
                String::new()
            };
            let by = budget.adds;
            lines.push(format!("{}: budget {} {verb} by {by}{lost}", day.day, budget.budget));
        }
    }
    lines.join("\n")
}
