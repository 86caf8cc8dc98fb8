//! `ralex call-rules`: which calls are allowed, asked about or denied, by a server's API.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use ralex_api::Page;
use ralex_api::call_rules::{
    CallEffect, CallPhase, CallRule, CallRuleSettings, CallRulesQuery, SetCallRuleSettings,
    SimulateCallRules, SimulatedCallRules, TestedCall,
};
use ralex_kernel::CallRuleId;
use serde_json::{Map, Value, json};

use super::Environment;
use super::api::{self, Api};
use super::table::{asked, facts, json_flag, limit_flag, table, told};

/// Flags that are one text in the body, and those that are a list.
const TEXTS: [&str; 7] =
    ["name", "description", "scope", "effect", "phase", "condition", "message"];
const LISTS: [(&str, &str); 3] =
    [("action", "actions"), ("resource", "resources"), ("subject", "subjects")];

pub fn command() -> Command {
    let id = Arg::new("id").value_name("ID").required(true);
    let id = id.value_parser(value_parser!(CallRuleId)).help("The rule, as list shows it");
    let scope = Arg::new("scope").long("scope").value_name("SCOPE");
    let default = Arg::new("effect").value_name("EFFECT").value_parser(effects());
    let all = [
        Command::new("list").about("List call rules, the oldest first").args([
            flag("effect", "EFFECT").value_parser(effects()).help("Only those with this effect"),
            flag("phase", "PHASE").value_parser(phases()).help("Only those of this phase"),
            scope.clone().help("Only those at this scope and below"),
            limit_flag(),
        ]),
        Command::new("show").about("Show one").arg(id.clone()),
        Command::new("create")
            .about("Make a rule, by flags, by a file, or by a file and flags that change it")
            .args(said())
            .arg(scope.clone().help("org, team:SLUG or project:SLUG; org when absent")),
        Command::new("update").about("Change a rule; what is not said stays").args(said()).args([
            id.clone(),
            flag("if-version", "NUMBER")
                .value_parser(value_parser!(u64))
                .help("Only where it is still this version"),
            Arg::new("no-condition")
                .long("no-condition")
                .action(ArgAction::SetTrue)
                .conflicts_with("condition")
                .help("Take its condition away"),
        ]),
        Command::new("delete").about("Delete a rule").arg(id),
        Command::new("test")
            .about(
                "Say what would become of a call, and by which rule; ends with 2 where not allowed",
            )
            .args(tried())
            .arg(scope.help("Where it is made: org, team:SLUG or project:SLUG")),
        Command::new("simulate")
            .about("Say what a change of rules would have done to the calls that were made")
            .args(changed()),
        Command::new("default")
            .about("Show, or say, what holds where no rule is about a call")
            .arg(default.help("allow, ask or deny")),
    ];
    Command::new("call-rules")
        .visible_alias("call-rule")
        .about(
            "Allow, ask about or deny calls by what they are, who makes them, when and with what",
        )
        .subcommand_required(true)
        .subcommands(all.map(|command| api::flags(command.arg(json_flag()))))
}

