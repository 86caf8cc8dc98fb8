//! `ralex tokens`: what programs sign in with, by a server's API.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::identity::{NewToken, NewTokenAnswer, Token};
use ralex_kernel::{Name, TokenId};
use serde::Serialize;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

/// Which tokens to list.
#[derive(Serialize)]
struct Query<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

pub fn command() -> Command {
    let team = flag("team", "TEAM", "A team, by slug or id");
    let account = flag("service-account", "ACCOUNT", "A service account, by slug or id");
    let list = Command::new("list").about("List tokens, newest first, revoked ones included");
    let create = Command::new("create").about("Make a token and say it once");
    let models = flag("model", "MODEL", "A model that it may use, again for each; all when absent");
    let days = flag("expires-in-days", "DAYS", "For so many days; for ever when absent");
    let revoke = Command::new("revoke").about("End a token, everywhere within a second");
    let all = [
        list.args([limit_flag(), team.clone(), account.clone()]),
        create.args([
            Arg::new("name")
                .value_name("NAME")
                .required(true)
                .value_parser(|text: &str| text.parse::<Name>().map_err(|error| anyhow!("{error}")))
                .help("What uses it"),
            team.required_unless_present("service-account").conflicts_with("service-account"),
            flag("project", "PROJECT", "The one project of the team that it is limited to")
                .requires("team"),
            account,
            models.action(ArgAction::Append),
            days.value_parser(value_parser!(u32).range(1..=36_500)),
        ]),
        revoke.arg(
            Arg::new("token-id")
                .value_name("TOKEN")
                .required(true)
                .value_parser(value_parser!(TokenId))
                .help("The token's id"),
        ),
    ];
    Command::new("tokens")
        .visible_alias("token")
        .about("See, make and end tokens of teams and service accounts")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
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
            let query = Query {
                team: matches.get_one("team"),
                service_account: matches.get_one("service-account"),
                limit: matches.get_one("limit").copied(),
            };
            let page: Page<Token> = api.get(&["tokens"], &query).await?;
            told(&page, matches, |page| list(&page.items, Utc::now()))
        }
        "create" => {
            let made: NewTokenAnswer = api.post(&["tokens"], &new(matches)?).await?;
            told(&made, matches, |made| made.token.clone())
        }
        _ => {
            let id = matches.get_one::<TokenId>("token-id").context("no token")?.to_string();
            api.delete(&["tokens", &id]).await?;
            let gone = json!({ "id": id, "revoked": true });
            told(&gone, matches, |_| format!("{id} works no longer"))
        }
    }
}

fn new(matches: &ArgMatches) -> anyhow::Result<NewToken> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let days = matches.get_one::<u32>("expires-in-days").copied();
    Ok(NewToken {
        name: matches.get_one("name").cloned().context("no name")?,
        team: text("team"),
        project: text("project"),
        service_account: text("service-account"),
        models: matches.get_many("model").map(|models| models.cloned().collect()),
        expires_at: days.map(|days| Utc::now() + TimeDelta::days(days.into())),
    })
}

fn list(tokens: &[Token], now: DateTime<Utc>) -> String {
    let day = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
    };
    let rows = tokens.iter().map(|it| {
        [
            it.id.to_string(),
            it.name.to_string(),
            format!("…{}", it.last_four),
            whose(it),
            it.models.as_ref().map_or_else(|| "all".to_owned(), |models| models.join(", ")),
            day(it.last_used_at),
            day(it.expires_at),
            state(it, now).to_owned(),
        ]
    });
    table(["Id", "Name", "Ends in", "Works for", "Models", "Last used", "Expires", "State"], rows)
}

fn whose(token: &Token) -> String {
    let place = match (&token.team, &token.project) {
        (Some(team), Some(project)) => format!("{team} / {project}"),
        (Some(team), None) => team.to_string(),
        (None, _) => String::new(),
    };
    match &token.service_account {
        Some(account) => format!("{account} of {place}"),
        None => place,
    }
}

fn state(token: &Token, now: DateTime<Utc>) -> &'static str {
    match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        (None, _) => "works",
    }
}
