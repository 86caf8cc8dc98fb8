//! Another key takes over: verifiers are led to it, and the earlier one signs nothing more.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ralex_kernel::{DeploymentId, Problem};
use zeroize::Zeroizing;

use super::*;
use crate::bundle::{Lines, Manifest};
use crate::offline::{Trust, verify_proof};
use crate::tree::{Range, leaf_hash};
use crate::{LogEvent, Seeds, Witnesses};

struct Numbered;

impl Seeds for Numbered {
    fn seed(&self, version: u32) -> BoxFuture<'_, Result<Zeroizing<[u8; 32]>, Problem>> {
        let seed = [u8::try_from(version).unwrap() + 6; 32];
        Box::pin(async move { Ok(Zeroizing::new(seed)) })
    }
}

async fn opened(db: Db) -> Audit {
    let of = deployment(&db).await.unwrap();
    Audit::open(db, of, Arc::new(Numbered), Clock::system(), Witnesses::default()).await.unwrap()
}

async fn world() -> World {
    let mut world = World::new().await;
    world.audit = opened(world.database.db()).await;
    world
}

fn trusting(key: &str) -> Trust {
    Trust { keys: vec![key.parse().unwrap()], ..Trust::default() }
}

#[tokio::test]
async fn an_export_after_two_changes_of_keys_verifies_with_each_of_them() {
    let world = world().await;
    let mut keys = vec![world.audit.verifier().to_string()];
    for count in [3, 4, 5] {
        world.record(count).await;
        world.sign().await;
        if count < 5 {
            let rotated = world.audit.rotate_key().await.unwrap();
            assert_eq!((rotated.orgs, &rotated.from), (1, keys.last().unwrap()));
            keys.push(rotated.to);
        }
    }
    assert_eq!(world.verify().await.tree_size, 14);
    let told = world.audit.keys(world.org).await.unwrap();
    assert_eq!(told.keys.iter().map(|key| key.verifier.clone()).collect::<Vec<_>>(), keys);
    assert_eq!(told.keys.iter().map(|key| key.first_size.unwrap()).collect::<Vec<_>>(), [3, 8, 14]);
    let filtered = ExportQuery { action: Some("budget.*".into()), ..ExportQuery::default() };
    for query in [ExportQuery::default(), filtered] {
        let bundle = world.export(&query).await;
        for key in &keys {
            let verdict = offline::verify_bundle_for(bundle.as_slice(), &trusting(key)).unwrap();
            assert!(verdict.good() && verdict.anchored, "{verdict:?}");
            assert_eq!((&verdict.keys, &verdict.key), (&keys, &keys[2]));
        }
        let other = Signer::new(DeploymentId::generate(), [1; 32]).verifier().to_string();
        let verdict = offline::verify_bundle_for(bundle.as_slice(), &trusting(&other)).unwrap();
        assert_eq!(verdict.finding, Finding::Tampered);
    }
    let bundle = world.export(&ExportQuery::default()).await;
    let text = String::from_utf8(bundle).unwrap();
    let cut = text.replacen(&format!("\"{}\",", keys[0]), "", 1);
    assert!(!verify_bundle(cut.as_bytes(), None).unwrap().good());
}

#[tokio::test]
async fn a_bundle_goes_on_from_an_earlier_one_over_changes_of_keys() {
    let world = world().await;
    let first = world.audit.verifier().to_string();
    let mut bundles: Vec<Vec<u8>> = Vec::new();
    let mut ended = None;
    for round in 0..4_u32 {
        world.record(2 + round).await;
        world.sign().await;
        let query = ExportQuery { after: ended, ..ExportQuery::default() };
        let bundle = world.export(&query).await;
        let verdict = verify_bundle(bundle.as_slice(), None).unwrap();
        assert!(verdict.good(), "{verdict:?}");
        assert_eq!(verdict.first_index, ended.map_or(0, |last| last + 1));
        ended = Some(verdict.tree_size - 1);
        bundles.push(bundle);
        if round != 1 {
            world.audit.rotate_key().await.unwrap();
            world.sign().await;
        }
    }
    for two in bundles.windows(2) {
        let keys = verify_bundle(two[0].as_slice(), None).unwrap().keys;
        let trust = trusting(&keys[0]);
        let verdict = offline::verify_since(|| Ok(&*two[1]), || Ok(&*two[0]), &trust).unwrap();
        assert!(verdict.good() && verdict.key_was_given, "{verdict:?}");
    }
    let alone = offline::verify_bundle_for(bundles[3].as_slice(), &trusting(&first)).unwrap();
    assert_eq!(alone.finding, Finding::Tampered, "nothing in it vouches for its key");
}