fn flag(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn many(name: &'static str, value: &'static str) -> Arg {
    flag(name, value).action(ArgAction::Append)
}

fn effects() -> PossibleValuesParser {
    PossibleValuesParser::new(CallEffect::ALL.iter().map(|effect| effect.as_str()))
}

fn phases() -> PossibleValuesParser {
    PossibleValuesParser::new(CallPhase::ALL.iter().map(|phase| phase.as_str()))
}

/// What a rule says.
fn said() -> Vec<Arg> {
    vec![
        flag("file", "PATH").value_parser(value_parser!(PathBuf)).help("A JSON file of the rule"),
        flag("name", "TEXT").help("What people read"),
        flag("description", "TEXT").help("What it is for"),
        flag("effect", "EFFECT").value_parser(effects()).help("What becomes of the calls"),
        flag("phase", "PHASE").value_parser(phases()).help("What is shown, called, or both"),
        many("action", "PATTERN").help("As model.call or model.call.embeddings; repeat for more"),
        many("resource", "PATTERN").help("As model:gpt-* or provider:openai; repeat for more"),
        many("subject", "WHO").help("As group:SLUG, user:EMAIL or role:NAME; repeat for more"),
        flag("condition", "CEL").help("An expression that is true for the calls that are meant"),
        flag("message", "TEXT").help("What the caller is told"),
        flag("enabled", "BOOL").value_parser(value_parser!(bool)).help("Whether it counts"),
    ]
}

/// What a call is that is tried.
fn tried() -> Vec<Arg> {
    vec![
        flag("call", "ID").help("A call that was made"),
        flag("action", "ACTION").help("model.call.generate when absent"),
        flag("model", "NAME").help("Its model"),
        flag("provider", "SLUG").help("Its provider, where it is not the model's own"),
        flag("subject", "WHO").help("Whose call: user:EMAIL or service_account:SLUG"),
        flag("arguments", "JSON").help("Fields of its body, as {\"max_tokens\": 9000}"),
        many("label", "TEXT").help("What the data is; repeat for more"),
        many("tag", "TEXT").help("The caller's own words; repeat for more"),
        flag("at", "TIME").help("When, as 2026-03-01T23:30:00Z; now when absent"),
        flag("budget-left", "MICROS")
            .value_parser(value_parser!(i64))
            .help("What its budgets have left, in millionths of a US dollar"),
        flag("draft", "PATH")
            .value_parser(value_parser!(PathBuf))
            .help("A JSON file of a rule to try beside the others"),
    ]
}

/// What would be otherwise.
fn changed() -> [Arg; 5] {
    [
        flag("draft", "PATH")
            .value_parser(value_parser!(PathBuf))
            .help("A JSON file of a rule that there would be"),
        many("without", "ID")
            .value_parser(value_parser!(CallRuleId))
            .help("A rule that there would be no more; repeat for more"),
        flag("default", "EFFECT")
            .value_parser(effects())
            .help("What would hold where no rule is about a call"),
        flag("days", "NUMBER")
            .value_parser(value_parser!(u32))
            .help("Calls of so many last days; 30 when absent"),
        limit_flag(),
    ]
}

pub fn run(matches: &ArgMatches, environment: &Environment) -> ExitCode {
    let Some((verb, matches)) = matches.subcommand() else { return ExitCode::from(3) };
    asked(matches, environment, async |api| act(&api, verb, matches).await)
}

async fn act(api: &Api, verb: &str, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match verb {
        "list" => return list(api, matches).await,
        "test" => return test(api, matches).await,
        "simulate" => return simulate(api, matches).await,
        "default" => return default(api, matches).await,
        "create" => {
            let made: CallRule = api.post(&["call-rules"], &body(matches)?).await?;
            return told(&made, matches, shown);
        }
        _ => {}
    }
    let id = matches.get_one::<CallRuleId>("id").context("no id")?.to_string();
    let path = ["call-rules", id.as_str()];
    match verb {
        "show" => told(&api.get::<CallRule>(&path, &()).await?, matches, shown),
        "update" => {
            let mut change = body(matches)?;
            if matches.get_flag("no-condition") {
                change.insert("condition".to_owned(), Value::Null);
            }
            let version = matches.get_one::<u64>("if-version").copied();
            let changed: CallRule = api.patch_if(&path, &change, version).await?;
            told(&changed, matches, shown)
        }
        _ => {
            api.delete(&path).await?;
            let gone = json!({ "call_rule": id, "deleted": true });
            told(&gone, matches, |_| format!("{id} is gone"))
        }
    }
}

/// The file, with what the flags say instead.
fn body(matches: &ArgMatches) -> anyhow::Result<Map<String, Value>> {
    let mut body = match matches.get_one::<PathBuf>("file") {
        Some(path) => read(path)?,
        None => Map::new(),
    };
    for name in TEXTS {
        // Not every command has every flag.
        if let Ok(Some(text)) = matches.try_get_one::<String>(name) {
            body.insert(name.to_owned(), json!(text));
        }
    }
    for (flag, name) in LISTS {
        if let Some(items) = matches.get_many::<String>(flag) {
            body.insert(name.to_owned(), items.cloned().collect());
        }
    }
    if let Some(enabled) = matches.get_one::<bool>("enabled") {
        body.insert("enabled".to_owned(), json!(enabled));
    }
    if body.is_empty()
        && !matches.try_get_one::<bool>("no-condition").is_ok_and(|it| it == Some(&true))
    {
        bail!("Say what the rule is, by flags or with --file.");
    }
    Ok(body)
}

fn read(path: &PathBuf) -> anyhow::Result<Map<String, Value>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", path.display()))
}

async fn list(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let text = |name: &str| matches.get_one::<String>(name);
    let query = CallRulesQuery {
        limit: matches.get_one::<u32>("limit").copied(),
        effect: text("effect").and_then(|it| CallEffect::named(it)),
        phase: text("phase").and_then(|it| CallPhase::named(it)),
        scope: text("scope").cloned(),
        ..CallRulesQuery::default()
    };
    let page: Page<CallRule> = api.get(&["call-rules"], &query).await?;
    told(&page, matches, |page| {
        let rows = page.items.iter().map(|rule| {
            let on = if rule.enabled { "on" } else { "off" };
            [
                rule.id.to_string(),
                rule.effect.to_string(),
                rule.phase.to_string(),
                on.to_owned(),
                rule.scope.clone(),
                rule.name.to_string(),
                rule.resources.join(", "),
                rule.condition.clone().unwrap_or_default(),
            ]
        });
        let heads = ["Id", "Effect", "Phase", "", "Where", "Name", "What", "Condition"];
        table(heads, rows)
    })
}

