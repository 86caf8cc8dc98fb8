//! The log against a real PostgreSQL: nothing lost, and no tampering unseen.

use std::collections::HashSet;

use chrono::Utc;
use futures_util::TryStreamExt;
use ralex_api::audit::{AuditQuery, ExportFormat, ExportQuery, Verification};
use ralex_kernel::{Clock, Email, OrgId, Slug, TeamId, UserId};
use ralex_store::testing::Database;
use ralex_store::{Db, deployment};
use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::offline::{self, Finding, Verdict, verify_bundle};
use crate::{Audit, Author, Entry, Event, PlaceEvent, Signer, record, record_all};

mod keys;
mod kills;
mod proofs;
mod searching;
mod tampering;
mod witnesses;

struct World {
    database: Database,
    audit: Audit,
    org: OrgId,
}

async fn new_org(owner: &mut PgConnection) -> OrgId {
    let org = OrgId::generate();
    sqlx::query!(
        "insert into org (id, slug, name) values ($1, $2, 'Test')",
        org as _,
        org.to_string()
    )
    .execute(owner)
    .await
    .unwrap();
    org
}

async fn audit_of(db: Db) -> Audit {
    let deployment = deployment(&db).await.unwrap();
    Audit::new(db, Signer::new(deployment, [7; 32]), Clock::system())
}

impl World {
    async fn new() -> Self {
        crate::personal::testing::keep();
        let database = Database::fresh().await;
        let org = new_org(&mut database.owner().await).await;
        let audit = audit_of(database.db()).await;
        Self { database, audit, org }
    }

    /// A world with this many events, all signed.
    async fn with_events(count: u32) -> Self {
        let world = Self::new().await;
        world.record(count).await;
        world.sign().await;
        world
    }

