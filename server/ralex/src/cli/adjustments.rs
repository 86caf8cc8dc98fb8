//! `ralex budgets adjustments`, `reverse` and `reconcile`: what counts beside calls, by a server's API.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use comfy_table::Table;
use ralex_api::Page;
use ralex_api::adjustments::{
    Adjustment, ExportFormat, Reconcile, Reconciliation, ReverseAdjustment,
};
use ralex_api::page::PageQuery;
use ralex_kernel::{AdjustmentId, BudgetId, Money};

use super::api::{self, Api};
use super::{Environment, failed};
use crate::say;

pub fn commands() -> [Command; 3] {
    let budget = || {
        Arg::new("budget")
            .value_name("BUDGET")
            .required(true)
            .value_parser(value_parser!(BudgetId))
            .help("The budget's id")
    };
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue).help("Answer as JSON");
    let limit = Arg::new("limit")
        .long("limit")
        .value_name("NUMBER")
        .default_value("50")
        .value_parser(value_parser!(u32).range(1..=500))
        .help("So many at most, the newest first");
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
                .args([budget(), limit, json()]),
        ),
        api::flags(
            Command::new("reverse").about("Take an adjustment back, by an opposing one").args([
                budget(),
                id,
                note.help("Why, for the audit log"),
                json(),
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
                    json(),
                ]),
        ),
    ]
}

pub fn run(verb: &str, matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let done = Api::of(matches, environment).and_then(|api| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(act(&api, verb, matches))
    });
    done.map_or_else(|error| failed(&format!("{error:#}")), |()| ExitCode::SUCCESS)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<()> {
    if verb == "reconcile" {
        return reconcile(api, matches).await;
    }
    let budget = matches.get_one::<BudgetId>("budget").context("no budget")?.to_string();
    if verb == "adjustments" {
        let query = PageQuery { cursor: None, limit: matches.get_one::<u32>("limit").copied() };
        let page: Page<Adjustment> = api.get(&["budgets", &budget, "adjustments"], &query).await?;
        if matches.get_flag("json") {
            return json(&page);
        }
        list(&page.items);
        return Ok(());
    }
    let id = matches.get_one::<AdjustmentId>("adjustment").context("no entry")?.to_string();
    let note = matches.get_one::<String>("note").cloned().unwrap_or_default();
    let path = ["budgets", &budget, "adjustments", &id, "reverse"];
    let made: Adjustment = api.post(&path, &ReverseAdjustment { note }).await?;
    if matches.get_flag("json") {
        return json(&made);
    }
    list(&[made]);
    Ok(())
}

async fn reconcile(api: &Api, matches: &ArgMatches) -> anyhow::Result<()> {
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
    if matches.get_flag("json") {
        return json(&report);
    }
    tell(&report);
    Ok(())
}

fn json(answer: &impl serde::Serialize) -> anyhow::Result<()> {
    say::line(&serde_json::to_string_pretty(answer)?);
    Ok(())
}

fn list(entries: &[Adjustment]) {
    let mut table = table(&["Id", "When", "Amount", "Why", "Of", "Taken back", "Who", "Note"]);
    for it in entries {
        let of = match (it.day, &it.provider, it.reverses) {
            (Some(day), Some(provider), _) => format!("{provider} {day}"),
            (_, _, Some(reversed)) => reversed.to_string(),
            _ => it.node.map_or_else(String::new, |node| format!("node {node}")),
        };
        table.add_row([
            it.id.to_string(),
            it.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            format!("{}", it.amount),
            it.reason.as_str().to_owned(),
            of,
            if it.reversed_by.is_some() { "yes" } else { "" }.to_owned(),
            it.created_by.clone().unwrap_or_default(),
            plain(&it.note),
        ]);
    }
    say::line(&table.trim_fmt());
}

fn tell(report: &Reconciliation) {
    let amount = |amount: Option<Money>| amount.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let mut rows = table(&["Day", "Model", "Exported", "Recorded", "Difference"]);
    for it in &report.rows {
        rows.add_row([
            it.day.to_string(),
            plain(it.model.as_deref().unwrap_or("-")),
            amount(it.exported),
            it.recorded.to_string(),
            amount(it.difference),
        ]);
    }
    say::line(&rows.trim_fmt());
    for day in &report.days {
        if !day.over {
            say::line(&format!("{}: is not over, so nothing is adjusted by it", day.day));
        }
        for budget in &day.budgets {
            let verb = if report.applied { "was adjusted" } else { "would be adjusted" };
            let lost = if budget.lease_lost.is_positive() {
                format!("; {} of lost leases may be part of it", budget.lease_lost)
            } else {
                String::new()
            };
            let by = budget.adds;
            say::line(&format!("{}: budget {} {verb} by {by}{lost}", day.day, budget.budget));
        }
    }
}

fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(heads);
    table
}

/// Words that others have written, without what a terminal would take for an order.
fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}
