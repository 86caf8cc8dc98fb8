//! Budgets on every level, small enough to run out again and again, and providers that answer fast,
//! late, in pieces, without usage, with too much of it, badly and not.

use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use ralex_api::budgets::Budget;
use ralex_api::page::Page;
use ralex_kernel::Money;
use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Api, Governed, MAX_OUTPUT, Request, Tariff};
use crate::upstream::{Script, ScriptedUsage, Upstream, Usage};

/// Nano-dollars a token: three and fifteen dollars a million.
pub const PRICES: (i64, i64) = (3_000, 15_000);
const TARIFF: Tariff = Tariff { input: "3", output: "15" };
const LIMIT: &str = "0.004";
/// What is added to what a token's budget has used, in nano-dollars: some run out at once.
const HEADROOM: std::ops::Range<i64> = 2_000_000..40_000_000;
const PATIENCE: Duration = Duration::from_secs(4);

/// A model, and how it is called.
pub struct Model {
    pub name: &'static str,
    pub streamed: bool,
    anthropic: bool,
}

const fn model(name: &'static str, streamed: bool, anthropic: bool) -> Model {
    Model { name, streamed, anthropic }
}

pub const MODELS: [Model; 11] = [
    model("quick", false, false),
    model("slow", false, false),
    model("late", false, true),
    model("pieces", true, false),
    model("claude", true, true),
    model("cut", true, false),
    model("mute", false, false),
    model("silent", true, false),
    model("greedy", false, false),
    model("glutton", true, true),
    model("failing", false, false),
];

pub struct Setting {
    pub api: Api,
    pub tokens: Vec<Governed>,
}

impl Setting {
    /// Org, teams, projects and tokens, each with a hard budget of its own.
    ///
    /// # Errors
    /// Where something is not made.
    pub async fn create(url: &str, upstream: &Upstream) -> anyhow::Result<Self> {
        let api = Api::log_in(url).await?;
        script(upstream);
        for model in &MODELS {
            let kind = if model.anthropic { "anthropic" } else { "openai_compatible" };
            Governed::provider(&api, model.name, kind, upstream, TARIFF).await?;
        }
        budget(&api, "org").await?;
        let mut tokens = Vec::new();
        for team in ["red", "blue"] {
            api.create("teams", json!({ "slug": team, "name": team })).await?;
            budget(&api, &format!("team:{team}")).await?;
            for half in ["one", "two"] {
                let slug = format!("{team}-{half}");
                let project = json!({ "slug": slug, "name": slug, "team": team });
                api.create("projects", project).await?;
                budget(&api, &format!("project:{slug}")).await?;
                for n in 0..2 {
                    tokens.push(token(&api, team, &slug, n).await?);
                }
            }
        }
        Ok(Self { api, tokens })
    }
}

async fn token(api: &Api, team: &str, project: &str, n: u32) -> anyhow::Result<Governed> {
    let new = json!({ "name": format!("{project}-{n}"), "team": team, "project": project });
    let answer = api.create("tokens", new).await?;
    let part = |name: &str| answer[name].as_str().map(str::to_owned).context("no token");
    let made = Governed { team: team.to_owned(), token: part("token")?, token_id: part("id")? };
    budget(api, &format!("token:{}", made.token_id)).await?;
    Ok(made)
}

/// For all time, so that no midnight falls into a run.
async fn budget(api: &Api, scope: &str) -> anyhow::Result<()> {
    let new = json!({ "scope": scope, "period": "total", "limit": LIMIT, "hard": true });
    api.create("budgets", new).await.map(drop)
}

/// Gives every budget a little more than it has used. What is refused, since more was used
/// meanwhile, or not answered, since the node was killed, comes again the next time.
pub async fn raise_limits(api: &Api, rng: &mut StdRng) {
    let read = tokio::time::timeout(PATIENCE, api.find::<Page<Budget>>("budgets?limit=500"));
    let Ok(Ok(budgets)) = read.await else { return };
    let changes = budgets.items.into_iter().map(|budget| {
        // The upper levels feed those below, but not all of them at once.
        let times = match budget.scope.split_once(':').map(|(kind, _)| kind) {
            None => 4,
            Some("team") => 3,
            Some("project") => 2,
            Some(_) => 1,
        };
        let more = Money::nanos(rng.random_range(HEADROOM) * times);
        let limit = budget.spent + budget.held + budget.leased + more;
        let path = format!("/orgs/default/budgets/{}", budget.id);
        async move {
            let change = api.send(Method::PATCH, &path, json!({ "limit": limit }));
            tokio::time::timeout(PATIENCE, change).await.ok();
        }
    });
    join_all(changes.collect::<Vec<_>>()).await;
}

/// A call whose body is unlike every other's, so that it is found again in every record.
pub fn call(token: &Governed, model: &Model, marker: &str) -> (String, Request) {
    let body = body(model, marker);
    let request = if model.anthropic { token.message(&body) } else { token.chat(&body) };
    (body.to_string(), request)
}

fn body(model: &Model, marker: &str) -> Value {
    json!({
        "model": model.name,
        "max_tokens": MAX_OUTPUT,
        "stream": model.streamed,
        "messages": [{ "role": "user", "content": format!("[[{marker}]] Say this, please.") }],
    })
}

fn script(upstream: &Upstream) {
    let words = |count: usize| Some(vec!["word ".to_owned(); count]);
    let pieces = Script { chunks: words(12), delay_chunk_ms: 25, ..Script::default() };
    let none = Some(ScriptedUsage::Word("none".to_owned()));
    // More than the call allowed, and so more than was held for it.
    let much =
        Usage { input_tokens: 40, output_tokens: 3 * u64::from(MAX_OUTPUT), ..Usage::default() };
    let much = Some(ScriptedUsage::Counts(much));
    let after = |delay_first_ms| Script { delay_first_ms, ..Script::default() };
    for (model, script) in [
        ("slow", after(80)),
        ("late", after(1_500)),
        ("claude", Script { delay_first_ms: 40, ..pieces.clone() }),
        ("cut", Script { cut_after: Some(4), ..pieces.clone() }),
        ("mute", Script { usage: none.clone(), ..after(120) }),
        ("silent", Script { usage: none, ..pieces.clone() }),
        ("greedy", Script { usage: much.clone(), ..after(60) }),
        ("glutton", Script { usage: much, ..pieces.clone() }),
        ("failing", Script { status: Some(500), ..after(15) }),
        ("pieces", pieces),
    ] {
        upstream.script_for(model, script);
    }
}