    async fn record(&self, count: u32) {
        let mut tx = self.database.db().tenant(self.org).await.unwrap();
        for number in 0..count {
            record(&mut tx, &Author::system(self.org), team(number)).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Rounds until all is in place, and one more: a head that is signed may not be anchored yet.
    async fn sign(&self) {
        let run = self.audit.run(std::future::pending());
        tokio::select! {
            () = run => {}
            flushed = self.audit.flush(self.org) => drop(flushed.unwrap()),
        }
        self.audit.round_now().await.unwrap();
    }

    /// Runs SQL as a superuser who has switched the triggers and foreign keys off.
    async fn tamper(&self, sql: &str) {
        let mut owner = self.database.owner().await;
        owner.execute("set session_replication_role = replica").await.unwrap();
        let sql = sql.replace("$org", &format!("'{}'", self.org));
        let done = owner.execute(AssertSqlSafe(sql)).await.unwrap();
        assert!(done.rows_affected() > 0, "the tampering changed nothing");
    }

    async fn verify(&self) -> Verification {
        let mut tenant = self.database.db().tenant(self.org).await.unwrap();
        self.audit.verify(&mut tenant).await.unwrap()
    }

    async fn export(&self, query: &ExportQuery) -> Vec<u8> {
        let author = Author::system(self.org);
        let run = self.audit.run(std::future::pending());
        let export = tokio::select! {
            () = run => panic!("the sequencer ended"),
            export = self.audit.export(&author, query) => export.unwrap(),
        };
        export.parts.try_concat().await.unwrap()
    }

    async fn verify_export(&self) -> Verdict {
        let bundle = self.export(&ExportQuery::default()).await;
        let key = self.audit.verifier().to_string().parse().unwrap();
        verify_bundle(bundle.as_slice(), Some(&key)).unwrap()
    }

    async fn assert_found_at(&self, index: u64) {
        let own = self.verify().await;
        assert_eq!((own.good, own.first_bad_index), (false, Some(index)), "{own:?}");
        let offline = self.verify_export().await;
        assert_eq!(
            (offline.finding, offline.first_bad_index),
            (Finding::Tampered, Some(index)),
            "{offline:?}"
        );
    }
}

fn team(number: u32) -> Event {
    let name = format!("Team {number}").parse().unwrap();
    let slug: Slug = format!("team-{number}").parse().unwrap();
    Event::Place(PlaceEvent::TeamCreated { team: TeamId::generate(), slug, name })
}

const LEAF_3: &str = "org_id = $org and id = (select event_id from audit_leaf where org_id = $org and leaf_index = 3)";

#[tokio::test]
async fn an_untouched_log_is_good_here_and_offline() {
    let world = World::with_events(10).await;
    let own = world.verify().await;
    assert!(own.good && own.tree_size == 10, "{own:?}");
    let mut tenant = world.database.db().tenant(world.org).await.unwrap();
    let head = world.audit.newest_checkpoint(&mut tenant).await.unwrap();
    assert_eq!((head.tree_size, head.pending, head.root), (10, 0, own.root.clone()));
    drop(tenant);
    let offline = world.verify_export().await;
    assert!(offline.good() && offline.tree_size == 10, "{offline:?}");
    assert_eq!(offline.root, own.root);
    let status = world.audit.status();
    assert!(status.last_success.is_some() && status.refused.is_empty(), "{status:?}");
}

#[tokio::test]
async fn an_edited_event_is_found() {
    let world = World::with_events(10).await;
    let edit = "update audit_event set leaf = replace(encode(leaf, 'escape'), 'Team 3', 'Team 9')::bytea where";
    world.tamper(&format!("{edit} {LEAF_3}")).await;
    world.assert_found_at(3).await;
}

#[tokio::test]
async fn an_edited_search_column_is_found() {
    let world = World::with_events(10).await;
    world.tamper(&format!("update audit_event set action = 'team.deleted' where {LEAF_3}")).await;
    let own = world.verify().await;
    assert_eq!((own.good, own.first_bad_index), (false, Some(3)), "{own:?}");
}

#[tokio::test]
async fn a_deleted_event_is_found() {
    let world = World::with_events(10).await;
    world.tamper(&format!("delete from audit_event where {LEAF_3}")).await;
    world.assert_found_at(3).await;
}

#[tokio::test]
async fn deleted_leaves_are_found_wherever_they_stood() {
    for index in [0, 3, 9] {
        let world = World::with_events(10).await;
        let delete = "delete from audit_leaf where org_id = $org and leaf_index";
        world.tamper(&format!("{delete} = {index}")).await;
        world.assert_found_at(index).await;
    }
}

#[tokio::test]
async fn reordered_leaves_are_found() {
    let world = World::with_events(10).await;
    let leaves = "update audit_leaf set leaf_index = leaf_index";
    world
        .tamper(&format!("{leaves} + case leaf_index when 3 then 1003 else 997 end where org_id = $org and leaf_index in (3, 6)"))
        .await;
    world.tamper(&format!("{leaves} - 1000 where org_id = $org and leaf_index > 1000")).await;
    let own = world.verify().await;
    assert_eq!((own.good, own.first_bad_index), (false, Some(0)), "{own:?}");
    let offline = world.verify_export().await;
    assert_eq!(offline.finding, Finding::Tampered, "{offline:?}");
}

#[tokio::test]
async fn an_event_rewritten_with_its_hash_is_enclosed_by_signed_heads() {
    let world = World::with_events(3).await;
    world.record(2).await;
    world.sign().await;
    world.record(3).await;
    world.sign().await;
    let edit = "update audit_event set leaf = replace(encode(leaf, 'escape'), 'Team 0', 'Team 9')::bytea where";
    world.tamper(&format!("{edit} {LEAF_3}")).await;
    world
        .tamper(
            "update audit_leaf l set leaf_hash = sha256('\\x00'::bytea || e.leaf) from audit_event e
             where e.org_id = l.org_id and e.id = l.event_id and l.org_id = $org and l.leaf_index = 3",
        )
        .await;
    world.assert_found_at(3).await;
}

#[tokio::test]
async fn an_event_altered_before_signing_is_never_signed() {
    let world = World::with_events(4).await;
    world.record(2).await;
    // Everything but the signature happens, as it would between two seconds.
    while crate::list::pending(&world.database.db(), Some(world.org)).await.unwrap() > 0 {
        crate::sequencer::sequence(&world.database.db(), crate::sequencer::Look::Ahead)
            .await
            .unwrap();
    }
    world
        .tamper(
            "update audit_event set leaf = set_byte(leaf, 12, get_byte(leaf, 12) # 1)
             where org_id = $org and id = (select event_id from audit_leaf where org_id = $org and leaf_index = 5)",
        )
        .await;
    world.audit.round_now().await.unwrap();
    let refused = world.audit.status().refused;
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].org, refused[0].reason.as_str()),
        (world.org, "leaf 5 is not what was hashed")
    );
    assert_eq!(crate::list::signed_size(&world.database.db(), world.org).await.unwrap(), 4);
}

