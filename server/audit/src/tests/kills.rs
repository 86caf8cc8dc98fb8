//! Sequencers that end in the middle of their work, again and again.

use std::time::Duration;

use ralex_store::testing::Database;

use super::*;

/// Runs sequencers one after the other, each only for a moment.
async fn short_lived(db: Db, mut stopped: tokio::sync::broadcast::Receiver<()>, turn: u64) {
    for round in 0.. {
        let audit = audit_of(db.clone()).await;
        let run = tokio::spawn(async move { audit.run(std::future::pending()).await });
        // Not a wait for anything: how long it lives is what differs.
        let life = Duration::from_millis(201 + (round * 37 + turn * 53) % 120);
        let ended = tokio::time::timeout(life, stopped.recv()).await.is_ok();
        run.abort();
        if ended {
            return;
        }
    }
}

/// Ends whichever connection holds the cursor, as a cut network does.
async fn cut_connections(database: &Database) -> u64 {
    let mut owner = database.owner().await;
    let mut cut = 0;
    for _ in 0..400 {
        let done = sqlx::query_scalar!(
            r#"select count(pg_terminate_backend(l.pid)) as "cut!" from pg_locks l
               where l.relation = 'audit_cursor'::regclass and l.mode = 'RowShareLock'
                 and l.pid <> pg_backend_pid() and random() < 0.3"#
        )
        .fetch_one(&mut owner)
        .await
        .unwrap();
        cut += u64::try_from(done).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequencers_that_die_at_their_work_lose_nothing_double_nothing_and_leave_no_gap() {
    let database = Database::with_connections(24).await;
    let orgs =
        [new_org(&mut database.owner().await).await, new_org(&mut database.owner().await).await];
    let (stop, _) = tokio::sync::broadcast::channel::<()>(1);
    let sequencers: Vec<_> = (0..2)
        .map(|turn| tokio::spawn(short_lived(database.db(), stop.subscribe(), turn)))
        .collect();
    let writers: Vec<_> =
        (0..16).map(|writer| tokio::spawn(write(database.db(), orgs, writer))).collect();
    let cut = cut_connections(&database).await;
    for writer in writers {
        writer.await.unwrap();
    }
    stop.send(()).unwrap();
    for sequencer in sequencers {
        sequencer.await.unwrap();
    }
    assert!(cut > 0, "nothing was cut");
    for org in orgs {
        let audit = audit_of(database.db()).await;
        let run = audit.run(std::future::pending());
        let author = Author::system(org);
        let query = ExportQuery::default();
        let export = tokio::select! {
            () = run => panic!("the sequencer ended"),
            export = audit.export(&author, &query) => export.unwrap(),
        };
        let bundle = export.parts.try_concat().await.unwrap();
        let verdict = verify_bundle(bundle.as_slice(), None).unwrap();
        assert!(verdict.good(), "{verdict:?}");
        assert_eq!(verdict.leaves, 16 * 25 * 3);
        let mut tenant = database.db().tenant(org).await.unwrap();
        let own = audit.verify(&mut tenant).await.unwrap();
        assert!(own.good, "{own:?}");
    }
}
