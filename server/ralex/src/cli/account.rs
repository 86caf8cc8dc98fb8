//! `ralex account`: what one is called, and where one is signed in, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::identity::{NameSession, Session, UpdateMe, User};
use ralex_api::page::PageQuery;
use ralex_kernel::{Name, SessionId};
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let session = Arg::new("session").value_name("SESSION").required(true);
    let session = session.value_parser(value_parser!(SessionId)).help("Its id");
    let name = Arg::new("name").value_name("NAME").value_parser(value_parser!(Name));
    let all = [
        Command::new("rename")
            .about("Change what you are called, in every organisation")
            .arg(name.clone().required(true).help("What others read")),
        Command::new("sessions").about("List where you are signed in").arg(limit_flag()),
        Command::new("name-session")
            .about("Say what you call one of your sessions")
            .args([session.clone(), name.help("What you call it; none where it is left out")]),
        Command::new("end-session").about("End one of your sessions").arg(session),
        Command::new("end-sessions").about("End all of your sessions"),
    ];
    Command::new("account")
        .about("Change what you are called, and see, name and end your sessions")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    match matches.subcommand() {
        Some((verb, matches)) => {
            asked(matches, environment, async |api| act(&api.account()?, verb, matches).await)
        }
        None => ExitCode::from(3),
    }
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let name = || matches.get_one::<Name>("name").cloned();
    let session = || matches.get_one::<SessionId>("session").context("no session");
    match verb {
        "rename" => {
            let change = UpdateMe { name: name().context("no name")? };
            let user: User = api.patch(&[], &change).await?;
            told(&user, matches, |user| format!("{} is called {} now", user.email, user.name))
        }
        "name-session" => {
            let (id, named) = (session()?.to_string(), NameSession { name: name() });
            let session: Session = api.patch(&["sessions", &id], &named).await?;
            told(&session, matches, |session| sessions(std::slice::from_ref(session)))
        }
        "end-session" => {
            let id = session()?.to_string();
            api.delete(&["sessions", &id]).await?;
            told(&json!({ "session": id, "ended": true }), matches, |_| format!("{id} has ended"))
        }
        "end-sessions" => {
            api.delete(&["sessions"]).await?;
            told(&json!({ "ended": true }), matches, |_| "all sessions have ended".to_owned())
        }
        _ => {
            let limit = matches.get_one::<u32>("limit").copied();
            let page = PageQuery { cursor: None, limit };
            let page: Page<Session> = api.get(&["sessions"], &page).await?;
            told(&page, matches, |page| sessions(&page.items))
        }
    }
}

fn sessions(all: &[Session]) -> String {
    let rows = all.iter().map(|session| {
        let name = session.name.as_ref().map(ToString::to_string);
        [
            session.id.to_string(),
            name.or_else(|| session.user_agent.clone()).unwrap_or_default(),
            session.address.clone().unwrap_or_default(),
            session.last_used_at.format("%Y-%m-%d %H:%M").to_string(),
            session.expires_at.format("%Y-%m-%d %H:%M").to_string(),
        ]
    });
    table(["Session", "Name", "Address", "Last used", "Ends"], rows)
}
