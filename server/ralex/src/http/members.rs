//! Members of an organisation.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use ralex_access::{OWNER, Permission};
use ralex_api::Page;
use ralex_api::identity::{Member, NewMember, NewMemberAnswer};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_kernel::UserId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List members with their roles.
#[utoipa::path(tag = "members", params(("org" = String, Path), PageQuery), responses((status = 200, body = Page<Member>)))]
#[get("/members")]
pub async fn list_members(
    who: OrgCaller,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::MemberRead).await?;
    Ok(HttpResponse::Ok().json(identity.members(&scope, &page.0).await?))
}

/// Add a member with a role; someone new to Ralex gets a one-time password, shown once. To add an owner asks a
/// session for a fresh proof.
#[utoipa::path(tag = "members", params(("org" = String, Path)), request_body = NewMember, responses((status = 201, body = NewMemberAnswer)))]
#[post("/members")]
pub async fn add_member(
    who: OrgCaller,
    identity: Data<Identity>,
    new: Body<NewMember>,
) -> Result<HttpResponse> {
    let at = identity.scope_of(who.org, new.0.scope.as_deref().unwrap_or("org")).await?;
    let scope = who.allow_at(Permission::MemberInvite, at).await?;
    if new.0.role.0 == OWNER {
        identity.require_fresh_session(&who.signed_in)?;
    }
    Ok(HttpResponse::Created().json(identity.add_member(&scope, new.0, at).await?))
}

/// Invite a member again who has no way in yet; the link of before ends.
#[utoipa::path(tag = "members", params(("org" = String, Path), ("user" = UserId, Path)), responses((status = 200, body = NewMemberAnswer)))]
#[post("/members/{user}/invite")]
pub async fn invite_member(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, UserId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::MemberInvite).await?;
    Ok(HttpResponse::Ok().json(identity.invite_again(&scope, path.1).await?))
}

/// Suspend a member: nothing here is open to them until they are let back in, within a second.
#[utoipa::path(tag = "members", params(("org" = String, Path), ("user" = UserId, Path)), responses((status = 200, body = Member)))]
#[post("/members/{user}/suspend")]
pub async fn suspend_member(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, UserId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::MemberRemove).await?;
    Ok(HttpResponse::Ok().json(identity.suspend_member(&scope, path.1).await?))
}

/// Let a suspended member back in, with all that they were given; what was ended stays so.
#[utoipa::path(tag = "members", params(("org" = String, Path), ("user" = UserId, Path)), responses((status = 200, body = Member)))]
#[post("/members/{user}/resume")]
pub async fn resume_member(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, UserId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::MemberRemove).await?;
    Ok(HttpResponse::Ok().json(identity.resume_member(&scope, path.1).await?))
}

/// Remove a member with everything that the membership gave.
#[utoipa::path(tag = "members", params(("org" = String, Path), ("user" = UserId, Path)), responses((status = 204)))]
#[delete("/members/{user}")]
pub async fn remove_member(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, UserId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::MemberRemove).await?;
    identity.remove_member(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}
