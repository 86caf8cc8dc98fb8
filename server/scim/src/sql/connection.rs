//! Queries on the connection of an organisation's directory, and on its tokens.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, ScimConnectionId, TokenId};
use sqlx::PgConnection;
use uuid::Uuid;

pub struct Connection {
    pub id: ScimConnectionId,
    pub enabled: bool,
    pub created_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
}

pub async fn find(conn: &mut PgConnection, org: OrgId) -> Result<Option<Connection>, sqlx::Error> {
    sqlx::query_as!(
        Connection,
        r#"select id as "id: ScimConnectionId", enabled, created_at, used_at
           from scim_connection where org_id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await
}

/// Makes the connection where there is none, and tells which one is there; nobody else changes it until
/// the transaction ends.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrgId,
    by: &str,
) -> Result<Connection, sqlx::Error> {
    sqlx::query!(
        "insert into scim_connection (org_id, id, enabled, created_by) values ($1, $2, false, $3)
         on conflict (org_id) do nothing",
        org as _,
        ScimConnectionId::generate() as _,
        by,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        Connection,
        r#"select id as "id: ScimConnectionId", enabled, created_at, used_at
           from scim_connection where org_id = $1 for update"#,
        org as _,
    )
    .fetch_one(conn)
    .await
}

pub async fn enable(conn: &mut PgConnection, org: OrgId, enabled: bool) -> Result<(), sqlx::Error> {
    sqlx::query!("update scim_connection set enabled = $2 where org_id = $1", org as _, enabled)
        .execute(conn)
        .await
        .map(drop)
}

/// How many users and groups the directory tells of.
pub async fn counts(conn: &mut PgConnection, org: OrgId) -> Result<(i64, i64), sqlx::Error> {
    let found = sqlx::query!(
        r#"select (select count(*) from scim_user where org_id = $1) as "users!",
                  (select count(*) from scim_group where org_id = $1) as "groups!""#,
        org as _,
    )
    .fetch_one(conn)
    .await?;
    Ok((found.users, found.groups))
}

pub struct Token {
    pub id: TokenId,
    pub name: String,
    pub last_four: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    /// False where the role has ended that it rests on.
    pub stands: bool,
}

/// The tokens that were not revoked, oldest first.
pub async fn tokens(conn: &mut PgConnection, org: OrgId) -> Result<Vec<Token>, sqlx::Error> {
    sqlx::query_as!(
        Token,
        r#"select id as "id: TokenId", name, last_four, created_at,
                  case when s.stands then expires_at else least(expires_at, now()) end as expires_at,
                  last_used_at, s.stands as "stands!"
           from scim_token t
           cross join lateral (select still_rests(t.org_id, t.rests_on, now()) as stands) s
           where org_id = $1 and revoked_at is null order by id"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}

pub struct NewToken<'a> {
    pub id: TokenId,
    pub name: &'a str,
    pub digest: &'a [u8],
    pub last_four: &'a str,
    pub by: &'a str,
    pub expires_at: Option<DateTime<Utc>>,
    pub rests_on: Option<Uuid>,
}

pub async fn insert_token(
    conn: &mut PgConnection,
    org: OrgId,
    new: &NewToken<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into scim_token (org_id, id, name, digest, last_four, created_by, expires_at, rests_on)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        org as _,
        new.id as _,
        new.name,
        new.digest,
        new.last_four,
        new.by,
        new.expires_at,
        new.rests_on,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The name of a token that was revoked now; nothing where there is none that was not before.
pub async fn revoke(
    conn: &mut PgConnection,
    org: OrgId,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "update scim_token set revoked_at = $3
         where org_id = $1 and id = $2 and revoked_at is null returning name",
        org as _,
        id as _,
        now,
    )
    .fetch_optional(conn)
    .await
}

/// Whose token a secret is of, whether it lives or not.
pub async fn of_digest(
    conn: &mut PgConnection,
    digest: &[u8],
) -> Result<Option<(OrgId, TokenId)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: TokenId" from scim_token where digest = $1"#,
        digest,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|it| (it.org, it.id)))
}

/// Who shows a token of one organisation.
pub struct Shown {
    pub token: TokenId,
    pub connection: ScimConnectionId,
    pub enabled: bool,
}

/// The live token of a digest, noting to the minute that the directory was heard.
pub async fn show(
    conn: &mut PgConnection,
    org: OrgId,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Shown>, sqlx::Error> {
    let found = sqlx::query_as!(
        Shown,
        r#"select t.id as "token: TokenId", c.id as "connection: ScimConnectionId", c.enabled
           from scim_token t join scim_connection c on c.org_id = t.org_id
           where t.org_id = $1 and t.digest = $2 and t.revoked_at is null
             and (t.expires_at is null or t.expires_at > $3)
             and still_rests(t.org_id, t.rests_on, $3)"#,
        org as _,
        digest,
        now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(shown) = &found {
        sqlx::query!(
            "update scim_token set last_used_at = $3
             where org_id = $1 and id = $2
               and (last_used_at is null or last_used_at < $3::timestamptz - interval '1 minute')",
            org as _,
            shown.token as _,
            now,
        )
        .execute(&mut *conn)
        .await?;
        sqlx::query!(
            "update scim_connection set used_at = $2
             where org_id = $1
               and (used_at is null or used_at < $2::timestamptz - interval '1 minute')",
            org as _,
            now,
        )
        .execute(conn)
        .await?;
    }
    Ok(found)
}

/// Takes of a token's room what requests need that take so many seconds of a minute, and says in how many
/// seconds there is enough where there is not; by the database's clock, which all nodes share.
pub async fn take_room(
    conn: &mut PgConnection,
    org: OrgId,
    token: TokenId,
    seconds: f64,
) -> Result<Option<f64>, sqlx::Error> {
    let taken = sqlx::query!(
        "update scim_token
         set room_at = greatest(coalesce(room_at, now()), now()) + make_interval(secs => $3)
         where org_id = $1 and id = $2
           and coalesce(room_at, now()) + make_interval(secs => $3) <= now() + interval '1 minute'",
        org as _,
        token as _,
        seconds,
    )
    .execute(&mut *conn)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(None);
    }
    sqlx::query_scalar!(
        r#"select greatest(extract(epoch from room_at - now())::float8 + $3::float8 - 60, 0) as "wait!"
           from scim_token where org_id = $1 and id = $2"#,
        org as _,
        token as _,
        seconds,
    )
    .fetch_optional(conn)
    .await
}