async fn test(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut body = Map::new();
    for name in ["call", "action", "model", "provider", "scope", "subject", "at"] {
        if let Some(text) = matches.get_one::<String>(name) {
            body.insert(name.to_owned(), json!(text));
        }
    }
    for (flag, name) in [("label", "labels"), ("tag", "tags")] {
        if let Some(items) = matches.get_many::<String>(flag) {
            body.insert(name.to_owned(), items.cloned().collect());
        }
    }
    if let Some(arguments) = matches.get_one::<String>("arguments") {
        let arguments: Value =
            serde_json::from_str(arguments).context("--arguments is no JSON object")?;
        body.insert("arguments".to_owned(), arguments);
    }
    if let Some(left) = matches.get_one::<i64>("budget-left") {
        body.insert("budget_left".to_owned(), json!(left));
    }
    if let Some(path) = matches.get_one::<PathBuf>("draft") {
        body.insert("draft".to_owned(), Value::Object(read(path)?));
    }
    let tested: TestedCall = api.post(&["call-rules", "test"], &body).await?;
    told(&tested, matches, verdict)?;
    let allowed = tested.effect == CallEffect::Allow;
    Ok(if allowed { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn verdict(tested: &TestedCall) -> String {
    let by = tested.decided_by.map_or_else(
        || tested.message.as_ref().map_or("the default", |_| "no stored rule").to_owned(),
        |id| id.to_string(),
    );
    let rows = tested.rules.iter().map(|rule| {
        let id = rule.id.map_or_else(|| "draft".to_owned(), |id| id.to_string());
        let matched = if rule.matched { "yes" } else { "no" };
        [id, rule.effect.to_string(), matched.to_owned(), rule.name.clone(), rule.why.clone()]
    });
    let rules = table(["Id", "Effect", "About it", "Name", "Why"], rows);
    let said = tested.message.clone().unwrap_or_default();
    format!("{} (by {by}) {said}\n{rules}", tested.effect)
}

async fn simulate(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let draft = match matches.get_one::<PathBuf>("draft") {
        Some(path) => Some(serde_json::from_value(Value::Object(read(path)?))?),
        None => None,
    };
    let without = matches.get_many::<CallRuleId>("without").into_iter().flatten().copied();
    let change = SimulateCallRules {
        draft,
        without: without.collect(),
        default_effect: matches
            .get_one::<String>("default")
            .and_then(|effect| CallEffect::named(effect)),
        days: matches.get_one::<u32>("days").copied(),
        limit: matches.get_one::<u32>("limit").copied(),
    };
    let done: SimulatedCallRules = api.post(&["call-rules", "simulate"], &change).await?;
    told(&done, matches, otherwise)
}

fn otherwise(done: &SimulatedCallRules) -> String {
    let rows = done.changes.iter().map(|line| {
        [
            line.calls.to_string(),
            format!("{} → {}", line.before, line.after),
            line.rule_name.clone().unwrap_or_else(|| "the default".to_owned()),
            line.model.clone(),
            line.scope.clone(),
            if line.subject_name.is_empty() { &line.subject } else { &line.subject_name }.clone(),
            line.last_call.to_rfc3339(),
        ]
    });
    let lines = table(["Calls", "Outcome", "By", "Model", "Where", "Who", "Last"], rows);
    let mut said = format!(
        "{} of {} calls since {} would have come out otherwise",
        done.changed,
        done.looked_at,
        done.since.to_rfc3339()
    );
    if done.looked_at < done.recorded {
        let _ = write!(said, "; there are {}, and the newest were looked at", done.recorded);
    }
    if done.unclear > 0 {
        let names = done.not_kept.join(", ");
        let _ = write!(said, "; {} hinge on {names}, which is not kept", done.unclear);
    }
    if done.more > 0 {
        let _ = write!(said, "; {} more lines are not shown", done.more);
    }
    format!("{said}.\n{lines}")
}

async fn default(api: &Api, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let path = ["call-rules", "settings"];
    let wished = matches.get_one::<String>("effect").and_then(|it| CallEffect::named(it));
    let settings: CallRuleSettings = match wished {
        Some(default_effect) => api.put(&path, &SetCallRuleSettings { default_effect }).await?,
        None => api.get(&path, &()).await?,
    };
    told(&settings, matches, |settings| settings.default_effect.to_string())
}

fn shown(rule: &CallRule) -> String {
    let mut all = vec![
        ("name", rule.name.to_string()),
        ("effect", rule.effect.to_string()),
        ("phase", rule.phase.to_string()),
        ("where", format!("{} ({})", rule.scope_name, rule.scope)),
        ("actions", rule.actions.join(", ")),
        ("resources", rule.resources.join(", ")),
    ];
    if !rule.subjects.is_empty() {
        all.push(("subjects", rule.subject_names.join(", ")));
    }
    all.extend(rule.condition.clone().map(|condition| ("condition", condition)));
    if !rule.message.is_empty() {
        all.push(("message", rule.message.clone()));
    }
    all.extend(rule.broken.clone().map(|why| ("broken", why)));
    all.push(("enabled", rule.enabled.to_string()));
    all.push(("version", rule.version.to_string()));
    all.push(("changed", format!("{} by {}", rule.updated_at.to_rfc3339(), rule.updated_by)));
    facts(&rule.id.to_string(), &all)
}
