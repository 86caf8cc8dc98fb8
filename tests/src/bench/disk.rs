//! The disk's own time for what a durable call needs at least: one small write that stays.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use super::latency::Latencies;

const BLOCK: [u8; 4096] = [7; 4096];
/// As PostgreSQL's write-ahead log: a file that is there already and is written through.
const FILE: u64 = 16 << 20;

/// Writes 4 KiB and waits for `fdatasync`, again and again.
pub fn fdatasync(folder: &Path, times: u64) -> anyhow::Result<Latencies> {
    let path = folder.join("fdatasync");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
    for at in (0..FILE).step_by(BLOCK.len()) {
        file.write_all_at(&BLOCK, at)?;
    }
    file.sync_all()?;
    let mut latencies = Latencies::default();
    for turn in 0..times {
        let begun = Instant::now();
        file.write_all_at(&BLOCK, (turn * 4096) % FILE)?;
        file.sync_data()?;
        latencies.add(begun.elapsed());
    }
    std::fs::remove_file(path)?;
    Ok(latencies)
}
