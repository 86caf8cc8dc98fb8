//! `ralex roles`: what roles allow, and who holds which of them where, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::{Binding, BindingEffect, BindingsQuery, NewBinding, Role, RoleName};
use ralex_kernel::BindingId;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};
use super::usage::time;

pub fn command() -> Command {
    let role = Arg::new("role").value_name("ROLE").required(true).help("The role's name");
    let subject = Arg::new("subject").value_name("SUBJECT").required(true);
    let subject = subject.help("user:E-MAIL, user:ID or service_account:SLUG");
    let scope = Arg::new("scope").long("scope").value_name("SCOPE");
    let all = [
        Command::new("list").about("List roles and what each is for"),
        Command::new("show").about("Show all that a role allows").arg(role.clone()),
        Command::new("bindings").about("List who holds which role where").args([
            limit_flag(),
            Arg::new("subject")
                .long("of")
                .value_name("SUBJECT")
                .help("user:… or service_account:…"),
            Arg::new("role").long("role").value_name("ROLE").help("Only of this role"),
            scope.clone().help("Only at team:SLUG or project:SLUG, and below"),
        ]),
        Command::new("bind").about("Give a role to a person or a program, or deny it").args([
            subject,
            role,
            scope.default_value("org").help("org, team:SLUG or project:SLUG, and all below"),
            Arg::new("deny")
                .long("deny")
                .action(ArgAction::SetTrue)
                .help("Take away what the role allows, whatever else they hold"),
            time("from").help("From when on it holds; at once when absent"),
            time("until").help("Until when it holds; until it is taken away when absent"),
        ]),
        Command::new("unbind").about("Take a role away, or a denial").arg(
            Arg::new("binding")
                .value_name("BINDING")
                .required(true)
                .value_parser(value_parser!(BindingId))
                .help("The binding's id"),
        ),
    ];
    Command::new("roles")
        .visible_alias("role")
        .about("See roles, give them and take them away")
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
    let text = |name| matches.get_one::<String>(name).cloned();
    match verb {
        "list" => {
            let page: Page<Role> = api.get(&["roles"], &()).await?;
            told(&page, matches, |page| roles(&page.items))
        }
        "show" => {
            let name = text("role").context("no role")?;
            let page: Page<Role> = api.get(&["roles"], &()).await?;
            let found = page.items.into_iter().find(|role| role.name.as_str() == name);
            let found = found.with_context(|| format!("There is no role {name}."))?;
            told(&found, matches, |role| {
                let all = [("is", role.title.clone()), ("for", role.description.clone())];
                format!("{}\n  {}", facts(&name, &all), role.permissions.join("\n  "))
            })
        }
        "bindings" => {
            let limit = matches.get_one::<u32>("limit").copied();
            let (subject, role, scope) = (text("subject"), text("role"), text("scope"));
            let query = BindingsQuery { subject, role, scope, cursor: None, limit };
            let page: Page<Binding> = api.get(&["bindings"], &query).await?;
            told(&page, matches, |page| bindings(&page.items))
        }
        "bind" => {
            let deny = matches.get_flag("deny");
            let new = NewBinding {
                subject: text("subject").context("no subject")?,
                role: RoleName(text("role").context("no role")?),
                scope: text("scope"),
                effect: if deny { BindingEffect::Deny } else { BindingEffect::Allow },
                not_before: matches.get_one::<DateTime<Utc>>("from").copied(),
                expires_at: matches.get_one::<DateTime<Utc>>("until").copied(),
            };
            let made: Binding = api.post(&["bindings"], &new).await?;
            told(&made, matches, |made| bindings(std::slice::from_ref(made)))
        }
        _ => {
            let id = matches.get_one::<BindingId>("binding").context("no binding")?.to_string();
            api.delete(&["bindings", &id]).await?;
            let gone = json!({ "id": id, "deleted": true });
            told(&gone, matches, |_| format!("{id} holds no longer"))
        }
    }
}

fn roles(roles: &[Role]) -> String {
    let rows = roles.iter().map(|it| {
        let allowed = it.permissions.len().to_string();
        [it.name.to_string(), it.title.clone(), allowed, it.description.clone()]
    });
    table(["Role", "Title", "Allows", "For"], rows)
}

fn bindings(bindings: &[Binding]) -> String {
    let minute = |at: Option<DateTime<Utc>>| {
        at.map(|at| at.format("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
    };
    let rows = bindings.iter().map(|it| {
        [
            it.id.to_string(),
            it.subject_name.clone(),
            it.effect.to_string(),
            it.role.to_string(),
            it.scope.clone(),
            minute(it.not_before),
            minute(it.expires_at),
            it.created_by.clone(),
        ]
    });
    table(["Id", "Who", "Effect", "Role", "Scope", "From", "Until", "By"], rows)
}
