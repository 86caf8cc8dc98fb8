//! `ralex teams` and `ralex projects`: the places that roles, tokens and budgets are for, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::identity::{NewProject, NewTeam, Project, Team, UpdateProject, UpdateTeam};
use ralex_kernel::{Name, Slug};
use serde::Serialize;
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, json_flag, limit_flag, table, told};

/// Which to list.
#[derive(Serialize)]
struct Listed {
    #[serde(skip_serializing_if = "Option::is_none")]
    team: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
}

pub fn commands() -> [Command; 2] {
    let reference = |name: &'static str, shown: &'static str| {
        Arg::new(name).value_name(shown).required(true).help("Its slug or id")
    };
    let (team, project) = (reference("team", "TEAM"), reference("project", "PROJECT"));
    let name = Arg::new("name").value_name("NAME").required(true);
    let name = name.value_parser(value_parser!(Name)).help("What people read");
    let slug = Arg::new("slug").value_name("SLUG").required(true);
    let slug = slug.value_parser(value_parser!(Slug)).help("Its short name; it stays");
    let of = Arg::new("team").long("team").value_name("TEAM");
    let teams = vec![
        Command::new("list").about("List teams").arg(limit_flag()),
        Command::new("create").about("Make a team").args([slug.clone(), name.clone()]),
        Command::new("rename").about("Rename a team").args([team.clone(), name.clone()]),
        Command::new("delete").about("Delete a team in which nothing is left").arg(team),
    ];
    let projects = vec![
        Command::new("list")
            .about("List projects")
            .args([of.clone().help("Only those of this team"), limit_flag()]),
        Command::new("create").about("Make a project in a team").args([
            slug,
            name.clone(),
            of.required(true).help("The team's slug or id"),
        ]),
        Command::new("rename").about("Rename a project").args([project.clone(), name]),
        Command::new("delete").about("Delete a project in which nothing is left").arg(project),
    ];
    let group =
        |name: &'static str, alias: &'static str, about: &'static str, all: Vec<Command>| {
            let all = all.into_iter().map(|command| api::flags(command.arg(json_flag())));
            let whole = Command::new(name).visible_alias(alias).about(about);
            whole.subcommand_required(true).subcommands(all)
        };
    [
        group("teams", "team", "See, make, rename and delete teams", teams),
        group("projects", "project", "See, make, rename and delete projects of teams", projects),
    ]
}

pub fn run(what: &str, matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| match what {
        "teams" => of_teams(&api, verb, matches).await,
        _ => of_projects(&api, verb, matches).await,
    })
}

async fn of_teams(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let one = |team: &Team| teams(std::slice::from_ref(team));
    match verb {
        "list" => {
            let page: Page<Team> = api.get(&["teams"], &listed(matches)).await?;
            told(&page, matches, |page| teams(&page.items))
        }
        "create" => {
            let new = NewTeam { slug: slug(matches)?, name: name(matches)? };
            told(&api.post::<Team>(&["teams"], &new).await?, matches, one)
        }
        "rename" => {
            let path = ["teams", reference(matches, "team")?];
            let change = UpdateTeam { name: name(matches)? };
            told(&api.patch::<Team>(&path, &change).await?, matches, one)
        }
        _ => delete(api, ("teams", "team"), matches).await,
    }
}

async fn of_projects(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => {
            let page: Page<Project> = api.get(&["projects"], &listed(matches)).await?;
            told(&page, matches, |page| projects(&page.items))
        }
        "create" => {
            let team = reference(matches, "team")?.to_owned();
            let new = NewProject { slug: slug(matches)?, name: name(matches)?, team };
            let made: Project = api.post(&["projects"], &new).await?;
            told(&made, matches, |made| projects(std::slice::from_ref(made)))
        }
        "rename" => {
            let path = ["projects", reference(matches, "project")?];
            let change = UpdateProject { name: name(matches)? };
            let renamed: Project = api.patch(&path, &change).await?;
            told(&renamed, matches, |it| projects(std::slice::from_ref(it)))
        }
        _ => delete(api, ("projects", "project"), matches).await,
    }
}

async fn delete(
    api: &Api,
    (kind, one): (&str, &str),
    matches: &ArgMatches,
) -> anyhow::Result<ExitCode> {
    let which = reference(matches, one)?;
    api.delete(&[kind, which]).await?;
    let mut gone = json!({ "deleted": true });
    gone[one] = json!(which);
    told(&gone, matches, |_| format!("{which} is gone"))
}

fn listed(matches: &ArgMatches) -> Listed {
    let team = matches.try_get_one::<String>("team").ok().flatten().cloned();
    Listed { team, limit: matches.get_one::<u32>("limit").copied() }
}

fn reference<'a>(matches: &'a ArgMatches, name: &str) -> anyhow::Result<&'a str> {
    let text = matches.get_one::<String>(name).map(String::as_str);
    text.with_context(|| format!("no {name}"))
}

fn name(matches: &ArgMatches) -> anyhow::Result<Name> {
    matches.get_one::<Name>("name").cloned().context("no name")
}

fn slug(matches: &ArgMatches) -> anyhow::Result<Slug> {
    matches.get_one::<Slug>("slug").cloned().context("no slug")
}

fn teams(teams: &[Team]) -> String {
    let rows = teams.iter().map(|it| {
        let [people, projects, tokens] = [it.members, it.projects, it.tokens];
        let since = it.created_at.format("%Y-%m-%d").to_string();
        [
            it.slug.to_string(),
            it.name.to_string(),
            people.to_string(),
            projects.to_string(),
            tokens.to_string(),
            since,
        ]
    });
    table(["Team", "Name", "People", "Projects", "Tokens", "Since"], rows)
}

fn projects(projects: &[Project]) -> String {
    let rows = projects.iter().map(|it| {
        let since = it.created_at.format("%Y-%m-%d").to_string();
        [it.slug.to_string(), it.name.to_string(), it.team_slug.to_string(), since]
    });
    table(["Project", "Name", "Team", "Since"], rows)
}
