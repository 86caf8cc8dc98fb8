//! `ralex limits`: how many requests and tokens calls may take within a window, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::page::PageQuery;
use ralex_api::rate_limits::{Measure, NewRateLimit, RateLimit, UpdateRateLimit};
use ralex_kernel::RateLimitId;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let of = |name: &'static str, about: &'static str| {
        let id = Arg::new("limit-id").value_name("LIMIT").required(true).help("The limit's id");
        Command::new(name).about(about).arg(id.value_parser(value_parser!(RateLimitId)))
    };
    let list = Command::new("list").about("List rate limits with what is taken of their windows");
    let all = [
        list.arg(limit_flag()),
        of("show", "Show one rate limit"),
        create_command(),
        of("edit", "Change how much a rate limit lets through").arg(amount()),
        of("delete", "Delete a rate limit"),
    ];
    Command::new("limits")
        .about("See and set how many requests and tokens calls may take in a window of time")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

pub fn create_command() -> Command {
    let measures = Measure::ALL.iter().map(|measure| measure.as_str());
    Command::new("create").about("Limit what calls may take in any window of time").args([
        flag("scope", "SCOPE", "org, team:SLUG, project:SLUG, service_account:SLUG, token:ID, or user:ID or user:E-MAIL")
            .required(true),
        flag("model", "MODEL", "Count only calls of this model").conflicts_with("provider"),
        flag("provider", "PROVIDER", "Count only calls of this provider"),
        flag("measure", "MEASURE", "What is counted")
            .required(true)
            .value_parser(PossibleValuesParser::new(measures)),
        amount(),
        flag("window", "SECONDS", "Within how many seconds, 3600 for an hour")
            .default_value("60")
            .value_parser(value_parser!(u32).range(1..=2_678_400)),
    ])
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn amount() -> Arg {
    let number = value_parser!(u64).range(1..=1_000_000_000_000_000);
    flag("amount", "NUMBER", "So many within any window").required(true).value_parser(number)
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some((verb, matches)) => {
            asked(matches, environment, async |api| act(&api, verb, matches).await)
        }
        None => ExitCode::from(3),
    }
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => {
            let limit = matches.get_one::<u32>("limit").copied();
            let query = PageQuery { cursor: None, limit };
            let page: Page<RateLimit> = api.get(&["rate-limits"], &query).await?;
            return told(&page, matches, |page| list(&page.items));
        }
        "create" => {
            let made: RateLimit = api.post(&["rate-limits"], &new(matches)?).await?;
            return told(&made, matches, shown);
        }
        _ => {}
    }
    let id = matches.get_one::<RateLimitId>("limit-id").context("no limit")?.to_string();
    let limit = ["rate-limits", &id];
    let after: RateLimit = match verb {
        "delete" => {
            api.delete(&limit).await?;
            let gone = json!({ "id": id, "deleted": true });
            return told(&gone, matches, |_| format!("{id} limits nothing any more"));
        }
        "edit" => {
            let amount = *matches.get_one("amount").context("no amount")?;
            api.patch(&limit, &UpdateRateLimit { amount }).await?
        }
        _ => api.get(&limit, &()).await?,
    };
    told(&after, matches, shown)
}

pub fn new(matches: &ArgMatches) -> anyhow::Result<NewRateLimit> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let measure = text("measure").and_then(|name| Measure::named(&name));
    Ok(NewRateLimit {
        scope: text("scope").context("no scope")?,
        model: text("model"),
        provider: text("provider"),
        measure: measure.context("no measure")?,
        amount: *matches.get_one("amount").context("no amount")?,
        window_seconds: matches.get_one("window").copied(),
    })
}

fn list(limits: &[RateLimit]) -> String {
    let rows = limits.iter().map(|it| {
        [
            it.id.to_string(),
            it.scope.clone(),
            only(it).unwrap_or_default(),
            it.measure.as_str().to_owned(),
            it.amount.to_string(),
            format!("{} s", it.window_seconds),
            it.used.to_string(),
            it.refused.to_string(),
        ]
    });
    table(["Id", "Scope", "Only", "Measure", "Amount", "Window", "Used", "Refused"], rows)
}

/// Whose calls alone count.
fn only(limit: &RateLimit) -> Option<String> {
    let model = limit.model.as_ref().map(|model| format!("model {model}"));
    model.or_else(|| limit.provider.as_ref().map(|provider| format!("provider {provider}")))
}

fn shown(limit: &RateLimit) -> String {
    let mut all = vec![("scope", format!("{} ({})", limit.scope_name, limit.scope))];
    all.extend(only(limit).map(|only| ("only", only)));
    let (amount, unit) = (limit.amount, limit.measure.unit());
    all.push(("limit", format!("{amount} {unit} in {} s", limit.window_seconds)));
    all.push(("used", limit.used.to_string()));
    let last =
        limit.last_refused_at.map(|at| at.format(", last %Y-%m-%d %H:%M:%S UTC").to_string());
    all.push(("refused", format!("{}{}", limit.refused, last.unwrap_or_default())));
    facts(&limit.id.to_string(), &all)
}
