//! Queries on team tokens and personal tokens.

use chrono::{DateTime, Utc};
use ralex_kernel::{
    OrgId, ProjectId, ServiceAccountId, SignOn, SsoProviderId, TeamId, TokenId, UserId,
};
use sqlx::PgConnection;

use crate::token::Whose;

pub struct LiveToken {
    pub id: TokenId,
    pub org: OrgId,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub account: Option<ServiceAccountId>,
    pub models: Option<Vec<String>>,
    pub expires_at: Option<DateTime<Utc>>,
    /// The organisation's policy version at the very moment that the token was read.
    pub version: i64,
}

/// The token of a digest where it is alive, and so is the service account that it may be of; noting
/// that it was used (to the minute).
pub async fn find_team_token(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LiveToken>, sqlx::Error> {
    let found = sqlx::query_as!(
        LiveToken,
        r#"select id as "id: TokenId", org_id as "org: OrgId", team_id as "team: TeamId",
                  project_id as "project: ProjectId", account_id as "account: ServiceAccountId",
                  models, expires_at,
                  coalesce((select v.version from policy_version v where v.org_id = token.org_id), 0)
                      as "version!"
           from token
           where digest = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
             and not exists (
                 select from service_account a
                 where a.org_id = token.org_id and a.id = token.account_id
                   and a.disabled_at is not null)"#,
        digest,
        now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(token) = &found {
        sqlx::query!(
            "update token set last_used_at = $3
             where org_id = $1 and id = $2
               and (last_used_at is null or last_used_at < $3::timestamptz - interval '1 minute')",
            token.org as _,
            token.id as _,
            now,
        )
        .execute(conn)
        .await?;
    }
    Ok(found)
}

pub struct LivePersonalToken {
    pub id: TokenId,
    pub user: UserId,
    pub one_time: bool,
    pub second_factor: bool,
    pub sso_org: Option<OrgId>,
    pub sso_provider: Option<SsoProviderId>,
    pub by_device: bool,
}

/// The personal token of a digest where it and its person are alive, and so is the word of the
/// provider by which they were in when they made it.
pub async fn find_personal_token(
    conn: &mut PgConnection,
    digest: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<LivePersonalToken>, sqlx::Error> {
    let found = sqlx::query_as!(
        LivePersonalToken,
        r#"select t.id as "id: TokenId", t.user_id as "user: UserId",
                  u.password_one_time as one_time,
                  exists (select from totp f where f.user_id = u.id
                          and f.confirmed_at is not null) as "second_factor!",
                  t.sso_org_id as "sso_org: OrgId",
                  t.sso_provider_id as "sso_provider: SsoProviderId", t.by_device
           from personal_token t join app_user u on u.id = t.user_id
           where t.digest = $1 and t.revoked_at is null
             and (t.expires_at is null or t.expires_at > $2) and u.disabled_at is null
             and (t.sso_org_id is null or exists (
                 select from sso_provider p
                 join sso_link l on l.org_id = p.org_id and l.provider_id = p.id
                 where p.org_id = t.sso_org_id and p.id = t.sso_provider_id and p.enabled
                   and l.user_id = t.user_id))"#,
        digest,
        now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(token) = &found {
        sqlx::query!(
            "update personal_token set last_used_at = $2
             where id = $1 and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute')",
            token.id as _,
            now,
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
    pub team: String,
    pub project: Option<String>,
    pub account: Option<String>,
    pub models: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Whose,
    before: Option<TokenId>,
    limit: i64,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        r#"select t.id as "id: TokenId", t.name, t.last_four, tm.slug as team,
                  p.slug as "project?", a.slug as "account?", t.models, t.created_at, t.expires_at, t.revoked_at,
                  t.last_used_at
           from token t
           join team tm on tm.org_id = t.org_id and tm.id = t.team_id
           left join project p on p.org_id = t.org_id and p.id = t.project_id
           left join service_account a on a.org_id = t.org_id and a.id = t.account_id
           where t.org_id = $1 and ($2::uuid is null or t.team_id = $2)
             and ($3::uuid is null or t.id < $3)
             and ($5::uuid is null or t.account_id = $5)
           order by t.id desc limit $4"#,
        org as _,
        only.team as _,
        before as _,
        limit,
        only.account as _,
    )
    .fetch_all(conn)
    .await
}

pub struct NewToken<'a> {
    pub org: OrgId,
    pub id: TokenId,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub account: Option<ServiceAccountId>,
    pub name: &'a str,
    pub models: Option<&'a [String]>,
    pub digest: &'a [u8],
    pub last_four: &'a str,
    pub created_by: Option<UserId>,
    pub expires_at: Option<DateTime<Utc>>,
}

pub async fn insert(conn: &mut PgConnection, new: NewToken<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into token (org_id, id, team_id, project_id, name, models, digest, last_four, created_by, expires_at, account_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        new.org as _,
        new.id as _,
        new.team as _,
        new.project as _,
        new.name,
        new.models,
        new.digest,
        new.last_four,
        new.created_by as _,
        new.expires_at,
        new.account as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct TokenPlace {
    pub name: String,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub revoked: bool,
}

pub async fn place(
    conn: &mut PgConnection,
    org: OrgId,
    id: TokenId,
) -> Result<Option<TokenPlace>, sqlx::Error> {
    sqlx::query_as!(
        TokenPlace,
        r#"select name, team_id as "team: TeamId", project_id as "project: ProjectId",
                  revoked_at is not null as "revoked!"
           from token where org_id = $1 and id = $2"#,
        org as _,
        id as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn revoke(
    conn: &mut PgConnection,
    org: OrgId,
    id: TokenId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update token set revoked_at = $3 where org_id = $1 and id = $2 and revoked_at is null",
        org as _,
        id as _,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub struct PersonalTokenRow {
    pub id: TokenId,
    pub name: String,
    pub last_four: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

pub async fn list_personal(
    conn: &mut PgConnection,
    user: UserId,
    before: Option<TokenId>,
    limit: i64,
    within: Option<OrgId>,
) -> Result<Vec<PersonalTokenRow>, sqlx::Error> {
    sqlx::query_as!(
        PersonalTokenRow,
        r#"select id as "id: TokenId", name, last_four, created_at, expires_at, revoked_at,
                  last_used_at
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

pub struct NewPersonalToken<'a> {
    pub id: TokenId,
    pub user: UserId,
    pub name: &'a str,
    pub digest: &'a [u8],
    pub last_four: &'a str,
    pub expires_at: Option<DateTime<Utc>>,
    pub sign_on: Option<SignOn>,
    pub by_device: bool,
}

pub async fn insert_personal(
    conn: &mut PgConnection,
    new: NewPersonalToken<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into personal_token (id, user_id, name, digest, last_four, expires_at,
                                     sso_org_id, sso_provider_id, by_device)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id as _,
        new.user as _,
        new.name,
        new.digest,
        new.last_four,
        new.expires_at,
        new.sign_on.map(|it| it.org) as Option<OrgId>,
        new.sign_on.map(|it| it.provider) as Option<SsoProviderId>,
        new.by_device,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Revokes a personal token and returns its name; nothing where there is none that is alive.
pub async fn revoke_personal(
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
