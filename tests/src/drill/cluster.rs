//! The drill's own PostgreSQL, which ends in every way that one can end.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tokio::process::Command;

use crate::app::checkout;
use crate::rig::{children, signal};

const PATIENCE: Duration = Duration::from_secs(20);

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of its processes at once, by `kill -9`.
    Kill,
    /// Asked to end without a checkpoint: it recovers at its next start.
    Immediate,
    /// One backend by `kill -9`, which makes it throw out everybody and recover by itself.
    Backend,
    /// Every connection is ended, and it goes on.
    Terminate,
}

impl End {
    pub const ALL: [Self; 4] = [Self::Kill, Self::Immediate, Self::Backend, Self::Terminate];
}

/// A cluster below the folder of temporary files, since PostgreSQL runs as somebody without rights.
pub struct Cluster {
    folder: PathBuf,
    server: PgConnectOptions,
    /// As nodes are told it.
    pub url: String,
}

impl Cluster {
    /// Makes and starts one, with an empty database.
    ///
    /// # Errors
    /// Where there is no PostgreSQL, or it does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("ralex-drill-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let said = script(&folder, "start").await?;
        let (server, query) = said.trim().split_once('?').context("no URL")?;
        let server = server.rsplit_once('/').map_or(server, |(server, _)| server);
        let url = format!("{server}/drill?{query}");
        let cluster = Self { folder, server: PgConnectOptions::from_str(said.trim())?, url };
        let mut conn = cluster.server.clone().database("postgres").connect().await?;
        for sql in [
            "create database drill",
            // A process that is killed must not take what was committed with it. Nobody cuts the
            // power here, so the disk need not be waited for.
            "alter database drill set synchronous_commit = on",
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut conn).await?;
        }
        Ok(cluster)
    }

    /// As a superuser, whom no policy hides a row from.
    ///
    /// # Errors
    /// Where it is just being restarted.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.server.clone().database("drill").connect().await
    }

    /// Ends it, leaves it down for a while, and starts it again.
    ///
    /// # Errors
    /// Where it does not come back.
    pub async fn restart(&self, end: End, down: Duration) -> anyhow::Result<()> {
        let first = self.first().context("PostgreSQL has no process")?;
        let others = children(first);
        match end {
            End::Kill => {
                signal("-KILL", first)?;
                others.iter().try_for_each(|pid| signal("-KILL", *pid))?;
            }
            End::Immediate => signal("-QUIT", first)?,
            End::Backend => {
                // The oldest are its own helpers; killing any of them has the same effect.
                let last = others.iter().max().context("PostgreSQL has no backend")?;
                return signal("-KILL", *last);
            }
            End::Terminate => {
                let mut conn = self.connect().await?;
                let sql = "select pg_terminate_backend(pid) from pg_stat_activity
                           where pid <> pg_backend_pid() and datname = 'drill'";
                sqlx::raw_sql(sql).execute(&mut conn).await?;
                return Ok(());
            }
        }
        let begun = Instant::now();
        // Started before they are gone, it would refuse to share their memory.
        while std::iter::once(&first).chain(&others).any(|pid| is_there(*pid)) {
            if begun.elapsed() > PATIENCE {
                bail!("PostgreSQL's processes do not end");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(down).await;
        script(&self.folder, "start").await.map(drop)
    }

    /// Waits until it takes connections.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn ready(&self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while let Err(error) = self.connect().await {
            if begun.elapsed() > PATIENCE {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn first(&self) -> Option<u32> {
        let file = self.folder.join("postgres/postmaster.pid");
        std::fs::read_to_string(file).ok()?.lines().next()?.trim().parse().ok()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(first) = self.first() {
            let all = children(first);
            signal("-QUIT", first).ok();
            let begun = Instant::now();
            while is_there(first) && begun.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_millis(20));
            }
            std::iter::once(first).chain(all).filter(|pid| is_there(*pid)).for_each(|pid| {
                signal("-KILL", pid).ok();
            });
        }
        if let Some((_, socket)) = self.url.split_once("host=") {
            std::fs::remove_dir_all(socket).ok();
        }
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Ended, or only waiting for its parent to notice.
fn is_there(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

async fn script(folder: &Path, verb: &str) -> anyhow::Result<String> {
    let output = Command::new(checkout().join("tests/postgres"))
        .arg(verb)
        .env("RALEX_TEST_POSTGRES", folder.join("postgres"))
        .output()
        .await?;
    if !output.status.success() {
        bail!("tests/postgres {verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
