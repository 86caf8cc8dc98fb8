//! Brings a database to the schema of this binary.

use std::str::FromStr;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};

/// The whole schema, embedded when the binary is built.
pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

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

fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// SQLSTATE 42501, `insufficient_privilege`.
fn is_forbidden(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "42501")
}
