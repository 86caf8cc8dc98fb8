//! What was done lately, as calls have it.

use chrono::{DateTime, Utc};
use ralex_kernel::{OrgId, ProjectId, TeamId, UserId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Calls of one person or program at one place.
pub(crate) struct Uses {
    pub user: Option<UserId>,
    /// The service account or else the team's own token, where it was no person.
    pub machine: Option<Uuid>,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub calls: i64,
    pub last_used: DateTime<Utc>,
}

/// What was called since then and not refused, the most used first.
pub(crate) async fn since(
    conn: &mut PgConnection,
    org: OrgId,
    since: DateTime<Utc>,
) -> Result<Vec<Uses>, sqlx::Error> {
    sqlx::query_as!(
        Uses,
        r#"select c.user_id as "user: UserId", coalesce(t.account_id, t.id) as machine,
               c.team_id as "team: TeamId", c.project_id as "project: ProjectId",
               sum(c.calls)::bigint as "calls!", max(c.last_used) as "last_used!"
           from (select user_id, token_id, team_id, project_id, count(*) as calls,
                     max(started_at) as last_used
                 from call where org_id = $1 and started_at >= $2 and state <> 'refused'
                 group by 1, 2, 3, 4) as c
           left join token t on c.user_id is null and t.org_id = $1 and t.id = c.token_id
           group by 1, 2, 3, 4
           order by 5 desc, 6 desc"#,
        org as _,
        since,
    )
    .fetch_all(conn)
    .await
}
