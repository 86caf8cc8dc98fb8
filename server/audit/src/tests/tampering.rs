//! Everything a superuser of the database can do to the log, each named by the verifier.
//!
//! Edits, deletions and swaps stand in the file above; here are those that take more care.

use super::*;
use crate::offline;

const LOG: [&str; 11] = [
    "audit_event",
    "audit_leaf",
    "audit_tree",
    "audit_checkpoint",
    "audit_node",
    "audit_super_leaf",
    "audit_super_node",
    "audit_super_checkpoint",
    "audit_witness",
    "audit_cosignature",
    "audit_cursor",
];

impl World {
    async fn as_superuser(&self, statements: impl IntoIterator<Item = String>) {
        let mut owner = self.database.owner().await;
        owner.execute("set session_replication_role = replica").await.unwrap();
        for sql in statements {
            owner.execute(AssertSqlSafe(sql)).await.unwrap();
        }
    }

    /// Keeps the log as it is now, as a backup does.
    pub async fn back_up(&self) {
        self.as_superuser(LOG.map(|table| format!("create table kept_{table} as table {table}")))
            .await;
    }

    /// Puts it back as it was.
    pub async fn put_back(&self) {
        self.as_superuser(LOG.map(|table| {
            format!("truncate {table} cascade; insert into {table} select * from kept_{table}")
        }))
        .await;
    }

    /// Removes every trace of what was signed, so that a new history can be made.
    pub async fn forget_everything_signed(&self) {
        let kept = ["audit_event", "audit_witness", "audit_cursor"];
        let signed = LOG.into_iter().filter(|table| !kept.contains(table));
        self.as_superuser(signed.map(|table| format!("truncate {table} cascade"))).await;
        self.as_superuser(["update audit_cursor set xid = '0'".to_owned()]).await;
    }

    /// Changes a text in all events.
    pub async fn rewrite(&self, from: &str, to: &str) {
        self.as_superuser([format!(
            "update audit_event set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '{from}', '{to}'), 'UTF8')"
        )])
        .await;
    }
}

#[tokio::test]
async fn an_inserted_event_is_found() {
    let world = World::with_events(10).await;
    let org = world.org;
    let forged = format!(
        "with copy as (insert into audit_event (org_id, id, occurred_at, actor_kind, action, outcome, target, leaf)
            select org_id, gen_random_uuid(), occurred_at, actor_kind, action, outcome, target,
                   convert_to(replace(convert_from(leaf, 'UTF8'), 'Team 3', 'Team 99'), 'UTF8')
            from audit_event where {} returning id, leaf)
         insert into audit_leaf select '{org}', 4, id, sha256('\\x00'::bytea || leaf) from copy",
        LEAF_3.replace("$org", &format!("'{org}'"))
    );
    world
        .as_superuser([
            format!("update audit_leaf set leaf_index = leaf_index + 1000 where org_id = '{org}' and leaf_index >= 4"),
            format!("update audit_leaf set leaf_index = leaf_index - 999 where org_id = '{org}' and leaf_index >= 1000"),
            forged,
        ])
        .await;
    let own = world.verify().await;
    assert_eq!((own.good, own.first_bad_index), (false, Some(4)), "{own:?}");
    let offline = world.verify_export().await;
    assert_eq!(offline.finding, Finding::Tampered, "{offline:?}");
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_found_with_the_first_leaf_that_is_gone() {
    let world = World::with_events(4).await;
    world.back_up().await;
    world.record(3).await;
    let before = world.export(&ExportQuery::default()).await;
    // All of the organisation's own tables as they were before the last three.
    world
        .as_superuser(LOG[..5].iter().map(|table| {
            format!("delete from {table}; insert into {table} select * from kept_{table}")
        }))
        .await;
    let trust = world.trust();
    let after = world.export(&ExportQuery::default()).await;
    let verdict =
        offline::verify_since(|| Ok(after.as_slice()), || Ok(before.as_slice()), &trust).unwrap();
    assert_eq!(verdict.finding, Finding::Tampered, "{verdict:?}");
    assert!(verdict.first_bad_index.is_some(), "{verdict:?}");
}

/// Whether the receipt is about a head of that size.
fn anchored(receipt: &str, size: u64) -> bool {
    let verdict = offline::verify_proof(receipt.as_bytes(), &offline::Trust::default()).unwrap();
    let extra = receipt.lines().nth(1).and_then(|line| line.strip_prefix("extra ")).unwrap();
    let text = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, extra).unwrap();
    assert!(!verdict.good(), "nobody is trusted here");
    String::from_utf8(text).unwrap().lines().nth(1) == Some(size.to_string().as_str())
}

