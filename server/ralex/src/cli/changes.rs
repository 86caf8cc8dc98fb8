//! `ralex changes`: changes that take two people, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::changes::{
    ChangeRequest, ChangeRequestsQuery, ChangeState, ChangesOnly, ConfirmChange, FourEyes,
    GuardedAction, RefuseChange, SetFourEyes,
};
use ralex_kernel::{ChangeRequestId, Money};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

const SETTINGS: [&str; 2] = ["change-requests", "settings"];

pub fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true);
    let id = id.value_parser(value_parser!(ChangeRequestId)).help("The change, as list shows it");
    let reason = Arg::new("reason").long("reason").value_name("TEXT");
    let reason = reason.help("For whoever asks, and for the audit log");
    let states = ChangeState::ALL.iter().map(|state| state.as_str());
    let state = Arg::new("state").long("state").value_parser(PossibleValuesParser::new(states));
    let only = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let all = [
        Command::new("list").about("List one's own, and those one may confirm").args([
            state.help("Only those in this state"),
            only("mine").conflicts_with("to-decide").help("Only one's own"),
            only("to-decide").help("Only what waits for oneself"),
            limit_flag(),
        ]),
        Command::new("show").about("Show one, with what would be different").arg(id.clone()),
        Command::new("confirm")
            .about("Agree to what somebody else asks for; it is done at once")
            .args([id.clone(), reason.clone()]),
        Command::new("refuse")
            .about("Refuse what somebody else asks for")
            .args([id.clone(), reason.required(true)]),
        Command::new("withdraw").about("Take back what one asked for").arg(id),
        Command::new("settings").about("Show which actions take two people"),
        settings_command(),
    ];
    Command::new("changes")
        .about("See and decide about changes that take two people, and say which do")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn settings_command() -> Command {
    let actions = GuardedAction::ALL.iter().map(|action| action.as_str());
    let actions = actions.filter(|name| *name != GuardedAction::FourEyesLoosen.as_str());
    Command::new("set").about("Say which actions take two people; what is not named stays").args([
        Arg::new("action")
            .long("action")
            .value_name("ACTION")
            .action(ArgAction::Append)
            .value_parser(PossibleValuesParser::new(actions.collect::<Vec<_>>()))
            .help("All that do, once each; those that are not named do not any more"),
        Arg::new("none")
            .long("none")
            .action(ArgAction::SetTrue)
            .conflicts_with("action")
            .help("No action takes two people"),
        Arg::new("budget-limit")
            .long("budget-limit")
            .value_name("USD|none")
            .help("Up to here one person raises budgets alone; none where each raise takes two"),
        Arg::new("minutes")
            .long("minutes")
            .value_name("NUMBER")
            .value_parser(value_parser!(u32).range(5..=10_080))
            .help("How long others have to confirm"),
    ])
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => return list(api, matches).await,
        "settings" => {
            let settings: FourEyes = api.get(&SETTINGS, &()).await?;
            return told(&settings, matches, settings_shown);
        }
        "set" => return set(api, matches).await,
        _ => {}
    }
    let id = matches.get_one::<ChangeRequestId>("id").context("no id")?.to_string();
    let path = ["change-requests", &id, verb];
    let reason = || matches.get_one::<String>("reason").cloned();
    let request: ChangeRequest = match verb {
        "show" => api.get(&path[..2], &()).await?,
        "confirm" => api.post(&path, &ConfirmChange { reason: reason() }).await?,
        "refuse" => {
            let reason = reason().unwrap_or_default();
            api.post(&path, &RefuseChange { reason }).await?
        }
        _ => api.post(&path, &()).await?,
    };
    told(&request, matches, shown)
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let state = matches.get_one::<String>("state");
    let only = if matches.get_flag("mine") {
        Some(ChangesOnly::Mine)
    } else if matches.get_flag("to-decide") {
        Some(ChangesOnly::ToDecide)
    } else {
        None
    };
    let query = ChangeRequestsQuery {
        cursor: None,
        limit: matches.get_one::<u32>("limit").copied(),
        state: state.and_then(|state| ChangeState::named(state)),
        only,
    };
    let page: Page<ChangeRequest> = api.get(&["change-requests"], &query).await?;
    told(&page, matches, |page| {
        let heads = ["Id", "State", "Asked", "Who", "What"];
        let rows = page.items.iter().map(|it| {
            let asked = it.asked_at.format("%Y-%m-%d %H:%M UTC").to_string();
            let (who, what) = (it.asker.clone(), it.summary.clone());
            [it.id.to_string(), it.state.to_string(), asked, who, what]
        });
        table(heads, rows)
    })
}

async fn set(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let now: FourEyes = api.get(&SETTINGS, &()).await?;
    let actions = match matches.get_many::<String>("action") {
        Some(names) => names.filter_map(|name| GuardedAction::named(name)).collect(),
        None if matches.get_flag("none") => Vec::new(),
        None => {
            let on = now.actions.iter().filter(|it| it.on).map(|it| it.action);
            on.filter(|action| *action != GuardedAction::FourEyesLoosen).collect()
        }
    };
    let budget_limit = match matches.get_one::<String>("budget-limit").map(String::as_str) {
        None => now.budget_limit,
        Some("none") => None,
        Some(amount) => Some(amount.parse::<Money>().context("--budget-limit is no amount")?),
    };
    let minutes = matches.get_one::<u32>("minutes").copied();
    let pending_minutes = minutes.unwrap_or(now.pending_minutes);
    let set = SetFourEyes { actions, budget_limit, pending_minutes };
    let set: FourEyes = api.put(&SETTINGS, &set).await?;
    told(&set, matches, settings_shown)
}

/// All that is said of one.
pub fn shown(request: &ChangeRequest) -> String {
    let mut all = vec![
        ("state", request.state.to_string()),
        ("what", request.summary.clone()),
        ("where", request.scope.clone()),
    ];
    all.extend(request.details.iter().map(|it| {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        let told = format!("{} -> {}", side(&it.before), side(&it.after));
        (it.name.as_str(), told)
    }));
    all.push(("asked by", request.asker.clone()));
    all.push(("asked", request.asked_at.to_rfc3339()));
    if request.state == ChangeState::Pending {
        all.push(("confirm until", request.pending_until.to_rfc3339()));
        all.push(("who may", format!("somebody else with {} there", request.permission)));
    }
    all.extend(request.decided_by.clone().map(|who| ("decided by", who)));
    all.extend(request.reason.clone().map(|why| ("reason", why)));
    facts(&request.id.to_string(), &all)
}

fn settings_shown(settings: &FourEyes) -> String {
    let limit = settings.budget_limit.map(|limit| limit.to_string());
    let limit = limit.unwrap_or_else(|| "none: each raise takes two".to_owned());
    let rows = settings.actions.iter().map(|it| {
        let takes = if it.on { "two people" } else { "one person" };
        [it.action.to_string(), takes.to_owned(), it.does.clone()]
    });
    let all = [
        ("budgets one person raises up to", limit),
        ("minutes to confirm", settings.pending_minutes.to_string()),
    ];
    format!("{}\n\n{}", table(["Action", "Takes", "What"], rows), facts("Settings", &all))
}
