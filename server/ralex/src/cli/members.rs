//! `ralex members`: who is in an organisation, and to whom it is closed, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use ralex_api::Page;
use ralex_api::identity::Member;
use ralex_api::page::PageQuery;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let person = Arg::new("person").value_name("PERSON").required(true);
    let person = person.help("E-mail address or id of a member of the organisation");
    let all = [
        Command::new("list").about("List members with their roles").arg(limit_flag()),
        Command::new("suspend")
            .about("Close the organisation to a member at once; what they were given stays")
            .arg(person.clone()),
        Command::new("resume").about("Let a suspended member back in").arg(person),
    ];
    Command::new("members")
        .visible_alias("member")
        .about("See members, suspend them and let them back in")
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
    if verb == "list" {
        let limit = matches.get_one::<u32>("limit").copied();
        let page = PageQuery { cursor: None, limit };
        let page: Page<Member> = api.get(&["members"], &page).await?;
        return told(&page, matches, |page| members(&page.items));
    }
    let person = matches.get_one::<String>("person").context("no person")?;
    let id = if person.contains('@') { find(api, person).await? } else { person.clone() };
    let member: Member = api.post(&["members", &id, verb], &()).await?;
    told(&member, matches, |member| members(std::slice::from_ref(member)))
}

/// The id of a member, by their e-mail address.
async fn find(api: &Api, email: &str) -> anyhow::Result<String> {
    let mut page = PageQuery { cursor: None, limit: Some(200) };
    loop {
        let found: Page<Member> = api.get(&["members"], &page).await?;
        let here = |it: &&Member| it.user.email.to_string().eq_ignore_ascii_case(email);
        if let Some(member) = found.items.iter().find(here) {
            return Ok(member.user.id.to_string());
        }
        let next = found.next_cursor.with_context(|| format!("{email} is no member."))?;
        page.cursor = Some(next);
    }
}

fn members(members: &[Member]) -> String {
    let rows = members.iter().map(|it| {
        let roles = it.roles.iter().map(|held| format!("{} at {}", held.role, held.scope));
        let roles: Vec<_> = roles.collect();
        let since = it.suspended_at.map(|at| at.format("since %Y-%m-%d %H:%M").to_string());
        [
            it.user.id.to_string(),
            it.user.email.to_string(),
            it.user.name.to_string(),
            roles.join(", "),
            since.unwrap_or_default(),
        ]
    });
    table(["Id", "E-mail", "Name", "Roles", "Suspended"], rows)
}
