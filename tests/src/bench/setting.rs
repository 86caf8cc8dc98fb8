//! What is measured: providers that answer at once, after 50 ms and in streams, each reachable
//! directly and through Ralex.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::{Value, json};

use super::load::Target;
use crate::rig::{Api, Governed, Limits, MAX_OUTPUT, Request, Server, Tariff};
use crate::upstream::{Manner, STAMP, Script, Upstream};

const PRICES: Tariff = Tariff { input: "3", output: "15" };
/// Hard, and never reached: every call is held and settled on all three.
const LIMITS: Limits = Limits { org: "1000000", team: "900000", token: "800000" };

const PROMPT: &str = "Summarise in one sentence what a control plane for model calls has to do, \
    and name the three records that an auditor would ask for first.";

/// The same provider on both ways.
pub struct Way {
    /// What is asked, for whoever else is to ask it.
    pub body: Value,
    pub direct: Target,
    pub governed: Target,
}

pub struct Setting {
    pub api: Api,
    /// Their threads serve until this is dropped.
    upstreams: [Upstream; 2],
    team: Governed,
}

impl Setting {
    pub async fn create(server: &Server) -> anyhow::Result<Self> {
        let api = Api::log_in(&server.url).await?;
        let instant = upstream(0)?;
        let slow = upstream(50)?;
        let words = |count: usize| Some(vec!["word ".to_owned(); count]);
        let first = Script {
            chunks: Some(vec![format!("{STAMP} word "); 10]),
            delay_first_ms: 50,
            delay_chunk_ms: 20,
            stamped: true,
            ..Script::default()
        };
        let long = Script { chunks: words(10), delay_chunk_ms: 1000, ..Script::default() };
        slow.script_for("streamed", first);
        slow.script_for("long", long);
        Governed::org_budget(&api, LIMITS.org).await?;
        let team = Governed::create(&api, "bench", LIMITS).await?;
        let kind = "openai_compatible";
        Governed::provider(&api, "instant", kind, &instant, PRICES).await?;
        for name in ["slow", "streamed", "long"] {
            Governed::provider(&api, name, kind, &slow, PRICES).await?;
        }
        Ok(Self { api, upstreams: [instant, slow], team })
    }

    /// How to call a model, around Ralex and through it.
    pub fn way(&self, server: &Server, model: &str) -> anyhow::Result<Way> {
        let [instant, slow] = &self.upstreams;
        let upstream = if model == "instant" { instant } else { slow };
        let address: SocketAddr = upstream
            .url()
            .trim_start_matches("http://")
            .parse()
            .context("the upstream's address")?;
        let body = body(model, matches!(model, "streamed" | "long"));
        let key = format!("Bearer key-of-{model}");
        let headers = [("authorization", key.as_str())];
        let direct = Request::post("/v1/chat/completions", &headers, &body.to_string());
        Ok(Way {
            direct: Target { address, request: direct },
            governed: Target { address: server.address, request: self.team.chat(&body) },
            body,
        })
    }
}

fn upstream(delay_first_ms: u64) -> std::io::Result<Upstream> {
    let manner = Manner { delay_first_ms, forget_requests: true, ..Manner::default() };
    Upstream::start_with("127.0.0.1:0", manner)
}

fn body(model: &str, streamed: bool) -> Value {
    let mut body = json!({
        "model": model,
        "max_tokens": MAX_OUTPUT,
        "messages": [
            { "role": "system", "content": "You answer briefly." },
            { "role": "user", "content": PROMPT },
        ],
    });
    if streamed {
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}