#[tokio::test]
async fn an_end_that_was_cut_off_is_missed_by_the_log_of_logs() {
    let world = World::with_events(4).await;
    world.record(3).await;
    world.sign().await;
    while !world.audit.anchor_receipt(world.org).await.is_ok_and(|anchor| anchored(&anchor, 7)) {
        world.audit.round_now().await.unwrap();
    }
    let org = world.org;
    let leaves = format!("org_id = '{org}' and leaf_index >= 4");
    let kept = "select peaks from audit_checkpoint where tree_size = 4";
    world
        .as_superuser([
            format!("delete from audit_event where id in (select event_id from audit_leaf where {leaves})"),
            format!("delete from audit_leaf where {leaves}"),
            format!("update audit_tree set size = 4, peaks = ({kept} and org_id = '{org}') where org_id = '{org}'"),
            format!("delete from audit_checkpoint where org_id = '{org}' and tree_size > 4"),
        ])
        .await;
    let own = world.verify().await;
    assert_eq!((own.good, own.first_bad_index), (false, Some(4)), "{own:?}");
    assert!(own.summary.contains("cut off"), "{own:?}");
    world.audit.round_now().await.unwrap();
    let refused = world.audit.status().refused;
    assert!(
        refused.iter().any(|refused| refused.reason.contains("the log was cut")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_rewritten_log_that_was_signed_with_another_key_is_found() {
    let world = World::with_events(10).await;
    let right = world.audit.verifier().to_string().parse().unwrap();
    world.forget_everything_signed().await;
    world.rewrite("Team 3", "Team 9").await;
    let db = world.database.db();
    let forger = Signer::new(deployment(&db).await.unwrap(), [9; 32]);
    let forger = World {
        audit: Audit::new(db, forger, Clock::system()),
        database: world.database,
        org: world.org,
    };
    forger.sign().await;
    let bundle = forger.export(&ExportQuery::default()).await;
    let verdict = verify_bundle(bundle.as_slice(), Some(&right)).unwrap();
    assert_eq!((verdict.finding, verdict.first_bad_index), (Finding::Tampered, Some(0)));
    assert!(verdict.reason.contains("another key"), "{verdict:?}");
    // The server that has the right key sees it too, and signs nothing on top of it.
    let honest = audit_of(forger.database.db()).await;
    let mut tenant = forger.database.db().tenant(forger.org).await.unwrap();
    let own = honest.verify(&mut tenant).await.unwrap();
    assert!(!own.good, "{own:?}");
    drop(tenant);
    forger.record(1).await;
    for _ in 0..100 {
        honest.round_now().await.unwrap();
        if !honest.status().refused.is_empty() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the forged log is signed");
}

#[tokio::test]
async fn a_rewritten_log_that_was_signed_with_the_right_key_is_found_by_an_earlier_export() {
    let world = World::with_events(10).await;
    let before = world.export(&ExportQuery::default()).await;
    world.forget_everything_signed().await;
    world.rewrite("Team 3", "Team 9").await;
    world.sign().await;
    let after = world.export(&ExportQuery::default()).await;
    let trust = world.trust();
    let alone = offline::verify_bundle_for(after.as_slice(), &trust).unwrap();
    assert!(alone.good(), "{alone:?}");
    let verdict =
        offline::verify_since(|| Ok(after.as_slice()), || Ok(before.as_slice()), &trust).unwrap();
    assert_eq!(
        (verdict.finding, verdict.first_bad_index),
        (Finding::Tampered, Some(3)),
        "{verdict:?}"
    );
    assert!(verdict.reason.contains("rewritten and signed anew"), "{verdict:?}");
}

#[tokio::test]
async fn an_export_that_only_grew_holds_the_earlier_one() {
    let world = World::with_events(5).await;
    let before = world.export(&ExportQuery::default()).await;
    world.record(300).await;
    let after = world.export(&ExportQuery::default()).await;
    let trust = world.trust();
    let compare = |later: &[u8], earlier: &[u8]| {
        let (later, earlier) = (later.to_vec(), earlier.to_vec());
        offline::verify_since(|| Ok(later.as_slice()), || Ok(earlier.as_slice()), &trust).unwrap()
    };
    let verdict = compare(&after, &before);
    assert!(verdict.good() && verdict.reason.ends_with("stand unchanged."), "{verdict:?}");
    assert!(compare(&after, &after).good());
    let backwards = compare(&before, &after);
    assert_eq!(backwards.finding, Finding::Tampered, "{backwards:?}");
    let other = World::with_events(5).await;
    let foreign = other.export(&ExportQuery::default()).await;
    assert!(!compare(&after, &foreign).good());
}
