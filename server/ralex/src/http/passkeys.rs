//! Passkeys: one's own, and what comes in by them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use ralex_api::identity::LoginAnswer;
use ralex_api::passkeys::{
    NewPasskey, PasskeyAdded, PasskeyAnswer, PasskeyCeremony, PasskeyOffer, RenamePasskey,
    WaitingLogin,
};
use ralex_identity::Identity;
use ralex_kernel::PasskeyId;

use super::auth::logged_in;
use super::extract::{Body, Proven, Who, arrival, same_site};
use super::problem::Result;
use super::server::Edge;

/// Tell whether people can have passkeys here, and why not.
#[utoipa::path(tag = "account", responses((status = 200, body = PasskeyOffer)), security(()))]
#[get("/auth/passkey")]
pub async fn find_passkey_offer(identity: Data<Identity>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(identity.passkey_offer()))
}

/// Begin a login by a passkey alone: what to ask the authenticator.
#[utoipa::path(tag = "account", responses((status = 200, body = PasskeyCeremony)), security(()))]
#[post("/auth/passkey/begin")]
pub async fn begin_passkey_login(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    let asked = identity.begin_passkey_login(&arrival(&request, &edge)).await?;
    Ok(HttpResponse::Ok().json(asked))
}

/// Log in with a passkey alone; sets the session's cookie.
#[utoipa::path(tag = "account", request_body = PasskeyAnswer, responses((status = 200, body = LoginAnswer)), security(()))]
#[post("/auth/passkey")]
pub async fn login_by_passkey(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    answer: Body<PasskeyAnswer>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    let done = identity.login_by_passkey(&answer.0, &arrival(&request, &edge)).await?;
    Ok(logged_in(&edge, done))
}

/// Begin to complete a login with a passkey: what to ask the authenticator. The answer goes to
/// `POST /auth/second-factor`.
#[utoipa::path(tag = "account", request_body = WaitingLogin, responses((status = 200, body = PasskeyCeremony)), security(()))]
#[post("/auth/second-factor/passkey")]
pub async fn begin_passkey_factor(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    waiting: Body<WaitingLogin>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    let asked = identity.begin_passkey_factor(&waiting.0, &arrival(&request, &edge)).await?;
    Ok(HttpResponse::Ok().json(asked))
}

/// Begin a fresh proof by a passkey: what to ask the authenticator. The answer goes to
/// `POST /auth/step-up`.
#[utoipa::path(tag = "account", responses((status = 200, body = PasskeyCeremony)))]
#[post("/auth/step-up/passkey")]
pub async fn begin_passkey_proof(
    request: HttpRequest,
    who: Who,
    identity: Data<Identity>,
    edge: Data<Edge>,
) -> Result<HttpResponse> {
    let arrival = arrival(&request, &edge);
    Ok(HttpResponse::Ok().json(identity.begin_passkey_proof(&who.0.caller, &arrival).await?))
}

/// Begin to make a passkey: what to ask the authenticator. Asks for a fresh proof.
#[utoipa::path(tag = "account", responses((status = 200, body = PasskeyCeremony)))]
#[post("/auth/passkeys")]
pub async fn begin_passkey(
    request: HttpRequest,
    who: Proven,
    identity: Data<Identity>,
    edge: Data<Edge>,
) -> Result<HttpResponse> {
    let arrival = arrival(&request, &edge);
    Ok(HttpResponse::Ok().json(identity.begin_passkey(&who.0.caller, &arrival).await?))
}

/// Add the passkey that the authenticator made; with the first second factor, recovery codes are
/// shown once. Asks for a fresh proof.
#[utoipa::path(tag = "account", request_body = NewPasskey, responses((status = 201, body = PasskeyAdded)))]
#[post("/auth/passkeys/confirm")]
pub async fn add_passkey(
    who: Proven,
    identity: Data<Identity>,
    new: Body<NewPasskey>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Created().json(identity.add_passkey(&who.0.caller, &new.0).await?))
}

/// Rename one of one's own passkeys.
#[utoipa::path(tag = "account", params(("passkey" = PasskeyId, Path)), request_body = RenamePasskey, responses((status = 204)))]
#[patch("/auth/passkeys/{passkey}")]
pub async fn rename_passkey(
    who: Who,
    identity: Data<Identity>,
    passkey: Path<PasskeyId>,
    change: Body<RenamePasskey>,
) -> Result<HttpResponse> {
    identity.rename_passkey(&who.0.caller, passkey.into_inner(), &change.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Remove one of one's own passkeys; sessions that it alone opened end. Asks for a fresh proof.
#[utoipa::path(tag = "account", params(("passkey" = PasskeyId, Path)), responses((status = 204)))]
#[delete("/auth/passkeys/{passkey}")]
pub async fn remove_passkey(
    who: Proven,
    identity: Data<Identity>,
    passkey: Path<PasskeyId>,
) -> Result<HttpResponse> {
    identity.remove_passkey(&who.0.caller, passkey.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
