//! Queries on console sessions.

use chrono::{DateTime, Utc};
use ralex_api::factors::Method;
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
    pub methods: &'a [Method],
}

pub async fn insert(conn: &mut PgConnection, new: NewSession<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into session (id, user_id, digest, created_at, last_used_at, authenticated_at,
                              expires_at, address, user_agent, methods)
         values ($1, $2, $3, $4, $4, $4, $5, $6, $7, $8)",
        new.id as _,
        new.user as _,
        new.digest,
        new.now,
        new.expires_at,
        new.address,
        new.user_agent,
        &names(new.methods),
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
    pub second_factor: bool,
    /// Nothing where the cookie is the one before the last proof.
    pub proven_at: Option<DateTime<Utc>>,
}

/// From when on a session and its cookies have to be.
pub struct Alive {
    pub now: DateTime<Utc>,
    pub used_since: DateTime<Utc>,
    pub replaced_since: DateTime<Utc>,
}

/// The session of a cookie, where it and its person are alive.
pub async fn find_live(
    conn: &mut PgConnection,
    digest: &[u8],
    alive: Alive,
) -> Result<Option<LiveSession>, sqlx::Error> {
    sqlx::query_as!(
        LiveSession,
        r#"select s.id as "id: SessionId", s.user_id as "user: UserId",
                  u.password_one_time as one_time,
                  s.last_used_at < $2::timestamptz - interval '1 minute' as "stale!",
                  cardinality(s.methods) > 1 and exists (
                      select from totp f where f.user_id = u.id and f.confirmed_at is not null)
                      as "second_factor!",
                  case when s.digest = $1 then s.authenticated_at end as proven_at
           from session s join app_user u on u.id = s.user_id
           where (s.digest = $1 or s.previous_digest = $1 and s.authenticated_at > $4)
             and s.revoked_at is null and s.expires_at > $2
             and s.last_used_at > $3 and u.disabled_at is null"#,
        digest,
        alive.now,
        alive.used_since,
        alive.replaced_since,
    )
    .fetch_optional(conn)
    .await
}

/// Gives a session another cookie, by which it was proven anew; false where it has ended.
pub async fn renew(
    conn: &mut PgConnection,
    id: SessionId,
    digest: &[u8],
    methods: &[Method],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update session set previous_digest = digest, digest = $2, methods = $3,
                authenticated_at = $4, last_used_at = $4
         where id = $1 and revoked_at is null and expires_at > $4",
        id as _,
        digest,
        &names(methods),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that what is behind a session was proven by one method more.
pub async fn add_method(
    conn: &mut PgConnection,
    id: SessionId,
    method: Method,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update session set methods = array_append(methods, $2) where id = $1 and not $2 = any(methods)",
        id as _,
        method.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

fn names(methods: &[Method]) -> Vec<String> {
    methods.iter().map(|method| method.as_str().to_owned()).collect()
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
    pub authenticated_at: DateTime<Utc>,
    pub methods: Vec<String>,
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
        r#"select id as "id: SessionId", created_at, last_used_at, expires_at, authenticated_at,
                  methods, address, user_agent
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
