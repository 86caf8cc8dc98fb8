//! `ralex roles`: what roles allow, and who holds which of them where, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::{
    Able, AccessHistory, Binding, BindingEffect, BindingsQuery, ExplainQuestion, ExplainReason,
    Explanation, NewBinding, Role, RoleName, WhoCanQuestion,
};
use ralex_kernel::{BindingId, BudgetId, SecretId};
use serde_json::json;

mod define;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};
use super::usage::time;

pub fn command() -> Command {
    let role = Arg::new("role").value_name("ROLE").required(true).help("The role's name");
    let subject = Arg::new("subject").value_name("SUBJECT").required(true);
    let subject = subject.help("user:E-MAIL, user:ID, group:SLUG or service_account:SLUG");
    let permission = Arg::new("permission").value_name("PERMISSION").required(true);
    let permission = permission.help("Its name, budget.set for example");
    let scope = Arg::new("scope").long("scope").value_name("SCOPE");
    let past = time("at").help("As it was then (2026-03-01T00:00:00Z); as it is now when absent");
    let own = define::commands(&role);
    let all = [
        Command::new("list").about("List roles and what each is for"),
        Command::new("show").about("Show all that a role allows").arg(role.clone()),
        Command::new("bindings").about("List who holds which role where").args([
            limit_flag(),
            Arg::new("subject")
                .long("of")
                .value_name("SUBJECT")
                .help("user:…, group:… or service_account:…"),
            Arg::new("role").long("role").value_name("ROLE").help("Only of this role"),
            scope.clone().help("Only at team:SLUG or project:SLUG, and below"),
            past.clone(),
        ]),
        Command::new("bind").about("Give a role to a person or a program, or deny it").args([
            subject.clone(),
            role,
            scope
                .clone()
                .default_value("org")
                .help("org, team:SLUG or project:SLUG, and all below"),
            Arg::new("deny")
                .long("deny")
                .action(ArgAction::SetTrue)
                .help("Take away what the role allows, whatever else they hold"),
            time("from").help("From when on it holds; at once when absent"),
            time("until").help("Until when it holds; until it is taken away when absent"),
        ]),
        Command::new("explain").about("Tell why somebody may do something, or may not").args([
            subject.clone(),
            permission.clone(),
            scope.clone().default_value("org").help("org, team:SLUG or project:SLUG"),
            past.clone(),
        ]),
        who_can([permission.required(false), scope.clone(), past]),
        Command::new("history").about("Tell how far back --at can ask"),
        unbind(),
    ];
    Command::new("roles")
        .visible_alias("role")
        .about("See and define roles, give them and take them away")
        .subcommand_required(true)
        .subcommands(all.into_iter().chain(own).map(|it| api::flags(it.arg(json_flag()))))
}

fn unbind() -> Command {
    Command::new("unbind").about("Take a role away, or a denial").arg(
        Arg::new("binding")
            .value_name("BINDING")
            .required(true)
            .value_parser(value_parser!(BindingId))
            .help("The binding's id"),
    )
}

fn who_can([permission, scope, past]: [Arg; 3]) -> Command {
    let of_budget = Arg::new("budget").long("budget").value_name("ID");
    let of_budget = of_budget
        .value_parser(value_parser!(BudgetId))
        .conflicts_with("permission")
        .help("Of a budget instead: whose calls it pays");
    let of_key = Arg::new("key").long("key").value_name("ID").value_parser(value_parser!(SecretId));
    let of_key = of_key
        .conflicts_with_all(["permission", "budget"])
        .help("Of a provider's key instead: who uses it, replaces it, destroys it");
    Command::new("who-can").about("List everybody who may do something").args([
        permission,
        of_budget,
        of_key,
        scope.default_value("org").help("org, team:SLUG or project:SLUG"),
        limit_flag(),
        past,
    ])
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
    let at = matches.try_get_one::<DateTime<Utc>>("at").ok().flatten().copied();
    match verb {
        "list" => {
            let page: Page<Role> = api.get(&["roles"], &()).await?;
            told(&page, matches, |page| roles(&page.items))
        }
        "show" => {
            let name = text("role").context("no role")?;
            let found: Role = api.get(&["roles", &name], &()).await?;
            told(&found, matches, shown)
        }
        "bindings" => {
            let limit = matches.get_one::<u32>("limit").copied();
            let (subject, role, scope) = (text("subject"), text("role"), text("scope"));
            let query = BindingsQuery { subject, role, scope, at, cursor: None, limit };
            let page: Page<Binding> = api.get(&["bindings"], &query).await?;
            told(&page, matches, |page| bindings(&page.items))
        }
        "bind" => {
            let made: Binding = api.post(&["bindings"], &new(matches)?).await?;
            told(&made, matches, |made| bindings(std::slice::from_ref(made)))
        }
        "explain" => {
            let asked = ExplainQuestion {
                subject: text("subject").context("no subject")?,
                permission: text("permission").context("no permission")?,
                scope: text("scope"),
                at,
            };
            let told_so: Explanation = api.post(&["access", "explain"], &asked).await?;
            told(&told_so, matches, explained)
        }
        "who-can" => {
            let (permission, limit) =
                (text("permission"), matches.get_one::<u32>("limit").copied());
            let scope = text("scope").filter(|_| permission.is_some());
            let budget = matches.get_one::<BudgetId>("budget").copied();
            let key = matches.get_one::<SecretId>("key").copied();
            let cursor = None;
            let asked = WhoCanQuestion { permission, scope, budget, key, at, cursor, limit };
            let page: Page<Able> = api.post(&["access", "who-can"], &asked).await?;
            told(&page, matches, |page| able(&page.items))
        }
        "history" => {
            let history: AccessHistory = api.get(&["access", "history"], &()).await?;
            told(&history, matches, |it| format!("known since {}", it.known_since.to_rfc3339()))
        }
        "unbind" => {
            let id = matches.get_one::<BindingId>("binding").context("no binding")?.to_string();
            api.delete(&["bindings", &id]).await?;
            let gone = json!({ "id": id, "deleted": true });
            told(&gone, matches, |_| format!("{id} holds no longer"))
        }
        _ => define::act(api, verb, matches).await,
    }
}

