//! `ralex operator`: the deployment's organisations and who manages them, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::operators::{
    AccountDeactivation, ConfirmDeletion, DeactivateAccount, DeactivatedAccount, DeleteOrg,
    DeletedOrg, FactorsReset, GRACE_DAYS_MAX, GRACE_DAYS_MIN, ManagedOrg, NewOperator, NewOrg,
    NewOrgAnswer, Operator, Operators, ResetFactors, SuspendOrg,
};
use ralex_api::page::PageQuery;
use ralex_kernel::{Email, Name, Slug};
use serde_json::json;

use super::Environment;
use super::api::{self, Api};
use super::members::is_in;
use super::org::export;
use super::table::{asked, facts, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let email = Arg::new("email").value_name("EMAIL").required(true);
    let email = email.value_parser(value_parser!(Email)).help("Of somebody with an account");
    let reason = Arg::new("reason").long("reason").value_name("TEXT").required(true);
    let reason = reason.help("Why; the log of each of their organisations says so");
    let all = [
        Command::new("list").about("List the deployment's operators"),
        Command::new("add").about("Make somebody an operator").arg(email.clone()),
        Command::new("remove").about("Have somebody be no operator any more").arg(email.clone()),
        Command::new("reset-factors")
            .about("Remove the second factors of somebody who has lost them; their password stays")
            .args([email.clone(), reason.clone()]),
        Command::new("deactivate")
            .about("Close somebody's account on the whole deployment, and end all that it opened")
            .args([email.clone(), reason]),
        Command::new("reactivate").about("Let a closed account be used again").arg(email),
        Command::new("deactivated").about("List closed accounts").arg(limit_flag()),
        export::operator_command(),
        orgs(),
    ];
    Command::new("operator")
        .about("Manage a deployment's organisations, and who manages them; for operators")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn orgs() -> Command {
    let org = Arg::new("organisation").value_name("ORG").required(true).help("Its slug or id");
    let reason = Arg::new("reason").long("reason").value_name("TEXT").required(true);
    let reason = reason.help("Everybody in the organisation reads that");
    let days = Arg::new("grace-days")
        .long("grace-days")
        .value_name("DAYS")
        .value_parser(
            value_parser!(u32).range(i64::from(GRACE_DAYS_MIN)..=i64::from(GRACE_DAYS_MAX)),
        )
        .help("How long it can still be kept [default: 30]");
    let asked_at = Arg::new("asked-at").long("asked-at").value_name("TIME");
    let asked_at = asked_at
        .value_parser(value_parser!(DateTime<Utc>))
        .help("When it was asked for, as it was shown; without it, it is shown");
    let slug = Arg::new("slug").value_name("SLUG").required(true);
    let slug = slug.value_parser(value_parser!(Slug)).help("Its short name; it stays");
    let new = [
        slug,
        Arg::new("name").long("name").value_parser(value_parser!(Name)).help("What people read"),
        Arg::new("owner")
            .long("owner")
            .value_name("EMAIL")
            .required(true)
            .value_parser(value_parser!(Email))
            .help("Its first owner"),
        Arg::new("owner-name")
            .long("owner-name")
            .value_name("NAME")
            .value_parser(value_parser!(Name))
            .help("What they are called; needed where they are new to Ralex"),
    ];
    Command::new("orgs")
        .visible_alias("org")
        .about("See, make, close and delete organisations")
        .subcommand_required(true)
        .subcommands([
            Command::new("list").about("List organisations").arg(limit_flag()),
            Command::new("show").about("Show one organisation").arg(org.clone()),
            Command::new("create").about("Make an organisation with its first owner").args(new),
            Command::new("suspend")
                .about("Close an organisation to everybody and every program of it")
                .args([org.clone(), reason.clone()]),
            Command::new("resume").about("Open a suspended organisation again").arg(org.clone()),
            Command::new("delete")
                .about("Have an organisation closed, and deleted after a while; another operator confirms it")
                .args([org.clone(), reason, days]),
            Command::new("confirm-delete")
                .about("Confirm what another operator asked for, after showing it")
                .arg(org.clone())
                .arg(asked_at),
            Command::new("keep")
                .about("Keep an organisation that waits to be deleted, or withdraw that it be")
                .arg(org),
            Command::new("deleted").about("List what is left of deleted ones").arg(limit_flag()),
        ])
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    match (verb, matches.subcommand()) {
        ("orgs", Some((verb, matches))) => {
            asked(matches, environment, async |api| manage(&api.operator()?, verb, matches).await)
        }
        _ => asked(matches, environment, async |api| act(&api.operator()?, verb, matches).await),
    }
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let email = || matches.get_one::<Email>("email").cloned().context("no e-mail address");
    match verb {
        "add" => {
            let new = NewOperator { email: email()? };
            let made: Operator = api.post(&["operators"], &new).await?;
            told(&made, matches, |made| operators(std::slice::from_ref(made)))
        }
        "export" => export::carried(api, matches).await,
        "remove" => {
            let email = email()?;
            let all: Operators = api.get(&["operators"], &()).await?;
            let found = all.items.iter().find(|it| it.user.email.key() == email.key());
            let id = found.with_context(|| format!("{email} is no operator."))?.user.id;
            api.delete(&["operators", &id.to_string()]).await?;
            let done = json!({ "email": email, "operator": false });
            told(&done, matches, |_| format!("{email} is no operator any more"))
        }
        "reset-factors" => {
            let reason = matches.get_one::<String>("reason").cloned().context("no reason")?;
            let asked = ResetFactors { email: email()?, reason };
            let done: FactorsReset = api.post(&["factor-resets"], &asked).await?;
            told(&done, matches, reset)
        }
        "deactivate" => {
            let reason = matches.get_one::<String>("reason").cloned().context("no reason")?;
            let asked = DeactivateAccount { email: email()?, reason };
            let done: AccountDeactivation = api.post(&["deactivated-accounts"], &asked).await?;
            told(&done, matches, closed)
        }
        "reactivate" => {
            let email = email()?;
            let id = closed_account(api, &email).await?;
            api.delete(&["deactivated-accounts", &id]).await?;
            let done = json!({ "email": email, "deactivated": false });
            told(&done, matches, |_| format!("{email} can log in again"))
        }
        "deactivated" => {
            let page = PageQuery { cursor: None, limit: matches.get_one::<u32>("limit").copied() };
            let page: Page<DeactivatedAccount> = api.get(&["deactivated-accounts"], &page).await?;
            told(&page, matches, |page| accounts(&page.items))
        }
        _ => {
            let all: Operators = api.get(&["operators"], &()).await?;
            told(&all, matches, |all| operators(&all.items))
        }
    }
}

/// The id of an account that is closed, by its e-mail address.
async fn closed_account(api: &Api, email: &Email) -> anyhow::Result<String> {
    let mut page = PageQuery { cursor: None, limit: Some(200) };
    loop {
        let found: Page<DeactivatedAccount> = api.get(&["deactivated-accounts"], &page).await?;
        if let Some(account) = found.items.iter().find(|it| it.user.email.key() == email.key()) {
            return Ok(account.user.id.to_string());
        }
        let next = found.next_cursor.with_context(|| format!("{email} is no closed account."))?;
        page.cursor = Some(next);
    }
}

fn closed(done: &AccountDeactivation) -> String {
    let said = [
        ("sessions ended", done.sessions_ended.to_string()),
        ("tokens ended", done.tokens_ended.to_string()),
        ("operator", if done.was_operator { "no more" } else { "was none" }.to_owned()),
    ];
    facts(done.account.user.email.as_ref(), &said)
}

fn reset(done: &FactorsReset) -> String {
    let said = [
        ("app with codes", if done.app { "removed" } else { "none" }.to_owned()),
        ("passkeys removed", done.passkeys.to_string()),
        ("recovery codes removed", done.recovery_codes.to_string()),
        ("sessions ended", done.sessions_ended.to_string()),
        ("told by mail", if done.told { "yes" } else { "no: tell them yourself" }.to_owned()),
    ];
    facts(done.user.email.as_ref(), &said)
}

async fn manage(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let page = || PageQuery { cursor: None, limit: matches.get_one::<u32>("limit").copied() };
    match verb {
        "list" => {
            let page: Page<ManagedOrg> = api.get(&["orgs"], &page()).await?;
            return told(&page, matches, |page| managed(&page.items));
        }
        "deleted" => {
            let page: Page<DeletedOrg> = api.get(&["deleted-orgs"], &page()).await?;
            return told(&page, matches, |page| deleted(&page.items));
        }
        "create" => return create(api, matches).await,
        _ => {}
    }
    let org = matches.get_one::<String>("organisation").context("no organisation")?;
    let reason = || matches.get_one::<String>("reason").cloned().context("no reason");
    let shown: ManagedOrg = match verb {
        "suspend" => api.post(&["orgs", org, "suspend"], &SuspendOrg { reason: reason()? }).await?,
        "resume" => api.post(&["orgs", org, "resume"], &()).await?,
        "delete" => {
            let grace_days = matches.get_one::<u32>("grace-days").copied();
            let how = DeleteOrg { reason: reason()?, grace_days };
            api.post(&["orgs", org, "deletion"], &how).await?
        }
        "confirm-delete" => return confirm(api, org, matches).await,
        "keep" => api.delete_for(&["orgs", org, "deletion"]).await?,
        _ => api.get(&["orgs", org], &()).await?,
    };
    told(&shown, matches, |shown| managed(std::slice::from_ref(shown)))
}

/// Shows what somebody asked for, and confirms it only where that is named as it was read.
async fn confirm(api: &Api, org: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let read = matches.get_one::<DateTime<Utc>>("asked-at").copied();
    let shown: ManagedOrg = match read {
        Some(asked_at) => {
            let seen = ConfirmDeletion { asked_at };
            api.post(&["orgs", org, "deletion", "confirm"], &seen).await?
        }
        None => api.get(&["orgs", org], &()).await?,
    };
    told(&shown, matches, |shown| match (&shown.deletion_asked, read) {
        (Some(asked), None) => format!(
            "{} wants {} deleted, {} days after it is confirmed: {}\nTo confirm it: ralex operator orgs \
             confirm-delete {} --asked-at {}",
            asked.asked_by,
            shown.slug,
            asked.grace_days,
            asked.reason,
            shown.slug,
            asked.asked_at.to_rfc3339()
        ),
        (None, None) => format!("Nobody asks that {} is deleted.", shown.slug),
        (_, Some(_)) => managed(std::slice::from_ref(shown)),
    })
}

async fn create(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let new = NewOrg {
        slug: matches.get_one::<Slug>("slug").cloned().context("no slug")?,
        name: matches.get_one::<Name>("name").cloned(),
        owner_email: matches.get_one::<Email>("owner").cloned().context("no owner")?,
        owner_name: matches.get_one::<Name>("owner-name").cloned(),
    };
    let made: NewOrgAnswer = api.post(&["orgs"], &new).await?;
    told(&made, matches, |made| {
        let said = [
            ("organisation", made.org.slug.to_string()),
            ("id", made.org.id.to_string()),
            ("owner", made.owner.email.to_string()),
        ];
        let owner = is_in(api, &made.owner.email, made.invitation.as_ref());
        format!("{}\n{owner}", facts("made", &said))
    })
}

fn managed(orgs: &[ManagedOrg]) -> String {
    let rows = orgs.iter().map(|org| {
        let day = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
        let since = match (org.delete_after, org.suspended_at) {
            _ if org.deletion_asked.is_some() => "deletion asked for".to_owned(),
            (Some(at), _) if org.deletion_by_one => {
                format!("deleted after {}, by one operator alone", day(at))
            }
            (Some(at), _) => format!("deleted after {}", day(at)),
            (None, Some(at)) => format!("since {}", day(at)),
            (None, None) => String::new(),
        };
        let asked = org.deletion_asked.as_ref().map(|asked| &asked.reason);
        let reason = asked.or(org.deletion_reason.as_ref()).or(org.suspended_reason.as_ref());
        [
            org.id.to_string(),
            org.slug.to_string(),
            org.name.to_string(),
            org.people.to_string(),
            org.state.to_string(),
            since,
            reason.cloned().unwrap_or_default(),
        ]
    });
    table(["Id", "Slug", "Name", "People", "State", "When", "Why"], rows)
}

fn deleted(orgs: &[DeletedOrg]) -> String {
    let rows = orgs.iter().map(|org| {
        [
            org.id.to_string(),
            org.slug.to_string(),
            org.deleted_at.format("%Y-%m-%d %H:%M").to_string(),
            org.tree_size.to_string(),
            org.reason.clone(),
        ]
    });
    table(["Id", "Slug", "Deleted", "Events", "Why"], rows)
}

fn accounts(all: &[DeactivatedAccount]) -> String {
    let rows = all.iter().map(|it| {
        [
            it.user.id.to_string(),
            it.user.email.to_string(),
            it.user.name.to_string(),
            it.at.format("%Y-%m-%d %H:%M").to_string(),
            it.reason.clone(),
        ]
    });
    table(["Id", "E-mail", "Name", "Closed", "Why"], rows)
}

fn operators(all: &[Operator]) -> String {
    let rows = all.iter().map(|it| {
        let factor = if it.second_factor { "yes" } else { "no" };
        [
            it.user.id.to_string(),
            it.user.email.to_string(),
            it.user.name.to_string(),
            it.since.format("%Y-%m-%d %H:%M").to_string(),
            factor.to_owned(),
        ]
    });
    table(["Id", "E-mail", "Name", "Since", "Second factor"], rows)
}
