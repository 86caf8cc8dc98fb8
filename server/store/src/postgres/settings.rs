//! How the built-in PostgreSQL runs: durable, reachable by its socket only, sized to the machine.

use std::fs;

/// Given on the command line, so that a later Ralex brings its own.
pub(crate) fn settings(memory: u64) -> Vec<(&'static str, String)> {
    const MIB: u64 = 1 << 20;
    let buffers = (memory / 16 / MIB).clamp(128, 512);
    let cache = (memory / 2 / MIB).max(256);
    let mut settings: Vec<(&str, String)> = [
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("max_connections", "100"),
        // What was confirmed is on the disk: the audit log and the budgets rest on it.
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("wal_compression", "on"),
        ("max_wal_size", "1GB"),
        ("random_page_cost", "1.1"),
        // Short queries: compiling them costs more than it saves.
        ("jit", "off"),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        ("log_min_messages", "warning"),
        // A failing statement is reported by who sent it; its text may hold what no log may.
        ("log_min_error_statement", "panic"),
        ("log_min_duration_statement", "-1"),
        ("logging_collector", "off"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    settings.push(("shared_buffers", format!("{buffers}MB")));
    settings.push(("effective_cache_size", format!("{cache}MB")));
    settings
}

/// The memory that this machine, or the container around us, has.
pub(crate) fn memory() -> u64 {
    const UNKNOWN: u64 = 4 << 30;
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let kib: u64 = text.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib << 10)
    });
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    machine.unwrap_or(UNKNOWN).min(container.unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buffers(memory: u64) -> String {
        let found = settings(memory).into_iter().find(|(name, _)| *name == "shared_buffers");
        found.unwrap().1
    }

    #[test]
    fn buffers_follow_the_memory_within_their_limits() {
        assert_eq!(buffers(1 << 30), "128MB");
        assert_eq!(buffers(4 << 30), "256MB");
        assert_eq!(buffers(64 << 30), "512MB");
    }
}
