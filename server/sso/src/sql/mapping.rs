//! Queries on which roles groups mean.

use ralex_kernel::{OrgId, ProjectId, SsoProviderId, TeamId, UserId};
use sqlx::PgConnection;

/// One row, with the names of its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// Nothing for everybody.
    pub claim_value: Option<String>,
    pub role: String,
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub by_name_of: Option<UserId>,
    pub scope: String,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select m.claim_value, m.role, m.team_id as "team: TeamId",
                  m.project_id as "project: ProjectId", m.by_name_of as "by_name_of: UserId",
                  coalesce('project:' || p.slug, 'team:' || t.slug, 'org') as "scope!"
           from sso_mapping m
           left join team t on t.org_id = m.org_id and t.id = m.team_id
           left join project p on p.org_id = m.org_id and p.id = m.project_id
           where m.org_id = $1 and m.provider_id = $2 order by m.position"#,
        org as _,
        provider as _,
    )
    .fetch_all(conn)
    .await
}

pub async fn clear(
    conn: &mut PgConnection,
    org: OrgId,
    provider: SsoProviderId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from sso_mapping where org_id = $1 and provider_id = $2",
        org as _,
        provider as _
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    (provider, position): (SsoProviderId, i32),
    row: &Row,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sso_mapping (org_id, provider_id, position, claim_value, role, team_id,
             project_id, by_name_of)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        org as _,
        provider as _,
        position,
        row.claim_value,
        row.role,
        row.team as _,
        row.project as _,
        row.by_name_of as _,
    )
    .execute(conn)
    .await
    .map(drop)
}
