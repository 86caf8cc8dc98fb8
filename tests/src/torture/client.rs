//! Clients that call without pause, and remember what they saw of every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngExt;
use sha2::{Digest, Sha256};

use super::setting::{MODELS, call};
use crate::rig::{Governed, Request, Seen, Wire};

/// No answer of these providers takes so long.
const PATIENCE: Duration = Duration::from_secs(15);

/// A call as its client saw it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub marker: String,
    /// Of the body, as the record of a call names it.
    pub digest: String,
    pub seen: Seen,
    /// The client hung up before the end.
    pub hung_up: bool,
    /// Nothing came for so long that it gave up.
    pub stuck: bool,
}

/// What all clients saw, in all cycles.
pub type Memory = Arc<Mutex<Vec<Sent>>>;

/// Calls until told to stop; connections that break are opened anew.
pub async fn run(
    name: String,
    address: SocketAddr,
    teams: Arc<Vec<Governed>>,
    stop: Arc<AtomicBool>,
    memory: Memory,
) {
    let mut wire = None;
    let mut turn = 0_u32;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let team = &teams[rand::rng().random_range(0..teams.len())];
        let model = &MODELS[rand::rng().random_range(0..MODELS.len())];
        let marker = format!("{name} call {turn}");
        let (body, request) = call(team, model, &marker);
        // One in eight hangs up in the middle.
        let hangs_up = model.streamed && rand::rng().random_range(0..8) == 0;
        let enough = hangs_up.then(|| rand::rng().random_range(1..6));
        let mut sent = Sent {
            marker,
            digest: hex::encode(Sha256::digest(&body)),
            seen: Seen::default(),
            hung_up: false,
            stuck: false,
        };
        let outcome = tokio::time::timeout(
            PATIENCE,
            one(&mut wire, address, &request, &mut sent.seen, enough),
        );
        match outcome.await {
            Ok(Ok(())) => sent.hung_up = !sent.seen.ended,
            Ok(Err(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(_) => sent.stuck = true,
        }
        if !sent.seen.ended {
            wire = None;
        }
        sent.seen.body = Vec::new();
        let refused = sent.seen.status == Some(402);
        memory.lock().push(sent);
        if refused {
            // Refusals cost nothing, and would crowd out the calls that are watched here.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn one(
    wire: &mut Option<Wire>,
    address: SocketAddr,
    request: &Request,
    seen: &mut Seen,
    enough: Option<u32>,
) -> std::io::Result<()> {
    if wire.is_none() {
        *wire = Some(Wire::connect(address).await?);
    }
    match wire {
        Some(wire) => wire.call(request, seen, enough).await,
        None => Ok(()),
    }
}
