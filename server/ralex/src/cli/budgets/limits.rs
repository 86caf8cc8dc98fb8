//! `ralex budgets list`, `show`, `runs`, `create`, `edit`, `delete`, `increase`, `end-increase`, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::budgets::{Budget, BudgetRun, NewBudget, NewIncrease, UpdateBudget};
use ralex_api::page::PageQuery;
use ralex_kernel::{BudgetId, Money, Period, YearStart};
use serde_json::json;

use crate::cli::Environment;
use crate::cli::api::{self, Api};
use crate::cli::table::{asked, facts, json_flag, limit_flag, table, told};

pub fn commands() -> Vec<Command> {
    let of = |name: &'static str, about: &'static str| {
        let id = Arg::new("budget").value_name("BUDGET").required(true).help("The budget's id");
        Command::new(name).about(about).arg(id.value_parser(value_parser!(BudgetId)))
    };
    let list = Command::new("list").about("List budgets with what is spent and held of each");
    let all = [
        list.arg(limit_flag()),
        of("show", "Show one budget"),
        of("runs", "List the runs that a budget per run has counted, the newest first")
            .arg(limit_flag()),
        create_command(),
        of("edit", "Change a budget; what is not named stays")
            .args([limit(), hard(), degrade_at(0).help("The same in percent; 0 is never")])
            .group(
                ArgGroup::new("change")
                    .args(["amount", "hard", "degrade-at"])
                    .required(true)
                    .multiple(true),
            ),
        of("delete", "Delete a budget; calls under way settle without it"),
        of("increase", "Give the current period of a budget more, for a while").args([
            flag("amount", "DOLLARS", "So much on top of the limit, 50 or 12.5 for example")
                .required(true)
                .value_parser(value_parser!(Money)),
            flag(
                "until",
                "TIME",
                "When it ends, 2026-12-01T00:00:00Z; with the period at the latest",
            )
            .required(true)
            .value_parser(value_parser!(DateTime<Utc>)),
            flag("reason", "TEXT", "For the audit log").required(true),
        ]),
        of("end-increase", "End at once what a budget was given for a while"),
    ];
    all.into_iter().map(|command| api::flags(command.arg(json_flag()))).collect()
}

pub fn create_command() -> Command {
    let periods = Period::ALL.iter().map(|period| period.as_str());
    Command::new("create").about("Limit what a scope may spend in a period").args([
        flag("scope", "SCOPE", "org, team:SLUG, project:SLUG, service_account:SLUG, token:ID, or user:ID or user:E-MAIL")
            .required(true),
        flag("model", "MODEL", "Count only calls of this model").conflicts_with("provider"),
        flag("provider", "PROVIDER", "Count only calls of this provider"),
        flag("period", "PERIOD", "How often it starts anew; total never does, run with each run")
            .required(true)
            .value_parser(PossibleValuesParser::new(periods)),
        flag("days", "DAYS", "How many days a rolling budget looks back, today included")
            .required_if_eq("period", "rolling")
            .value_parser(value_parser!(u16).range(1..=366)),
        limit().required(true),
        hard().default_value("true"),
        Arg::new("carry-over")
            .long("carry-over")
            .action(ArgAction::SetTrue)
            .help("What is left of a period goes on to the next"),
        flag("carry-over-at-most", "DOLLARS", "No more than this goes on")
            .requires("carry-over")
            .value_parser(value_parser!(Money)),
        flag("time-zone", "ZONE", "Whose midnights bound the periods, Europe/Oslo for example"),
        flag("year-start", "MM-DD", "The day that the year begins on, 04-06 for example")
            .value_parser(year_start),
        degrade_at(1)
            .help("Below this part of what is left, in percent, routes leave dear models out"),
    ])
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

/// Its own name, since lists have another limit.
fn limit() -> Arg {
    let help = "What may be spent in a period, in dollars, 100 or 99.95 for example";
    let limit = Arg::new("amount").long("limit").value_name("DOLLARS").help(help);
    limit.value_parser(value_parser!(Money))
}

fn hard() -> Arg {
    flag("hard", "BOOL", "true refuses calls that may not fit, false only tells")
        .value_parser(value_parser!(bool))
}

fn degrade_at(least: i64) -> Arg {
    let percent = value_parser!(u8).range(least..=99);
    Arg::new("degrade-at").long("degrade-at").value_name("PERCENT").value_parser(percent)
}

fn year_start(text: &str) -> Result<YearStart, &'static str> {
    let parts = text
        .split_once('-')
        .and_then(|(month, day)| YearStart::new(month.parse().ok()?, day.parse().ok()?));
    parts.ok_or("must be a month and a day that every month has, 04-06 for example")
}

