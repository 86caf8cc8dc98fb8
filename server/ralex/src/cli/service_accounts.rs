//! `ralex service-accounts`: what programs are, whichever of their tokens they show, by a server's API.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command};
use ralex_api::Page;
use ralex_api::identity::{NewServiceAccount, ServiceAccount, UpdateServiceAccount};
use ralex_api::page::PageQuery;
use ralex_kernel::{Name, Slug};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let of = |name: &'static str, about: &'static str| {
        let account = Arg::new("account").value_name("ACCOUNT").required(true);
        Command::new(name).about(about).arg(account.help("The service account's slug or id"))
    };
    let create = Command::new("create").about("Make a service account; tokens create gives it one");
    let team = Arg::new("team").long("team").value_name("TEAM").required(true);
    let project = Arg::new("project").long("project").value_name("PROJECT");
    let list = Command::new("list").about("List service accounts, disabled ones included");
    let all = [
        list.arg(limit_flag()),
        of("show", "Show one service account"),
        create.args([
            Arg::new("slug")
                .value_name("SLUG")
                .required(true)
                .value_parser(parsed::<Slug>)
                .help("What it is called in budgets, filters and commands"),
            name().help("What it is called by people; the slug when absent"),
            team.help("The team that it is at home in, by slug or id"),
            project.help("The one project of that team that it is limited to"),
        ]),
        of("rename", "Change what a service account is called").arg(name().required(true)),
        of("disable", "Let none of its tokens work, on any node within a second"),
        of("enable", "Let its tokens work again"),
    ];
    Command::new("service-accounts")
        .visible_alias("service-account")
        .about("See and manage what programs are, whichever of their tokens they show")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn name() -> Arg {
    Arg::new("name").long("name").value_name("NAME").value_parser(parsed::<Name>)
}

/// A word that has to be as the contract wants it.
fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|error| anyhow!("{error}"))
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
            let limit = matches.get_one::<u32>("limit").copied();
            let query = PageQuery { cursor: None, limit };
            let page: Page<ServiceAccount> = api.get(&["service-accounts"], &query).await?;
            return told(&page, matches, |page| list(&page.items));
        }
        "create" => {
            let slug: &Slug = matches.get_one("slug").context("no slug")?;
            let name =
                matches.get_one("name").cloned().map_or_else(|| parsed(slug.as_str()), Ok)?;
            let (team, project) = (text("team").context("no team")?, text("project"));
            let new = NewServiceAccount { slug: slug.clone(), name, team, project };
            let made: ServiceAccount = api.post(&["service-accounts"], &new).await?;
            return told(&made, matches, shown);
        }
        _ => {}
    }
    let account = text("account").context("no service account")?;
    let path = ["service-accounts", account.as_str()];
    let change = |name, disabled| UpdateServiceAccount { name, disabled };
    let after: ServiceAccount = match verb {
        "rename" => api.patch(&path, &change(matches.get_one("name").cloned(), None)).await?,
        "disable" => api.patch(&path, &change(None, Some(true))).await?,
        "enable" => api.patch(&path, &change(None, Some(false))).await?,
        _ => api.get(&path, &()).await?,
    };
    told(&after, matches, shown)
}

fn list(accounts: &[ServiceAccount]) -> String {
    let rows = accounts.iter().map(|it| {
        let used = it.last_used_at.map(|at| at.format("%Y-%m-%d %H:%M").to_string());
        [
            it.slug.to_string(),
            it.name.to_string(),
            home(it),
            it.tokens.to_string(),
            used.unwrap_or_else(|| "never".to_owned()),
            state(it).to_owned(),
        ]
    });
    table(["Slug", "Name", "Home", "Tokens", "Last used", "State"], rows)
}

fn home(account: &ServiceAccount) -> String {
    match &account.project {
        Some(project) => format!("{} / {project}", account.team),
        None => account.team.to_string(),
    }
}

const fn state(account: &ServiceAccount) -> &'static str {
    if account.disabled_at.is_some() { "disabled" } else { "enabled" }
}

fn shown(account: &ServiceAccount) -> String {
    let used = account.last_used_at.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string());
    let all = [
        ("name", account.name.to_string()),
        ("home", home(account)),
        ("tokens", account.tokens.to_string()),
        ("last used", used.unwrap_or_else(|| "never".to_owned())),
        ("state", state(account).to_owned()),
        ("id", account.id.to_string()),
    ];
    facts(account.slug.as_str(), &all)
}
