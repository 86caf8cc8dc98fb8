//! `ralex reviews`: looks at who holds what, and what is decided about it, by a server's API.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::access::RoleName;
use ralex_api::access_reviews::{
    AccessReview, AccessReviewItem, AccessReviewItemsQuery, AccessReviewState, AccessReviewsQuery,
    DecideReview, NewAccessReview, ReviewDecision, ReviewItemsOnly, ReviewRepeats, ReviewedKind,
    SignReview,
};
use ralex_kernel::{AccessReviewId, BindingId, Name};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};
use super::usage::save;

pub fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true);
    let id = id.value_parser(value_parser!(AccessReviewId)).help("The review, as list shows it");
    let note = Arg::new("note").long("note").value_name("TEXT").required(true);
    let only = words("only", ReviewItemsOnly::ALL.iter().map(|it| it.as_str()));
    let state = words("state", AccessReviewState::ALL.iter().map(|it| it.as_str()));
    let all = [
        Command::new("list")
            .about("List reviews of access, newest first")
            .args([state.help("Only those in this state"), limit_flag()]),
        create(),
        Command::new("show").about("Show one").arg(id.clone()),
        Command::new("items")
            .about("List what is reviewed, with what was decided and what came of it")
            .args([id.clone(), only.help("Only these"), limit_flag()]),
        decision("keep", "Decide that roles are kept", &id),
        decision("remove", "Decide that roles are taken away when the review closes", &id),
        Command::new("close")
            .about("Close a review in which nothing is left to be decided, and do what was decided")
            .arg(id.clone()),
        Command::new("cancel").about("End a review without doing anything").arg(id.clone()),
        Command::new("sign")
            .about("Sign what came of a closed review")
            .args([id.clone(), note.help("What is signed, in words")]),
        Command::new("evidence")
            .about("Write all of a review as CSV: what was held, decided and done")
            .arg(id),
    ];
    Command::new("reviews")
        .about("Review who holds which role, and take away what nobody stands up for")
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn words(name: &'static str, words: impl Iterator<Item = &'static str>) -> Arg {
    Arg::new(name).long(name).value_parser(PossibleValuesParser::new(words))
}

fn create() -> Command {
    let list =
        |name: &'static str| Arg::new(name).long(name).value_name("LIST").value_delimiter(',');
    let subjects = ReviewedKind::ALL.iter().map(|it| it.as_str());
    let days = Arg::new("days").long("days").value_name("NUMBER").default_value("14");
    Command::new("create").about("Set up a review of access").args([
        Arg::new("name").value_name("NAME").required(true).value_parser(value_parser!(Name)),
        Arg::new("scope").long("scope").default_value("org").help("org, team:SLUG or project:SLUG"),
        list("roles").help("Only these roles"),
        list("subjects")
            .value_parser(PossibleValuesParser::new(subjects))
            .help("Only whose these are"),
        list("reviewers")
            .help("user:EMAIL, group:SLUG; whoever could take such a role away when absent"),
        Arg::new("opens").long("opens").value_name("TIME").help("When it opens; now when absent"),
        days.value_parser(value_parser!(u32).range(1..=90)).help("For how many days it is open"),
        words("undecided", ReviewDecision::ALL.iter().map(|it| it.as_str()))
            .default_value("keep")
            .help("What happens to what nobody decides"),
        words("repeats", ReviewRepeats::ALL.iter().map(|it| it.as_str()))
            .default_value("never")
            .help("How often it opens anew"),
    ])
}

fn decision(name: &'static str, about: &'static str, id: &Arg) -> Command {
    let bindings = Arg::new("bindings").value_name("BINDING").num_args(1..=500).required(true);
    Command::new(name).about(about).args([
        id.clone(),
        bindings.value_parser(value_parser!(BindingId)).help("What is decided, as items shows it"),
        Arg::new("reason")
            .long("reason")
            .value_name("TEXT")
            .action(ArgAction::Set)
            .help("Needed to remove, and to keep what is recommended to be removed"),
    ])
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => return list(api, matches).await,
        "create" => {
            let made: AccessReview = api.post(&["access-reviews"], &wanted(matches)?).await?;
            return told(&made, matches, shown);
        }
        _ => {}
    }
    let id = matches.get_one::<AccessReviewId>("id").context("no id")?.to_string();
    let path = ["access-reviews", &id, verb];
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let review: AccessReview = match verb {
        "items" => return items(api, &path, matches).await,
        "evidence" => return save(api.download(&path, &()).await?).await,
        "show" => api.get(&path[..2], &()).await?,
        "keep" | "remove" => {
            let bindings = matches.get_many::<BindingId>("bindings");
            let decide = DecideReview {
                bindings: bindings.into_iter().flatten().copied().collect(),
                decision: ReviewDecision::named(verb).context("no decision")?,
                reason: text("reason"),
            };
            api.post(&["access-reviews", &id, "decisions"], &decide).await?
        }
        "sign" => api.post(&path, &SignReview { note: text("note").unwrap_or_default() }).await?,
        _ => api.post(&path, &()).await?,
    };
    told(&review, matches, shown)
}