#[tokio::test]
async fn a_damaged_tree_is_never_signed() {
    let world = World::with_events(4).await;
    world.record(1).await;
    world
        .tamper("update audit_tree set peaks[1] = set_byte(peaks[1], 0, get_byte(peaks[1], 0) # 1) where org_id = $org")
        .await;
    while world.audit.status().refused.is_empty() {
        world.audit.round_now().await.unwrap();
    }
    assert_eq!(crate::list::signed_size(&world.database.db(), world.org).await.unwrap(), 4);
    assert!(!world.verify().await.good);
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_event() {
    let world = World::with_events(1).await;
    let mut tx = world.database.db().tenant(world.org).await.unwrap();
    record(&mut tx, &Author::system(world.org), team(7)).await.unwrap();
    tx.rollback().await.unwrap();
    world.record(1).await;
    world.sign().await;
    assert_eq!(world.verify().await.tree_size, 2);
}

#[tokio::test]
async fn an_event_cannot_be_recorded_in_another_organisations_log() {
    let world = World::new().await;
    let other = new_org(&mut world.database.owner().await).await;
    let mut tx = world.database.db().tenant(world.org).await.unwrap();
    assert!(record(&mut tx, &Author::system(other), team(1)).await.is_err());
}

#[tokio::test]
async fn nobody_but_a_superuser_changes_what_is_written() {
    let world = World::with_events(1).await;
    let mut owner = world.database.owner().await;
    for sql in [
        "update audit_event set action = 'x'",
        "delete from audit_leaf",
        "update audit_checkpoint set note = 'x'",
        "truncate audit_event cascade",
    ] {
        assert!(owner.execute(sql).await.is_err(), "{sql}");
        let mut tx = world.database.db().system("try to change the log").await.unwrap();
        assert!(tx.execute(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_and_two_sequencers_lose_nothing_and_leave_no_gap() {
    let world = World::new().await;
    let second_org = new_org(&mut world.database.owner().await).await;
    let orgs = [world.org, second_org];
    let other = audit_of(world.database.db()).await;
    let (stop, _) = tokio::sync::broadcast::channel::<()>(1);
    let sequencers = [world.audit.clone(), other].map(|audit| {
        let mut stopped = stop.subscribe();
        tokio::spawn(async move { audit.run(async { drop(stopped.recv().await) }).await })
    });
    let writers: Vec<_> =
        (0..4).map(|writer| tokio::spawn(write(world.database.db(), orgs, writer))).collect();
    for writer in writers {
        writer.await.unwrap();
    }
    for org in orgs {
        world.audit.flush(org).await.unwrap();
    }
    stop.send(()).unwrap();
    for sequencer in sequencers {
        sequencer.await.unwrap();
    }
    for org in orgs {
        let mut tenant = world.database.db().tenant(org).await.unwrap();
        let own = world.audit.verify(&mut tenant).await.unwrap();
        assert!(own.good, "{own:?}");
        assert_eq!(own.tree_size, 4 * 25 * 3);
    }
}

/// Transactions of three events each, every fifth of which is rolled back and done again.
async fn write(db: Db, orgs: [OrgId; 2], writer: u32) {
    for number in 0..50 {
        let org = orgs[number % 2];
        for attempt in 0..2 {
            let mut tx = db.system("test").await.unwrap();
            let entries = (0..3).map(|_| Entry::new(Author::system(org), team(writer))).collect();
            record_all(&mut tx, entries).await.unwrap();
            if attempt == 0 && number % 5 == 0 {
                tx.rollback().await.unwrap();
            } else {
                tx.commit().await.unwrap();
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_neighbours_long_transaction_holds_nothing_back_and_one_of_ours_does() {
    let world = World::new().await;
    let neighbour = Database::fresh().await;
    let mut theirs = neighbour.owner().await;
    theirs.execute("begin; create table long (id int)").await.unwrap();
    world.record(3).await;
    world.audit.round_now().await.unwrap();
    assert_eq!(world.verify().await.tree_size, 3, "a transaction elsewhere cannot write here");

    let mut ours = world.database.owner().await;
    ours.execute("begin; create table long (id int)").await.unwrap();
    world.record(2).await;
    world.audit.round_now().await.unwrap();
    assert_eq!(world.verify().await.tree_size, 3, "a transaction here may still write an event");
    ours.execute("commit").await.unwrap();
    world.audit.round_now().await.unwrap();
    assert_eq!(world.verify().await.tree_size, 5);
    theirs.execute("rollback").await.unwrap();
}

#[tokio::test]
async fn events_that_a_restore_left_on_the_wrong_side_get_their_places() {
    let world = World::with_events(2).await;
    world.record(2).await;
    // As after a dump that was loaded into another cluster: transactions count anew.
    world.tamper("update audit_cursor set xid = '4000000000000'").await;
    world.sign().await;
    world.record(2).await;
    world.tamper("update audit_event set xid = '4000000000001' where org_id = $org and not exists (select from audit_leaf l where l.event_id = audit_event.id)").await;
    let fresh = audit_of(world.database.db()).await;
    fresh.round_now().await.unwrap();
    let own = world.verify().await;
    assert!(own.good && own.tree_size == 6, "{own:?}");
}

#[tokio::test]
async fn pages_hold_every_event_once_newest_first() {
    let world = World::with_events(25).await;
    let mut seen = Vec::new();
    let mut query = AuditQuery { limit: Some(10), ..AuditQuery::default() };
    loop {
        let mut tenant = world.database.db().tenant(world.org).await.unwrap();
        let page = world.audit.list(&mut tenant, &query).await.unwrap();
        seen.extend(page.items.into_iter().map(|entry| entry.index.unwrap()));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..25).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_find_what_they_name_and_nothing_else() {
    let world = World::with_events(2).await;
    let user = UserId::generate();
    let email: Email = "ann@example.com".parse().unwrap();
    let mut owner = world.database.owner().await;
    sqlx::query!(
        "insert into app_user (id, email, email_key, name, password_hash) values ($1, $2, $2, 'Ann', 'x')",
        user as _,
        email.as_str()
    )
    .execute(&mut owner)
    .await
    .unwrap();
    sqlx::query!(
        "insert into membership (org_id, user_id) values ($1, $2)",
        world.org as _,
        user as _
    )
    .execute(&mut owner)
    .await
    .unwrap();
    let author = Author { subject: ralex_kernel::Subject::User(user), ..Author::system(world.org) };
    let mut tx = world.database.db().tenant(world.org).await.unwrap();
    record(&mut tx, &author, Event::MemberAdded { user, email }).await.unwrap();
    tx.commit().await.unwrap();

    let count = async |actor: Option<&str>, action: Option<&str>| {
        let (actor, action) = (actor.map(str::to_owned), action.map(str::to_owned));
        let query = AuditQuery {
            actor,
            action,
            from: Some(Utc::now() - chrono::TimeDelta::hours(1)),
            ..AuditQuery::default()
        };
        let mut tenant = world.database.db().tenant(world.org).await.unwrap();
        world.audit.list(&mut tenant, &query).await.map(|page| page.items.len())
    };
    assert_eq!(count(Some("system"), None).await, Ok(2));
    assert_eq!(count(Some(&format!("user:{user}")), None).await, Ok(1));
    assert_eq!(count(Some("Ann@Example.com"), None).await, Ok(1));
    assert_eq!(count(Some("bob@example.com"), None).await, Ok(0));
    assert_eq!(count(None, Some("team.*")).await, Ok(2));
    assert_eq!(count(None, Some("team.created")).await, Ok(2));
    assert_eq!(count(None, Some("member.added")).await, Ok(1));
    assert_eq!(count(None, Some("team")).await, Ok(0));
    for bad in ["token:x", "nonsense", "user:"] {
        assert_eq!(count(Some(bad), None).await.unwrap_err().status, 422, "{bad}");
    }
    assert_eq!(count(None, Some("a%")).await.unwrap_err().status, 422);
}

#[tokio::test]
async fn a_filtered_bundle_proves_that_nothing_else_was_left_out() {
    let world = World::with_events(4).await;
    let query = ExportQuery { action: Some("budget.*".into()), ..ExportQuery::default() };
    let verdict = verify_bundle(world.export(&query).await.as_slice(), None).unwrap();
    assert!(verdict.good() && verdict.filtered, "{verdict:?}");
    assert_eq!((verdict.leaves, verdict.events), (4, 0));
}

#[tokio::test]
async fn a_table_has_one_record_an_event_over_many_pages() {
    let world = World::with_events(2_300).await;
    let query = ExportQuery { format: ExportFormat::Csv, ..ExportQuery::default() };
    let text = world.export(&query).await;
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let indexes: HashSet<String> =
        reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
    assert_eq!(indexes.len(), 2_300);
    let verdict = world.verify_export().await;
    assert!(verdict.good() && verdict.leaves == 2_301, "{verdict:?}");
}

#[tokio::test]
async fn an_export_holds_what_was_recorded_just_before() {
    let world = World::with_events(1).await;
    world.record(1).await;
    assert_eq!(world.verify_export().await.leaves, 2);
    // The second export holds the event that tells of the first.
    assert_eq!(world.verify_export().await.leaves, 3);
}
