//! Witnesses that behave as the specification says, and what they find.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::*;
use crate::offline::{self, Key, Trust};
use crate::proof::extends;
use crate::{Courier, Reply, Witness, Witnesses};

/// A witness in memory: what C2SP tlog-witness asks of one.
struct Remembering {
    key: SigningKey,
    seen: Mutex<(u64, [u8; 32])>,
}

const NAME: &str = "witness.example/w1";

impl Remembering {
    fn new(seed: u8) -> Arc<Self> {
        let empty = Sha256::digest(b"").into();
        Arc::new(Self { key: SigningKey::from_bytes(&[seed; 32]), seen: Mutex::new((0, empty)) })
    }

    fn verifier(&self) -> String {
        let public = [&[4], self.key.verifying_key().as_bytes().as_slice()].concat();
        let id = u32::from_be_bytes(self.id());
        format!("{NAME}+{id:08x}+{}", STANDARD.encode(public))
    }

    fn id(&self) -> [u8; 4] {
        let public = self.key.verifying_key();
        let digest = Sha256::digest([NAME.as_bytes(), b"\n\x04", public.as_bytes()].concat());
        digest[..4].try_into().unwrap()
    }

    fn answer(&self, request: &str) -> Reply {
        let reply = |status, content_type: &str, body: String| Reply {
            status,
            content_type: content_type.to_owned(),
            body,
        };
        let (head, note) = request.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let path: Vec<[u8; 32]> =
            lines.map(|line| STANDARD.decode(line).unwrap().try_into().unwrap()).collect();
        let body = crate::checkpoint::note_body(note);
        let told: Vec<&str> = body.lines().collect();
        let size: u64 = told[1].parse().unwrap();
        let root: [u8; 32] = STANDARD.decode(told[2]).unwrap().try_into().unwrap();
        let mut seen = self.seen.lock();
        if old > size {
            return reply(400, "text/plain", String::new());
        }
        if old != seen.0 {
            return reply(409, "text/x.tlog.size", format!("{}\n", seen.0));
        }
        if old == size && root != seen.1 {
            return reply(409, "text/plain", String::new());
        }
        if !extends(*seen, (size, root), &path) {
            return reply(422, "text/plain", String::new());
        }
        *seen = (size, root);
        let time: u64 = 1_790_000_000 + size;
        let signature = self.key.sign(format!("cosignature/v1\ntime {time}\n{body}").as_bytes());
        let bytes = [&self.id()[..], &time.to_be_bytes(), &signature.to_bytes()].concat();
        reply(200, "text/plain", format!("\u{2014} {NAME} {}\n", STANDARD.encode(bytes)))
    }
}

struct ByHand(Arc<Remembering>);

impl Courier for ByHand {
    fn post<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Result<Reply, String>> {
        assert_eq!(url, "https://witness.example/add-checkpoint");
        Box::pin(async move { Ok(self.0.answer(&body)) })
    }
}

async fn witnessed(witness: &Arc<Remembering>) -> World {
    let mut world = World::new().await;
    let named: Witness =
        format!("{} https://witness.example/", witness.verifier()).parse().unwrap();
    let courier: Arc<dyn Courier> = Arc::new(ByHand(Arc::clone(witness)));
    let witnesses = Witnesses { list: vec![named], courier: Some(courier) };
    let db = world.database.db();
    let signer = Signer::new(deployment(&db).await.unwrap(), [7; 32]);
    world.audit = Audit::with(db, signer, Clock::system(), None, witnesses);
    world
}

impl World {
    async fn export_with_witnesses(&self) -> Vec<u8> {
        let (run, query) =
            (self.audit.run_witnesses(std::future::pending()), ExportQuery::default());
        tokio::select! {
            () = run => panic!("nobody asks the witnesses"),
            bundle = self.export(&query) => bundle,
        }
    }

    fn trust_with(&self, witness: &Remembering) -> Trust {
        let key: Key = witness.verifier().parse().unwrap();
        Trust { witnesses: vec![key], ..self.trust() }
    }

