//! `ralex tokens`: what programs sign in with, by a server's API.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::tokens::{
    LeakAnswer, LeakLabel, NewToken, NewTokenAnswer, RotateToken, Token, TokenStop,
};
use ralex_kernel::{Name, TokenId};
use serde::Serialize;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

/// Of what is reported, in bytes.
const MOST_READ: u64 = 64 << 10;

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
    let permissions = flag(
        "permission",
        "PERMISSION",
        "A permission that it brings, again for each; all of its holder's when absent",
    );
    let addresses = flag(
        "address",
        "NETWORK",
        "A network that it works from (203.0.113.0/24), again for each; any when absent",
    );
    let rotate = Command::new("rotate").about("Give a token another secret and say it once");
    let overlap = flag("overlap-hours", "HOURS", "How long the former secret works beside it [24]");
    let end_former =
        Command::new("end-former").about("End the former secret of a token before its time");
    let report = Command::new("report-leaked")
        .about("End tokens that were found where they should not be; reads one a line from stdin");
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
            permissions.action(ArgAction::Append),
            addresses.action(ArgAction::Append),
            days.clone().value_parser(value_parser!(u32).range(1..=36_500)),
        ]),
        rotate.args([
            token_id(),
            overlap.value_parser(value_parser!(u32).range(0..=720)),
            days.help("Let it end in so many days; as it was when absent")
                .value_parser(value_parser!(u32).range(1..=36_500)),
        ]),
        end_former.arg(token_id()),
        revoke.arg(token_id()),
        report.arg(flag("found-at", "URL", "Where they were found, for the log")),
    ];
    Command::new("tokens")
        .visible_alias("token")
        .about("See, make and end tokens of teams and service accounts")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn token_id() -> Arg {
    Arg::new("token-id")
        .value_name("TOKEN")
        .required(true)
        .value_parser(value_parser!(TokenId))
        .help("The token's id")
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
        "rotate" => {
            let id = id(matches)?;
            let made: NewTokenAnswer =
                api.post(&["tokens", &id, "rotate"], &rotation(matches)).await?;
            told(&made, matches, |made| made.token.clone())
        }
        "end-former" => {
            let id = id(matches)?;
            api.delete(&["tokens", &id, "former"]).await?;
            let gone = json!({ "id": id, "former_ended": true });
            told(&gone, matches, |_| format!("The former secret of {id} works no longer"))
        }
        "report-leaked" => report(api, matches).await,
        _ => {
            let id = id(matches)?;
            api.delete(&["tokens", &id]).await?;
            let gone = json!({ "id": id, "revoked": true });
            told(&gone, matches, |_| format!("{id} works no longer"))
        }
    }
}

fn id(matches: &ArgMatches) -> anyhow::Result<String> {
    Ok(matches.get_one::<TokenId>("token-id").context("no token")?.to_string())
}

fn rotation(matches: &ArgMatches) -> RotateToken {
    let hours = matches.get_one::<u32>("overlap-hours");
    RotateToken { overlap_seconds: hours.map(|hours| hours * 3_600), expires_at: end(matches) }
}

fn end(matches: &ArgMatches) -> Option<DateTime<Utc>> {
    let days = matches.get_one::<u32>("expires-in-days").copied();
    days.map(|days| Utc::now() + TimeDelta::days(days.into()))
}

/// Secrets are read from a file or a pipe: a command line is seen by everybody on the machine.
async fn report(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    std::io::stdin().lock().take(MOST_READ).read_to_string(&mut text)?;
    let url = matches.get_one::<String>("found-at");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let found: Vec<_> = lines.map(|token| json!({ "token": token, "url": url })).collect();
    let answers: Vec<LeakAnswer> = api.post_beside("/api/v1/tokens/leaked", &found).await?;
    told(&answers, matches, |answers| {
        let rows = answers.iter().zip(1..).map(|(answer, line): (_, u32)| {
            let kind = answer.token_type.clone().unwrap_or_else(|| "no token".to_owned());
            let said = match answer.label {
                LeakLabel::TruePositive => "was one of ours, and has ended",
                LeakLabel::FalsePositive => "is none of ours",
            };
            [line.to_string(), kind, said.to_owned()]
        });
        table(["Line", "Kind", "Result"], rows)
    })
}

fn new(matches: &ArgMatches) -> anyhow::Result<NewToken> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let each = |name| matches.get_many(name).map(|all| all.cloned().collect());
    Ok(NewToken {
        name: matches.get_one("name").cloned().context("no name")?,
        team: text("team"),
        project: text("project"),
        service_account: text("service-account"),
        models: each("model"),
        permissions: each("permission"),
        addresses: each("address"),
        expires_at: end(matches),
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
        (None, _) => match token.stopped {
            Some(TokenStop::Disabled) => "its account is disabled",
            Some(TokenStop::RoleOver) => "its maker's role is over",
            Some(TokenStop::SignOnOver) => "its sign-on is over",
            None if token.former.is_some() => "works, by two secrets",
            None => "works",
        },
    }
}
