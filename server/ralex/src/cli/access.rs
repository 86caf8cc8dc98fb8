//! `ralex access`: roles that people ask to hold for a while, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::RoleName;
use ralex_api::access_requests::{
    AccessRequest, AccessRequestState, AccessRequestsOnly, AccessRequestsQuery, DecideAccess,
    NewAccessRequest,
};
use ralex_kernel::AccessRequestId;

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

pub fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true);
    let id = id.value_parser(value_parser!(AccessRequestId)).help("The request, as list shows it");
    let reason = Arg::new("reason").long("reason").value_name("TEXT").required(true);
    let minutes = Arg::new("minutes").long("minutes").value_name("NUMBER");
    let scope = Arg::new("scope").long("scope").value_name("SCOPE").default_value("org");
    let states = AccessRequestState::ALL.iter().map(|state| state.as_str());
    let state = Arg::new("state").long("state").value_parser(PossibleValuesParser::new(states));
    let only = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let decide = reason.clone().help("For whoever asks, and for the audit log");
    let all = [
        Command::new("request").about("Ask to hold a role for a while").args([
            Arg::new("role").value_name("ROLE").required(true).help("The role's name"),
            scope.help("org, team:SLUG or project:SLUG, and all below"),
            minutes
                .value_parser(value_parser!(u32).range(1..))
                .help("For how long; as usual in the organisation when absent"),
            reason.help("For those who decide, and for the audit log"),
        ]),
        Command::new("list").about("List one's own requests, and those one may decide").args([
            state.help("Only those in this state"),
            only("mine").conflicts_with("to-decide").help("Only one's own"),
            only("to-decide").help("Only what waits for one's decision"),
            limit_flag(),
        ]),
        Command::new("show").about("Show one").arg(id.clone()),
        Command::new("approve")
            .about("Agree to what somebody else asks for; with the last approval needed it holds")
            .args([id.clone(), decide.clone()]),
        Command::new("deny").about("Refuse what somebody else asks for").args([id.clone(), decide]),
        Command::new("withdraw").about("Take back what one asked for").arg(id.clone()),
        Command::new("end").about("Give back, or take away, what a request gave").arg(id),
    ];
    Command::new("access")
        .visible_alias("grant")
        .about("Ask for roles for a while, and decide about what others ask for")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    match verb {
        "list" => return list(api, matches).await,
        "request" => {
            let new = NewAccessRequest {
                role: RoleName(text("role").context("no role")?),
                scope: text("scope"),
                minutes: matches.get_one::<u32>("minutes").copied(),
                reason: text("reason").unwrap_or_default(),
            };
            let asked: AccessRequest = api.post(&["access-requests"], &new).await?;
            return told(&asked, matches, shown);
        }
        _ => {}
    }
    let id = matches.get_one::<AccessRequestId>("id").context("no id")?.to_string();
    let path = ["access-requests", &id, verb];
    let request: AccessRequest = match verb {
        "show" => api.get(&path[..2], &()).await?,
        "approve" | "deny" => {
            let reason = text("reason").unwrap_or_default();
            api.post(&path, &DecideAccess { reason }).await?
        }
        _ => api.post(&path, &()).await?,
    };
    told(&request, matches, shown)
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let state = matches.get_one::<String>("state");
    let only = if matches.get_flag("mine") {
        Some(AccessRequestsOnly::Mine)
    } else if matches.get_flag("to-decide") {
        Some(AccessRequestsOnly::ToDecide)
    } else {
        None
    };
    let query = AccessRequestsQuery {
        cursor: None,
        limit: matches.get_one::<u32>("limit").copied(),
        state: state.and_then(|state| AccessRequestState::named(state)),
        only,
    };
    let page: Page<AccessRequest> = api.get(&["access-requests"], &query).await?;
    told(&page, matches, |page| {
        let heads = ["Id", "State", "Asked", "Who", "Role", "Where", "Minutes", "Reason"];
        let rows = page.items.iter().map(|it| {
            let asked = it.asked_at.format("%Y-%m-%d %H:%M UTC").to_string();
            let (who, role, place) = (it.asker.clone(), it.role.to_string(), it.scope.clone());
            let (minutes, reason) = (it.minutes.to_string(), it.reason.clone());
            [it.id.to_string(), standing(it), asked, who, role, place, minutes, reason]
        });
        table(heads, rows)
    })
}

fn shown(request: &AccessRequest) -> String {
    let mut all = vec![
        ("state", standing(request)),
        ("asked by", request.asker.clone()),
        ("asked", request.asked_at.to_rfc3339()),
        ("role", request.role.to_string()),
        ("where", format!("{} ({})", request.scope_name, request.scope)),
        ("minutes", request.minutes.to_string()),
        ("reason", request.reason.clone()),
    ];
    if request.state == AccessRequestState::Pending {
        let (so_far, needed) = (request.approvals.len(), request.approvals_needed);
        all.push(("approvals", format!("{so_far} of {needed}")));
        all.push(("decide until", request.pending_until.to_rfc3339()));
    }
    let approved = request.approvals.iter();
    all.extend(approved.map(|it| ("approved by", format!("{}: {}", it.by, it.reason))));
    if let Some(by) = &request.denied_by {
        let reason = request.denied_reason.as_deref().unwrap_or_default();
        all.push(("denied by", format!("{by}: {reason}")));
    }
    all.extend(request.expires_at.map(|until| ("holds until", until.to_rfc3339())));
    all.extend(request.ended_by.clone().map(|who| ("ended by", who)));
    facts(&request.id.to_string(), &all)
}

fn standing(request: &AccessRequest) -> String {
    match request.ending {
        Some(ending) => format!("{} ({ending})", request.state),
        None => request.state.to_string(),
    }
}