pub fn run(verb: &str, matches: &ArgMatches, environment: &Environment) -> ExitCode {
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => {
            let limit = matches.get_one::<u32>("limit").copied();
            let query = PageQuery { cursor: None, limit };
            let page: Page<Budget> = api.get(&["budgets"], &query).await?;
            return told(&page, matches, |page| list(&page.items));
        }
        "create" => {
            let made: Budget = api.post(&["budgets"], &new(matches)?).await?;
            return told(&made, matches, shown);
        }
        _ => {}
    }
    let id = matches.get_one::<BudgetId>("budget").context("no budget")?.to_string();
    let (budget, increase) = (["budgets", &id], ["budgets", &id, "increase"]);
    if verb == "runs" {
        let limit = matches.get_one::<u32>("limit").copied();
        let query = PageQuery { cursor: None, limit };
        let page: Page<BudgetRun> = api.get(&["budgets", &id, "runs"], &query).await?;
        return told(&page, matches, |page| runs(&page.items));
    }
    let after: Budget = match verb {
        "delete" => {
            api.delete(&budget).await?;
            let gone = json!({ "id": id, "deleted": true });
            return told(&gone, matches, |_| format!("{id} limits nothing any more"));
        }
        "edit" => {
            let change = UpdateBudget {
                limit: matches.get_one("amount").copied(),
                hard: matches.get_one("hard").copied(),
                degrade_at: matches.get_one("degrade-at").copied(),
            };
            api.patch(&budget, &change).await?
        }
        "increase" => {
            let more = NewIncrease {
                amount: *matches.get_one("amount").context("no amount")?,
                until: *matches.get_one("until").context("no time")?,
                reason: matches.get_one::<String>("reason").cloned().unwrap_or_default(),
            };
            api.post(&increase, &more).await?
        }
        "end-increase" => api.delete_for(&increase).await?,
        _ => api.get(&budget, &()).await?,
    };
    told(&after, matches, shown)
}

pub fn new(matches: &ArgMatches) -> anyhow::Result<NewBudget> {
    let period = matches.get_one::<String>("period");
    let period = Period::ALL.into_iter().find(|it| Some(it.as_str()) == period.map(String::as_str));
    Ok(NewBudget {
        scope: matches.get_one::<String>("scope").cloned().context("no scope")?,
        model: matches.get_one::<String>("model").cloned(),
        provider: matches.get_one::<String>("provider").cloned(),
        period: period.context("no period")?,
        days: matches.get_one("days").copied(),
        limit: *matches.get_one("amount").context("no limit")?,
        carry_over: matches.get_flag("carry-over"),
        carry_over_at_most: matches.get_one("carry-over-at-most").copied(),
        hard: *matches.get_one("hard").context("neither hard nor soft")?,
        time_zone: matches.get_one::<String>("time-zone").cloned(),
        year_start: matches.get_one("year-start").copied(),
        degrade_at: matches.get_one("degrade-at").copied(),
    })
}

/// Each below the place that its calls are also counted at.
fn list(budgets: &[Budget]) -> String {
    let mut tree: Vec<_> = budgets.iter().collect();
    let place = |it: &Budget| (it.team.clone(), it.project.clone());
    tree.sort_by_key(|it| (place(it), !is_place(it)));
    let rows = tree.into_iter().map(|it| {
        let increase = it.increase.as_ref().map(|more| more.amount).unwrap_or_default();
        let more = it.carried.saturating_add(increase);
        let more = more.is_positive().then(|| more.to_string());
        [
            it.id.to_string(),
            branch(it),
            only(it).unwrap_or_default(),
            period(it),
            if it.hard { "hard" } else { "soft" }.to_owned(),
            it.limit.to_string(),
            more.unwrap_or_default(),
            it.spent.to_string(),
            it.held.to_string(),
            it.refused.to_string(),
        ]
    });
    let heads =
        ["Id", "Scope", "Only", "Period", "Kind", "Limit", "More", "Spent", "Held", "Refused"];
    table(heads, rows)
}

/// Whether it is a place's own, and not of a person, a program or a token there.
fn is_place(budget: &Budget) -> bool {
    let kind = budget.scope.split_once(':').map_or("org", |(kind, _)| kind);
    matches!(kind, "org" | "team" | "project")
}

