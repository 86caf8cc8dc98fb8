//! One's own tokens.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use ralex_api::Page;
use ralex_api::page::PageQuery;
use ralex_api::tokens::{NewPersonalToken, NewTokenAnswer, RotateToken, Token};
use ralex_identity::Identity;
use ralex_kernel::TokenId;

use super::extract::{Body, Proven, Query, Who};
use super::problem::Result;

/// List one's own tokens.
#[utoipa::path(tag = "account", params(PageQuery), responses((status = 200, body = Page<Token>)))]
#[get("/me/tokens")]
pub async fn list_personal_tokens(
    who: Who,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(identity.personal_tokens(&who.0.caller, &page.0).await?))
}

/// Create a token with one's own rights; its secret is shown once. Asks for a fresh proof.
#[utoipa::path(tag = "account", request_body = NewPersonalToken, responses((status = 201, body = NewTokenAnswer)))]
#[post("/me/tokens")]
pub async fn create_personal_token(
    who: Proven,
    identity: Data<Identity>,
    new: Body<NewPersonalToken>,
) -> Result<HttpResponse> {
    let made = identity.create_personal_token(&who.0.caller, new.0).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Revoke one of one's own tokens.
#[utoipa::path(tag = "account", params(("token" = TokenId, Path)), responses((status = 204)))]
#[delete("/me/tokens/{token}")]
pub async fn revoke_personal_token(
    who: Who,
    identity: Data<Identity>,
    token: Path<TokenId>,
) -> Result<HttpResponse> {
    identity.revoke_personal_token(&who.0.caller, token.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give one of one's own tokens another secret, shown once; the former one works beside it for a day, or for
/// as long as is said. Asks for a fresh proof.
#[utoipa::path(tag = "account", params(("token" = TokenId, Path)), request_body = RotateToken, responses((status = 200, body = NewTokenAnswer)))]
#[post("/me/tokens/{token}/rotate")]
pub async fn rotate_personal_token(
    who: Proven,
    identity: Data<Identity>,
    token: Path<TokenId>,
    how: Body<RotateToken>,
) -> Result<HttpResponse> {
    let id = token.into_inner();
    let made = identity.rotate_personal_token(&who.0.caller, id, &how.0).await?;
    Ok(HttpResponse::Ok().json(made))
}

/// End the former secret of one of one's own tokens before its time.
#[utoipa::path(tag = "account", params(("token" = TokenId, Path)), responses((status = 204)))]
#[delete("/me/tokens/{token}/former")]
pub async fn end_former_personal_secret(
    who: Who,
    identity: Data<Identity>,
    token: Path<TokenId>,
) -> Result<HttpResponse> {
    identity.end_former_personal_secret(&who.0.caller, token.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}
