//! Queries on tokens of teams and service accounts.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, ProjectId, ServiceAccountId, TeamId, TokenId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Within;
use crate::token::Whose;

pub struct LiveToken {
    pub id: TokenId,
    pub org: OrgId,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub account: Option<ServiceAccountId>,
    pub models: Option<Vec<String>>,
    pub permissions: Option<Vec<String>>,
    pub addresses: Option<Vec<String>>,
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
                  models, permissions, addresses,
                  case when digest = $1 then expires_at else least(expires_at, former_until) end
                      as expires_at,
                  coalesce((select v.version from policy_version v where v.org_id = token.org_id), 0)
                      as "version!"
           from token
           where (digest = $1 or former_digest = $1 and former_until > $2)
             and revoked_at is null and (expires_at is null or expires_at > $2)
             and still_rests(org_id, rests_on, $2)
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
            "update token set
                 last_used_at = $3,
                 former_used_at = case when former_digest = $4 then $3 else former_used_at end
             where org_id = $1 and id = $2
               and (last_used_at is null or last_used_at < $3::timestamptz - interval '1 minute'
                    or former_digest = $4 and (former_used_at is null
                        or former_used_at < $3::timestamptz - interval '1 minute'))",
            token.org as _,
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
    pub team: String,
    pub project: Option<String>,
    pub account: Option<String>,
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
    /// Whether its service account is disabled.
    pub disabled: bool,
    /// Whether what it rests on is over.
    pub role_over: bool,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Whose,
    within: &Within,
    (before, limit): (Option<TokenId>, i64),
    now: DateTime<Utc>,
) -> Result<Vec<TokenRow>, sqlx::Error> {
    sqlx::query_as!(
        TokenRow,
        r#"select t.id as "id: TokenId", t.name, t.last_four, tm.slug as team,
                  p.slug as "project?", a.slug as "account?", t.models, t.permissions,
                  t.addresses, t.created_at, t.expires_at, t.revoked_at, t.last_used_at,
                  t.rotated_at, t.former_last_four, t.former_until, t.former_used_at,
                  a.disabled_at is not null as "disabled!",
                  not still_rests(t.org_id, t.rests_on, $9) as "role_over!"
           from token t
           join team tm on tm.org_id = t.org_id and tm.id = t.team_id
           left join project p on p.org_id = t.org_id and p.id = t.project_id
           left join service_account a on a.org_id = t.org_id and a.id = t.account_id
           where t.org_id = $1 and ($2::uuid is null or t.team_id = $2)
             and ($3::uuid is null or t.id < $3)
             and ($5::uuid is null or t.account_id = $5)
             and ($6 or t.project_id is null and t.team_id = any($7) or t.project_id = any($8))
           order by t.id desc limit $4"#,
        org as _,
        only.team as _,
        before as _,
        limit,
        only.account as _,
        within.everywhere,
        &within.teams,
        &within.projects,
        now,
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
    pub permissions: Option<&'a [String]>,
    pub addresses: Option<&'a [String]>,
    pub digest: &'a [u8],
    pub last_four: &'a str,
    pub created_by: Option<UserId>,
    /// The token by which it is made, where it is not made by a person.
    pub made_with: Option<TokenId>,
    pub expires_at: Option<DateTime<Utc>>,
    /// What its maker holds for a while, with which it ends.
    pub rests_on: Option<Uuid>,
}

pub async fn insert(conn: &mut PgConnection, new: NewToken<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into token (org_id, id, team_id, project_id, name, models, digest, last_four, created_by,
                            expires_at, account_id, permissions, addresses, rests_on, known_to)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
             array_remove(coalesce((select k.known_to || k.created_by from token k
                                    where k.org_id = $1 and k.id = $15), '{}') || $9::uuid, null))",
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
        new.permissions,
        new.addresses,
        new.rests_on,
        new.made_with as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct TokenPlace {
    pub name: String,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub account: Option<ServiceAccountId>,
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
                  account_id as "account: ServiceAccountId",
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
