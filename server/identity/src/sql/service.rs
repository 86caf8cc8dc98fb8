//! Queries on service accounts.

use chrono::{DateTime, Utc};
use ralex_api::identity::UpdateServiceAccount;
use ralex_kernel::{Name, OrgId, ProjectId, ServiceAccountId, Slug, TeamId, UserId};
use sqlx::PgConnection;

use super::Within;

pub struct New<'a> {
    pub org: OrgId,
    pub id: ServiceAccountId,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub slug: &'a Slug,
    pub name: &'a Name,
    pub created_by: Option<UserId>,
}

pub async fn insert(conn: &mut PgConnection, new: New<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into service_account (org_id, id, team_id, project_id, slug, name, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)",
        new.org as _,
        new.id as _,
        new.team as _,
        new.project as _,
        new.slug.as_str(),
        new.name.as_str(),
        new.created_by as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub struct Found {
    pub id: ServiceAccountId,
    pub team: TeamId,
    pub project: Option<ProjectId>,
    pub disabled_at: Option<DateTime<Utc>>,
}

/// A service account by its slug or its id.
pub async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Option<Found>, sqlx::Error> {
    sqlx::query_as!(
        Found,
        r#"select id as "id: ServiceAccountId", team_id as "team: TeamId",
                  project_id as "project: ProjectId", disabled_at
           from service_account where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        reference,
        reference.parse::<ServiceAccountId>().ok() as _,
    )
    .fetch_optional(conn)
    .await
}

pub struct Row {
    pub id: ServiceAccountId,
    pub slug: String,
    pub name: String,
    pub team: String,
    pub project: Option<String>,
    pub tokens: i64,
    pub created_at: DateTime<Utc>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Which service accounts to read: one, those of a team, or all after one.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    pub only: Option<ServiceAccountId>,
    pub team: Option<TeamId>,
    pub after: Option<ServiceAccountId>,
    pub at_most: i64,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    filter: Filter,
    within: &Within,
    now: DateTime<Utc>,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select a.id as "id: ServiceAccountId", a.slug, a.name, t.slug as team,
                  p.slug as "project?", a.created_at, a.disabled_at,
                  k.alive as "tokens!", k.last_used_at
           from service_account a
           join team t on t.org_id = a.org_id and t.id = a.team_id
           left join project p on p.org_id = a.org_id and p.id = a.project_id
           cross join lateral (
               select count(*) filter (where k.revoked_at is null
                          and (k.expires_at is null or k.expires_at > $6)) as alive,
                      max(k.last_used_at) as last_used_at
               from token k where k.org_id = a.org_id and k.account_id = a.id) as k
           where a.org_id = $1
             and ($2::uuid is null or a.id = $2)
             and ($3::uuid is null or a.team_id = $3)
             and ($4::uuid is null or a.id > $4)
             and ($7 or a.project_id is null and a.team_id = any($8) or a.project_id = any($9))
           order by a.id limit $5"#,
        org as _,
        filter.only as _,
        filter.team as _,
        filter.after as _,
        filter.at_most,
        now,
        within.everywhere,
        &within.teams,
        &within.projects,
    )
    .fetch_all(conn)
    .await
}

/// Changes what is to change and gives the name, and whether it is disabled, as they are then;
/// nothing where all was so already.
pub async fn update(
    conn: &mut PgConnection,
    org: OrgId,
    id: ServiceAccountId,
    change: &UpdateServiceAccount,
    now: DateTime<Utc>,
) -> Result<Option<(String, bool)>, sqlx::Error> {
    let changed = sqlx::query!(
        r#"update service_account
           set name = coalesce($3, name),
               disabled_at = case when coalesce($4, disabled_at is not null)
                                  then coalesce(disabled_at, $5) end
           where org_id = $1 and id = $2
             and (name <> coalesce($3, name)
                  or (disabled_at is not null) <> coalesce($4, disabled_at is not null))
           returning name, disabled_at is not null as "disabled!""#,
        org as _,
        id as _,
        change.name.as_ref().map(Name::as_str),
        change.disabled,
        now,
    )
    .fetch_optional(conn)
    .await?;
    Ok(changed.map(|row| (row.name, row.disabled)))
}