fn new(matches: &ArgMatches) -> anyhow::Result<NewBinding> {
    let text = |name| matches.get_one::<String>(name).cloned();
    let deny = matches.get_flag("deny");
    Ok(NewBinding {
        subject: text("subject").context("no subject")?,
        role: RoleName(text("role").context("no role")?),
        scope: text("scope"),
        effect: if deny { BindingEffect::Deny } else { BindingEffect::Allow },
        not_before: matches.get_one::<DateTime<Utc>>("from").copied(),
        expires_at: matches.get_one::<DateTime<Utc>>("until").copied(),
    })
}

fn shown(role: &Role) -> String {
    let included: Vec<&str> = role.includes.iter().map(RoleName::as_str).collect();
    let of = if role.built_in { "the deployment" } else { "the organisation" };
    let all = [
        ("is", role.title.clone()),
        ("for", role.description.clone()),
        ("of", of.to_owned()),
        ("includes", included.join(", ")),
        ("version", if role.built_in { String::new() } else { role.version.to_string() }),
    ];
    format!("{}\n  {}", facts(role.name.as_str(), &all), role.permissions.join("\n  "))
}

fn roles(roles: &[Role]) -> String {
    let rows = roles.iter().map(|it| {
        let allowed = it.permissions.len().to_string();
        let of = if it.built_in { "deployment" } else { "organisation" };
        [it.name.to_string(), it.title.clone(), of.to_owned(), allowed, it.description.clone()]
    });
    table(["Role", "Title", "Of", "Allows", "For"], rows)
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

fn explained(it: &Explanation) -> String {
    let may = match (it.at, it.allowed) {
        (None, true) => "may",
        (None, false) => "may not",
        (Some(_), true) => "could",
        (Some(_), false) => "could not",
    };
    let why = match it.reason {
        ExplainReason::BreakGlass => "by the break-glass access, which is open",
        ExplainReason::Role => "by a role that is given",
        ExplainReason::Home => "as every program may at its home",
        ExplainReason::Denied => "since it is denied, which beats every role",
        ExplainReason::NotHeld => "since nothing that is held gives it there",
        ExplainReason::Disabled => "since it is disabled",
        ExplainReason::Suspended => "since they are suspended",
    };
    let then = it.at.map(|at| format!(" on {}", at.format("%Y-%m-%d %H:%M"))).unwrap_or_default();
    let (who, what) = (&it.subject_name, &it.permission);
    let title = format!("{who} {may} do {what} at {}{then}, {why}.", it.scope);
    let mut all = Vec::new();
    if let Some(binding) = &it.binding {
        let given = format!("{} at {}, by {}", binding.role, binding.scope, binding.created_by);
        all.push((binding.effect.as_str(), given));
        all.extend(binding.expires_at.map(|end| ("until", end.to_rfc3339())));
        all.push(("binding", binding.id.to_string()));
    }
    let roles: Vec<&str> = it.roles.iter().map(RoleName::as_str).collect();
    all.push(("roles with it", roles.join(", ")));
    facts(&title, &all)
}

fn able(able: &[Able]) -> String {
    let rows = able.iter().map(|it| {
        let role = it.role.as_ref().map_or_else(|| "at home".to_owned(), RoleName::to_string);
        let binding = it.binding.map(|id| id.to_string()).unwrap_or_default();
        [it.subject_name.clone(), it.subject.clone(), it.permissions.join(" "), role, binding]
    });
    table(["Who", "Subject", "May", "By", "Binding"], rows)
}
