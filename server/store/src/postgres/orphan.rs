//! A PostgreSQL that outlived the Ralex that started it: it is ended, and started anew.
//!
//! Taking it over would be possible, but it writes to a log that may be gone and runs with the
//! settings of its own start. A fast shutdown takes a fraction of a second and loses nothing.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::time::{Instant, sleep};
use tracing::info;

use super::error::StartError;

/// Long enough for a checkpoint that is not large. One that recovers from a crash of its own never
/// heeds a fast shutdown (seen with PostgreSQL 15), and an immediate one loses nothing either.
const FAST: Duration = Duration::from_secs(5);
const IMMEDIATE: Duration = Duration::from_secs(5);

/// Ends what still runs on the cluster. Only the holder of the folder's lock may call this.
pub(crate) async fn end(cluster: &Path) -> Result<(), StartError> {
    let file = cluster.join("postmaster.pid");
    let Some(pid) = fs::read_to_string(&file).ok().and_then(|text| first_pid(&text)) else {
        return Ok(());
    };
    if !runs_on(pid, cluster).await {
        // Where the number now belongs to another program, PostgreSQL could take that for its own
        // and refuse to start. Where nobody has it, PostgreSQL clears the file by itself.
        if test_kill_process(pid).is_ok() {
            fs::remove_file(&file).ok();
        }
        return Ok(());
    }
    info!(
        "an earlier PostgreSQL (process {pid}) still runs and is ended",
        pid = pid.as_raw_nonzero()
    );
    for (signal, patience) in [(Signal::INT, FAST), (Signal::QUIT, IMMEDIATE)] {
        kill_process(pid, signal).ok();
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if !runs_on(pid, cluster).await {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
    Err(StartError::OrphanStays(pid.as_raw_nonzero().get()))
}

fn first_pid(text: &str) -> Option<Pid> {
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1).and_then(Pid::from_raw)
}

/// Whether the process is alive and works on this cluster: a postmaster's working directory is
/// its data folder. A dead one that nobody has buried has none.
async fn runs_on(pid: Pid, cluster: &Path) -> bool {
    let process = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
    if Path::new("/proc/self/cwd").exists() {
        return fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == cluster);
    }
    // Elsewhere than on Linux the command line is all there is to see.
    let ps = tokio::process::Command::new("ps")
        .args(["-o", "command=", "-p"])
        .arg(pid.as_raw_nonzero().to_string())
        .output()
        .await;
    ps.is_ok_and(|ps| {
        let command = String::from_utf8_lossy(&ps.stdout).into_owned();
        command.contains("postgres") && command.contains(&*cluster.to_string_lossy())
    })
}
