//! Groups: people who are given roles together.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, patch, post};
use ralex_access::{Access, Bearer, Permission, Scope};
use ralex_api::Page;
use ralex_api::access::{Group, GroupMember, NewGroup, NewGroupMember, UpdateGroup};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_kernel::{GroupId, Problem, UserId};

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List groups, oldest first.
#[utoipa::path(tag = "groups", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Group>)))]
#[get("/groups")]
pub async fn list_groups(
    who: OrgCaller,
    access: Data<Access>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GroupRead).await?;
    Ok(HttpResponse::Ok().json(access.groups(&scope, &page.0).await?))
}

/// Create a group. It has nobody in it and holds nothing yet.
#[utoipa::path(tag = "groups", params(("org" = String, Path)), request_body = NewGroup, responses((status = 201, body = Group)))]
#[post("/groups")]
pub async fn create_group(
    who: OrgCaller,
    access: Data<Access>,
    new: Body<NewGroup>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::GroupManage).await?;
    Ok(HttpResponse::Created().json(access.create_group(&scope, new.0).await?))
}

/// Show one group, by id or slug.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path)), responses((status = 200, body = Group)))]
#[get("/groups/{group}")]
pub async fn find_group(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupRead).await?;
    Ok(HttpResponse::Ok().json(access.group(&scope, id).await?))
}

/// Rename a group.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path)), request_body = UpdateGroup, responses((status = 200, body = Group)))]
#[patch("/groups/{group}")]
pub async fn update_group(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
    change: Body<UpdateGroup>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupManage).await?;
    Ok(HttpResponse::Ok().json(access.update_group(&scope, id, change.0).await?))
}

/// Delete a group with all that it gives; that stops within a second.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path)), responses((status = 204)))]
#[delete("/groups/{group}")]
pub async fn delete_group(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupManage).await?;
    access.delete_group(&scope, id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List who is in a group.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path), PageQuery), responses((status = 200, body = Page<GroupMember>)))]
#[get("/groups/{group}/members")]
pub async fn list_group_members(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupRead).await?;
    Ok(HttpResponse::Ok().json(access.group_members(&scope, id, &page.0).await?))
}

/// Let a member of the organisation into a group: they have all that it holds, within a second.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path)), request_body = NewGroupMember, responses((status = 201, body = GroupMember)))]
#[post("/groups/{group}/members")]
pub async fn add_group_member(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    path: Path<(String, String)>,
    new: Body<NewGroupMember>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupManage).await?;
    let Bearer::User(user) = identity.bearer(who.org, &new.0.subject).await? else {
        return Err(Problem::field("subject", "must be `user:<id or e-mail>`").into());
    };
    Ok(HttpResponse::Created().json(access.add_to_group(&scope, id, user).await?))
}

/// Remove somebody from a group: what it gave them stops within a second.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path), ("user" = UserId, Path)), responses((status = 204)))]
#[delete("/groups/{group}/members/{user}")]
pub async fn remove_group_member(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String, UserId)>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupManage).await?;
    access.remove_from_group(&scope, id, path.2).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Let people decide again who is in a group that the organisation's directory made.
#[utoipa::path(tag = "groups", params(("org" = String, Path), ("group" = String, Path)), responses((status = 200, body = Group)))]
#[post("/groups/{group}/release")]
pub async fn release_group(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let (scope, id) = group(&who, &access, &path.1, Permission::GroupManage).await?;
    Ok(HttpResponse::Ok().json(access.release_group(&scope, id).await?))
}

/// A group, with the proof that this may be done to it.
async fn group(
    who: &OrgCaller,
    access: &Access,
    reference: &str,
    permission: Permission,
) -> Result<(Scope, GroupId)> {
    let scope = who.allow(permission).await?;
    let found = access.group_of(who.org, reference).await?;
    Ok((scope, found.ok_or_else(|| Problem::not_found("group"))?))
}
