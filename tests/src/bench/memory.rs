//! Memory while many streams are open at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::load::{Tally, Target};
use crate::rig::{Seen, Server, Wire};

/// Streams and memory at the moment when most were open.
pub struct OpenStreams {
    pub open: u32,
    pub resident: u64,
    pub tally: Tally,
}

/// Opens streams until all are under way, looks, and reads them to their ends.
pub async fn open_streams(server: &Server, target: &Target, streams: u32) -> OpenStreams {
    let open = Arc::new(AtomicU32::new(0));
    let mut tasks = Vec::new();
    for _ in 0..streams {
        tasks.push(tokio::spawn(stream(target.clone(), Arc::clone(&open))));
        // A burst of connections would measure the listener's queue.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut most = OpenStreams { open: 0, resident: 0, tally: Tally::default() };
    while tasks.iter().any(|task| !task.is_finished()) {
        let now = open.load(Ordering::Relaxed);
        if now >= most.open {
            most.open = now;
            most.resident = most.resident.max(server.resident());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for task in tasks {
        if let Ok(tally) = task.await {
            most.tally.extend(tally);
        }
    }
    most
}

async fn stream(target: Target, open: Arc<AtomicU32>) -> Tally {
    let mut seen = Seen::default();
    let outcome = async {
        let mut wire = Wire::connect(target.address).await?;
        open.fetch_add(1, Ordering::Relaxed);
        let outcome = wire.call(&target.request, &mut seen, None).await;
        open.fetch_sub(1, Ordering::Relaxed);
        outcome
    };
    let outcome = outcome.await;
    let mut tally = Tally::default();
    tally.add(&seen, outcome);
    tally
}
