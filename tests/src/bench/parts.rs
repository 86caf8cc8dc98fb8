//! What single parts of governing cost: leases, the log, rate limits. The same calls at the same
//! instant upstream, each time through a fresh server that differs in nothing but that part.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use serde_json::json;

use super::latency::Percentiles;
use super::load::{Measured, Tally, closed_loop};
use super::setting::Setting;
use crate::rig::{Folder, Server};

/// Enough to keep both the server and its disk busy.
const CALLERS: u32 = 64;
/// Budgets that each call is held on: the organisation's, the team's and the token's.
const BUDGETS: f64 = 3.0;
/// Events that each call leaves: that it was opened, and how it was closed.
const EVENTS: f64 = 2.0;
/// Far more than anybody calls, so that limits are counted and never met.
const AMPLE: u64 = 1_000_000_000;

/// One server's throughput, and what its calls took one after the other.
#[derive(Debug, Serialize)]
pub struct Part {
    pub calls_per_second: f64,
    pub one_by_one: Percentiles,
}

#[derive(Debug, Serialize)]
pub struct Parts {
    pub callers: u32,
    pub with_leases: Part,
    /// No call is sent before its holds are on the disk.
    pub without_leases: Part,
    /// With leases, and with two limits: of the organisation's requests, and of its tokens.
    pub with_rate_limits: Part,
    pub holds_per_second_with_leases: f64,
    pub holds_per_second_without_leases: f64,
    pub audit_events_per_second: f64,
}

impl Parts {
    /// # Errors
    /// Where a server does not start, or a call fails.
    pub async fn measure(
        program: &Path,
        length: Duration,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Self> {
        say("parts: with leases");
        let with_leases = part(program, length, &[], 0).await?;
        say("parts: without leases");
        let record_first = [("RALEX_RECORD_FIRST".to_owned(), "true".to_owned())];
        let without_leases = part(program, length, &record_first, 0).await?;
        say("parts: with rate limits");
        let with_rate_limits = part(program, length, &[], AMPLE).await?;
        let (most, least) = (with_leases.calls_per_second, without_leases.calls_per_second);
        Ok(Self {
            callers: CALLERS,
            holds_per_second_with_leases: most * BUDGETS,
            holds_per_second_without_leases: least * BUDGETS,
            audit_events_per_second: most.max(least) * EVENTS,
            with_leases,
            without_leases,
            with_rate_limits,
        })
    }
}

async fn part(
    program: &Path,
    length: Duration,
    settings: &[(String, String)],
    limits: u64,
) -> anyhow::Result<Part> {
    let folder = Folder::create("bench-parts")?;
    let server = Server::start_with(program, folder.path(), settings)?;
    let setting = Setting::create(&server).await?;
    if limits > 0 {
        for measure in ["requests", "tokens"] {
            let limit = json!({ "scope": "org", "measure": measure, "amount": limits, "window_seconds": 60 });
            setting.api.create("rate-limits", limit).await?;
        }
    }
    let way = setting.way(&server, "instant")?;
    let alone = counted(closed_loop(&way.governed, 1, length / 2).await)?;
    let crowded = counted(closed_loop(&way.governed, CALLERS, length).await)?;
    server.stop()?;
    Ok(Part {
        calls_per_second: f64::from(crowded.calls) / length.as_secs_f64(),
        one_by_one: alone.whole.percentiles(),
    })
}

/// A call that failed makes every figure worthless.
fn counted(measured: Measured) -> anyhow::Result<Measured> {
    let Tally { failed, failure, .. } = &measured.tally;
    if *failed > 0 {
        bail!("{failed} calls failed: {failure:?}");
    }
    Ok(measured)
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callers = self.callers;
        writeln!(
            f,
            "\nParts: the same calls through fresh servers; {callers} callers at once, then p50 of one alone."
        )?;
        for (what, part) in [
            ("with leases", &self.with_leases),
            ("without (each call recorded first)", &self.without_leases),
            ("with leases and two rate limits", &self.with_rate_limits),
        ] {
            let Part { calls_per_second, one_by_one } = part;
            writeln!(f, "  {what:40}{calls_per_second:>9.0} calls/s{:>9.3} ms", one_by_one.p50)?;
        }
        writeln!(
            f,
            "Holds       {:.0}/s with leases, {:.0}/s without (three hard budgets a call)",
            self.holds_per_second_with_leases, self.holds_per_second_without_leases
        )?;
        writeln!(
            f,
            "Audit log   {:.0} events/s (two a call, in the transactions of the calls)",
            self.audit_events_per_second
        )?;
        let added =
            self.with_rate_limits.one_by_one.above(&self.with_leases.one_by_one).p50 * 1_000.0;
        writeln!(f, "Rate limits {added:+.0} µs a call, p50 of one caller, for two limits")
    }
}
