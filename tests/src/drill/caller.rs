//! Callers that race without pause, on all nodes, and remember what they saw of every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

use super::fleet::Fleet;
use super::refusal::Refusal;
use super::setting::{MODELS, call};
use crate::rig::{Governed, Request, Seen, Wire};

/// Nobody waits longer: some nodes stand still for half a minute.
const PATIENCE: Duration = Duration::from_secs(20);

/// A call as its caller saw it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub marker: String,
    /// Of the body, as the record of a call names it.
    pub digest: String,
    pub seen: Seen,
    /// The id of the token that it was sent with.
    pub token: String,
    /// Why it was refused, where it was for want of money.
    pub refusal: Option<Refusal>,
    /// The caller hung up before the end.
    pub hung_up: bool,
    /// Nothing came for so long that the caller gave up.
    pub gave_up: bool,
}

/// What all callers saw.
#[derive(Default)]
pub struct Memory {
    pub sent: Mutex<Vec<Sent>>,
    /// When the last answer came that was no refusal and no error.
    pub answered: Mutex<Option<Instant>>,
}

/// One of those who race.
pub struct Caller {
    pub name: String,
    pub seed: u64,
    pub fleet: Arc<Fleet>,
    pub tokens: Arc<Vec<Governed>>,
    pub stop: Arc<AtomicBool>,
    pub memory: Arc<Memory>,
}

impl Caller {
    /// Calls until told to stop; connections that break are opened anew.
    pub async fn run(self) {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut wires: Vec<Option<(SocketAddr, Wire)>> = self.fleet.seats().map(|_| None).collect();
        let mut turn = 0_u32;
        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            let seat = rng.random_range(0..wires.len());
            let Some(address) = self.fleet.address(seat) else {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            // A node that was started again listens elsewhere.
            let wire = wires[seat].take().filter(|(at, _)| *at == address).map(|(_, wire)| wire);
            let (sent, wire) = self.call(&mut rng, turn, address, wire).await;
            wires[seat] = wire.map(|wire| (address, wire));
            let pause = match sent.seen.status {
                Some(200) => 0..20,
                // Refusals cost nothing, and would crowd out the calls that race.
                Some(402) => 300..1_200,
                Some(_) | None => 20..150,
            };
            if sent.seen.status == Some(200) && sent.seen.ended {
                *self.memory.answered.lock() = Some(Instant::now());
            }
            self.memory.sent.lock().push(sent);
            tokio::time::sleep(Duration::from_millis(rng.random_range(pause))).await;
        }
    }

    async fn call(
        &self,
        rng: &mut StdRng,
        turn: u32,
        address: SocketAddr,
        mut wire: Option<Wire>,
    ) -> (Sent, Option<Wire>) {
        let token = &self.tokens[rng.random_range(0..self.tokens.len())];
        let model = &MODELS[rng.random_range(0..MODELS.len())];
        let marker = format!("{} {turn}", self.name);
        let (body, request) = call(token, model, &marker);
        // One in eight hangs up: in the middle of a stream, or before a plain answer.
        let hangs_up = rng.random_range(0..8) == 0;
        let enough = (hangs_up && model.streamed).then(|| rng.random_range(1..8));
        let patience = if hangs_up && !model.streamed {
            Duration::from_millis(rng.random_range(1..200))
        } else {
            PATIENCE
        };
        let mut seen = Seen::default();
        let outcome = one(&mut wire, address, &request, &mut seen, enough);
        let outcome = tokio::time::timeout(patience, outcome).await;
        let late = outcome.is_err();
        let wire = wire.filter(|_| seen.ended && matches!(outcome, Ok(Ok(()))));
        let refusal = (seen.status == Some(402)).then(|| Refusal::read(&seen.body)).flatten();
        seen.body = Vec::new();
        let sent = Sent {
            marker,
            digest: hex::encode(Sha256::digest(&body)),
            token: token.token_id.clone(),
            refusal,
            hung_up: hangs_up && !seen.ended,
            gave_up: late && !hangs_up,
            seen,
        };
        (sent, wire)
    }
}

async fn one(
    wire: &mut Option<Wire>,
    address: SocketAddr,
    request: &Request,
    seen: &mut Seen,
    enough: Option<u32>,
) -> std::io::Result<()> {
    let wire = match wire {
        Some(wire) => wire,
        None => wire.insert(Wire::connect(address).await?),
    };
    wire.call(request, seen, enough).await
}
