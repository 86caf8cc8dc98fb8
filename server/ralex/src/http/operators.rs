//! What operators do: the deployment's organisations, and who manages them.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use ralex_api::Page;
use ralex_api::operators::{
    AccountDeactivation, ConfirmDeletion, DeactivateAccount, DeactivatedAccount, DeleteOrg,
    DeletedOrg, FactorsReset, ManagedOrg, NewOperator, NewOrg, NewOrgAnswer, Operator, Operators,
    ResetFactors, SuspendOrg,
};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_kernel::UserId;

use super::extract::{Body, Query, Who};
use super::problem::Result;

/// List all organisations of the deployment, oldest first. For operators.
#[utoipa::path(tag = "operators", params(PageQuery), responses((status = 200, body = Page<ManagedOrg>)))]
#[get("/operator/orgs")]
pub async fn list_managed_orgs(
    who: Who,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let operating = identity.operating(&who.0.caller).await?;
    Ok(HttpResponse::Ok().json(identity.managed_orgs(operating, &page.0).await?))
}

/// Make an organisation with its first owner. For operators; asks a session for a fresh proof.
#[utoipa::path(tag = "operators", request_body = NewOrg, responses((status = 201, body = NewOrgAnswer)))]
#[post("/operator/orgs")]
pub async fn create_org(
    who: Who,
    identity: Data<Identity>,
    new: Body<NewOrg>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Created().json(identity.create_org(operating, new.0).await?))
}

/// Show one organisation, by id or slug. For operators.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), responses((status = 200, body = ManagedOrg)))]
#[get("/operator/orgs/{org}")]
pub async fn find_managed_org(
    who: Who,
    identity: Data<Identity>,
    org: Path<String>,
) -> Result<HttpResponse> {
    let operating = identity.operating(&who.0.caller).await?;
    Ok(HttpResponse::Ok().json(identity.managed_org(operating, &org).await?))
}

/// Close an organisation to everybody and every program of it. For operators; asks a session for a fresh
/// proof.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), request_body = SuspendOrg, responses((status = 200, body = ManagedOrg)))]
#[post("/operator/orgs/{org}/suspend")]
pub async fn suspend_org(
    who: Who,
    identity: Data<Identity>,
    org: Path<String>,
    why: Body<SuspendOrg>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Ok().json(identity.suspend_org(operating, &org, &why.0).await?))
}

/// Open a suspended organisation again. For operators; asks a session for a fresh proof.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), responses((status = 200, body = ManagedOrg)))]
#[post("/operator/orgs/{org}/resume")]
pub async fn resume_org(
    who: Who,
    identity: Data<Identity>,
    org: Path<String>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Ok().json(identity.resume_org(operating, &org).await?))
}

/// Ask another operator to agree that an organisation is closed, and all of it deleted after a while; without
/// another one who counts, have it so. For operators; asks a session for a fresh proof.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), request_body = DeleteOrg, responses((status = 202, body = ManagedOrg)))]
#[post("/operator/orgs/{org}/deletion")]
pub async fn delete_org(
    who: Who,
    identity: Data<Identity>,
    org: Path<String>,
    how: Body<DeleteOrg>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Accepted().json(identity.delete_org(operating, &org, &how.0).await?))
}

/// Confirm that an organisation is deleted, as another operator has asked. For operators; asks a session for a
/// fresh proof.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), request_body = ConfirmDeletion, responses((status = 202, body = ManagedOrg)))]
#[post("/operator/orgs/{org}/deletion/confirm")]
pub async fn confirm_org_deletion(
    who: Who,
    identity: Data<Identity>,
    org: Path<String>,
    seen: Body<ConfirmDeletion>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Accepted()
        .json(identity.confirm_org_deletion(operating, &org, &seen.0).await?))
}

