//! `ralex scim`: whether an organisation's directory is heard, and its tokens, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::scim::{NewScimToken, ScimConnection, SetScim};
use ralex_api::tokens::NewTokenAnswer;
use ralex_kernel::Name;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, table, told};

pub fn command() -> Command {
    let name = Arg::new("name").value_name("NAME").required(true);
    let name = name.value_parser(value_parser!(Name)).help("What tells it from others");
    let expires = Arg::new("expires").long("expires").value_name("TIME");
    let expires = expires.value_parser(value_parser!(DateTime<Utc>)).help("When it ends");
    let token = Arg::new("token").value_name("TOKEN").required(true).help("Its id");
    let all = [
        Command::new("show").about("Show whether the directory is heard, and by which tokens"),
        Command::new("enable").about("Have the organisation's directory heard"),
        Command::new("disable").about("Do not hear it any more; what it has done stays"),
        Command::new("token")
            .about("Make a token for the directory; it is shown once")
            .args([name, expires]),
        Command::new("revoke").about("End a token of the directory").arg(token),
    ];
    Command::new("scim")
        .about("See and set whether a directory says over SCIM who the people are")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
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
        "enable" | "disable" => {
            let set = SetScim { enabled: verb == "enable" };
            let after: ScimConnection = api.put(&["scim"], &set).await?;
            told(&after, matches, connection)
        }
        "token" => {
            let name = matches.get_one::<Name>("name").cloned().context("no name")?;
            let expires_at = matches.get_one::<DateTime<Utc>>("expires").copied();
            let new = NewScimToken { name, expires_at };
            let made: NewTokenAnswer = api.post(&["scim", "tokens"], &new).await?;
            told(&made, matches, |made| made.token.clone())
        }
        "revoke" => {
            let token = matches.get_one::<String>("token").context("no token")?;
            api.delete(&["scim", "tokens", token]).await?;
            let gone = json!({ "token": token, "revoked": true });
            told(&gone, matches, |_| format!("{token} is revoked"))
        }
        _ => {
            let found: ScimConnection = api.get(&["scim"], &()).await?;
            told(&found, matches, connection)
        }
    }
}

fn connection(it: &ScimConnection) -> String {
    let time = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M").to_string())
    };
    let title = if it.enabled { "The directory is heard." } else { "The directory is not heard." };
    let all = [
        ("address", it.base_url.clone()),
        ("users", it.users.to_string()),
        ("groups", it.groups.to_string()),
        ("heard last", time(it.used_at)),
    ];
    let rows = it.tokens.iter().map(|it| {
        let end = it.expires_at.map_or_else(|| "never".to_owned(), |_| time(it.expires_at));
        [it.id.to_string(), it.name.to_string(), it.last_four.clone(), end, time(it.last_used_at)]
    });
    let tokens = table(["Token", "Name", "Ends in", "Expires", "Used"], rows);
    format!("{}\n{tokens}", facts(title, &all))
}
