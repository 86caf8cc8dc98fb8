//! `ralex usage replay`: what a budget, a rate limit or other prices would have done to past calls.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::replay::{NewReplay, Replay, ReplayPrice, ReplayedPeriod, ReplayedShare};
use ralex_kernel::{Money, Price};

use super::table::{asked, facts, json_flag, table, told};
use super::usage::{at, time};
use super::{Environment, api, budgets, rate_limits};

pub fn command() -> Command {
    let all = [
        budgets::limits::create_command()
            .name("budget")
            .about("Try a budget: what would have been refused or cut, and what spent"),
        rate_limits::create_command()
            .name("limit")
            .about("Try a rate limit: what would have been refused"),
        price_command(),
    ];
    let all = all.map(|command| {
        let command = command.args([time("from"), time("to")]).arg(json_flag());
        api::flags(command)
    });
    Command::new("replay")
        .about("Try a budget, a rate limit or other prices on calls that were made")
        .subcommand_required(true)
        .subcommands(all)
}

fn price_command() -> Command {
    let price = |name: &'static str, help: &'static str| {
        let price = Arg::new(name).long(name).value_name("DOLLARS").help(help);
        price.value_parser(value_parser!(Price))
    };
    let model = Arg::new("model").long("model").value_name("MODEL").required(true);
    Command::new("price").about("Try other prices of a model, per million tokens").args([
        model.help("Whose calls"),
        price("input", "Of input"),
        price("output", "Of output"),
        price("cache-read", "Of input read from a cache"),
        price("cache-write", "Of input written to a cache"),
    ])
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((what, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| {
        let replay: Replay = api.post(&["usage", "replay"], &new(what, matches)?).await?;
        told(&replay, matches, shown)
    })
}

fn new(what: &str, matches: &ArgMatches) -> anyhow::Result<NewReplay> {
    let none = NewReplay {
        from: at(matches, "from"),
        to: at(matches, "to"),
        budget: None,
        rate_limit: None,
        price: None,
    };
    Ok(match what {
        "budget" => NewReplay { budget: Some(budgets::limits::new(matches)?), ..none },
        "limit" => NewReplay { rate_limit: Some(rate_limits::new(matches)?), ..none },
        _ => {
            let price = |name| matches.get_one::<Price>(name).copied();
            let price = ReplayPrice {
                model: matches.get_one::<String>("model").cloned().context("no model")?,
                input_price: price("input"),
                output_price: price("output"),
                cache_read_price: price("cache-read"),
                cache_write_price: price("cache-write"),
            };
            NewReplay { price: Some(price), ..none }
        }
    })
}

fn shown(replay: &Replay) -> String {
    let Replay { from, to, calls, passed, refused, cut, cost, cost_then, .. } = replay;
    let money = |amount: &Money| format!("${amount}");
    let mut all = vec![
        ("calls", calls.to_string()),
        ("let through", passed.to_string()),
        ("refused", refused.to_string()),
        ("cut", cut.to_string()),
        ("cost", money(cost)),
        ("would have cost", money(cost_then)),
    ];
    let first = replay.first_refused_at.map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string());
    all.extend(first.map(|at| ("first refused", at)));
    let time = "%Y-%m-%d %H:%M UTC";
    let mut text = facts(&format!("{} to {}", from.format(time), to.format(time)), &all);
    if !replay.periods.is_empty() {
        text.push_str("\n\n");
        text.push_str(&table(
            ["Period from", "Calls", "Refused", "Cut", "Spent", "Limit"],
            replay.periods.iter().map(period),
        ));
    }
    if !replay.most.is_empty() {
        text.push_str("\n\n");
        text.push_str(&table(
            ["Team", "Model", "Calls", "Refused", "Cut", "Cost", "Would have cost"],
            replay.most.iter().map(share),
        ));
    }
    text
}

fn period(it: &ReplayedPeriod) -> [String; 6] {
    [
        it.starts_at.format("%Y-%m-%d %H:%M UTC").to_string(),
        it.calls.to_string(),
        it.refused.to_string(),
        it.cut.to_string(),
        format!("${}", it.spent),
        format!("${}", it.limit),
    ]
}

fn share(it: &ReplayedShare) -> [String; 7] {
    [
        it.team.clone().unwrap_or_default(),
        it.model.clone(),
        it.calls.to_string(),
        it.refused.to_string(),
        it.cut.to_string(),
        format!("${}", it.cost),
        format!("${}", it.cost_then),
    ]
}