fn wanted(matches: &ArgMatches) -> anyhow::Result<NewAccessReview> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let list = |name: &str| {
        let given = matches.get_many::<String>(name).into_iter().flatten();
        given.cloned().collect::<Vec<_>>()
    };
    let opens = text("opens").map(|at| DateTime::parse_from_rfc3339(&at)).transpose();
    let opens = opens.context("--opens is not a time like 2030-01-31T09:00:00Z")?;
    let subjects = list("subjects");
    Ok(NewAccessReview {
        name: matches.get_one::<Name>("name").context("no name")?.clone(),
        scope: text("scope"),
        roles: list("roles").into_iter().map(RoleName).collect(),
        subjects: subjects.iter().filter_map(|it| ReviewedKind::named(it)).collect(),
        reviewers: list("reviewers"),
        opens_at: opens.map(|at| at.with_timezone(&Utc)),
        due_days: *matches.get_one::<u32>("days").context("no days")?,
        undecided: text("undecided")
            .and_then(|it| ReviewDecision::named(&it))
            .context("no word")?,
        repeats: text("repeats").and_then(|it| ReviewRepeats::named(&it)).context("no word")?,
    })
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let state = matches.get_one::<String>("state");
    let query = AccessReviewsQuery {
        cursor: None,
        limit: matches.get_one::<u32>("limit").copied(),
        state: state.and_then(|state| AccessReviewState::named(state)),
    };
    let page: Page<AccessReview> = api.get(&["access-reviews"], &query).await?;
    told(&page, matches, |page| {
        let heads = ["Id", "State", "Name", "Where", "Opens", "Until", "Undecided", "Items"];
        let rows = page.items.iter().map(|it| {
            let (opens, until) = (day(Some(it.opens_at)), day(it.due_at));
            let (left, all) = (it.counts.undecided.to_string(), it.counts.items.to_string());
            let (state, name) = (it.state.to_string(), it.name.to_string());
            [it.id.to_string(), state, name, it.scope.clone(), opens, until, left, all]
        });
        table(heads, rows)
    })
}

async fn items(api: &Api, path: &[&str], matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let only = matches.get_one::<String>("only");
    let query = AccessReviewItemsQuery {
        cursor: None,
        limit: matches.get_one::<u32>("limit").copied(),
        only: only.and_then(|only| ReviewItemsOnly::named(only)),
    };
    let page: Page<AccessReviewItem> = api.get(path, &query).await?;
    told(&page, matches, |page| {
        let heads =
            ["Binding", "Who", "Role", "Where", "Last use", "Advice", "Decision", "Outcome"];
        let rows = page.items.iter().map(|it| {
            let word = |word: Option<String>| word.unwrap_or_else(|| "-".to_owned());
            let advice = format!("{} ({})", it.advice, it.advice_why);
            let outcome = match (&it.outcome, &it.outcome_why) {
                (Some(outcome), Some(why)) => Some(format!("{outcome}: {why}")),
                (outcome, _) => outcome.map(|it| it.to_string()),
            };
            [
                it.binding.to_string(),
                it.subject_name.clone(),
                it.role.to_string(),
                it.scope.clone(),
                day(it.last_used_at),
                advice,
                word(it.decision.map(|it| it.to_string())),
                word(outcome),
            ]
        });
        table(heads, rows)
    })
}

fn shown(review: &AccessReview) -> String {
    let counts = &review.counts;
    let mut all = vec![
        ("name", review.name.to_string()),
        ("state", review.state.to_string()),
        ("where", format!("{} ({})", review.scope_name, review.scope)),
        ("opens", review.opens_at.to_rfc3339()),
        ("undecided", format!("{} of {}", counts.undecided, counts.items)),
        ("decided", format!("{} to keep, {} to remove", counts.keep, counts.remove)),
        ("what nobody decides", review.undecided.to_string()),
        ("repeats", format!("{}, this is the {}.", review.repeats, review.round)),
        ("set up by", review.created_by.clone()),
    ];
    all.extend(review.due_at.map(|until| ("open until", until.to_rfc3339())));
    if review.ended_at.is_some() {
        let (kept, removed) = (counts.kept, counts.removed);
        let (refused, gone) = (counts.refused, counts.gone + counts.changed);
        let came =
            format!("{kept} kept, {removed} removed, {refused} refused, {gone} gone or changed");
        all.push(("outcome", came));
    }
    all.extend(review.reviewers.iter().map(|who| ("decides", who.clone())));
    all.extend(review.next.map(|next| ("followed by", next.to_string())));
    if let (Some(by), Some(note)) = (&review.signed_by, &review.signed_note) {
        all.push(("signed by", format!("{by}: {note}")));
    }
    facts(&review.id.to_string(), &all)
}

fn day(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.format("%Y-%m-%d").to_string())
}