    async fn conflict(&self) -> Option<String> {
        self.audit.keys(self.org).await.unwrap().witnesses[0].conflict.clone()
    }
}

#[tokio::test]
async fn a_witness_signs_what_grows_and_exports_carry_its_signature() {
    let witness = Remembering::new(21);
    let world = witnessed(&witness).await;
    for count in [3, 4] {
        world.record(count).await;
        let bundle = world.export_with_witnesses().await;
        let trust = world.trust_with(&witness);
        let verdict = offline::verify_bundle_for(bundle.as_slice(), &trust).unwrap();
        assert!(verdict.good() && verdict.anchored, "{verdict:?}");
        let seen = witness.seen.lock().0;
        assert_eq!(verdict.witnesses, [(NAME.to_owned(), 1_790_000_000 + seen)]);
        let other: Key = Remembering::new(22).verifier().parse().unwrap();
        let trust = Trust { witnesses: vec![other], ..world.trust() };
        let verdict = offline::verify_bundle_for(bundle.as_slice(), &trust).unwrap();
        assert_eq!(verdict.finding, Finding::Incomplete, "{verdict:?}");
        for at in (bundle.len() - 700..bundle.len()).step_by(5) {
            let mut bytes = bundle.clone();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let verdict = verify_bundle(bytes.as_slice(), None).unwrap();
            assert!(!verdict.good(), "byte {at}: {verdict:?}");
        }
    }
    let told = world.audit.keys(world.org).await.unwrap();
    assert!(told.witnesses[0].cosigned_at.is_some() && told.witnesses[0].failure.is_none());
    let anchor = world.audit.anchor_receipt(world.org).await.unwrap();
    let verdict = offline::verify_proof(anchor.as_bytes(), &world.trust_with(&witness)).unwrap();
    assert!(verdict.good(), "{verdict:?}");
    assert!(verdict.text.unwrap().starts_with(&told.origin));
}

#[tokio::test]
async fn a_backup_that_is_put_back_is_named_by_the_witness_and_by_yesterdays_export() {
    let witness = Remembering::new(21);
    let world = witnessed(&witness).await;
    world.record(3).await;
    world.sign().await;
    world.back_up().await;
    world.record(4).await;
    world.export_with_witnesses().await;
    world.record(1).await;
    let before = world.export_with_witnesses().await;
    let larger = witness.seen.lock().0;
    world.put_back().await;
    world.record(1).await;
    world.sign().await;
    world.audit.ask_witnesses().await.unwrap();
    assert!(world.verify().await.good, "by itself the database is what was signed");
    let conflict = world.conflict().await;
    let size = world.audit.keys(world.org).await.unwrap().witnesses[0].seen_size;
    if let Some(conflict) = &conflict {
        assert!(conflict.contains("older than what was signed"), "{conflict}");
    } else {
        assert!(size >= larger, "the witness signed a smaller tree");
    }
    assert!(conflict.is_some(), "{size} of {larger}");
    let after = world.export(&ExportQuery::default()).await;
    let verdict =
        offline::verify_since(|| Ok(after.as_slice()), || Ok(before.as_slice()), &world.trust());
    let verdict = verdict.unwrap();
    assert_eq!(verdict.finding, Finding::Tampered, "{verdict:?}");
    assert!(verdict.reason.contains("cut or put back"), "{verdict:?}");
}

#[tokio::test]
async fn a_history_that_is_signed_anew_gets_no_signature_of_a_witness() {
    let witness = Remembering::new(21);
    let world = witnessed(&witness).await;
    world.record(3).await;
    world.sign().await;
    world.audit.ask_witnesses().await.unwrap();
    world.forget_everything_signed().await;
    world.rewrite("Team 1", "Team 9").await;
    world.sign().await;
    let own = world.verify().await;
    assert!(own.good, "whoever has the key can sign another history: {own:?}");
    world.record(1).await;
    world.sign().await;
    world.audit.ask_witnesses().await.unwrap();
    let conflict = world.conflict().await.unwrap();
    assert!(conflict.contains("not the beginning of this one"), "{conflict}");
}
