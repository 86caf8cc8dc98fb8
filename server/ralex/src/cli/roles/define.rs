//! Roles of the organisation's own, defined, changed and deleted.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::{NewRole, PermissionInfo, Role, RoleName, UpdateRole};
use ralex_kernel::Name;
use serde_json::json;

use super::super::api::Api;
use super::super::table::{table, told};

pub fn commands(role: &Arg) -> [Command; 4] {
    let title = Arg::new("title").long("title").value_name("TITLE");
    let title = title.value_parser(value_parser!(Name)).help("What people read");
    let text = Arg::new("description").long("description").value_name("TEXT");
    let list = |name: &'static str, of: &'static str| {
        Arg::new(name).long(name).value_name(of).value_delimiter(',').action(ArgAction::Append)
    };
    let made_of = [
        text.help("What it is for"),
        list("permissions", "PERMISSIONS").help("What it gives itself, with commas between"),
        list("includes", "ROLES").help("Roles all of which it gives as well"),
    ];
    let version = Arg::new("if-version").long("if-version").value_name("NUMBER");
    let version =
        version.value_parser(value_parser!(u64)).help("Only where it is still this version");
    [
        Command::new("permissions").about("List every permission and what it allows"),
        Command::new("create")
            .about("Define a role of the organisation's own")
            .args([role.clone(), title.clone().required(true)])
            .args(made_of.clone()),
        Command::new("update")
            .about("Change a role of the organisation's own; lists are replaced whole")
            .args([role.clone(), title, version.clone()])
            .args(made_of),
        Command::new("delete")
            .about("Delete a role that nobody holds")
            .args([role.clone(), version]),
    ]
}

pub async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if verb == "permissions" {
        let page: Page<PermissionInfo> = api.get(&["permissions"], &()).await?;
        return told(&page, matches, |page| {
            let rows = page.items.iter().map(|it| [it.name.clone(), it.description.clone()]);
            table(["Permission", "Allows"], rows)
        });
    }
    let name = matches.get_one::<String>("role").context("no role")?;
    match verb {
        "create" => {
            let made: Role = api.post(&["roles"], &new(name, matches)?).await?;
            told(&made, matches, super::shown)
        }
        "update" => {
            let changed: Role =
                api.patch_if(&["roles", name], &change(matches), version(matches)).await?;
            told(&changed, matches, super::shown)
        }
        _ => {
            api.delete_if(&["roles", name], version(matches)).await?;
            let gone = json!({ "role": name, "deleted": true });
            told(&gone, matches, |_| format!("{name} is gone"))
        }
    }
}

fn version(matches: &ArgMatches) -> Option<u64> {
    matches.get_one("if-version").copied()
}

fn list(matches: &ArgMatches, name: &str) -> Option<Vec<String>> {
    let all = matches.get_many::<String>(name)?;
    Some(all.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect())
}

fn included(matches: &ArgMatches) -> Option<Vec<RoleName>> {
    Some(list(matches, "includes")?.into_iter().map(RoleName).collect())
}

fn new(name: &str, matches: &ArgMatches) -> anyhow::Result<NewRole> {
    Ok(NewRole {
        name: RoleName(name.to_owned()),
        title: matches.get_one::<Name>("title").cloned().context("no title")?,
        description: matches.get_one::<String>("description").cloned(),
        permissions: list(matches, "permissions").unwrap_or_default(),
        includes: included(matches).unwrap_or_default(),
    })
}

fn change(matches: &ArgMatches) -> UpdateRole {
    UpdateRole {
        title: matches.get_one::<Name>("title").cloned(),
        description: matches.get_one::<String>("description").cloned(),
        permissions: list(matches, "permissions"),
        includes: included(matches),
    }
}