/// Keep an organisation that waits to be deleted, or withdraw that somebody wants it deleted. For operators;
/// asks a session for a fresh proof.
#[utoipa::path(tag = "operators", params(("org" = String, Path)), responses((status = 200, body = ManagedOrg)))]
#[delete("/operator/orgs/{org}/deletion")]
pub async fn keep_org(
    who: Who,
    identity: Data<Identity>,
    org: Path<String>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Ok().json(identity.keep_org(operating, &org).await?))
}

/// List what is left of organisations that were deleted, in that order. For operators.
#[utoipa::path(tag = "operators", params(PageQuery), responses((status = 200, body = Page<DeletedOrg>)))]
#[get("/operator/deleted-orgs")]
pub async fn list_deleted_orgs(
    who: Who,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let operating = identity.operating(&who.0.caller).await?;
    Ok(HttpResponse::Ok().json(identity.deleted_orgs(operating, &page.0).await?))
}

/// Remove the second factors of somebody who has lost them, and end their sessions. For operators; asks a
/// session for a fresh proof.
#[utoipa::path(tag = "operators", request_body = ResetFactors, responses((status = 200, body = FactorsReset)))]
#[post("/operator/factor-resets")]
pub async fn reset_factors(
    who: Who,
    identity: Data<Identity>,
    asked: Body<ResetFactors>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Ok().json(identity.reset_factors(operating, asked.0).await?))
}

/// List the accounts that operators have closed on the whole deployment, by their ids. For operators.
#[utoipa::path(tag = "operators", params(PageQuery), responses((status = 200, body = Page<DeactivatedAccount>)))]
#[get("/operator/deactivated-accounts")]
pub async fn list_deactivated_accounts(
    who: Who,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let operating = identity.operating(&who.0.caller).await?;
    Ok(HttpResponse::Ok().json(identity.deactivated_accounts(operating, &page.0).await?))
}

/// Close somebody's account on the whole deployment: sessions, tokens and what was begun end within a second,
/// and they are no operator any more. For operators; asks a session for a fresh proof.
#[utoipa::path(tag = "operators", request_body = DeactivateAccount, responses((status = 201, body = AccountDeactivation)))]
#[post("/operator/deactivated-accounts")]
pub async fn deactivate_account(
    who: Who,
    identity: Data<Identity>,
    asked: Body<DeactivateAccount>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Created().json(identity.deactivate_account(operating, asked.0).await?))
}

/// Let a closed account be used again, by a new login; nothing that was ended comes back. For operators; asks a
/// session for a fresh proof.
#[utoipa::path(tag = "operators", params(("user" = String, Path)), responses((status = 204)))]
#[delete("/operator/deactivated-accounts/{user}")]
pub async fn reactivate_account(
    who: Who,
    identity: Data<Identity>,
    user: Path<UserId>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    identity.reactivate_account(operating, *user).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the deployment's operators. For operators.
#[utoipa::path(tag = "operators", responses((status = 200, body = Operators)))]
#[get("/operator/operators")]
pub async fn list_operators(who: Who, identity: Data<Identity>) -> Result<HttpResponse> {
    let operating = identity.operating(&who.0.caller).await?;
    Ok(HttpResponse::Ok().json(identity.operators(operating).await?))
}

/// Make somebody with an account an operator. For operators; asks a session for a fresh proof.
#[utoipa::path(tag = "operators", request_body = NewOperator, responses((status = 201, body = Operator)))]
#[post("/operator/operators")]
pub async fn add_operator(
    who: Who,
    identity: Data<Identity>,
    new: Body<NewOperator>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    Ok(HttpResponse::Created().json(identity.add_operator(operating, new.0).await?))
}

/// Have somebody be no operator any more; the last one stays. For operators; asks a session for a fresh
/// proof.
#[utoipa::path(tag = "operators", params(("user" = String, Path)), responses((status = 204)))]
#[delete("/operator/operators/{user}")]
pub async fn remove_operator(
    who: Who,
    identity: Data<Identity>,
    user: Path<UserId>,
) -> Result<HttpResponse> {
    let operating = identity.acting(&who.0).await?;
    identity.remove_operator(operating, *user).await?;
    Ok(HttpResponse::NoContent().finish())
}
