//! Proofs of single events and of growth, from the tables to the offline verifier and back.

use ralex_kernel::EventId;

use super::*;
use crate::offline::{Key, Trust, verify_proof};

async fn events(world: &World) -> Vec<EventId> {
    let mut owner = world.database.owner().await;
    sqlx::query_scalar!(
        r#"select event_id as "id: EventId" from audit_leaf where org_id = $1 order by leaf_index"#,
        world.org as _
    )
    .fetch_all(&mut owner)
    .await
    .unwrap()
}

impl World {
    pub fn trust(&self) -> Trust {
        let key: Key = self.audit.verifier().to_string().parse().unwrap();
        Trust { keys: vec![key], witnesses: Vec::new() }
    }

    /// Records and signs so many heads of these sizes.
    async fn with_heads(sizes: &[u32]) -> Self {
        let world = Self::new().await;
        let mut before = 0;
        for size in sizes {
            world.record(size - before).await;
            world.sign().await;
            before = *size;
        }
        world
    }
}

#[tokio::test]
async fn a_receipt_of_any_event_verifies_offline_and_no_other_text_does() {
    let world = World::with_heads(&[300, 515]).await;
    let events = events(&world).await;
    for index in [0, 1, 254, 255, 256, 299, 300, 511, 512, 514] {
        let receipt = world.audit.receipt(world.org, events[index]).await.unwrap();
        let verdict = verify_proof(receipt.as_bytes(), &world.trust()).unwrap();
        assert!(verdict.good(), "{verdict:?}");
        assert_eq!((verdict.index, verdict.tree_size), (Some(index as u64), 515));
        assert!(verdict.text.unwrap().contains(&events[index].to_string()));
    }
    let receipt = world.audit.receipt(world.org, events[7]).await.unwrap();
    for at in (0..receipt.len()).step_by(3) {
        let mut bytes = receipt.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        let verdict = verify_proof(bytes.as_slice(), &world.trust()).unwrap();
        assert!(!verdict.good(), "byte {at}: {verdict:?}");
    }
    let other = Signer::new(deployment(&world.database.db()).await.unwrap(), [9; 32]);
    let keys = vec![other.verifier().to_string().parse().unwrap()];
    let verdict = verify_proof(receipt.as_bytes(), &Trust { keys, ..Trust::default() }).unwrap();
    assert_eq!(verdict.finding, Finding::Tampered);
}

#[tokio::test]
async fn an_event_that_was_recorded_just_now_gets_its_receipt() {
    let world = World::with_events(1).await;
    let mut tx = world.database.db().tenant(world.org).await.unwrap();
    let event = record(&mut tx, &Author::system(world.org), team(7)).await.unwrap();
    tx.commit().await.unwrap();
    let run = world.audit.run(std::future::pending());
    let proof = tokio::select! {
        () = run => panic!("the sequencer ended"),
        proof = world.audit.prove(world.org, event) => proof.unwrap(),
    };
    assert_eq!((proof.index, proof.tree_size, proof.path.len()), (1, 2, 1));
    let nobody = world.audit.prove(world.org, EventId::generate()).await.unwrap_err();
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn every_head_continues_every_earlier_one_and_the_verifier_agrees() {
    let sizes = [1, 2, 5, 256, 300, 600];
    let world = World::with_heads(&sizes).await;
    for from in sizes {
        for to in sizes.into_iter().filter(|to| *to >= from) {
            let (from, to) = (u64::from(from), Some(u64::from(to)));
            let proof = world.audit.prove_consistency(world.org, from, to).await.unwrap();
            let text = serde_json::to_string(&proof).unwrap();
            let verdict = verify_proof(text.as_bytes(), &world.trust()).unwrap();
            assert!(verdict.good(), "{from}..{to:?}: {verdict:?}");
            let forged = text.replacen(&proof.from.root, &proof.to.root, 1);
            if forged != text {
                let verdict = verify_proof(forged.as_bytes(), &world.trust()).unwrap();
                assert!(!verdict.good(), "{from}..{to:?}: {verdict:?}");
            }
        }
    }
    let unsigned = world.audit.prove_consistency(world.org, 1, Some(7)).await.unwrap_err();
    assert_eq!(unsigned.status, 422);
    let beyond = world.audit.prove_consistency(world.org, 900, None).await.unwrap_err();
    assert_eq!(beyond.status, 422);
}

#[tokio::test]
async fn tiles_are_those_of_the_specification() {
    let world = World::with_heads(&[600]).await;
    let (audit, org) = (&world.audit, world.org);
    let mut leaves = Vec::new();
    for (index, width) in [(0, 256), (1, 256), (2, 88)] {
        let tile = audit.tile(org, 0, index, width).await.unwrap();
        assert_eq!(tile.len() as u64, width * 32);
        leaves.extend(tile.chunks(32).map(<[u8]>::to_vec).collect::<Vec<_>>());
        let mut entries = audit.entries(org, index, width).await.unwrap();
        let mut hashes = Vec::new();
        while !entries.is_empty() {
            let length = usize::from(u16::from_be_bytes([entries[0], entries[1]]));
            hashes.extend(crate::tree::leaf_hash(&entries[2..2 + length]));
            entries.drain(..2 + length);
        }
        assert_eq!(hashes, tile);
    }
    let roots = audit.tile(org, 1, 0, 2).await.unwrap();
    let mut range = crate::tree::Range::default();
    for hash in roots.chunks(32).map(<[u8]>::to_vec).chain(leaves[512..].to_vec()).take(1) {
        range.push(hash.try_into().unwrap());
    }
    let first: [u8; 32] = roots[..32].try_into().unwrap();
    let mut tile = crate::tree::Range::default();
    for hash in &leaves[..256] {
        tile.push(hash.as_slice().try_into().unwrap());
    }
    assert_eq!((tile.root(), range.root()), (first, first));
    for (level, index, width) in
        [(0, 2, 89), (0, 2, 256), (0, 3, 1), (1, 0, 3), (2, 0, 1), (0, 0, 0)]
    {
        let refused = audit.tile(org, level, index, width).await.unwrap_err();
        assert_eq!(refused.status, 404, "{level}/{index}.p/{width}");
    }
}

#[tokio::test]
async fn hashes_above_the_leaves_are_only_a_shortcut() {
    let world = World::with_heads(&[600]).await;
    let events = events(&world).await;
    let before = world.audit.receipt(world.org, events[3]).await.unwrap();
    world.tamper("delete from audit_node where org_id = $org").await;
    assert_eq!(world.audit.receipt(world.org, events[3]).await.unwrap(), before);
}

#[tokio::test]
async fn no_proof_is_handed_out_over_altered_tables() {
    let world = World::with_heads(&[600]).await;
    let events = events(&world).await;
    world
        .tamper("update audit_node set hash = sha256('x') where org_id = $org and node_index = 1")
        .await;
    let refused = world.audit.prove(world.org, events[3]).await.unwrap_err();
    assert_eq!(refused.status, 500, "{refused:?}");
    world.audit.prove(world.org, events[599]).await.unwrap_err();
    let own = world.verify().await;
    assert_eq!((own.good, own.first_bad_index), (false, Some(256)), "{own:?}");
    let world = World::with_heads(&[10]).await;
    let events = self::events(&world).await;
    world.tamper(&format!("update audit_event set leaf = leaf || ' ' where {LEAF_3}")).await;
    assert_eq!(world.audit.prove(world.org, events[3]).await.unwrap_err().status, 500);
    assert!(world.audit.prove(world.org, events[4]).await.is_ok());
}
