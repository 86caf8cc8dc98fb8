//! Changes that take two people: what waits, the decisions about it, and which changes those are.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, get, post, put};
use ralex_access::{Access, Done, Permission};
use ralex_api::Page;
use ralex_api::changes::{
    ChangeRequest, ChangeRequestsQuery, ConfirmChange, FourEyes, RefuseChange, SetFourEyes,
};
use ralex_changes::Changes;
use ralex_identity::Identity;
use ralex_kernel::ChangeRequestId;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// Answers with what was done, or tells that it waits for a second person.
pub fn done<T>(done: Done<T>, now: impl FnOnce(T) -> HttpResponse) -> HttpResponse {
    match done {
        Done::Now(value) => now(value),
        Done::Waits(request) => HttpResponse::Accepted().json(request),
    }
}

/// List one's own changes that take two people, and those that one may confirm, newest first.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path), ChangeRequestsQuery), responses((status = 200, body = Page<ChangeRequest>)))]
#[get("/change-requests")]
pub async fn list_change_requests(
    who: OrgCaller,
    access: Data<Access>,
    query: Query<ChangeRequestsQuery>,
) -> Result<HttpResponse> {
    let page = access.change_requests(who.caller(), who.org, &query.0).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// Show which actions take two people.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path)), responses((status = 200, body = FourEyes)))]
#[get("/change-requests/settings")]
pub async fn find_four_eyes(who: OrgCaller, access: Data<Access>) -> Result<HttpResponse> {
    who.allow(Permission::OrgRead).await?;
    Ok(HttpResponse::Ok().json(access.four_eyes(who.org).await?))
}

/// Say which actions take two people. Asks a session for a fresh proof.
///
/// To take an action out of it, or to raise the limit of budgets, takes two people itself: it then answers 202
/// with the change request.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path)), request_body = SetFourEyes, responses((status = 200, body = FourEyes), (status = 202, body = ChangeRequest)))]
#[put("/change-requests/settings")]
pub async fn set_four_eyes(
    who: OrgCaller,
    access: Data<Access>,
    identity: Data<Identity>,
    set: Body<SetFourEyes>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::FourEyesManage).await?;
    identity.require_fresh_session(&who.signed_in)?;
    let set = access.set_four_eyes(&scope, set.0).await?;
    Ok(done(set, |now| HttpResponse::Ok().json(now)))
}

/// Show one change that takes two people: for who asked, and for who may do it there.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path), ("change_request" = ChangeRequestId, Path)), responses((status = 200, body = ChangeRequest)))]
#[get("/change-requests/{change_request}")]
pub async fn find_change_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, ChangeRequestId)>,
) -> Result<HttpResponse> {
    let found = access.change_request(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// Confirm what somebody else asks for. It is done in the same moment. Asks a session for a fresh proof.
///
/// Whoever confirms needs the same right, by what they hold for good and not by a group that they joined in the
/// last 24 hours. Where it cannot be done any more the answer is 409, nothing is done, and the request has ended.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path), ("change_request" = ChangeRequestId, Path)), request_body = ConfirmChange, responses((status = 200, body = ChangeRequest)))]
#[post("/change-requests/{change_request}/confirm")]
pub async fn confirm_change_request(
    who: OrgCaller,
    access: Data<Access>,
    identity: Data<Identity>,
    changes: Data<Changes>,
    path: Path<(String, ChangeRequestId)>,
    confirm: Body<ConfirmChange>,
) -> Result<HttpResponse> {
    // Who may not know of it is told so first.
    access.change_request(who.caller(), who.org, path.1).await?;
    identity.require_fresh_session(&who.signed_in)?;
    let reason = confirm.0.reason.as_deref();
    let confirmed = changes.confirm(who.caller(), who.org, path.1, reason).await?;
    Ok(HttpResponse::Ok().json(confirmed))
}

/// Refuse what somebody else asks for.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path), ("change_request" = ChangeRequestId, Path)), request_body = RefuseChange, responses((status = 200, body = ChangeRequest)))]
#[post("/change-requests/{change_request}/refuse")]
pub async fn refuse_change_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, ChangeRequestId)>,
    refuse: Body<RefuseChange>,
) -> Result<HttpResponse> {
    let refused = access.refuse_change(who.caller(), who.org, path.1, &refuse.0.reason).await?;
    Ok(HttpResponse::Ok().json(refused))
}

/// Withdraw what one asked for, while it waits.
#[utoipa::path(tag = "four eyes", params(("org" = String, Path), ("change_request" = ChangeRequestId, Path)), responses((status = 200, body = ChangeRequest)))]
#[post("/change-requests/{change_request}/withdraw")]
pub async fn withdraw_change_request(
    who: OrgCaller,
    access: Data<Access>,
    path: Path<(String, ChangeRequestId)>,
) -> Result<HttpResponse> {
    let withdrawn = access.withdraw_change(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::Ok().json(withdrawn))
}
