//! The built-in PostgreSQL on real folders. As root these also prove the drop of privileges.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tempfile::TempDir;

use super::{BuiltIn, StartError};

/// A data folder that the unprivileged account can reach.
fn open_folder() -> TempDir {
    let dir = tempfile::Builder::new().prefix("ralex-store-").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

async fn start(data_dir: &Path) -> Result<BuiltIn, StartError> {
    BuiltIn::start(data_dir, None, |_| {}).await
}

async fn connect(server: &BuiltIn) -> PgConnection {
    PgConnection::connect(&server.url()).await.unwrap()
}

fn pid(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postgres/data/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

async fn shown(conn: &mut PgConnection, setting: &str) -> String {
    let found = sqlx::query_scalar!("select current_setting($1)", setting).fetch_one(conn).await;
    found.unwrap().unwrap()
}

#[tokio::test]
async fn a_first_start_makes_a_durable_cluster_and_a_second_one_keeps_its_data() {
    let dir = open_folder();
    let data_dir = dir.path().join("made/.ralex");
    let told = Mutex::new(Vec::new());
    let tell = |what: &str| told.lock().unwrap().push(what.to_owned());
    let server = BuiltIn::start(&data_dir, None, tell).await.unwrap();
    assert!(told.lock().unwrap()[0].starts_with("Creating"), "{told:?}");
    let mut conn = connect(&server).await;
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("TimeZone", "UTC"),
        ("server_encoding", "UTF8"),
    ] {
        assert_eq!(shown(&mut conn, setting).await, value, "{setting}");
    }
    conn.execute("create table kept as select 42 as answer").await.unwrap();
    conn.close().await.unwrap();
    let old = pid(&data_dir);
    server.stop().await;
    assert!(test_kill_process(old).is_err(), "PostgreSQL still runs");

    let begun = std::time::Instant::now();
    let server = start(&data_dir).await.unwrap();
    assert!(begun.elapsed().as_millis() < 1000, "{:?}", begun.elapsed());
    connect(&server).await.execute("select answer from kept").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn the_cluster_belongs_to_an_account_without_rights_and_its_password_to_nobody_else() {
    let dir = open_folder();
    let server = start(dir.path()).await.unwrap();
    let me = rustix::process::geteuid().as_raw();
    let cluster = fs::metadata(dir.path().join("postgres/data")).unwrap();
    assert_ne!(cluster.uid(), 0);
    let process = fs::metadata(format!("/proc/{}", pid(dir.path()).as_raw_nonzero())).unwrap();
    assert_eq!(process.uid(), cluster.uid());
    let password = fs::metadata(dir.path().join("postgres.password")).unwrap();
    assert_eq!((password.uid(), password.mode() & 0o777), (me, 0o600));
    let socket = fs::metadata(dir.path().join("postgres/run")).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o700);
    let wrong = server.url().replacen("ralex:", "ralex:x", 1);
    let refused = PgConnection::connect(&wrong).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "28P01");
    server.stop().await;
}

#[tokio::test]
async fn a_folder_behind_a_closed_parent_works_for_root_too() {
    let dir = tempfile::tempdir().unwrap();
    let closed = dir.path().join("closed home");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let data_dir = closed.join("x/.ralex");
    let server = start(&data_dir).await.unwrap();
    connect(&server).await.execute("create table kept ()").await.unwrap();
    let orphan = pid(&data_dir);
    server.abandon().await;
    let server = start(&data_dir).await.unwrap();
    assert_ne!(pid(&data_dir), orphan);
    connect(&server).await.execute("select from kept").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_private_folder_that_goes_away() {
    let dir = open_folder();
    let data_dir = dir.path().join("a".repeat(60)).join("b".repeat(60));
    let server = start(&data_dir).await.unwrap();
    let socket = PathBuf::from(fs::read_to_string(data_dir.join("postgres.socket")).unwrap());
    assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o700);
    assert_eq!(BuiltIn::running(&data_dir), Some(server.url()));
    server.stop().await;
    assert!(!socket.exists());
    assert_eq!(BuiltIn::running(&data_dir), None);
}

