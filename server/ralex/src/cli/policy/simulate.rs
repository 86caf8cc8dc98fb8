//! `ralex policy simulate`: what a change of roles would do.

use std::fs;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::access::{BindingEffect, NewBinding, RoleName};
use ralex_api::simulate::{Proposal, ProposedRole, Simulated};
use ralex_kernel::BindingId;

use crate::cli::api::Api;
use crate::cli::table::{json_flag, table, told};

pub fn command() -> Command {
    let many = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help(help)
    };
    Command::new("simulate")
        .about("Tell what a change would do: who could do more or less, and what would be refused")
        .args([
            many(
                "bind",
                "SUBJECT=ROLE@SCOPE",
                "Give a role: user:ann@example.com=viewer@team:blue",
            ),
            many("deny", "SUBJECT=ROLE@SCOPE", "Deny one"),
            many("unbind", "ID", "Take a binding away").value_parser(value_parser!(BindingId)),
            many("role", "NAME=LIST", "Have a role be of these permissions and roles, by commas"),
            Arg::new("file").long("file").value_name("FILE").help("The whole question as JSON"),
            Arg::new("days")
                .long("days")
                .value_name("NUMBER")
                .value_parser(value_parser!(u32))
                .help("Ask the calls of so many last days again; 30 when absent"),
            json_flag(),
        ])
}

pub async fn act(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let proposal = proposal(matches)?;
    let answer: Simulated = api.post(&["access", "simulate"], &proposal).await?;
    told(&answer, matches, shown)
}

fn proposal(matches: &ArgMatches) -> anyhow::Result<Proposal> {
    if let Some(file) = matches.get_one::<String>("file") {
        let text = fs::read_to_string(file).with_context(|| file.clone())?;
        return serde_json::from_str(&text).with_context(|| format!("{file} is no such question"));
    }
    let texts = |name| matches.get_many::<String>(name).into_iter().flatten();
    let mut bind = Vec::new();
    for (flag, effect) in [("bind", BindingEffect::Allow), ("deny", BindingEffect::Deny)] {
        for text in texts(flag) {
            bind.push(binding(text, effect)?);
        }
    }
    let unbind = matches.get_many::<BindingId>("unbind").into_iter().flatten().copied();
    let mut roles = Vec::new();
    for text in texts("role") {
        roles.push(role(text)?);
    }
    let days = matches.get_one::<u32>("days").copied();
    Ok(Proposal { bind, unbind: unbind.collect(), roles, days, limit: None })
}

fn binding(text: &str, effect: BindingEffect) -> anyhow::Result<NewBinding> {
    let (subject, rest) = text
        .split_once('=')
        .with_context(|| format!("\"{text}\" is not SUBJECT=ROLE or SUBJECT=ROLE@SCOPE"))?;
    let (role, scope) = match rest.split_once('@') {
        Some((role, scope)) => (role, Some(scope.to_owned())),
        None => (rest, None),
    };
    let (subject, role) = (subject.to_owned(), RoleName(role.to_owned()));
    Ok(NewBinding { subject, role, scope, effect, not_before: None, expires_at: None })
}

/// A name with a dot is a permission's, any other a role's.
fn role(text: &str) -> anyhow::Result<ProposedRole> {
    let Some((name, list)) = text.split_once('=') else {
        bail!("\"{text}\" is not NAME=PERMISSION,ROLE,…");
    };
    let all = list.split(',').map(str::trim).filter(|it| !it.is_empty());
    let (permissions, includes): (Vec<_>, Vec<_>) = all.partition(|it| it.contains('.'));
    Ok(ProposedRole {
        name: RoleName(name.to_owned()),
        permissions: permissions.into_iter().map(ToOwned::to_owned).collect(),
        includes: includes.into_iter().map(|it| RoleName(it.to_owned())).collect(),
    })
}

fn shown(answer: &Simulated) -> String {
    let rows = answer.changes.iter().map(|it| {
        let (gains, loses) = (it.gains.join(", "), it.loses.join(", "));
        [it.subject_name.clone(), it.scope.clone(), gains, loses]
    });
    let mut text = format!("{} would gain, {} would lose.", answer.gaining, answer.losing);
    if !answer.changes.is_empty() {
        text = format!("{text}\n\n{}", table(["Who", "Scope", "Gains", "Loses"], rows));
    }
    if answer.more_changes > 0 {
        text = format!("{text}\n… and {} more", answer.more_changes);
    }
    let uses = &answer.uses;
    let since = uses.since.format("%Y-%m-%d");
    text = format!(
        "{text}\n\nOf {} calls since {since}, {} would be refused ({} are refused by today's rules \
         already).",
        uses.recorded, uses.refused, uses.refused_already
    );
    if !uses.by.is_empty() {
        let rows = uses.by.iter().map(|it| {
            let last = it.last_used.format("%Y-%m-%d %H:%M").to_string();
            [
                it.subject_name.clone(),
                it.permission.clone(),
                it.scope.clone(),
                it.uses.to_string(),
                last,
            ]
        });
        let heads = ["Who", "Permission", "Scope", "Calls", "Last"];
        text = format!("{text}\n\n{}", table(heads, rows));
    }
    text
}