#[tokio::test]
async fn every_node_follows_a_change_of_keys() {
    let world = world().await;
    let other = opened(world.database.db()).await;
    world.record(2).await;
    world.sign().await;
    let rotated = world.audit.rotate_key().await.unwrap();
    while crate::list::signed_size(&world.database.db(), world.org).await.unwrap() < 3 {
        other.round_now().await.unwrap();
    }
    assert_eq!(other.verifier().to_string(), rotated.to);
    let restarted = opened(world.database.db()).await;
    assert_eq!(restarted.verifier().to_string(), rotated.to);
    assert!(world.verify().await.good);
}

#[tokio::test]
async fn a_receipt_is_signed_by_the_newest_key_only() {
    let world = world().await;
    let before = world.audit.verifier().to_string();
    world.record(2).await;
    world.sign().await;
    let rotated = world.audit.rotate_key().await.unwrap();
    world.sign().await;
    world.record(1).await;
    world.sign().await;
    let mut owner = world.database.owner().await;
    let event = sqlx::query_scalar!(
        r#"select event_id as "id: ralex_kernel::EventId" from audit_leaf
           where org_id = $1 and leaf_index = 0"#,
        world.org as _
    )
    .fetch_one(&mut owner)
    .await
    .unwrap();
    let receipt = world.audit.receipt(world.org, event).await.unwrap();
    assert!(verify_proof(receipt.as_bytes(), &trusting(&rotated.to)).unwrap().good());
    assert!(!verify_proof(receipt.as_bytes(), &trusting(&before)).unwrap().good());
}

#[tokio::test]
async fn a_key_that_is_not_the_one_of_the_table_opens_no_log() {
    let world = world().await;
    world.tamper("update audit_key set verifier = 'ralex-x+00000000+AAAA' where version = 1 and $org is not null").await;
    let db = world.database.db();
    let of = deployment(&db).await.unwrap();
    let opened =
        Audit::open(db, of, Arc::new(Numbered), Clock::system(), Witnesses::default()).await;
    assert_eq!(opened.err().unwrap().status, 500);
}

/// Who has stolen a key after it was replaced, and everything else, signs a tree of their own.
#[test]
fn a_replaced_key_signs_nothing_that_a_verifier_takes() {
    let first = || Signer::new(DeploymentId::from_uuid(uuid::Uuid::nil()), [7; 32]);
    let both = first().followed_by(&[8; 32]);
    let (org, origin) =
        (OrgId::from_uuid(uuid::Uuid::nil()), both.origin(OrgId::from_uuid(uuid::Uuid::nil())));
    let keys: Vec<String> = both.verifiers(1, 2).iter().map(ToString::to_string).collect();
    let rotation =
        Event::Log(LogEvent::KeyRotated { version: 2, from: keys[0].clone(), to: keys[1].clone() });
    let leaf = crate::leaf::Leaf::of(&Entry::new(Author::system(org), rotation)).unwrap().text;
    let bundle = |transition: &Signer, since: u32, last: &Signer, last_since: u32| {
        let manifest = Manifest {
            ralex_audit_bundle: 1,
            origin: &origin,
            org: &org.to_string(),
            tree_size: 2,
            first_index: 0,
            peaks: Vec::new(),
            count: 2,
            filtered: false,
            pruned: 0,
            keys: keys.clone(),
            exported_at: String::new(),
            anchored: false,
            witnesses: Vec::new(),
        };
        let mut lines = Lines::begin(&manifest, |text| both.sign_manifest(2, text)).unwrap();
        let mut range = Range::default();
        for (index, signer, since) in [(0, transition, since), (1, last, last_since)] {
            let text = if index == 0 { leaf.clone() } else { b"{}".to_vec() };
            let hash = leaf_hash(&text);
            range.push(hash);
            lines.leaf(index, &hash, Some(&text));
            lines.checkpoint(&signer.note(&origin, since, range.size(), &range.root()));
        }
        verify_bundle(lines.text.as_slice(), None).unwrap()
    };
    assert!(bundle(&both, 1, &both, 2).good());
    // The successor is vouched for by its predecessor, which is not asked any more after that.
    assert_eq!(bundle(&both, 2, &both, 2).finding, Finding::Tampered);
    assert_eq!(bundle(&both, 1, &first(), 1).finding, Finding::Tampered);
    assert_eq!(bundle(&first(), 1, &first(), 1).finding, Finding::Tampered);
}