#[tokio::test]
async fn a_second_ralex_on_the_same_folder_is_refused_with_the_first_ones_process_number() {
    let dir = open_folder();
    let server = start(dir.path()).await.unwrap();
    let refused = start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, StartError::InUse { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    assert_eq!(BuiltIn::running(dir.path()), Some(server.url()));
    connect(&server).await.execute("select 1").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn an_orphan_of_a_killed_ralex_is_ended_and_what_it_committed_is_there() {
    let dir = open_folder();
    let server = start(dir.path()).await.unwrap();
    connect(&server).await.execute("create table kept ()").await.unwrap();
    let orphan = pid(dir.path());
    server.abandon().await;
    let server = start(dir.path()).await.unwrap();
    assert_ne!(pid(dir.path()), orphan);
    connect(&server).await.execute("select from kept").await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_killed_postgres_is_started_again_and_loses_nothing() {
    let dir = open_folder();
    let server = start(dir.path()).await.unwrap();
    connect(&server).await.execute("create table kept ()").await.unwrap();
    let old = pid(dir.path());
    kill_process(old, Signal::KILL).unwrap();
    // Ready again when a connection can be made; the attempts themselves take the time.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let mut conn = loop {
        match PgConnection::connect(&server.url()).await {
            Ok(conn) if test_kill_process(old).is_err() => break conn,
            Ok(_) | Err(_) => tokio::task::yield_now().await,
        }
        assert!(std::time::Instant::now() < deadline, "PostgreSQL did not come back");
    };
    conn.execute("select from kept").await.unwrap();
    drop(conn);
    server.stop().await;
}

#[tokio::test]
async fn a_process_file_that_names_a_dead_or_foreign_process_is_no_obstacle() {
    let dir = open_folder();
    start(dir.path()).await.unwrap().stop().await;
    let file = dir.path().join("postgres/data/postmaster.pid");
    // A number that nobody has, and the one of a program that is not PostgreSQL: this test.
    for stale in ["4194000".to_owned(), std::process::id().to_string()] {
        fs::write(&file, format!("{stale}\n/nowhere\n1\n5432\n\n\n")).unwrap();
        start(dir.path()).await.unwrap().stop().await;
    }
}

#[tokio::test]
async fn a_sockets_lock_that_names_a_process_of_the_same_account_is_no_obstacle() {
    let (dir, other) = (open_folder(), open_folder());
    start(dir.path()).await.unwrap().stop().await;
    let alive = start(other.path()).await.unwrap();
    // As after a crash, when the number of the killed server is another's by now.
    let stale = pid(other.path()).as_raw_nonzero();
    let lock = dir.path().join("postgres/run/.s.PGSQL.5432.lock");
    fs::write(lock, format!("{stale}\n/nowhere\n1\n5432\n\n\n")).unwrap();
    start(dir.path()).await.unwrap().stop().await;
    alive.stop().await;
}

#[tokio::test]
async fn a_foreign_data_folder_is_left_alone() {
    let dir = open_folder();
    fs::write(dir.path().join("PG_VERSION"), "15\n").unwrap();
    let refused = start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, StartError::Foreign(_)), "{refused}");

    let dir = open_folder();
    fs::create_dir_all(dir.path().join("postgres/base")).unwrap();
    let refused = start(dir.path()).await.unwrap_err();
    assert!(matches!(refused, StartError::Foreign(_)), "{refused}");
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused_by_name_and_left_as_it_is() {
    let dir = open_folder();
    start(dir.path()).await.unwrap().stop().await;
    let version = dir.path().join("postgres/data/PG_VERSION");
    fs::write(&version, "11\n").unwrap();
    let refused = start(dir.path()).await.unwrap_err();
    assert!(refused.to_string().contains("made by PostgreSQL 11"), "{refused}");
    assert_eq!(fs::read_to_string(version).unwrap(), "11\n");
}

#[tokio::test]
async fn a_wrong_folder_of_programs_and_a_failing_initdb_leave_no_cluster_behind() {
    let dir = open_folder();
    let data_dir = dir.path().join("data");
    let refused = BuiltIn::start(&data_dir, Some(dir.path()), |_| {}).await.unwrap_err();
    assert!(matches!(refused, StartError::NotThere(_)), "{refused}");

    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let script = |name: &str, text: &str| {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("postgres", "echo 'postgres (PostgreSQL) 17.1'");
    script("initdb", "echo 'initdb: error: could not write: No space left on device' >&2; exit 1");
    let refused = BuiltIn::start(&data_dir, Some(&bin), |_| {}).await.unwrap_err();
    assert!(matches!(refused, StartError::DiskFull(_)), "{refused}");
    assert!(!data_dir.join("postgres/data").exists());
    assert!(!data_dir.join("postgres/new").exists());

    script("postgres", "echo 'postgres (PostgreSQL) 14.9'");
    let refused = BuiltIn::start(&data_dir, Some(&bin), |_| {}).await.unwrap_err();
    assert!(matches!(refused, StartError::TooOld { found: 14, .. }), "{refused}");
}

#[tokio::test]
async fn a_data_folder_that_is_a_file_is_refused_with_a_sentence() {
    let dir = open_folder();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for data_dir in [file.clone(), file.join("below")] {
        let refused = start(&data_dir).await.unwrap_err();
        assert!(matches!(refused, StartError::NotWritable { .. }), "{refused}");
    }
}

#[tokio::test]
async fn the_schema_applies_to_the_built_in_database() {
    let dir = open_folder();
    let server = start(dir.path()).await.unwrap();
    crate::migrate(&server.url()).await.unwrap();
    let db = crate::Db::connect(&server.url(), 2).await.unwrap();
    let mut tx = db.system("a test").await.unwrap();
    tx.execute(AssertSqlSafe("select from org".to_owned())).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    server.stop().await;
}
