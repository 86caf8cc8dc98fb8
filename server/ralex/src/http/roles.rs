//! Roles: those that come with the deployment, and those that an organisation defines for itself.

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use ralex_access::{Access, Permission};
use ralex_api::Page;
use ralex_api::access::{NewRole, PermissionInfo, Role, UpdateRole};

use super::extract::{Body, OrgCaller};
use super::if_match::{tag, version};
use super::problem::Result;

/// List every permission there is, and what it allows.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), responses((status = 200, body = Page<PermissionInfo>)))]
#[get("/permissions")]
pub async fn list_permissions(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    who.allow_somewhere(Permission::RoleRead).await?;
    Ok(HttpResponse::Ok().json(Page { items: access.permission_list(), next_cursor: None }))
}

/// List roles and what they allow: those of the deployment, then the organisation's own.
#[utoipa::path(tag = "roles", params(("org" = String, Path)), responses((status = 200, body = Page<Role>)))]
#[get("/roles")]
pub async fn list_roles(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    who.allow_somewhere(Permission::RoleRead).await?;
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
    let made = access.create_role(&scope, new.0).await?;
    Ok(HttpResponse::Created().insert_header((ETAG, tag(made.version))).json(made))
}

/// Show one role.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("role" = String, Path)), responses((status = 200, body = Role)))]
#[get("/roles/{role}")]
pub async fn find_role(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    who.allow_somewhere(Permission::RoleRead).await?;
    let found = access.role(who.org, &path.1).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag(found.version))).json(found))
}

/// Change a role of the organisation's own; with `If-Match` only the version that was read. All who hold it
/// have what it allows then, within a second.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("role" = String, Path), ("If-Match" = Option<String>, Header)), request_body = UpdateRole, responses((status = 200, body = Role)))]
#[patch("/roles/{role}")]
pub async fn update_role(
    request: HttpRequest,
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
    change: Body<UpdateRole>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleDefine).await?;
    let on = (change.0, version(&request)?);
    let after = access.update_role(&scope, &path.1, on).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag(after.version))).json(after))
}

/// Delete a role of the organisation's own that nobody holds; with `If-Match` only the version that was read.
#[utoipa::path(tag = "roles", params(("org" = String, Path), ("role" = String, Path), ("If-Match" = Option<String>, Header)), responses((status = 204)))]
#[delete("/roles/{role}")]
pub async fn delete_role(
    request: HttpRequest,
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::RoleDefine).await?;
    access.delete_role(&scope, &path.1, version(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
