//! Usage over many calls: how long its questions take once there are millions.
//!
//! Calls of 90 days are written straight into the database: 800 tokens, of which few make most calls,
//! in 40 teams and 120 projects, with 30 models of 8 providers. The server sums them up by itself
//! or, as here, with `ralex usage rebuild`; then each question is asked by the API as often as told.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::latency::{Latencies, Percentiles, milliseconds};
use crate::rig::{Api, Folder, Server, command};

const TIMES: usize = 11;

const WRITE: &str = "
    insert into call (org_id, id, node_id, user_id, token_id, team_id, project_id, model, provider,
        upstream_model, dialect, streamed, state, input_price, output_price, cache_read_price,
        cache_write_price, held, budget_ids, budget_starts, cost, input_tokens, output_tokens,
        cache_read_tokens, started_at, settled_at, duration_ms, task_type, attempts, settled_xid)
    select o.id,
        (lpad(to_hex((extract(epoch from t) * 1000)::bigint), 12, '0') || '7'
            || lpad(to_hex(n % 4096), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid,
        o.id, case when u % 8 > 0 then md5('user' || u)::uuid end, md5('token' || u)::uuid,
        md5('team' || u % 40)::uuid, md5('project' || u % 120)::uuid, 'model-' || m,
        'provider-' || m % 8, 'upstream', 'openai_chat', true,
        case when r < 0.97 then 'success' when r < 0.99 then 'error' else 'refused' end, 1000, 5000,
        100, 1000, 1000000, '{}', '{}', case when r < 0.99 then (random() * 3e7)::bigint else 0 end,
        (random() * 4000)::int, (random() * 800)::int, (random() * 2000)::int, t,
        t + interval '3 seconds', (random() * 9000)::int,
        (array['coding', 'summarisation', 'chat', 'extraction', 'translation'])[1 + u % 5], 1, '1'
    from (select n, now() - interval '90 days' + n * (interval '90 days' / $1) as t,
            floor(800 * power(random(), 3))::int as u, random() as r
          from generate_series(1, $1) as n) as calls
    cross join lateral (select (u * 7 + (n % 7) / 6) % 30 as m) as models
    cross join (select id from org limit 1) as o";

/// What is asked, and by which path.
const QUESTIONS: [(&str, &str); 12] = [
    ("30 days by model", "usage?group_by=model"),
    ("30 days by team", "usage?group_by=team"),
    ("30 days by token", "usage?group_by=token"),
    ("90 days by model", "usage?group_by=model&from=90"),
    ("90 days by token", "usage?group_by=token&from=90"),
    ("90 days by day", "usage?group_by=day&from=90"),
    ("90 days of one model by team", "usage?group_by=team&model=model-3&from=90"),
    ("30 days by model and day", "usage?group_by=model&series=day"),
    ("the first page", "overview"),
    ("the forecast of this month", "usage/forecast"),
    ("unusual hours of 40 teams", "usage/anomalies?group_by=team"),
    ("unusual hours of 800 tokens", "usage/anomalies?group_by=token"),
];

/// How long each question took.
#[derive(Debug, Serialize)]
pub struct UsageReport {
    pub calls: i64,
    /// To sum all calls up anew.
    pub rebuild_ms: f64,
    pub questions: Vec<(String, Percentiles)>,
}

/// Fills a fresh server with `calls` and asks it.
///
/// # Errors
/// Where something does not start, an answer is refused, or the sums are not those of the calls.
pub async fn usage(program: &Path, calls: i64, say: &dyn Fn(&str)) -> anyhow::Result<UsageReport> {
    let folder = Folder::create("bench-usage")?;
    let server = Server::start(program, folder.path())?;
    let url = ralex_store::BuiltIn::running(&folder.path().join("data"))
        .context("no PostgreSQL is running")?;
    say(&format!("writing {calls} calls"));
    let mut owner = PgConnection::connect(&url).await?;
    // Only what fills the table: what marks calls as ended would be most of the time.
    sqlx::raw_sql("set session_replication_role = replica; set synchronous_commit = off")
        .execute(&mut owner)
        .await?;
    let write = WRITE.replace("$1", &calls.to_string());
    sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut owner).await?;
    sqlx::raw_sql("vacuum analyze call").execute(&mut owner).await?;
    say("summing them up");
    let begun = Instant::now();
    let done = command(program, folder.path()).args(["usage", "rebuild"]).status()?;
    ensure!(done.success(), "usage could not be summed up");
    let rebuild_ms = milliseconds(begun.elapsed());
    sqlx::raw_sql("vacuum analyze usage_sum").execute(&mut owner).await?;
    let api = Api::log_in(&server.url).await?;
    let ago = chrono::Utc::now() - chrono::TimeDelta::days(90);
    let ago = ago.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let mut questions = Vec::new();
    for (name, path) in QUESTIONS {
        say(name);
        let path = path.replace("from=90", &format!("from={ago}"));
        let mut took = Latencies::default();
        for _ in 0..TIMES {
            let begun = Instant::now();
            api.bytes(&path).await?;
            took.add(begun.elapsed());
        }
        questions.push((name.to_owned(), took.percentiles()));
    }
    say("comparing the sums with the calls");
    let verified = command(program, folder.path()).args(["budgets", "verify"]).status()?;
    ensure!(verified.success(), "the sums are not those of the calls");
    server.stop()?;
    Ok(UsageReport { calls, rebuild_ms, questions })
}

impl fmt::Display for UsageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Usage over {} calls of 90 days, by the API. Milliseconds.", self.calls)?;
        writeln!(
            f,
            "All summed up anew in {:.0}; every sum is that of its calls.\n",
            self.rebuild_ms
        )?;
        writeln!(f, "{:42}{:>9}{:>9}", "", "p50", "max")?;
        for (name, took) in &self.questions {
            writeln!(f, "{name:42}{:>9.1}{:>9.1}", took.p50, took.max)?;
        }
        Ok(())
    }
}
