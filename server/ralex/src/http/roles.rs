//! Roles: those that come with the deployment, and those that an organisation defines for itself.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::{Access, Permission};
use ralex_api::Page;
use ralex_api::access::{NewRole, PermissionInfo, Role, UpdateRole};

use super::extract::{Body, OrgCaller};
use super::problem::Result;

/// List every permission there is, and what it allows.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), responses((status = 200, body = Page<PermissionInfo>)))]
#[get("/permissions")]
pub async fn list_permissions(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    who.allow(Permission::RoleRead).await?;
    Ok(HttpResponse::Ok().json(Page { items: access.permission_list(), next_cursor: None }))
}

/// List roles and what they allow: those of the deployment, then the organisation's own.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), responses((status = 200, body = Page<Role>)))]
#[get("/roles")]
pub async fn list_roles(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    who.allow(Permission::RoleRead).await?;
    Ok(HttpResponse::Ok().json(Page { items: access.roles(who.org).await?, next_cursor: None }))
}

/// Define a role of the organisation's own, within what one may do oneself.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), request_body = NewRole, responses((status = 201, body = Role)))]
#[post("/roles")]
pub async fn create_role(
    who: OrgCaller,
    access: Data<Access>,
    new: Body<NewRole>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleDefine).await?;
    Ok(HttpResponse::Created().json(access.create_role(&scope, new.0).await?))
}

/// Show one role.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("role" = String, Path)), responses((status = 200, body = Role)))]
#[get("/roles/{role}")]
pub async fn find_role(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    who.allow(Permission::RoleRead).await?;
    Ok(HttpResponse::Ok().json(access.role(who.org, &path.1).await?))
}

/// Change a role of the organisation's own; all who hold it have what it allows then, within a second.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("role" = String, Path)), request_body = UpdateRole, responses((status = 200, body = Role)))]
#[patch("/roles/{role}")]
pub async fn update_role(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
    change: Body<UpdateRole>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleDefine).await?;
    Ok(HttpResponse::Ok().json(access.update_role(&scope, &path.1, change.0).await?))
}

/// Delete a role of the organisation's own that nobody holds.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("role" = String, Path)), responses((status = 204)))]
#[delete("/roles/{role}")]
pub async fn delete_role(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleDefine).await?;
    access.delete_role(&scope, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}