/// The scope, as deep as it is below the organisation.
fn branch(budget: &Budget) -> String {
    let places = [&budget.team, &budget.project];
    let depth = places.into_iter().flatten().count() + usize::from(!is_place(budget));
    match depth.checked_sub(1) {
        Some(above) => format!("{}└ {}", "  ".repeat(above), budget.scope),
        None => budget.scope.clone(),
    }
}

fn runs(runs: &[BudgetRun]) -> String {
    let rows = runs.iter().map(|it| {
        [
            it.name.clone(),
            whose(it),
            it.starts_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            it.limit.to_string(),
            it.spent.to_string(),
            it.held.to_string(),
            it.refused.to_string(),
        ]
    });
    table(["Run", "Of", "Since", "Limit", "Spent", "Held", "Refused"], rows)
}

/// Who gave a run its name.
fn whose(run: &BudgetRun) -> String {
    let project = run.project.as_ref().map(|project| format!("project:{project}"));
    let place = project.or_else(|| run.team.as_ref().map(|team| format!("team:{team}")));
    place.into_iter().chain(run.user.clone()).collect::<Vec<_>>().join(", ")
}

/// Whose calls alone count.
fn only(budget: &Budget) -> Option<String> {
    let model = budget.model.as_ref().map(|model| format!("model {model}"));
    model.or_else(|| budget.provider.as_ref().map(|provider| format!("provider {provider}")))
}

fn period(budget: &Budget) -> String {
    match budget.days {
        Some(days) => format!("{days} days"),
        None => budget.period.as_str().to_owned(),
    }
}

fn shown(budget: &Budget) -> String {
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    let mut all = vec![
        ("scope", format!("{} ({})", budget.scope_name, budget.scope)),
        ("period", format!("{}, {}", period(budget), budget.time_zone)),
        ("kind", if budget.hard { "hard: refuses" } else { "soft: only tells" }.to_owned()),
        ("limit", budget.limit.to_string()),
    ];
    all.extend(only(budget).map(|only| ("only", only)));
    if budget.carry_over {
        let most = budget.carry_over_at_most.map(|most| format!(", of at most {most}"));
        let most = most.unwrap_or_default();
        all.push(("carried over", format!("{} from before{most}", budget.carried)));
    }
    if let Some(more) = &budget.increase {
        let until = time(more.until);
        all.push(("more", format!("{} until {until}: {}", more.amount, more.reason)));
    }
    if budget.period == Period::Run {
        let dearest = budget.run.clone().unwrap_or_else(|| "none under way".to_owned());
        all.push(("dearest run", dearest));
    }
    all.push(("spent", budget.spent.to_string()));
    all.push(("held", budget.held.to_string()));
    all.push(("refused", format!("{} calls", budget.refused)));
    all.extend(budget.degrade_at.map(|it| ("cheaper below", format!("{it} %"))));
    all.push(("since", time(budget.period_starts_at)));
    let ends = match budget.period {
        Period::Rolling => "a day leaves",
        Period::Run => "ends by itself",
        _ => "starts anew",
    };
    all.extend(budget.period_ends_at.map(|at| (ends, time(at))));
    facts(&budget.id.to_string(), &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<NewBudget, String> {
        let line = [&["create"], arguments].concat();
        let matches = create_command().try_get_matches_from(line).map_err(|it| it.to_string())?;
        new(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn money_and_days_are_exact_or_refused() {
        let usual = ["--scope", "team:blue", "--period", "year"];
        let with = |more: &[&'static str]| parsed(&[&usual, more].concat());
        let made = with(&["--limit", "0.000000001", "--year-start", "04-06"]).unwrap();
        assert_eq!((made.limit, made.hard), (Money::nanos(1), true));
        assert_eq!(made.year_start, YearStart::new(4, 6));
        for (wrong, named) in [
            (&["--limit", "1e3"][..], "--limit"),
            (&["--limit", "1,5"], "--limit"),
            (&["--limit", "5", "--year-start", "02-30"], "--year-start"),
            (&["--limit", "5", "--degrade-at", "100"], "--degrade-at"),
            (&["--limit", "5", "--hard", "maybe"], "--hard"),
            (&["--limit", "5", "--days", "0"], "--days"),
            (&["--limit", "5", "--carry-over-at-most", "1"], "--carry-over"),
            (&["--limit", "5", "--model", "a", "--provider", "b"], "--provider"),
            (&[], "--limit"),
        ] {
            let why = with(wrong).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }
}
