//! `ralex groups`: people who are given roles together, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::{Group, GroupMember, NewGroup, NewGroupMember, UpdateGroup};
use ralex_api::page::PageQuery;
use ralex_kernel::{Name, Slug};
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let group = Arg::new("group").value_name("GROUP").required(true).help("Its slug or id");
    let person = Arg::new("person").value_name("PERSON").required(true);
    let person = person.help("E-mail address or id of a member of the organisation");
    let name = Arg::new("name").value_name("NAME").required(true);
    let name = name.value_parser(value_parser!(Name)).help("What people read");
    let slug = Arg::new("slug").value_name("SLUG").required(true);
    let slug = slug.value_parser(value_parser!(Slug)).help("Its short name; it stays");
    let all = [
        Command::new("list").about("List groups").arg(limit_flag()),
        Command::new("create").about("Make a group").args([slug, name.clone()]),
        Command::new("rename").about("Rename a group").args([group.clone(), name]),
        Command::new("delete").about("Delete a group with all that it gives").arg(group.clone()),
        Command::new("release")
            .about("Let people decide again who is in a group that the directory (SCIM) made")
            .arg(group.clone()),
        Command::new("members").about("List who is in a group").args([group.clone(), limit_flag()]),
        Command::new("add")
            .about("Let somebody into a group")
            .args([group.clone(), person.clone()]),
        Command::new("remove").about("Remove somebody from a group").args([group, person]),
    ];
    Command::new("groups")
        .visible_alias("group")
        .about("See and change groups of people; `ralex roles bind group:SLUG` gives them roles")
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
    let limit = || matches.get_one::<u32>("limit").copied();
    let name = || matches.get_one::<Name>("name").cloned().context("no name");
    match verb {
        "list" => {
            let page = PageQuery { cursor: None, limit: limit() };
            let page: Page<Group> = api.get(&["groups"], &page).await?;
            return told(&page, matches, |page| groups(&page.items));
        }
        "create" => {
            let slug = matches.get_one::<Slug>("slug").cloned().context("no slug")?;
            let made: Group = api.post(&["groups"], &NewGroup { slug, name: name()? }).await?;
            return told(&made, matches, |made| groups(std::slice::from_ref(made)));
        }
        _ => {}
    }
    let group = matches.get_one::<String>("group").context("no group")?;
    match verb {
        "rename" => {
            let change = UpdateGroup { name: name()? };
            let changed: Group = api.patch(&["groups", group], &change).await?;
            told(&changed, matches, |changed| groups(std::slice::from_ref(changed)))
        }
        "delete" => {
            api.delete(&["groups", group]).await?;
            let gone = json!({ "group": group, "deleted": true });
            told(&gone, matches, |_| format!("{group} is gone"))
        }
        "release" => {
            let released: Group = api.post(&["groups", group, "release"], &()).await?;
            told(&released, matches, |released| groups(std::slice::from_ref(released)))
        }
        "members" => {
            let page = PageQuery { cursor: None, limit: limit() };
            let page: Page<GroupMember> = api.get(&["groups", group, "members"], &page).await?;
            told(&page, matches, |page| members(&page.items))
        }
        _ => belong(api, verb, group, matches).await,
    }
}

async fn belong(
    api: &Api,
    verb: &str,
    group: &str,
    matches: &ArgMatches,
) -> anyhow::Result<ExitCode> {
    let person = matches.get_one::<String>("person").context("no person")?;
    if verb == "add" {
        let new = NewGroupMember { subject: format!("user:{person}") };
        let made: GroupMember = api.post(&["groups", group, "members"], &new).await?;
        return told(&made, matches, |made| members(std::slice::from_ref(made)));
    }
    let id = if person.contains('@') { find(api, group, person).await? } else { person.clone() };
    api.delete(&["groups", group, "members", &id]).await?;
    let done = json!({ "group": group, "person": person, "member": false });
    told(&done, matches, |_| format!("{person} is not in {group} any more"))
}

/// The id of a person of the group, by their e-mail address.
async fn find(api: &Api, group: &str, email: &str) -> anyhow::Result<String> {
    let mut page = PageQuery { cursor: None, limit: Some(200) };
    loop {
        let found: Page<GroupMember> = api.get(&["groups", group, "members"], &page).await?;
        let here = |it: &&GroupMember| it.user.email.to_string().eq_ignore_ascii_case(email);
        if let Some(member) = found.items.iter().find(here) {
            return Ok(member.user.id.to_string());
        }
        let next = found.next_cursor.with_context(|| format!("{email} is not in {group}."))?;
        page.cursor = Some(next);
    }
}

fn groups(groups: &[Group]) -> String {
    let rows = groups.iter().map(|it| {
        [
            it.slug.to_string(),
            it.name.to_string(),
            it.members.to_string(),
            it.bindings.to_string(),
            it.created_by.clone(),
        ]
    });
    table(["Group", "Name", "People", "Roles", "By"], rows)
}

fn members(members: &[GroupMember]) -> String {
    let rows = members.iter().map(|it| {
        let since = it.added_at.format("%Y-%m-%d %H:%M").to_string();
        [it.user.email.to_string(), it.user.name.to_string(), since, it.added_by.clone()]
    });
    table(["E-mail", "Name", "Since", "By"], rows)
}
