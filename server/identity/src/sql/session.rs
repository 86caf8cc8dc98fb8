//! Queries on console sessions.

use chrono::{DateTime, Utc};
use ralex_kernel::{SessionId, UserId};
use sqlx::PgConnection;

pub struct NewSession<'a> {
    pub id: SessionId,
    pub user: UserId,
    pub digest: &'a [u8],
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub address: Option<String>,
    pub user_agent: Option<&'a str>,
}

pub async fn insert(conn: &mut PgConnection, new: NewSession<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into session (id, user_id, digest, created_at, last_used_at, expires_at, address, user_agent)
         values ($1, $2, $3, $4, $4, $5, $6, $7)",
        new.id as _,
        new.user as _,
        new.digest,
        new.now,
        new.expires_at,
        new.address,
        new.user_agent,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct LiveSession {
    pub id: SessionId,
    pub user: UserId,
    pub one_time: bool,
    pub stale: bool,
}

/// The session of a cookie, where it and its person are alive.
pub async fn find_live(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<LiveSession>, sqlx::Error> {
    sqlx::query_as!(
        LiveSession,
        r#"select s.id as "id: SessionId", s.user_id as "user: UserId",
                  u.password_one_time as one_time,
                  s.last_used_at < $2::timestamptz - interval '1 minute' as "stale!"
           from session s join app_user u on u.id = s.user_id
           where s.digest = $1 and s.revoked_at is null and s.expires_at > $2
             and s.last_used_at > $3 and u.disabled_at is null"#,
        digest,
        now,
        idle_since,
    )
    .fetch_optional(conn)
    .await
}

pub async fn touch(
    conn: &mut PgConnection,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("update session set last_used_at = $2 where id = $1", id as _, now)
        .execute(conn)
        .await
        .map(drop)
}

/// Ends one of a person's sessions; false where there is none that is alive.
pub async fn revoke(
    conn: &mut PgConnection,
    user: UserId,
    id: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update session set revoked_at = $3 where user_id = $1 and id = $2 and revoked_at is null",
        user as _,
        id as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends all of a person's sessions but one, and says how many.
pub async fn revoke_others(
    conn: &mut PgConnection,
    user: UserId,
    keep: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update session set revoked_at = $3
         where user_id = $1 and id is distinct from $2 and revoked_at is null",
        user as _,
        keep as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub struct SessionRow {
    pub id: SessionId,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

pub async fn list(
    conn: &mut PgConnection,
    user: UserId,
    before: Option<SessionId>,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<SessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SessionRow,
        r#"select id as "id: SessionId", created_at, last_used_at, expires_at, address, user_agent
           from session
           where user_id = $1 and revoked_at is null and expires_at > $4
             and ($2::uuid is null or id < $2)
           order by id desc limit $3"#,
        user as _,
        before as _,
        limit,
        now,
    )
    .fetch_all(conn)
    .await
}
