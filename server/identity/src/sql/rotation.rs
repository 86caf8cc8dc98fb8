//! Queries on the secrets of tokens: another one, the one before it, and ones that others have seen.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, TokenId, UserId};
use sqlx::PgConnection;

/// How a token stands whose secret somebody wants to change.
pub struct Standing {
    pub name: String,
    pub models: Option<Vec<String>>,
    pub permissions: Option<Vec<String>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub former_until: Option<DateTime<Utc>>,
    pub revoked: bool,
}

/// A new secret of a token.
pub struct Rotation<'a> {
    pub id: TokenId,
    pub digest: &'a [u8],
    pub last_four: &'a str,
    /// Until when the one that it has now works beside it; no longer where absent.
    pub former_until: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}

/// Who is shown it: a person, or those who know the token by which it is made.
pub struct Shown {
    pub to: Option<UserId>,
    pub made_with: Option<TokenId>,
}

/// A token, locked.
pub async fn lock(
    conn: &mut PgConnection,
    org: OrgId,
    id: TokenId,
) -> Result<Option<Standing>, sqlx::Error> {
    sqlx::query_as!(
        Standing,
        r#"select name, models, permissions, expires_at, former_until,
                  revoked_at is not null as "revoked!"
           from token where org_id = $1 and id = $2 for update"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

/// A personal token of somebody, locked; only one made within an organisation's sign-on where one is
/// named.
pub async fn lock_personal(
    conn: &mut PgConnection,
    (user, within): (UserId, Option<OrgId>),
    id: TokenId,
) -> Result<Option<Standing>, sqlx::Error> {
    sqlx::query_as!(
        Standing,
        r#"select name, models, permissions, expires_at, former_until,
                  revoked_at is not null as "revoked!"
           from personal_token
           where user_id = $1 and id = $2 and ($3::uuid is null or sso_org_id = $3) for update"#,
        user as _,
        id as _,
        within as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn rotate(
    conn: &mut PgConnection,
    org: OrgId,
    by: Rotation<'_>,
    shown: &Shown,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update token set
             known_to = array(select distinct it from unnest(known_to || $8::uuid
                 || coalesce((select k.known_to || k.created_by from token k
                              where k.org_id = $1 and k.id = $9), '{}')) as it
                 where it is not null),
             former_digest = case when $5::timestamptz is not null then digest end,
             former_last_four = case when $5::timestamptz is not null then last_four end,
             former_until = $5, former_used_at = null,
             digest = $3, last_four = $4, rotated_at = $6, expires_at = $7
         where org_id = $1 and id = $2",
        org as _,
        by.id as _,
        by.digest,
        by.last_four,
        by.former_until,
        by.now,
        by.expires_at,
        shown.to as _,
        shown.made_with as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn rotate_personal(
    conn: &mut PgConnection,
    user: UserId,
    by: Rotation<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update personal_token set
             former_digest = case when $5::timestamptz is not null then digest end,
             former_last_four = case when $5::timestamptz is not null then last_four end,
             former_until = $5, former_used_at = null,
             digest = $3, last_four = $4, rotated_at = $6, expires_at = $7
         where user_id = $1 and id = $2",
        user as _,
        by.id as _,
        by.digest,
        by.last_four,
        by.former_until,
        by.now,
        by.expires_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Ends the former secret of a token; false where there is none that works.
pub async fn end_former(
    conn: &mut PgConnection,
    org: OrgId,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update token set former_digest = null, former_last_four = null, former_until = null
         where org_id = $1 and id = $2 and former_until > $3",
        org as _,
        id as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The same of a personal token, and its name.
pub async fn end_former_personal(
    conn: &mut PgConnection,
    (user, within): (UserId, Option<OrgId>),
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "update personal_token
         set former_digest = null, former_last_four = null, former_until = null
         where user_id = $1 and id = $2 and former_until > $3
           and ($4::uuid is null or sso_org_id = $4) returning name",
        user as _,
        id as _,
        now,
        within as _,
    )
    .fetch_optional(conn)
    .await
}

/// A token that somebody outside has.
pub struct Seen {
    pub id: TokenId,
    pub name: String,
    /// Whether it worked until now, by the secret that was seen.
    pub alive: bool,
    /// Whether it was seen by its former secret, so that the token itself need not end.
    pub former: bool,
}

/// A team's token, locked, by either of its secrets, and whose it is.
pub async fn find_seen(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<(OrgId, Seen)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select org_id as "org: OrgId", id as "id: TokenId", name, digest <> $1 as "former!",
                  revoked_at is null and (expires_at is null or expires_at > $2)
                      and (digest = $1 or former_until > $2) as "alive!"
           from token where digest = $1 or former_digest = $1 for update"#,
        digest,
        now,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found
        .map(|it| (it.org, Seen { id: it.id, name: it.name, alive: it.alive, former: it.former })))
}

/// The same of a personal token.
pub async fn find_seen_personal(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<(UserId, Seen)>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select user_id as "user: UserId", id as "id: TokenId", name, digest <> $1 as "former!",
                  revoked_at is null and (expires_at is null or expires_at > $2)
                      and (digest = $1 or former_until > $2) as "alive!"
           from personal_token where digest = $1 or former_digest = $1 for update"#,
        digest,
        now,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found
        .map(|it| (it.user, Seen { id: it.id, name: it.name, alive: it.alive, former: it.former })))
}

/// Notes that a token was shown from elsewhere, and returns its name; nothing within an hour of the last
/// time.
pub async fn misplaced(
    conn: &mut PgConnection,
    org: OrgId,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "update token set misplaced_at = $2
         where org_id = $3 and id = $1
           and (misplaced_at is null or misplaced_at < $2::timestamptz - interval '1 hour')
         returning name",
        id as _,
        now,
        org as _,
    )
    .fetch_optional(conn)
    .await
}

/// The same of a personal token.
pub async fn misplaced_personal(
    conn: &mut PgConnection,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "update personal_token set misplaced_at = $2
         where id = $1 and (misplaced_at is null or misplaced_at < $2::timestamptz - interval '1 hour')
         returning name",
        id as _,
        now,
    )
    .fetch_optional(conn)
    .await
}
