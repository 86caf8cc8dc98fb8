//! Calls that were made, for trying rules on them.

use chrono::{DateTime, Utc};
use ralex_kernel::{Money, OrgId};
use sqlx::PgConnection;

use super::{Made, Result};

/// A call, and what people call those who made it.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub made: Made,
    /// As answers write it.
    pub written: String,
    pub name: String,
    pub scope: String,
    pub cost: Money,
}

/// How many calls were made since then that rules are asked about: those that the organisation makes
/// itself are not.
pub(crate) async fn count(
    conn: &mut PgConnection,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from call
           where org_id = $1 and started_at >= $2
             and (purpose is null or purpose in ('count', 'batch'))"#,
        org as _,
        since,
    )
    .fetch_one(conn)
    .await
}

/// The newest of them.
pub(crate) async fn newest(
    conn: &mut PgConnection,
    org: OrgId,
    since: DateTime<Utc>,
    at_most: i64,
) -> Result<Vec<Recorded>> {
    let rows = sqlx::query!(
        r#"select c.user_id as "user: ralex_kernel::UserId",
               c.token_id as "token: ralex_kernel::TokenId",
               k.account_id as "account?: ralex_kernel::ServiceAccountId",
               c.team_id as "team: ralex_kernel::TeamId",
               c.project_id as "project: ralex_kernel::ProjectId",
               k.team_id as "home_team?: ralex_kernel::TeamId",
               k.project_id as "home_project?: ralex_kernel::ProjectId",
               coalesce(c.asked_model, c.model) as "asked!", c.model, c.upstream_model, c.provider,
               c.dialect, c.operation, c.streamed, c.tags, c.purpose, c.started_at,
               c.cost as "cost: Money",
               coalesce('user:' || c.user_id, 'service_account:' || a.slug, 'token:' || c.token_id, '')
                   as "written!",
               coalesce(u.email, a.name, k.name, '') as "name!",
               coalesce('project:' || p.slug, 'team:' || t.slug, 'org') as "scope!"
           from call c
           left join token k on k.org_id = c.org_id and k.id = c.token_id
           left join service_account a on a.org_id = c.org_id and a.id = k.account_id
           left join app_user u on u.id = c.user_id
           left join team t on t.org_id = c.org_id and t.id = c.team_id
           left join project p on p.org_id = c.org_id and p.id = c.project_id
           where c.org_id = $1 and c.started_at >= $2
             and (c.purpose is null or c.purpose in ('count', 'batch'))
           order by c.started_at desc
           limit $3"#,
        org as _,
        since,
        at_most,
    )
    .fetch_all(conn)
    .await?;
    let recorded = rows.into_iter().map(|row| Recorded {
        made: Made {
            user: row.user,
            token: row.token,
            account: row.account,
            team: row.team,
            project: row.project,
            home_team: row.home_team,
            home_project: row.home_project,
            asked: row.asked,
            model: row.model,
            upstream_model: row.upstream_model,
            provider: row.provider,
            dialect: row.dialect,
            operation: row.operation,
            streamed: row.streamed,
            tags: row.tags,
            purpose: row.purpose,
            started_at: row.started_at,
        },
        written: row.written,
        name: row.name,
        scope: row.scope,
        cost: row.cost,
    });
    Ok(recorded.collect())
}
