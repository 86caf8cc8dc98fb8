//! Queries on personal tokens.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, SignOn, SsoProviderId, TokenId, UserId};
use sqlx::PgConnection;

pub struct LiveToken {
    pub id: TokenId,
    pub user: UserId,
    pub one_time: bool,
    pub second_factor: bool,
    pub sso_org: Option<OrgId>,
    pub sso_provider: Option<SsoProviderId>,
    pub by_device: bool,
    pub models: Option<Vec<String>>,
    pub permissions: Option<Vec<String>>,
    pub addresses: Option<Vec<String>>,
}

/// The personal token of a digest where it and its person are alive, and so is the word of the
/// provider by which they were in when they made it.
pub async fn find(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveToken>, sqlx::Error> {
    let found = sqlx::query_as!(
        LiveToken,
        r#"select t.id as "id: TokenId", t.user_id as "user: UserId",
                  u.password_one_time as one_time,
                  exists (select from second_factor f where f.user_id = u.id) as "second_factor!",
                  t.sso_org_id as "sso_org: OrgId",
                  t.sso_provider_id as "sso_provider: SsoProviderId", t.by_device,
                  t.models, t.permissions, t.addresses
           from personal_token t join app_user u on u.id = t.user_id
           where (t.digest = $1 or t.former_digest = $1 and t.former_until > $2)
             and t.revoked_at is null
             and (t.expires_at is null or t.expires_at > $2) and u.disabled_at is null
             and sign_on_lives(t.sso_org_id, t.sso_provider_id, t.user_id)"#,
        digest,
        now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(token) = &found {
        sqlx::query!(
            "update personal_token set
                 last_used_at = $2,
                 former_used_at = case when former_digest = $3 then $2 else former_used_at end
             where id = $1
               and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute'
                    or former_digest = $3 and (former_used_at is null
                        or former_used_at < $2::timestamptz - interval '1 minute'))",
            token.id as _,
            now,
            digest,
        )
        .execute(conn)
        .await?;
    }
    Ok(found)
}

pub struct TokenRow {
    pub id: TokenId,
    pub name: String,
    pub last_four: String,
    pub models: Option<Vec<String>>,
    pub permissions: Option<Vec<String>>,
    pub addresses: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub rotated_at: Option<DateTime<Utc>>,
    pub former_last_four: Option<String>,
    pub former_until: Option<DateTime<Utc>>,
    pub former_used_at: Option<DateTime<Utc>>,
    /// Whether the sign-on is over by which it was made.
    pub sign_on_over: bool,
}

pub async fn list(
    conn: &mut PgConnection,
    user: UserId,
    before: Option<TokenId>,
    limit: i64,
    within: Option<OrgId>,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        r#"select id as "id: TokenId", name, last_four, models, permissions, addresses, created_at,
                  expires_at, revoked_at, last_used_at, rotated_at, former_last_four, former_until,
                  former_used_at,
                  not sign_on_lives(sso_org_id, sso_provider_id, user_id) as "sign_on_over!"
           from personal_token where user_id = $1 and ($2::uuid is null or id < $2)
             and ($4::uuid is null or sso_org_id = $4)
           order by id desc limit $3"#,
        user as _,
        before as _,
        limit,
        within as _,
    )
    .fetch_all(conn)
    .await
}

pub struct NewToken<'a> {
    pub id: TokenId,
    pub user: UserId,
    pub name: &'a str,
    pub digest: &'a [u8],
    pub last_four: &'a str,
    pub models: Option<&'a [String]>,
    pub permissions: Option<&'a [String]>,
    pub addresses: Option<&'a [String]>,
    pub expires_at: Option<DateTime<Utc>>,
    pub sign_on: Option<SignOn>,
    pub by_device: bool,
}

pub async fn insert(conn: &mut PgConnection, new: NewToken<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into personal_token (id, user_id, name, digest, last_four, expires_at,
                                     sso_org_id, sso_provider_id, by_device, permissions, addresses,
                                     models)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.id as _,
        new.user as _,
        new.name,
        new.digest,
        new.last_four,
        new.expires_at,
        new.sign_on.map(|it| it.org) as Option<OrgId>,
        new.sign_on.map(|it| it.provider) as Option<SsoProviderId>,
        new.by_device,
        new.permissions,
        new.addresses,
        new.models,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Of names of models, those that an organisation has.
pub async fn models_named(
    conn: &mut PgConnection,
    org: OrgId,
    names: Option<&[String]>,
) -> Result<Option<Vec<String>>, sqlx::Error> {
    sqlx::query_scalar!("select models_named($1, $2)", org as _, names).fetch_one(conn).await
}

/// Revokes the personal tokens that a person made by a provider's word, and says how many.
pub async fn revoke_signed_on(
    conn: &mut PgConnection,
    by: SignOn,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "update personal_token set revoked_at = $4
         where sso_org_id = $1 and sso_provider_id = $2 and user_id = $3 and revoked_at is null",
        by.org as _,
        by.provider as _,
        user as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Revokes a personal token and returns its name; nothing where there is none that is alive.
pub async fn revoke(
    conn: &mut PgConnection,
    user: UserId,
    id: TokenId,
    now: DateTime<Utc>,
    within: Option<OrgId>,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "update personal_token set revoked_at = $3
         where user_id = $1 and id = $2 and revoked_at is null
           and ($4::uuid is null or sso_org_id = $4) returning name",
        user as _,
        id as _,
        now,
        within as _,
    )
    .fetch_optional(conn)
    .await
}
