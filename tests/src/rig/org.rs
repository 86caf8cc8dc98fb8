//! An organisation in which everything that governs a call is switched on.

use anyhow::Context;
use serde_json::{Value, json};

use super::{Api, Request};
use crate::upstream::Upstream;

/// The most output that a call asks for; what is held for it rests on this.
pub const MAX_OUTPUT: u32 = 64;

/// Dollars a million tokens.
#[derive(Clone, Copy)]
pub struct Tariff {
    pub input: &'static str,
    pub output: &'static str,
}

/// Limits of the hard budgets, in dollars.
#[derive(Clone, Copy)]
pub struct Limits {
    pub org: &'static str,
    pub team: &'static str,
    pub token: &'static str,
}

/// A team's token and the names of what was set up for it.
#[derive(Clone, Debug)]
pub struct Governed {
    pub team: String,
    pub token: String,
    pub token_id: String,
}

impl Governed {
    /// A budget for the whole organisation.
    pub async fn org_budget(api: &Api, limit: &str) -> anyhow::Result<()> {
        budget(api, "org", limit).await
    }

    /// A team with a token, and a hard budget on each.
    pub async fn create(api: &Api, team: &str, limits: Limits) -> anyhow::Result<Self> {
        api.create("teams", json!({ "slug": team, "name": team })).await?;
        let answer = api.create("tokens", json!({ "name": team, "team": team })).await?;
        let part = |name: &str| answer[name].as_str().map(str::to_owned).context("no token");
        let (token, token_id) = (part("token")?, part("id")?);
        budget(api, &format!("team:{team}"), limits.team).await?;
        budget(api, &format!("token:{token_id}"), limits.token).await?;
        Ok(Self { team: team.to_owned(), token, token_id })
    }

    /// A provider with a key in the vault, and one model named like it.
    pub async fn provider(
        api: &Api,
        name: &str,
        kind: &str,
        upstream: &Upstream,
        tariff: Tariff,
    ) -> anyhow::Result<()> {
        let path = if kind == "anthropic" { "" } else { "/v1" };
        let base = format!("{}{path}", upstream.url());
        api.create("providers", json!({ "slug": name, "kind": kind, "base_url": base })).await?;
        let secret = json!({ "name": name, "provider": name, "value": format!("key-of-{name}") });
        api.create("secrets", secret).await?;
        let model = json!({
            "name": name, "provider": name, "upstream_model": name,
            "input_price": tariff.input, "output_price": tariff.output,
            "context_window": 128_000, "max_output": 4096,
        });
        api.create("models", model).await?;
        Ok(())
    }

    /// A chat completion through Ralex.
    pub fn chat(&self, body: &Value) -> Request {
        let bearer = format!("Bearer {}", self.token);
        Request::post("/v1/chat/completions", &[("authorization", &bearer)], &body.to_string())
    }

    /// A message through Ralex.
    pub fn message(&self, body: &Value) -> Request {
        let headers = [("x-api-key", self.token.as_str()), ("anthropic-version", "2023-06-01")];
        Request::post("/v1/messages", &headers, &body.to_string())
    }
}

/// For all time, so that no midnight falls into a run.
async fn budget(api: &Api, scope: &str, limit: &str) -> anyhow::Result<()> {
    let budget = json!({ "scope": scope, "period": "total", "limit": limit, "hard": true });
    api.create("budgets", budget).await.map(drop)
}
