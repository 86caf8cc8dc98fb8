//! Queries on accounts that are closed on the whole deployment.

use chrono::{DateTime, Utc};
use ralex_kernel::UserId;
use sqlx::PgConnection;

pub struct Row {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub at: DateTime<Utc>,
    pub reason: String,
    pub by: Option<UserId>,
}

/// False where it is closed already.
pub async fn close(
    conn: &mut PgConnection,
    user: UserId,
    (by, reason): (UserId, &str),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update app_user set disabled_at = $4, deactivated_by = $2, deactivated_reason = $3
         where id = $1 and disabled_at is null",
        user as _,
        by as _,
        reason,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// False where no operator has closed it.
pub async fn open(conn: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update app_user set disabled_at = null, deactivated_by = null, deactivated_reason = null
         where id = $1 and deactivated_reason is not null",
        user as _,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Those that are closed, by their ids.
pub async fn all(
    conn: &mut PgConnection,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select u.id as "id: UserId", u.email, u.name, u.disabled_at as "at!",
                  u.deactivated_reason as "reason!", o.id as "by?: UserId"
           from app_user u left join app_user o on o.id = u.deactivated_by
           where u.deactivated_reason is not null and ($1::uuid is null or u.id > $1)
           order by u.id limit $2"#,
        after as _,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Ends every personal token of an account, and says how many.
pub async fn end_tokens(
    conn: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update personal_token set revoked_at = $2 where user_id = $1 and revoked_at is null",
        user as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Removes what the account began and did not end: logins, ceremonies, links and codes of programs.
pub async fn end_what_waits(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from login_challenge where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from passkey_ceremony where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from account_link where user_id = $1", user as _)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from program_login where user_id = $1", user as _)
        .execute(conn)
        .await
        .map(drop)
}
