//! Queries on teams and projects.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ralex_kernel::{Name, OrgId, ProjectId, Slug, TeamId};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Within;

pub struct TeamRow {
    pub id: TeamId,
    pub slug: String,
    pub name: String,
    pub projects: i64,
    pub tokens: i64,
    pub members: i64,
    pub created_at: DateTime<Utc>,
}

pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    only: Option<TeamId>,
    within: &Within,
    after: Option<TeamId>,
    limit: i64,
) -> Result<Vec<TeamRow>, sqlx::Error> {
    sqlx::query_as!(
        TeamRow,
        r#"select t.id as "id: TeamId", t.slug, t.name, t.created_at,
                  (select count(*) from project p where p.org_id = t.org_id and p.team_id = t.id) as "projects!",
                  (select count(*) from token k where k.org_id = t.org_id and k.team_id = t.id
                      and k.revoked_at is null) as "tokens!",
                  (select count(distinct coalesce(m.user_id, b.subject_id)) from binding b
                      left join group_member m on b.subject_kind = 'grp' and m.org_id = b.org_id
                          and m.group_id = b.subject_id
                      where b.org_id = t.org_id and b.team_id = t.id
                          and (b.subject_kind = 'user' or m.user_id is not null)) as "members!"
           from team t
           where t.org_id = $1 and ($2::uuid is null or t.id = $2) and ($3::uuid is null or t.id > $3)
             and ($5 or t.id = any($6))
           order by t.id limit $4"#,
        org as _,
        only as _,
        after as _,
        limit,
        within.everywhere,
        &within.teams,
    )
    .fetch_all(conn)
    .await
}

pub async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    id: TeamId,
    slug: &Slug,
    name: &Name,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into team (org_id, id, slug, name) values ($1, $2, $3, $4)",
        org as _,
        id as _,
        slug.as_str(),
        name.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn rename(
    conn: &mut PgConnection,
    org: OrgId,
    id: TeamId,
    name: &Name,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update team set name = $3 where org_id = $1 and id = $2",
        org as _,
        id as _,
        name.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn rename_project(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProjectId,
    name: &Name,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update project set name = $3 where org_id = $1 and id = $2",
        org as _,
        id as _,
        name.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What stands in the way of a team's deletion.
pub struct InUse {
    pub projects: i64,
    pub accounts: i64,
    pub tokens: i64,
    pub budgets: i64,
    pub rate_limits: i64,
}

pub async fn uses(conn: &mut PgConnection, org: OrgId, id: TeamId) -> Result<InUse, sqlx::Error> {
    sqlx::query_as!(
        InUse,
        r#"select (select count(*) from project where org_id = $1 and team_id = $2) as "projects!",
                  (select count(*) from service_account where org_id = $1 and team_id = $2) as "accounts!",
                  (select count(*) from token where org_id = $1 and team_id = $2) as "tokens!",
                  (select count(*) from budget where org_id = $1 and team_id = $2) as "budgets!",
                  (select count(*) from rate_limit where org_id = $1 and team_id = $2) as "rate_limits!""#,
        org as _,
        id as _,
    )
    .fetch_one(conn)
    .await
}

pub async fn project_uses(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProjectId,
) -> Result<InUse, sqlx::Error> {
    sqlx::query_as!(
        InUse,
        r#"select 0::bigint as "projects!",
                  (select count(*) from service_account where org_id = $1 and project_id = $2) as "accounts!",
                  (select count(*) from token where org_id = $1 and project_id = $2) as "tokens!",
                  (select count(*) from budget where org_id = $1 and project_id = $2) as "budgets!",
                  (select count(*) from rate_limit where org_id = $1 and project_id = $2) as "rate_limits!""#,
        org as _,
        id as _,
    )
    .fetch_one(conn)
    .await
}

pub async fn delete(conn: &mut PgConnection, org: OrgId, id: TeamId) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from team where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await
        .map(drop)
}

pub struct TeamPlace {
    pub id: TeamId,
    pub slug: String,
}

/// A team by its id or slug.
pub async fn find(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Option<TeamPlace>, sqlx::Error> {
    sqlx::query_as!(
        TeamPlace,
        r#"select id as "id: TeamId", slug from team
           where org_id = $1 and (slug = $2 or id = $3)"#,
        org as _,
        reference,
        reference.parse::<TeamId>().ok() as _,
    )
    .fetch_optional(conn)
    .await
}

pub struct ProjectRow {
    pub id: ProjectId,
    pub slug: String,
    pub name: String,
    pub team: TeamId,
    pub team_slug: String,
    pub created_at: DateTime<Utc>,
}

pub async fn projects(
    conn: &mut PgConnection,
    org: OrgId,
    team: Option<TeamId>,
    within: &Within,
    after: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<ProjectRow>, sqlx::Error> {
    sqlx::query_as!(
        ProjectRow,
        r#"select p.id as "id: ProjectId", p.slug, p.name, p.team_id as "team: TeamId",
                  t.slug as team_slug, p.created_at
           from project p join team t on t.org_id = p.org_id and t.id = p.team_id
           where p.org_id = $1 and ($2::uuid is null or p.team_id = $2)
             and ($3::uuid is null or p.id > $3) and ($5 or p.id = any($6))
           order by p.id limit $4"#,
        org as _,
        team as _,
        after as _,
        limit,
        within.everywhere,
        &within.projects,
    )
    .fetch_all(conn)
    .await
}

pub async fn find_project(
    conn: &mut PgConnection,
    org: OrgId,
    reference: &str,
) -> Result<Option<ProjectRow>, sqlx::Error> {
    sqlx::query_as!(
        ProjectRow,
        r#"select p.id as "id: ProjectId", p.slug, p.name, p.team_id as "team: TeamId",
                  t.slug as team_slug, p.created_at
           from project p join team t on t.org_id = p.org_id and t.id = p.team_id
           where p.org_id = $1 and (p.slug = $2 or p.id = $3)"#,
        org as _,
        reference,
        reference.parse::<ProjectId>().ok() as _,
    )
    .fetch_optional(conn)
    .await
}

pub async fn insert_project(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProjectId,
    team: TeamId,
    slug: &Slug,
    name: &Name,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into project (org_id, id, team_id, slug, name) values ($1, $2, $3, $4, $5)",
        org as _,
        id as _,
        team as _,
        slug.as_str(),
        name.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete_project(
    conn: &mut PgConnection,
    org: OrgId,
    id: ProjectId,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from project where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await
        .map(drop)
}

/// The slugs of all teams, projects and groups, by their ids.
pub async fn slugs(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<HashMap<Uuid, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id as "id!", slug as "slug!" from team where org_id = $1
           union all select id, slug from project where org_id = $1
           union all select id, slug from people_group where org_id = $1"#,
        org as _,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.slug)).collect())
}
