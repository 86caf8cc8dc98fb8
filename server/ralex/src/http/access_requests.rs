//! Access requests: roles that people ask to hold for a while, and the decisions about them.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post, put};
use ralex_access::{Access, OWNER, Permission};
use ralex_api::Page;
use ralex_api::access_requests::{
    AccessRequest, AccessRequestSettings, AccessRequestsQuery, DecideAccess, NewAccessRequest,
    SetAccessRequestSettings,
};
use ralex_identity::Identity;
use ralex_kernel::AccessRequestId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// List one's own requests for access, and those of others that one may decide about, newest first.
#[utoipa::path(tag = "access requests", params(("org" = String, Path), AccessRequestsQuery), responses((status = 200, body = Page<AccessRequest>)))]
#[get("/access-requests")]
pub async fn list_access_requests(
    who: OrgCaller,
    access: Data<Access>,
    query: Query<AccessRequestsQuery>,
) -> Result<HttpResponse> {
    let page = access.access_requests(who.caller(), who.org, &query.0).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Ask for a role at a place, for a while and for a reason.
///
/// Somebody who could give that role there has to approve. It then ends by itself, to the millisecond.
#[utoipa::path(tag = "access requests", params(("org" = String, Path)), request_body = NewAccessRequest, responses((status = 201, body = AccessRequest)))]
#[post("/access-requests")]
pub async fn create_access_request(
    who: OrgCaller,
    identity: Data<Identity>,
    access: Data<Access>,
    new: Body<NewAccessRequest>,
) -> Result<HttpResponse> {
    let scope = access.allow_somewhere(who.caller(), who.org, Permission::AccessRequest).await?;
    let at = identity.scope_of(who.org, new.0.scope.as_deref().unwrap_or("org")).await?;
    Ok(HttpResponse::Created().json(access.request_access(&scope, new.0, at).await?))
}

/// Show what the organisation allows of requests for access.
#[utoipa::path(tag = "access requests", params(("org" = String, Path)), responses((status = 200, body = AccessRequestSettings)))]
#[get("/access-requests/settings")]
pub async fn find_access_request_settings(
    who: OrgCaller,
    access: Data<Access>,
) -> Result<HttpResponse> {
    let scope = access.allow_somewhere(who.caller(), who.org, Permission::AccessRequest).await?;
    Ok(HttpResponse::Ok().json(access.request_settings(&scope).await?))
}

/// Say how many must approve requests for access, and how long they wait and hold.
#[utoipa::path(tag = "access requests", params(("org" = String, Path)), request_body = SetAccessRequestSettings, responses((status = 200, body = AccessRequestSettings)))]
#[put("/access-requests/settings")]
pub async fn set_access_request_settings(
    who: OrgCaller,
    access: Data<Access>,
    set: Body<SetAccessRequestSettings>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecurityManage).await?;
    Ok(HttpResponse::Ok().json(access.set_request_settings(&scope, set.0).await?))
}

/// Show one request for access: for who asked, and for who may decide there.
#[utoipa::path(tag = "access requests", params(("org" = String, Path), ("access_request" = AccessRequestId, Path)), responses((status = 200, body = AccessRequest)))]
#[get("/access-requests/{access_request}")]
pub async fn find_access_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessRequestId)>,
) -> Result<HttpResponse> {
    let found = access.access_request(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// Approve what somebody else asks for. With as many approvals as are needed the role is given at once.
///
/// Whoever approves must be able to give that role there, by what they hold for good and not by a group
/// that they joined in the last 24 hours. To make an owner asks a session for a fresh proof.
#[utoipa::path(tag = "access requests", params(("org" = String, Path), ("access_request" = AccessRequestId, Path)), request_body = DecideAccess, responses((status = 200, body = AccessRequest)))]
#[post("/access-requests/{access_request}/approve")]
pub async fn approve_access_request(
    who: OrgCaller,
    access: Data<Access>,
    identity: Data<Identity>,
    path: Path<(String, AccessRequestId)>,
    decide: Body<DecideAccess>,
) -> Result<HttpResponse> {
    let at = access.place_of_request(who.caller(), who.org, path.1).await?;
    let scope = who.allow_at(Permission::AccessDecide, at).await?;
    if access.access_request(who.caller(), who.org, path.1).await?.role.as_str() == OWNER {
        identity.require_fresh_session(&who.signed_in)?;
    }
    let decided = access.approve_access(&scope, path.1, &decide.0.reason).await?;
    Ok(HttpResponse::Ok().json(decided))
}

/// Deny what somebody else asks for, whoever approved it before.
#[utoipa::path(tag = "access requests", params(("org" = String, Path), ("access_request" = AccessRequestId, Path)), request_body = DecideAccess, responses((status = 200, body = AccessRequest)))]
#[post("/access-requests/{access_request}/deny")]
pub async fn deny_access_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessRequestId)>,
    decide: Body<DecideAccess>,
) -> Result<HttpResponse> {
    let at = access.place_of_request(who.caller(), who.org, path.1).await?;
    let scope = who.allow_at(Permission::AccessDecide, at).await?;
    let decided = access.deny_access(&scope, path.1, &decide.0.reason).await?;
    Ok(HttpResponse::Ok().json(decided))
}

/// Withdraw what one asked for, while it waits.
#[utoipa::path(tag = "access requests", params(("org" = String, Path), ("access_request" = AccessRequestId, Path)), responses((status = 200, body = AccessRequest)))]
#[post("/access-requests/{access_request}/withdraw")]
pub async fn withdraw_access_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessRequestId)>,
) -> Result<HttpResponse> {
    let withdrawn = access.withdraw_access(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(withdrawn))
}

/// End what a request gave before its time: by who holds it, or by who may take such a role.
#[utoipa::path(tag = "access requests", params(("org" = String, Path), ("access_request" = AccessRequestId, Path)), responses((status = 200, body = AccessRequest)))]
#[post("/access-requests/{access_request}/end")]
pub async fn end_access_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, AccessRequestId)>,
) -> Result<HttpResponse> {
    let ended = access.end_access(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(ended))
}
