//! Teams with tight budgets, and providers that answer fast, slowly, in pieces, badly and not.

use ralex_api::budgets::Budget;
use ralex_api::page::Page;
use ralex_kernel::Money;
use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rig::{Api, Governed, Limits, MAX_OUTPUT, Request, Tariff};
use crate::upstream::{Script, Upstream};

const PRICES: Tariff = Tariff { input: "3", output: "15" };
const LIMITS: Limits = Limits { org: "0.01", team: "0.01", token: "0.01" };
/// What a budget may give in one cycle, in nano-dollars: some run out, others outlast it.
const HEADROOM: std::ops::Range<i64> = 2_000_000..30_000_000;

/// A model, how it is called, and how often.
pub struct Model {
    pub name: &'static str,
    pub streamed: bool,
    anthropic: bool,
}

pub const MODELS: [Model; 6] = [
    Model { name: "quick", streamed: false, anthropic: false },
    Model { name: "slow", streamed: false, anthropic: false },
    Model { name: "pieces", streamed: true, anthropic: false },
    Model { name: "claude", streamed: true, anthropic: true },
    Model { name: "cut", streamed: true, anthropic: false },
    Model { name: "failing", streamed: false, anthropic: false },
];

pub struct Setting {
    pub api: Api,
    pub teams: Vec<Governed>,
}

impl Setting {
    pub async fn create(url: &str, upstream: &Upstream) -> anyhow::Result<Self> {
        let api = Api::log_in(url).await?;
        script(upstream);
        for model in &MODELS {
            let kind = if model.anthropic { "anthropic" } else { "openai_compatible" };
            Governed::provider(&api, model.name, kind, upstream, PRICES).await?;
        }
        Governed::org_budget(&api, LIMITS.org).await?;
        let mut teams = Vec::new();
        for team in ["red", "green", "blue"] {
            teams.push(Governed::create(&api, team, LIMITS).await?);
        }
        Ok(Self { api, teams })
    }

    /// Gives every budget a little more than it has used.
    pub async fn raise_limits(&self) -> anyhow::Result<()> {
        let budgets: Page<Budget> = self.api.find("budgets?limit=500").await?;
        for budget in budgets.items {
            // The organisation feeds all teams.
            let times = if budget.scope == "org" { 2 } else { 1 };
            let headroom = Money::nanos(rand::rng().random_range(HEADROOM) * times);
            // What killed servers had in hand is in the way for half a minute.
            let limit = budget.spent + budget.held + budget.leased + headroom;
            let path = format!("/orgs/default/budgets/{}", budget.id);
            self.api.send(Method::PATCH, &path, json!({ "limit": limit })).await?;
        }
        Ok(())
    }
}

/// A call whose body is unlike every other's, so that it is found again in every record.
pub fn call(team: &Governed, model: &Model, marker: &str) -> (String, Request) {
    let body = body(model, marker);
    let request = if model.anthropic { team.message(&body) } else { team.chat(&body) };
    (body.to_string(), request)
}

fn body(model: &Model, marker: &str) -> Value {
    let text = format!("[[{marker}]] Say this again, please.");
    json!({
        "model": model.name,
        "max_tokens": MAX_OUTPUT,
        "stream": model.streamed,
        "messages": [{ "role": "user", "content": text }],
    })
}

fn script(upstream: &Upstream) {
    let words = |count: usize| Some(vec!["word ".to_owned(); count]);
    let slow = Script { delay_first_ms: 60, ..Script::default() };
    let pieces = Script { chunks: words(12), delay_chunk_ms: 15, ..Script::default() };
    let claude = Script { delay_first_ms: 20, ..pieces.clone() };
    let cut = Script { cut_after: Some(4), ..pieces.clone() };
    let failing = Script { status: Some(500), delay_first_ms: 10, ..Script::default() };
    for (model, script) in
        [("slow", slow), ("pieces", pieces), ("claude", claude), ("cut", cut), ("failing", failing)]
    {
        upstream.script_for(model, script);
    }
}
