//! Tokens of teams and service accounts.

use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, delete, get, post};
use ralex_api::Page;
use ralex_api::identity::{NewToken, NewTokenAnswer, Token};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_kernel::TokenId;
use serde::Deserialize;

use super::extract::{Body, OrgCaller, Query};
use super::problem::Result;

/// Which tokens.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TokensQuery {
    /// Only those of this team, by id or slug.
    team: Option<String>,
    /// Only those of this service account, by id or slug.
    service_account: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// List tokens, newest first, revoked ones included.
#[utoipa::path(tag = "tokens", params(("org" = String, Path), TokensQuery), responses((status = 200, body = Page<Token>)))]
#[get("/tokens")]
pub async fn list_tokens(
    who: OrgCaller,
    identity: Data<Identity>,
    query: Query<TokensQuery>,
) -> Result<HttpResponse> {
    let TokensQuery { team, service_account, cursor, limit } = query.0;
    let page = PageQuery { cursor, limit };
    let only = (team.as_deref(), service_account.as_deref());
    let tokens = identity.tokens(who.caller(), who.org, only, &page).await?;
    Ok(HttpResponse::Ok().json(tokens))
}

/// Create a token for a team or a service account; its secret is shown once.
#[utoipa::path(tag = "tokens", params(("org" = String, Path)), request_body = NewToken, responses((status = 201, body = NewTokenAnswer)))]
#[post("/tokens")]
pub async fn create_token(
    who: OrgCaller,
    identity: Data<Identity>,
    new: Body<NewToken>,
) -> Result<HttpResponse> {
    let made = identity.create_token(who.caller(), who.org, new.0).await?;
    Ok(HttpResponse::Created().json(made))
}

/// Revoke a token; it stops working everywhere within a second.
#[utoipa::path(tag = "tokens", params(("org" = String, Path), ("token" = TokenId, Path)), responses((status = 204)))]
#[delete("/tokens/{token}")]
pub async fn revoke_token(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, TokenId)>,
) -> Result<HttpResponse> {
    identity.revoke_token(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}
