//! Routes, aliases, preferences and settings.

use chrono::{DateTime, Utc};
use ralex_api::routing::{Alias, PreferenceRules, Route, RouteSpec, RoutingSettings};
use ralex_kernel::{OrgId, ProjectId, RouteId, ScopePath, TeamId};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::Result;

/// A route's row.
pub(crate) struct RouteRow {
    pub id: RouteId,
    pub name: String,
    pub description: String,
    pub enabled: bool,
    pub spec: Json<RouteSpec>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub(crate) struct AliasRow {
    pub name: String,
    pub target: String,
    pub created_at: DateTime<Utc>,
}

pub(crate) struct PreferenceRow {
    pub team: Option<TeamId>,
    pub project: Option<ProjectId>,
    pub rules: Json<PreferenceRules>,
    pub updated_at: DateTime<Utc>,
}

/// Everything that `rules` keeps in memory.
pub(crate) struct All {
    pub routes: Vec<RouteRow>,
    pub aliases: Vec<AliasRow>,
    pub preferences: Vec<PreferenceRow>,
    pub settings: Option<RoutingSettings>,
    pub teams: Vec<(TeamId, String)>,
    pub projects: Vec<(ProjectId, String)>,
}

impl RouteRow {
    pub fn route(self) -> Route {
        Route {
            id: Some(self.id),
            name: self.name,
            description: self.description,
            enabled: self.enabled,
            built_in: false,
            spec: self.spec.0,
            created_at: Some(self.created_at),
            updated_at: Some(self.updated_at),
        }
    }
}

impl AliasRow {
    pub fn alias(self) -> Alias {
        Alias { name: self.name, target: self.target, created_at: self.created_at }
    }
}

impl PreferenceRow {
    pub fn scope(&self) -> ScopePath {
        match (self.team, self.project) {
            (Some(team), Some(project)) => ScopePath::Project { team, project },
            (Some(team), None) => ScopePath::Team { team },
            (None, _) => ScopePath::Org,
        }
    }
}

pub(crate) async fn all(conn: &mut PgConnection, org: OrgId) -> Result<All> {
    let teams =
        sqlx::query!(r#"select id as "id: TeamId", slug from team where org_id = $1"#, org as _)
            .fetch_all(&mut *conn)
            .await?;
    let projects = sqlx::query!(
        r#"select id as "id: ProjectId", slug from project where org_id = $1"#,
        org as _
    )
    .fetch_all(&mut *conn)
    .await?;
    Ok(All {
        routes: routes(conn, org).await?,
        aliases: aliases(conn, org).await?,
        preferences: preferences(conn, org).await?,
        settings: settings(conn, org).await?,
        teams: teams.into_iter().map(|row| (row.id, row.slug)).collect(),
        projects: projects.into_iter().map(|row| (row.id, row.slug)).collect(),
    })
}

pub(crate) async fn routes(conn: &mut PgConnection, org: OrgId) -> Result<Vec<RouteRow>> {
    sqlx::query_as!(
        RouteRow,
        r#"select id as "id: RouteId", name, description, enabled,
                  spec as "spec: Json<RouteSpec>", created_at, updated_at
           from route where org_id = $1 order by name"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn find_route(
    conn: &mut PgConnection,
    org: OrgId,
    id_or_name: &str,
) -> Result<Option<RouteRow>> {
    sqlx::query_as!(
        RouteRow,
        r#"select id as "id: RouteId", name, description, enabled,
                  spec as "spec: Json<RouteSpec>", created_at, updated_at
           from route where org_id = $1 and (id = $2 or name = $3)"#,
        org as _,
        id_or_name.parse::<Uuid>().ok(),
        id_or_name,
    )
    .fetch_optional(conn)
    .await
}

/// Holds all names of an organisation still, so that two changes cannot make a circle together.
pub(crate) async fn lock_names(conn: &mut PgConnection, org: OrgId) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('routing:' || $1::uuid::text, 0))",
        org as _
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_route(
    conn: &mut PgConnection,
    org: OrgId,
    id: RouteId,
    texts: (&str, &str),
    spec: &RouteSpec,
) -> Result<()> {
    sqlx::query!(
        "insert into route (org_id, id, name, description, spec) values ($1, $2, $3, $4, $5)",
        org as _,
        id as _,
        texts.0,
        texts.1,
        Json(spec) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn update_route(
    conn: &mut PgConnection,
    org: OrgId,
    id: RouteId,
    description: &str,
    enabled: bool,
    spec: &RouteSpec,
) -> Result<()> {
    sqlx::query!(
        "update route set description = $3, enabled = $4, spec = $5, updated_at = now()
         where org_id = $1 and id = $2",
        org as _,
        id as _,
        description,
        enabled,
        Json(spec) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_route(conn: &mut PgConnection, org: OrgId, id: RouteId) -> Result<()> {
    sqlx::query!("delete from route where org_id = $1 and id = $2", org as _, id as _)
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) async fn aliases(conn: &mut PgConnection, org: OrgId) -> Result<Vec<AliasRow>> {
    sqlx::query_as!(
        AliasRow,
        "select name, target, created_at from model_alias where org_id = $1 order by name",
        org as _,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn insert_alias(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
    target: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into model_alias (org_id, name, target) values ($1, $2, $3)",
        org as _,
        name,
        target,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// True when it was there.
pub(crate) async fn update_alias(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
    target: &str,
) -> Result<bool> {
    let done = sqlx::query!(
        "update model_alias set target = $3 where org_id = $1 and name = $2",
        org as _,
        name,
        target,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What it meant, when it was there.
pub(crate) async fn delete_alias(
    conn: &mut PgConnection,
    org: OrgId,
    name: &str,
) -> Result<Option<String>> {
    sqlx::query_scalar!(
        "delete from model_alias where org_id = $1 and name = $2 returning target",
        org as _,
        name,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn preferences(conn: &mut PgConnection, org: OrgId) -> Result<Vec<PreferenceRow>> {
    sqlx::query_as!(
        PreferenceRow,
        r#"select team_id as "team: TeamId", project_id as "project: ProjectId",
                  rules as "rules: Json<PreferenceRules>", updated_at
           from routing_preference where org_id = $1 order by id"#,
        org as _,
    )
    .fetch_all(conn)
    .await
}

/// Sets the rules of a scope.
pub(crate) async fn set_preference(
    conn: &mut PgConnection,
    org: OrgId,
    at: ScopePath,
    rules: &PreferenceRules,
) -> Result<()> {
    sqlx::query!(
        "insert into routing_preference (org_id, id, team_id, project_id, rules)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint routing_preference_scope_taken
         do update set rules = excluded.rules, updated_at = now()",
        org as _,
        Uuid::now_v7(),
        at.team() as Option<TeamId>,
        at.project() as Option<ProjectId>,
        Json(rules) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_preference(
    conn: &mut PgConnection,
    org: OrgId,
    at: ScopePath,
) -> Result<()> {
    sqlx::query!(
        "delete from routing_preference where org_id = $1
         and team_id is not distinct from $2 and project_id is not distinct from $3",
        org as _,
        at.team() as Option<TeamId>,
        at.project() as Option<ProjectId>,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn settings(
    conn: &mut PgConnection,
    org: OrgId,
) -> Result<Option<RoutingSettings>> {
    let found = sqlx::query_scalar!(
        r#"select settings as "settings: Json<RoutingSettings>" from routing_setting
           where org_id = $1"#,
        org as _,
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|settings| settings.0))
}

pub(crate) async fn set_settings(
    conn: &mut PgConnection,
    org: OrgId,
    settings: &RoutingSettings,
) -> Result<()> {
    sqlx::query!(
        "insert into routing_setting (org_id, settings) values ($1, $2)
         on conflict (org_id) do update set settings = excluded.settings, updated_at = now()",
        org as _,
        Json(settings) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn model_names(conn: &mut PgConnection, org: OrgId) -> Result<Vec<String>> {
    sqlx::query_scalar!("select name from model where org_id = $1", org as _).fetch_all(conn).await
}

/// The team of a project.
pub(crate) async fn team_of(
    conn: &mut PgConnection,
    org: OrgId,
    project: ProjectId,
) -> Result<Option<TeamId>> {
    sqlx::query_scalar!(
        r#"select team_id as "team: TeamId" from project where org_id = $1 and id = $2"#,
        org as _,
        project as _,
    )
    .fetch_optional(conn)
    .await
}
