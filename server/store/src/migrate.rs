//! Brings a database to the schema of this binary.

use std::str::FromStr;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::error::has_code;

/// The whole schema, embedded when the binary is built.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// The number of the newest migration, by which the schema is known.
pub fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// The oldest PostgreSQL whose features the schema uses.
pub const OLDEST_POSTGRES: u32 = 15;

/// Why a database could not be brought to this schema; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("The database cannot be reached: {0}. Check the database URL and that it runs.")]
    Unreachable(#[source] sqlx::Error),
    #[error("The database is PostgreSQL {0}, but Ralex needs version {OLDEST_POSTGRES} or later.")]
    TooOld(u32),
    #[error(
        "The database was used by a newer Ralex (it has migration {0}). Start that version, or use another database."
    )]
    NewerRalex(i64),
    #[error(
        "Migration {0} in the database is not the one of this Ralex. Start the version that made the database, or use another one."
    )]
    Changed(i64),
    #[error(
        "The database login \"{0}\" may not make the roles that Ralex uses. Let an administrator run: alter role \"{0}\" createrole; and, where another login made them: grant ralex_app, ralex_system to \"{0}\" with admin option;"
    )]
    MayNotMakeRoles(String),
    #[error("The database login \"{0}\" may not create tables in the schema public: {1}")]
    MayNotCreateTables(String, #[source] sqlx::Error),
    #[error("The database could not be migrated: {0}")]
    Failed(#[source] MigrateError),
}

/// Applies what is missing, as the login of `url`, which then owns the tables.
///
/// Two processes may do this at once: sqlx holds an advisory lock while it looks and applies,
/// and every migration is one transaction with its own note that it was done.
pub async fn migrate(url: &str) -> Result<(), Refusal> {
    let mut conn = connect(url).await.map_err(Refusal::Unreachable)?;
    let version = conn.server_version_num().unwrap_or_default() / 10_000;
    if version < OLDEST_POSTGRES {
        return Err(Refusal::TooOld(version));
    }
    match MIGRATIONS.run(&mut conn).await {
        Ok(()) => {
            conn.close().await.ok();
            Ok(())
        }
        Err(error) => Err(refusal(error, url)),
    }
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::from_str(url)?.application_name("ralex migrate").connect().await
}

/// What the failure means to the person who starts Ralex.
fn refusal(error: MigrateError, url: &str) -> Refusal {
    let login = PgConnectOptions::from_str(url)
        .map(|options| options.get_username().to_owned())
        .unwrap_or_default();
    match error {
        MigrateError::VersionMissing(version) if version > newest() => Refusal::NewerRalex(version),
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            Refusal::Changed(version)
        }
        // The first migration makes the roles and nothing before it needs them.
        MigrateError::ExecuteMigration(source, 1) if is_forbidden(&source) => {
            Refusal::MayNotMakeRoles(login)
        }
        MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
            if is_forbidden(&source) =>
        {
            Refusal::MayNotCreateTables(login, source)
        }
        other => Refusal::Failed(other),
    }
}

/// `insufficient_privilege`.
fn is_forbidden(error: &sqlx::Error) -> bool {
    has_code(error, "42501")
}

#[cfg(test)]
mod tests {
    use sqlx::Executor;

    use super::*;
    use crate::testing::Database;

    #[tokio::test]
    async fn many_processes_may_migrate_at_once_and_again() {
        let database = Database::empty().await;
        let url = database.url();
        let (a, b, c) = tokio::join!(migrate(url), migrate(url), migrate(url));
        for result in [a, b, c, migrate(url).await] {
            result.unwrap();
        }
    }

    #[tokio::test]
    async fn a_database_of_a_newer_ralex_is_refused_by_name() {
        let database = Database::fresh().await;
        let newer =
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (99999, 'later', true, '', 0)";
        database.owner().await.execute(newer).await.unwrap();
        let refused = migrate(database.url()).await.unwrap_err();
        assert!(matches!(refused, Refusal::NewerRalex(99999)), "{refused}");
    }

    #[tokio::test]
    async fn a_changed_migration_is_refused() {
        let database = Database::fresh().await;
        let changed = "update _sqlx_migrations set checksum = 'x' where version = 2";
        database.owner().await.execute(changed).await.unwrap();
        let refused = migrate(database.url()).await.unwrap_err();
        assert!(matches!(refused, Refusal::Changed(2)), "{refused}");
    }

    #[tokio::test]
    async fn a_login_without_rights_is_told_which_ones_it_needs() {
        let database = Database::empty().await;
        let login = format!("weak_{}", uuid::Uuid::now_v7().simple());
        let mut owner = database.owner().await;
        owner.execute(sqlx::AssertSqlSafe(format!("create role {login} login"))).await.unwrap();
        let weak = database.url().replacen("postgres@", &format!("{login}@"), 1);
        let refused = migrate(&weak).await.unwrap_err();
        assert!(matches!(refused, Refusal::MayNotCreateTables(..)), "{refused}");
        let grant = format!("grant all on schema public to {login}");
        owner.execute(sqlx::AssertSqlSafe(grant)).await.unwrap();
        let refused = migrate(&weak).await.unwrap_err();
        assert!(matches!(refused, Refusal::MayNotMakeRoles(_)), "{refused}");
        let gone = format!("drop owned by {login}; drop role {login}");
        owner.execute(sqlx::AssertSqlSafe(gone)).await.unwrap();
    }

    #[tokio::test]
    async fn a_database_that_is_away_is_unreachable() {
        let refused = migrate("postgres://nobody@localhost/none?host=/nowhere").await.unwrap_err();
        assert!(matches!(refused, Refusal::Unreachable(_)), "{refused}");
    }
}
