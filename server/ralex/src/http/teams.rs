//! Teams and projects.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::Page;
use ralex_api::identity::{
    NewProject, NewTeam, Org, Project, Team, UpdateOrg, UpdateProject, UpdateTeam,
};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_kernel::{Problem, ProjectId, TeamId};
use serde::Deserialize;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// Show one organisation.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), responses((status = 200, body = Org)))]
#[get("")]
pub async fn find_org(who: OrgCaller, identity: Data<Identity>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgRead).await?;
    Ok(HttpResponse::Ok().json(identity.org(scope.org()).await?))
}

/// Rename the organisation. Its slug stays, and with it every address.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), request_body = UpdateOrg, responses((status = 200, body = Org)))]
#[patch("")]
pub async fn update_org(
    who: OrgCaller,
    identity: Data<Identity>,
    change: Body<UpdateOrg>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgUpdate).await?;
    Ok(HttpResponse::Ok().json(identity.rename_org(&scope, change.0).await?))
}

/// List the teams that the caller may see.
#[utoipa::path(tag = "teams", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Team>)))]
#[get("/teams")]
pub async fn list_teams(
    who: OrgCaller,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let reach = who.reach(Permission::TeamRead).await?;
    Ok(HttpResponse::Ok().json(identity.teams(&reach, &page.0).await?))
}

/// Create a team.
#[utoipa::path(tag = "teams", params(("org" = String, Path)), request_body = NewTeam, responses((status = 201, body = Team)))]
#[post("/teams")]
pub async fn create_team(
    who: OrgCaller,
    identity: Data<Identity>,
    new: Body<NewTeam>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::TeamCreate).await?;
    Ok(HttpResponse::Created().json(identity.create_team(&scope, new.0).await?))
}

/// Show one team.
#[utoipa::path(tag = "teams", params(("org" = String, Path), ("team" = String, Path)), responses((status = 200, body = Team)))]
#[get("/teams/{team}")]
pub async fn find_team(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (id, scope) = team(&who, &identity, &path.1, Permission::TeamRead).await?;
    Ok(HttpResponse::Ok().json(identity.team(&scope, id).await?))
}

/// Rename a team.
#[utoipa::path(tag = "teams", params(("org" = String, Path), ("team" = String, Path)), request_body = UpdateTeam, responses((status = 200, body = Team)))]
#[patch("/teams/{team}")]
pub async fn update_team(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
    change: Body<UpdateTeam>,
) -> Result<HttpResponse> {
    let (id, scope) = team(&who, &identity, &path.1, Permission::TeamUpdate).await?;
    Ok(HttpResponse::Ok().json(identity.rename_team(&scope, id, change.0).await?))
}

/// Delete a team that has no projects, tokens, budgets or rate limits.
#[utoipa::path(tag = "teams", params(("org" = String, Path), ("team" = String, Path)), responses((status = 204)))]
#[delete("/teams/{team}")]
pub async fn delete_team(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (id, scope) = team(&who, &identity, &path.1, Permission::TeamDelete).await?;
    identity.delete_team(&scope, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Which projects.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ProjectsQuery {
    /// Only those of this team, by id or slug.
    team: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// List the projects that the caller may see.
#[utoipa::path(tag = "projects", params(("org" = String, Path), ProjectsQuery), responses((status = 200, body = Page<Project>)))]
#[get("/projects")]
pub async fn list_projects(
    who: OrgCaller,
    identity: Data<Identity>,
    query: Query<ProjectsQuery>,
) -> Result<HttpResponse> {
    let ProjectsQuery { team, cursor, limit } = query.0;
    let page = PageQuery { cursor, limit };
    let team = only(&who, &identity, team, Permission::ProjectRead).await?;
    let reach = who.reach(Permission::ProjectRead).await?;
    Ok(HttpResponse::Ok().json(identity.projects(&reach, team, &page).await?))
}

/// Create a project in a team.
#[utoipa::path(tag = "projects", params(("org" = String, Path)), request_body = NewProject, responses((status = 201, body = Project)))]
#[post("/projects")]
pub async fn create_project(
    who: OrgCaller,
    identity: Data<Identity>,
    new: Body<NewProject>,
) -> Result<HttpResponse> {
    let unknown = |_| Problem::field("team", "names no team that there is");
    let at = identity.team_scope(who.org, &new.0.team).await.map_err(unknown)?;
    let scope = who.allow_at(Permission::ProjectCreate, at).await?;
    let team = at.team().ok_or_else(|| Problem::not_found("team"))?;
    Ok(HttpResponse::Created().json(identity.create_project(&scope, team, new.0).await?))
}

/// Show one project.
#[utoipa::path(tag = "projects", params(("org" = String, Path), ("project" = String, Path)), responses((status = 200, body = Project)))]
#[get("/projects/{project}")]
pub async fn find_project(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (id, scope) = project(&who, &identity, &path.1, Permission::ProjectRead).await?;
    Ok(HttpResponse::Ok().json(identity.project(&scope, id).await?))
}

/// Rename a project.
#[utoipa::path(tag = "projects", params(("org" = String, Path), ("project" = String, Path)), request_body = UpdateProject, responses((status = 200, body = Project)))]
#[patch("/projects/{project}")]
pub async fn update_project(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
    change: Body<UpdateProject>,
) -> Result<HttpResponse> {
    let (id, scope) = project(&who, &identity, &path.1, Permission::ProjectUpdate).await?;
    Ok(HttpResponse::Ok().json(identity.rename_project(&scope, id, change.0).await?))
}

/// Delete a project that has no tokens, budgets or rate limits.
#[utoipa::path(tag = "projects", params(("org" = String, Path), ("project" = String, Path)), responses((status = 204)))]
#[delete("/projects/{project}")]
pub async fn delete_project(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (id, scope) = project(&who, &identity, &path.1, Permission::ProjectDelete).await?;
    identity.delete_project(&scope, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn team(
    who: &OrgCaller,
    identity: &Identity,
    reference: &str,
    permission: Permission,
) -> std::result::Result<(TeamId, ralex_access::Scope), Problem> {
    let at = identity.team_scope(who.org, reference).await?;
    let scope = who.allow_at(permission, at).await?;
    let id = at.team().ok_or_else(|| Problem::not_found("team"))?;
    Ok((id, scope))
}

async fn project(
    who: &OrgCaller,
    identity: &Identity,
    reference: &str,
    permission: Permission,
) -> std::result::Result<(ProjectId, ralex_access::Scope), Problem> {
    let at = identity.project_scope(who.org, reference).await?;
    let scope = who.allow_at(permission, at).await?;
    let id = at.project().ok_or_else(|| Problem::not_found("project"))?;
    Ok((id, scope))
}

/// The team that a list is about, where it is about one, to whoever may do that there.
pub async fn only(
    who: &OrgCaller,
    identity: &Identity,
    team: Option<String>,
    permission: Permission,
) -> std::result::Result<Option<TeamId>, Problem> {
    let Some(reference) = team else { return Ok(None) };
    let at = identity.team_scope(who.org, &reference).await?;
    who.allow_at(permission, at).await?;
    Ok(at.team())
}
