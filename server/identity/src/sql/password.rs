//! Queries on what an account goes by, and on who waits for whom when it is replaced.

use ralex_kernel::UserId;
use sqlx::PgConnection;

pub async fn set_password(
    conn: &mut PgConnection,
    id: UserId,
    password_hash: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update app_user set password_hash = $2, password_one_time = false where id = $1",
        id as _,
        password_hash,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Sets another password in the place of the one that was checked; false where another took it.
pub async fn replace_password(
    conn: &mut PgConnection,
    id: UserId,
    was: &str,
    password_hash: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update app_user set password_hash = $3, password_one_time = false
         where id = $1 and password_hash = $2",
        id as _,
        was,
        password_hash,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the same password hashed in another way; false where it was replaced meanwhile.
pub async fn replace_hash(
    conn: &mut PgConnection,
    id: UserId,
    was: &str,
    password_hash: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update app_user set password_hash = $3
         where id = $1 and password_hash = $2 and disabled_at is null",
        id as _,
        was,
        password_hash,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether an account has this very hash, which then stays until the transaction ends.
pub async fn hold_hash(
    conn: &mut PgConnection,
    id: UserId,
    hash: &str,
) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select true as "held!" from app_user
           where id = $1 and password_hash = $2 and disabled_at is null for share"#,
        id as _,
        hash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Keeps what an account goes by as it is until the transaction ends, beside others who do.
pub async fn hold(conn: &mut PgConnection, id: UserId) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!(r#"select true as "held!" from app_user where id = $1 for share"#, id as _)
        .fetch_optional(conn)
        .await
        .map(drop)
}

/// Waits for every login of an account that is about to open something, and has later ones wait.
pub async fn lock(conn: &mut PgConnection, id: UserId) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!(
        r#"select true as "locked!" from app_user where id = $1 for no key update"#,
        id as _
    )
    .fetch_optional(conn)
    .await
    .map(drop)
}
