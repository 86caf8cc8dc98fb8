//! Queries on links by which a password is chosen. Of accounts, so across organisations.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

pub struct LinkRow {
    pub user: UserId,
    /// The organisation that it asks its person to belong to.
    pub org: Option<OrgId>,
    pub org_name: Option<String>,
    pub email: String,
    pub name: String,
    pub purpose: String,
    pub expires_at: DateTime<Utc>,
}

/// Keeps the digest of a link, in the place of the one before; of one that asks somebody to belong to an
/// organisation, in the place of that organisation's.
pub async fn put(
    conn: &mut PgConnection,
    (user, join): (UserId, Option<OrgId>),
    purpose: &str,
    digest: &[u8],
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into account_link (id, user_id, purpose, digest, created_at, expires_at, join_org_id)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (user_id, purpose, join_org_id) do update
         set id = excluded.id, digest = excluded.digest, created_at = excluded.created_at,
             expires_at = excluded.expires_at, mailed_at = null",
        Uuid::now_v7(),
        user as _,
        purpose,
        digest,
        now,
        until,
        join as _,
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
        r#"select u.id as "user: UserId", u.email, u.name, l.purpose, l.expires_at,
                  l.join_org_id as "org: OrgId", o.name as "org_name?"
           from account_link l join app_user u on u.id = l.user_id
           left join org o on o.id = l.join_org_id
           where l.digest = $1 and l.expires_at > $2 and u.disabled_at is null
           for update of l"#,
        digest,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// All links by which an account's password is chosen end with the first that is used.
pub async fn end_all(conn: &mut PgConnection, user: UserId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from account_link where user_id = $1 and join_org_id is null", user as _)
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

/// Ends the link by which an organisation asks somebody to belong to it.
pub async fn end_join(
    conn: &mut PgConnection,
    user: UserId,
    org: OrgId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from account_link where user_id = $1 and join_org_id = $2",
        user as _,
        org as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether an account is another organisation's matter too; not of one that they have yet to say yes to.
pub async fn is_elsewhere(
    conn: &mut PgConnection,
    user: UserId,
    org: OrgId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from membership where user_id = $1 and org_id <> $2
               and not 'invitation' = any(suspended_by)) as "is!""#,
        user as _,
        org as _,
    )
    .fetch_one(conn)
    .await
}

/// What a link was that has ended.
pub struct Ended {
    pub user: UserId,
    pub purpose: String,
    pub org: Option<OrgId>,
}

/// Ends a link and says what it was; nothing where there is none any more.
pub async fn end(conn: &mut PgConnection, digest: &[u8]) -> Result<Option<Ended>, sqlx::Error> {
    sqlx::query_as!(
        Ended,
        r#"delete from account_link where digest = $1
           returning user_id as "user: UserId", purpose, join_org_id as "org: OrgId""#,
        digest
    )
    .fetch_optional(conn)
    .await
}
