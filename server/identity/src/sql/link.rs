//! Queries on links by which a password is chosen. Of accounts, so across organisations.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

pub struct LinkRow {
    pub user: UserId,
    pub email: String,
    pub name: String,
    pub purpose: String,
    pub expires_at: DateTime<Utc>,
}

/// Keeps the digest of a link, in the place of the one before.
pub async fn put(
    conn: &mut PgConnection,
    user: UserId,
    purpose: &str,
    digest: &[u8],
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into account_link (id, user_id, purpose, digest, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (user_id, purpose) do update
         set id = excluded.id, digest = excluded.digest, created_at = excluded.created_at,
             expires_at = excluded.expires_at, mailed_at = null",
        Uuid::now_v7(),
        user as _,
        purpose,
        digest,
        now,
        until,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// That a mail server took it.
pub async fn mailed(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update account_link set mailed_at = $2 where digest = $1", digest, now)
        .execute(conn)
        .await
        .map(drop)
}

/// The link with whose account it is, locked until the transaction ends, if it can be used now.
pub async fn find(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LinkRow>, sqlx::Error> {
    sqlx::query_as!(
        LinkRow,
        r#"select u.id as "user: UserId", u.email, u.name, l.purpose, l.expires_at
           from account_link l join app_user u on u.id = l.user_id
           where l.digest = $1 and l.expires_at > $2 and u.disabled_at is null
           for update of l"#,
        digest,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// All of an account's links end with the first that is used.
pub async fn end_all(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from account_link where user_id = $1", user as _)
        .execute(conn)
        .await
        .map(drop)
}

/// Whether nobody can come in by this account yet: it has no password, no passkey, and nobody who
/// vouches for it.
pub async fn is_unused(conn: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from app_user u where u.id = $1 and u.password_hash is null
               and not exists (select from passkey p where p.user_id = u.id)
               and not exists (select from sso_link s where s.user_id = u.id)) as "is!""#,
        user as _,
    )
    .fetch_one(conn)
    .await
}

/// Whether an account is another organisation's matter too.
pub async fn is_elsewhere(
    conn: &mut PgConnection,
    user: UserId,
    org: OrgId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from membership where user_id = $1 and org_id <> $2) as "is!""#,
        user as _,
        org as _,
    )
    .fetch_one(conn)
    .await
}

/// Ends a link and says whose it was, and for what; nothing where there is none any more.
pub async fn end(
    conn: &mut PgConnection,
    digest: &[u8],
) -> Result<Option<(UserId, String)>, sqlx::Error> {
    let ended = sqlx::query!(
        r#"delete from account_link where digest = $1
           returning user_id as "user: UserId", purpose"#,
        digest
    )
    .fetch_optional(conn)
    .await?;
    Ok(ended.map(|row| (row.user, row.purpose)))
}
