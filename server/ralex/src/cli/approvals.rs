//! `ralex approvals`: what waits for a person, for those who decide and for programs that wait.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::approvals::{Approval, ApprovalQuery, ApprovalState, ApprovalsQuery, Decide};
use ralex_kernel::ApprovalId;

use super::Environment;
use super::api::{self, Api};
use super::table::{UNDECIDED, asked, facts, json_flag, limit_flag, table, told};

/// What a server waits for at most in one request; so it is asked anew.
const ROUND_SECONDS: u64 = 50;

const DENIED: u8 = 2;

pub fn command() -> Command {
    let id = || {
        Arg::new("id")
            .value_name("ID")
            .required(true)
            .value_parser(value_parser!(ApprovalId))
            .help("The approval, as the refused call's header x-ralex-approval names it")
    };
    let decide = |name: &'static str, about: &'static str| {
        let reason = Arg::new("reason").long("reason").value_name("TEXT").required(true);
        Command::new(name)
            .about(about)
            .arg(id())
            .arg(reason.help("For whoever asks, and for the audit log"))
    };
    let states = ApprovalState::ALL.iter().map(|state| state.as_str()).chain(["all"]);
    let state = Arg::new("state")
        .long("state")
        .default_value(ApprovalState::Pending.as_str())
        .value_parser(PossibleValuesParser::new(states))
        .help("Only those in this state");
    let timeout = Arg::new("timeout")
        .long("timeout")
        .value_name("SECONDS")
        .value_parser(value_parser!(u64))
        .help("Give up after so many seconds; without it, when it is decided or too late to be");
    api::flags(
        Command::new("approvals").about("See, decide and wait for what a person has to approve"),
    )
    .subcommand_required(true)
    .arg(json_flag())
    .subcommand(
        Command::new("list")
            .about("List what waits, the newest first")
            .arg(state)
            .arg(limit_flag()),
    )
    .subcommand(Command::new("show").about("Show one").arg(id()))
    .subcommand(decide("approve", "Let what somebody else asks for pass"))
    .subcommand(decide("deny", "Refuse what somebody else asks for"))
    .subcommand(
        Command::new("wait")
            .about("Wait until a person has decided")
            .after_help(
                "Exit codes: 0 approved, 1 failed, 2 denied, 3 wrong use, 4 not decided in time.",
            )
            .arg(id())
            .arg(timeout),
    )
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    if verb == "list" {
        return list(api, matches).await;
    }
    let Some(id) = matches.get_one::<ApprovalId>("id") else { return Ok(ExitCode::from(3)) };
    let id = id.to_string();
    let path = ["approvals", &id];
    let approval: Approval = match verb {
        "wait" => return wait(api, &path, matches).await,
        "show" => api.get(&path, &ApprovalQuery::default()).await?,
        _ => {
            let reason = matches.get_one::<String>("reason").cloned().unwrap_or_default();
            api.post(&["approvals", &id, verb], &Decide { reason }).await?
        }
    };
    told(&approval, matches, shown)
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let word = matches.get_one::<String>("state").map(String::as_str);
    let state = ApprovalState::ALL.iter().copied().find(|state| Some(state.as_str()) == word);
    let limit = matches.get_one::<u32>("limit").copied();
    let query = ApprovalsQuery { state, limit, ..ApprovalsQuery::default() };
    let page: Page<Approval> = api.get(&["approvals"], &query).await?;
    told(&page, matches, |page| {
        let heads = ["Id", "State", "Asked", "Who", "Why", "Model", "Where"];
        let rows = page.items.iter().map(|it| {
            let asked = it.asked_at.format("%Y-%m-%d %H:%M UTC").to_string();
            let (who, model, place) = (it.asker.clone(), it.model.clone(), it.scope.clone());
            let state = it.state.as_str().to_owned();
            [it.id.to_string(), state, asked, who, rules(it), model, place]
        });
        table(heads, rows)
    })
}

async fn wait(api: &Api, path: &[&str], matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let patience = matches.get_one::<u64>("timeout").copied().map(Duration::from_secs);
    let began = Instant::now();
    loop {
        let left = patience.map(|patience| patience.saturating_sub(began.elapsed()));
        // Rounded up, so that the last part of a second is no storm of questions.
        let round = left.map_or(ROUND_SECONDS, |left| {
            left.as_millis().div_ceil(1_000).try_into().unwrap_or(ROUND_SECONDS)
        });
        let round = u32::try_from(round.min(ROUND_SECONDS)).ok();
        let asked = Instant::now();
        let approval: Approval = api.get(path, &ApprovalQuery { wait_seconds: round }).await?;
        let code = match approval.state {
            ApprovalState::Pending if left.is_none_or(|left| !left.is_zero()) => {
                // A server that ends answers early; the next one may take a moment.
                tokio::time::sleep(Duration::from_secs(1).saturating_sub(asked.elapsed())).await;
                continue;
            }
            ApprovalState::Approved | ApprovalState::Used => 0,
            ApprovalState::Denied => DENIED,
            ApprovalState::Pending | ApprovalState::Expired => UNDECIDED,
        };
        told(&approval, matches, shown)?;
        return Ok(ExitCode::from(code));
    }
}

fn shown(approval: &Approval) -> String {
    let mut all = vec![
        ("state", approval.state.as_str().to_owned()),
        ("asked by", approval.asker.clone()),
        ("asked", approval.asked_at.to_rfc3339()),
        ("where", format!("{} ({})", approval.scope_name, approval.scope)),
        ("model", approval.model.clone()),
        ("rules", rules(approval)),
        ("call", approval.call.to_string()),
    ];
    if approval.state == ApprovalState::Pending {
        all.push(("decide until", approval.expires_at.to_rfc3339()));
    }
    all.extend(approval.decided_by.clone().map(|who| ("decided by", who)));
    all.extend(approval.reason.clone().map(|reason| ("reason", reason)));
    all.extend(
        approval.excerpts.iter().map(|it| ("found in", format!("{}: {}", it.path, it.text))),
    );
    facts(&approval.id.to_string(), &all)
}

fn rules(approval: &Approval) -> String {
    let rules = approval.rules.iter().map(|rule| format!("{} x{}", rule.rule, rule.count));
    rules.collect::<Vec<_>>().join(", ")
}
