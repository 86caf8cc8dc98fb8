//! A database of its own for every test, copied from a migrated template in the test cluster.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::Db;
use crate::migrate::{MIGRATIONS, migrate};

/// Held while the template is made, so that one of many tests that start together makes it.
const TEMPLATE_LOCK: i64 = 0x7261_6c65_785f_7470;

/// A migrated, empty database that is dropped with this value.
#[derive(Debug)]
pub struct Database {
    /// Missing where the schema is, since the pool takes a role of it.
    db: Option<Db>,
    url: String,
    cluster: PgConnectOptions,
    name: String,
}

impl Database {
    /// A new database in the cluster that `DATABASE_URL` names (see `tests/postgres`).
    pub async fn fresh() -> Self {
        Self::with_connections(8).await
    }

    /// The same with a pool of a given size.
    pub async fn with_connections(max_connections: u32) -> Self {
        let (cluster, template) = template().await;
        let mut database = Self::copy(cluster, &template).await;
        let db = Db::connect(&database.url, max_connections).await;
        database.db = Some(must(db, "the copy does not answer"));
        database
    }

    /// A database without a schema, which has no [`Self::db`].
    pub async fn empty() -> Self {
        let (cluster, _) = template().await;
        Self::copy(cluster, "template0").await
    }

    async fn copy(cluster: PgConnectOptions, template: &str) -> Self {
        let name = format!("ralex_test_{}", Uuid::now_v7().simple());
        let mut conn = must(cluster.connect().await, "the test cluster does not answer");
        run(&mut conn, format!("create database {name} template {template}")).await;
        must(conn.close().await, "the test cluster went away");
        Self { db: None, url: renamed(&cluster_url(), &name), cluster, name }
    }

    pub fn db(&self) -> Db {
        must(self.db.clone().ok_or("it is empty"), "there is no pool on this database")
    }

    /// For what connects by itself; its login owns the tables.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connection as the login that owns the tables, past row level security: to plant rows
    /// and to look behind the curtain.
    pub async fn owner(&self) -> PgConnection {
        let options = self.cluster.clone().database(&self.name);
        must(options.connect().await, "the test database does not answer")
    }

    /// Returns once a statement in this database waits for a row or lock that another one holds.
    pub async fn until_someone_waits_for_a_lock(&self) {
        let mut conn = self.owner().await;
        for _ in 0..1_000 {
            let waiting = sqlx::query_scalar!(
                r#"select exists (select from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock')
                   as "waiting!""#
            );
            if must(waiting.fetch_one(&mut conn).await, "the activity is not told") {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        must::<(), _>(Err("ten seconds"), "nobody waits for a lock");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (cluster, name) = (self.cluster.clone(), self.name.clone());
        // The test's runtime may be the one thread that runs this.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let Ok(mut conn) = cluster.connect().await else { return };
                let sql = format!("drop database if exists {name} with (force)");
                conn.execute(AssertSqlSafe(sql)).await.ok();
                conn.close().await.ok();
            });
        });
        dropping.join().ok();
    }
}

/// The template's name; makes it where it is missing.
async fn template() -> (PgConnectOptions, String) {
    let url = cluster_url();
    let cluster = must(PgConnectOptions::from_str(&url), "DATABASE_URL is no database's URL")
        .database("postgres");
    let name = format!("ralex_template_{:016x}", fingerprint());
    let mut conn = must(cluster.connect().await, "the test cluster does not answer");
    let locked = sqlx::query!("select pg_advisory_lock($1)", TEMPLATE_LOCK);
    must(locked.execute(&mut conn).await, "the template's lock was refused");
    let known = sqlx::query_scalar!(
        r#"select exists (select from pg_database where datname = $1) as "known!""#,
        name
    );
    if !must(known.fetch_one(&mut conn).await, "the cluster does not list its databases") {
        // Under another name until it is whole, since a test may be killed on the way.
        let building = format!("{name}_building");
        run(&mut conn, format!("drop database if exists {building} with (force)")).await;
        run(&mut conn, format!("create database {building}")).await;
        must(migrate(&renamed(&url, &building)).await, "the migrations do not apply");
        run(&mut conn, format!("alter database {building} rename to {name}")).await;
    }
    must(conn.close().await, "the test cluster went away");
    (cluster, name)
}

/// Changes whenever a migration does.
fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    for migration in MIGRATIONS.iter() {
        (migration.version, &migration.checksum).hash(&mut hasher);
    }
    hasher.finish()
}

#[expect(clippy::disallowed_methods, reason = "tests have no configuration but this one")]
fn cluster_url() -> String {
    must(
        std::env::var("DATABASE_URL"),
        "tests need a PostgreSQL: run `tests/postgres start` and set DATABASE_URL to its answer",
    )
}

/// The URL of another database of the same cluster.
fn renamed(url: &str, database: &str) -> String {
    let (head, query) = url.split_once('?').map_or((url, None), |(a, b)| (a, Some(b)));
    let (server, _) = head.rsplit_once('/').unwrap_or((head, ""));
    match query {
        Some(query) => format!("{server}/{database}?{query}"),
        None => format!("{server}/{database}"),
    }
}

async fn run(conn: &mut PgConnection, sql: String) {
    must(conn.execute(AssertSqlSafe(sql)).await, "the test cluster refused a statement");
}

#[expect(clippy::panic, reason = "a test that has no database has failed")]
fn must<T, E: std::fmt::Debug>(result: Result<T, E>, otherwise: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{otherwise}: {error:?}"),
    }
}
