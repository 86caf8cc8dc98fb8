//! Tokens of teams and service accounts.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use ralex_api::Page;
use ralex_api::page::PageQuery;
use ralex_api::tokens::{LeakAnswer, LeakedToken, NewToken, NewTokenAnswer, RotateToken, Token};
use ralex_identity::Identity;
use ralex_identity::token::Report;
use ralex_kernel::TokenId;
use ralex_scim::Scim;
use serde::Deserialize;

use super::extract::{Body, BodyList, OrgCaller, Query, arrival};
use super::problem::Result;
use super::server::Edge;

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

/// Give a token another secret, shown once; the former one works beside it for a day, or for as long as is
/// said. Its id, and so its budgets and limits, stay.
#[utoipa::path(tag = "tokens", params(("org" = String, Path), ("token" = TokenId, Path)), request_body = RotateToken, responses((status = 200, body = NewTokenAnswer)))]
#[post("/tokens/{token}/rotate")]
pub async fn rotate_token(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, TokenId)>,
    how: Body<RotateToken>,
) -> Result<HttpResponse> {
    let made = identity.rotate_token(who.caller(), who.org, path.1, &how.0).await?;
    Ok(HttpResponse::Ok().json(made))
}

/// End the former secret of a token before its time.
#[utoipa::path(tag = "tokens", params(("org" = String, Path), ("token" = TokenId, Path)), responses((status = 204)))]
#[delete("/tokens/{token}/former")]
pub async fn end_former_secret(
    who: OrgCaller,
    identity: Data<Identity>,
    path: Path<(String, TokenId)>,
) -> Result<HttpResponse> {
    identity.end_former_secret(who.caller(), who.org, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Report tokens that were found where they should not be. Those of this deployment end at once, and their
/// organisations are told. Whoever has a token can report it; nothing else is needed.
#[utoipa::path(tag = "tokens", request_body = Vec<LeakedToken>, responses((status = 200, body = Vec<LeakAnswer>)), security(()))]
#[post("/tokens/leaked")]
pub async fn report_leaked(
    request: HttpRequest,
    identity: Data<Identity>,
    scim: Data<Scim>,
    edge: Data<Edge>,
    found: BodyList<LeakedToken>,
) -> Result<HttpResponse> {
    let of_directory = async |report: &Report<'_>| scim.end_leaked(report).await;
    let arrival = arrival(&request, &edge);
    let answers = identity.report_leaked(&found.0, &arrival, of_directory).await?;
    Ok(HttpResponse::Ok().json(answers))
}
