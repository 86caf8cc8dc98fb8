//! What Ralex itself says about its books: the exported log and the commands that check it.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ralex_api::budgets::Budget;
use ralex_api::page::Page;
use serde_json::Value;

use super::Api;
use super::server::command;

/// Nobody waits longer for open calls to be swept and events to be sequenced.
const PATIENCE: Duration = Duration::from_mins(3);

/// What the log says of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEvent {
    Opened {
        call: String,
        digest: String,
    },
    /// More was held for it.
    Extended {
        call: String,
    },
    Closed {
        call: String,
        state: String,
        cost: String,
    },
    Refused {
        call: String,
    },
}

/// Waits until no call is open, nothing is leased, and every event has its place in the tree.
pub async fn settled(api: &Api) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let open: Value = api.find("calls?state=open&limit=1").await?;
        let newest: Value = api.find("audit?limit=1").await?;
        let budgets: Page<Budget> = api.find("budgets?limit=500").await?;
        // What servers have in hand goes back when nothing is done, or counts as spent.
        let none_leased = budgets.items.iter().all(|budget| !budget.leased.is_positive());
        let none_open = open["items"].as_array().is_some_and(Vec::is_empty);
        if none_open && none_leased && newest["items"][0]["index"].is_u64() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            bail!("calls or leases stay open, or events stay without a place: {open} {newest}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The verifiable bundle, as a file.
pub async fn export(api: &Api, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("audit.jsonl");
    std::fs::write(&path, api.bytes("audit/export?format=jsonl").await?)?;
    Ok(path)
}

/// Every event about calls that a bundle holds.
pub fn call_events(bundle: &Path) -> anyhow::Result<Vec<CallEvent>> {
    let mut events = Vec::new();
    for line in BufReader::new(File::open(bundle)?).lines() {
        let line = line?;
        // Most of a large bundle is read here, so other lines are passed over unread.
        if line.contains("\"action\":\"call.") {
            let line: Value = serde_json::from_str(&line)?;
            events.push(call_event(&line["event"]).context("an event about a call has no call")?);
        }
    }
    Ok(events)
}

fn call_event(event: &Value) -> Option<CallEvent> {
    let text = |name: &str| event["detail"][name].as_str().map(str::to_owned);
    let call = text("call")?;
    match event["action"].as_str()? {
        "call.opened" => Some(CallEvent::Opened { call, digest: text("prompt_digest")? }),
        "call.extended" => Some(CallEvent::Extended { call }),
        "call.closed" => {
            Some(CallEvent::Closed { call, state: text("state")?, cost: text("cost")? })
        }
        "call.refused" => Some(CallEvent::Refused { call }),
        _ => None,
    }
}

/// `ralex audit verify`: what it says and how long it takes.
///
/// # Errors
/// Where it finds anything but a good log.
pub fn verify_audit(program: &Path, bundle: &Path) -> anyhow::Result<(String, Duration)> {
    let begun = Instant::now();
    let said = said(command(program, &std::env::temp_dir()).args(["audit", "verify"]).arg(bundle))?;
    Ok((said, begun.elapsed()))
}

/// `ralex budgets verify` on a data folder that no server uses.
///
/// # Errors
/// Where a period does not add up.
pub fn verify_budgets(program: &Path, folder: &Path) -> anyhow::Result<String> {
    said(command(program, folder).args(["budgets", "verify"]))
}

/// What a command says where it succeeds.
///
/// # Errors
/// Where it does not.
pub fn said(command: &mut std::process::Command) -> anyhow::Result<String> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        bail!("{} {text} {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(text)
}
