//! Links by which somebody chooses a password, invited or having forgotten theirs, or says whether they
//! belong to an organisation.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, get, post};
use ralex_api::links::{
    AnswerInvitation, ForgottenOffer, ForgottenPassword, InvitationAnswered, LinkShown,
    SetPassword, UseLink,
};
use ralex_identity::Identity;

use super::extract::{Body, Who, arrival, same_site};
use super::problem::Result;
use super::server::Edge;

/// Tell whether who forgot their password can have a link by mail.
#[utoipa::path(tag = "account", responses((status = 200, body = ForgottenOffer)), security(()))]
#[get("/auth/password/forgotten")]
pub async fn find_forgotten_offer(identity: Data<Identity>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(identity.forgotten_offer()))
}

/// Ask for another password: a link goes to the address by mail, if somebody has an account with it. The
/// answer is the same in any case.
#[utoipa::path(tag = "account", request_body = ForgottenPassword, responses((status = 202)), security(()))]
#[post("/auth/password/forgotten")]
pub async fn forget_password(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    asked: Body<ForgottenPassword>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    identity.forgotten(asked.0, &arrival(&request, &edge)).await?;
    Ok(HttpResponse::Accepted().finish())
}

/// Show whose account a link is about.
#[utoipa::path(tag = "account", request_body = UseLink, responses((status = 200, body = LinkShown)), security(()))]
#[post("/auth/link")]
pub async fn show_link(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    link: Body<UseLink>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    Ok(HttpResponse::Ok().json(identity.link_of(&link.0, &arrival(&request, &edge)).await?))
}

/// Say whether one belongs to the organisation of a link, with the account that it is for.
#[utoipa::path(tag = "account", request_body = AnswerInvitation, responses((status = 200, body = InvitationAnswered)))]
#[post("/auth/link/join")]
pub async fn answer_invitation(
    request: HttpRequest,
    who: Who,
    identity: Data<Identity>,
    edge: Data<Edge>,
    said: Body<AnswerInvitation>,
) -> Result<HttpResponse> {
    let arrival = arrival(&request, &edge);
    let answered = identity.answer_invitation(&who.0.caller, &said.0, &arrival).await?;
    Ok(HttpResponse::Ok().json(answered))
}

/// Choose a password by a link, which is used up by it; ends all sessions of the account.
#[utoipa::path(tag = "account", request_body = SetPassword, responses((status = 204)), security(()))]
#[post("/auth/link/password")]
pub async fn set_password(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    set: Body<SetPassword>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    identity.set_password(set.0, &arrival(&request, &edge)).await?;
    Ok(HttpResponse::NoContent().finish())
}
