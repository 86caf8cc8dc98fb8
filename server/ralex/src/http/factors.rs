//! Second factors of one's own account, fresh proofs, and what an organisation asks for.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use ralex_access::Permission;
use ralex_api::changes::ChangeRequest;
use ralex_api::factors::{
    ConfirmTotp, Factors, NewTotp, OrgSecurity, Proof, RecoveryCodes, StepUp, UpdateOrgSecurity,
};
use ralex_identity::Identity;

use super::auth::session_cookie;
use super::changes::done;
use super::extract::{Body, OrgCaller, Proven, Who, arrival};
use super::problem::Result;
use super::server::Edge;

/// Prove anew who is behind a session, for what asks for a fresh proof; replaces the cookie.
#[utoipa::path(tag = "account", request_body = StepUp, responses((status = 200, body = Proof)))]
#[post("/auth/step-up")]
pub async fn step_up(
    request: HttpRequest,
    who: Who,
    identity: Data<Identity>,
    edge: Data<Edge>,
    step_up: Body<StepUp>,
) -> Result<HttpResponse> {
    let arrival = arrival(&request, &edge);
    let proven = identity.step_up(&who.0.caller, &step_up.0, &arrival).await?;
    let seconds = ralex_identity::session::LIFETIME.num_seconds();
    let cookie = session_cookie(&edge, proven.cookie.expose().to_owned(), seconds);
    Ok(HttpResponse::Ok().cookie(cookie).json(proven.answer))
}

/// Show one's own second factors.
#[utoipa::path(tag = "account", responses((status = 200, body = Factors)))]
#[get("/me/factors")]
pub async fn list_factors(who: Who, identity: Data<Identity>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(identity.factors(&who.0.caller).await?))
}

/// Begin to set up an authenticator app; its secret is shown once. Asks for a fresh proof.
#[utoipa::path(tag = "account", responses((status = 201, body = NewTotp)))]
#[post("/auth/totp")]
pub async fn begin_totp(who: Proven, identity: Data<Identity>) -> Result<HttpResponse> {
    Ok(HttpResponse::Created().json(identity.begin_totp(&who.0.caller).await?))
}

/// Add the authenticator app by a first code of it; recovery codes are shown once. Asks for a
/// fresh proof.
#[utoipa::path(tag = "account", request_body = ConfirmTotp, responses((status = 201, body = RecoveryCodes)))]
#[post("/auth/totp/confirm")]
pub async fn confirm_totp(
    request: HttpRequest,
    who: Proven,
    identity: Data<Identity>,
    edge: Data<Edge>,
    confirm: Body<ConfirmTotp>,
) -> Result<HttpResponse> {
    let arrival = arrival(&request, &edge);
    let codes = identity.confirm_totp(&who.0.caller, &confirm.0, &arrival).await?;
    Ok(HttpResponse::Created().json(codes))
}

/// Remove the authenticator app and the recovery codes. Asks for a fresh proof.
#[utoipa::path(tag = "account", responses((status = 204)))]
#[delete("/auth/totp")]
pub async fn remove_totp(who: Proven, identity: Data<Identity>) -> Result<HttpResponse> {
    identity.remove_totp(&who.0.caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Show what an organisation asks of everybody in it.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), responses((status = 200, body = OrgSecurity)))]
#[get("/security")]
pub async fn find_security(who: OrgCaller, identity: Data<Identity>) -> Result<HttpResponse> {
    let scope = who.allow(Permission::OrgRead).await?;
    Ok(HttpResponse::Ok().json(identity.org_security(&scope).await?))
}

/// Change what an organisation asks of everybody in it. Asks a session for a fresh proof.
#[utoipa::path(tag = "organisations", params(("org" = String, Path)), request_body = UpdateOrgSecurity, responses((status = 200, body = OrgSecurity), (status = 202, body = ChangeRequest)))]
#[patch("/security")]
pub async fn update_security(
    who: OrgCaller,
    identity: Data<Identity>,
    change: Body<UpdateOrgSecurity>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SecurityManage).await?;
    identity.require_fresh_session(&who.signed_in)?;
    let updated = identity.update_org_security(&scope, &change.0).await?;
    Ok(done(updated, |security| HttpResponse::Ok().json(security)))
}

/// Make new recovery codes, shown once; those from before stop working. Asks for a fresh proof.
#[utoipa::path(tag = "account", responses((status = 201, body = RecoveryCodes)))]
#[post("/auth/recovery-codes")]
pub async fn renew_recovery_codes(who: Proven, identity: Data<Identity>) -> Result<HttpResponse> {
    Ok(HttpResponse::Created().json(identity.renew_recovery_codes(&who.0.caller).await?))
}
