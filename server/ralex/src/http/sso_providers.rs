//! Providers of single sign-on: who vouches for an organisation's people, and what follows from it.

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put};
use ralex_access::{Permission, Scope};
use ralex_api::Page;
use ralex_api::changes::ChangeRequest;
use ralex_api::page::PageQuery;
use ralex_api::sso::{
    EnforceSso, NewSsoLink, NewSsoProvider, SsoEnforcement, SsoLink, SsoProvider, SsoProviders,
    SsoTested, UpdateSsoProvider,
};
use ralex_kernel::SsoLinkId;
use ralex_sso::Sso;

use super::changes::done;
use super::extract::{Body, OrgCaller, Query};
use super::if_match::{tag, version};
use super::problem::Result;
use super::server::Edge;

/// List providers of single sign-on, and whether one of them is the only way in.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path)), responses((status = 200, body = SsoProviders)))]
#[get("/sso/providers")]
pub async fn list_sso_providers(
    request: HttpRequest,
    who: OrgCaller,
    sso: Data<Sso>,
    edge: Data<Edge>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SsoManage).await?;
    Ok(HttpResponse::Ok().json(sso.providers(scope.org(), &edge.base(&request)).await?))
}

/// Add a provider of single sign-on; its secret is sealed and never shown. Asks a session for a fresh proof.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path)), request_body = NewSsoProvider, responses((status = 201, body = SsoProvider)))]
#[post("/sso/providers")]
pub async fn create_sso_provider(
    request: HttpRequest,
    who: OrgCaller,
    sso: Data<Sso>,
    edge: Data<Edge>,
    new: Body<NewSsoProvider>,
) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    let made = sso.create_provider(&scope, new.0, &edge.base(&request)).await?;
    Ok(HttpResponse::Created().insert_header((ETAG, tag(made.version))).json(made))
}

/// Show one provider of single sign-on, by id or slug.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path)), responses((status = 200, body = SsoProvider)))]
#[get("/sso/providers/{provider}")]
pub async fn find_sso_provider(
    request: HttpRequest,
    who: OrgCaller,
    sso: Data<Sso>,
    edge: Data<Edge>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SsoManage).await?;
    let found = sso.provider(scope.org(), &path.1, &edge.base(&request)).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag(found.version))).json(found))
}

/// Change a provider of single sign-on; with `If-Match` only the version that was read. Switched off,
/// all sessions that it opened are over. Asks a session for a fresh proof.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path), ("If-Match" = Option<String>, Header)), request_body = UpdateSsoProvider, responses((status = 200, body = SsoProvider)))]
#[patch("/sso/providers/{provider}")]
pub async fn update_sso_provider(
    request: HttpRequest,
    who: OrgCaller,
    sso: Data<Sso>,
    edge: Data<Edge>,
    path: Path<(String, String)>,
    change: Body<UpdateSsoProvider>,
) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    let on = (version(&request)?, edge.base(&request));
    let after = sso.update_provider(&scope, &path.1, change.0, (on.0, &on.1)).await?;
    Ok(HttpResponse::Ok().insert_header((ETAG, tag(after.version))).json(after))
}

/// Delete a provider of single sign-on, with its links, the roles that its groups gave and every
/// session that it opened. Asks a session for a fresh proof.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path)), responses((status = 204)))]
#[delete("/sso/providers/{provider}")]
pub async fn delete_sso_provider(
    who: OrgCaller,
    sso: Data<Sso>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    sso.delete_provider(&scope, &path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Read what a provider says of itself, and tell whether that is enough.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path)), responses((status = 200, body = SsoTested)))]
#[post("/sso/providers/{provider}/test")]
pub async fn test_sso_provider(
    who: OrgCaller,
    sso: Data<Sso>,
    path: Path<(String, String)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SsoManage).await?;
    Ok(HttpResponse::Ok().json(sso.test_provider(&scope, &path.1).await?))
}

/// List who is linked to a provider, oldest first.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path), PageQuery), responses((status = 200, body = Page<SsoLink>)))]
#[get("/sso/providers/{provider}/links")]
pub async fn list_sso_links(
    who: OrgCaller,
    sso: Data<Sso>,
    path: Path<(String, String)>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::SsoManage).await?;
    Ok(HttpResponse::Ok().json(sso.links(&scope, &path.1, &page.0).await?))
}

/// Link a member to who they are to a provider. Who does it must be able to give all that they hold. Asks a
/// session for a fresh proof.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path)), request_body = NewSsoLink, responses((status = 201, body = SsoLink)))]
#[post("/sso/providers/{provider}/links")]
pub async fn create_sso_link(
    who: OrgCaller,
    sso: Data<Sso>,
    path: Path<(String, String)>,
    new: Body<NewSsoLink>,
) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    Ok(HttpResponse::Created().json(sso.create_link(&scope, &path.1, new.0).await?))
}

/// End a link, with the sessions and roles that came of it. Asks a session for a fresh proof.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("link" = SsoLinkId, Path)), responses((status = 204)))]
#[delete("/sso/links/{link}")]
pub async fn delete_sso_link(
    who: OrgCaller,
    sso: Data<Sso>,
    path: Path<(String, SsoLinkId)>,
) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    sso.delete_link(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Make a provider the only way in, but for one owner who is named. Asks a session for a fresh proof.
///
/// Where another provider or another owner takes two people it answers 202 with the change request.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path)), request_body = EnforceSso, responses((status = 200, body = SsoEnforcement), (status = 202, body = ChangeRequest)))]
#[put("/sso/enforcement")]
pub async fn enforce_sso(
    who: OrgCaller,
    sso: Data<Sso>,
    wished: Body<EnforceSso>,
) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    let enforced = sso.enforce(&scope, wished.0).await?;
    Ok(done(enforced, |now| HttpResponse::Ok().json(now)))
}

/// Let people come in in any way again. Asks a session for a fresh proof.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path)), responses((status = 204), (status = 202, body = ChangeRequest)))]
#[delete("/sso/enforcement")]
pub async fn relax_sso(who: OrgCaller, sso: Data<Sso>) -> Result<HttpResponse> {
    let scope = settling(&who).await?;
    let relaxed = sso.relax(&scope).await?;
    Ok(done(relaxed, |()| HttpResponse::NoContent().finish()))
}

/// Who settles how people come in proves anew who they are, where they can.
async fn settling(who: &OrgCaller) -> Result<Scope> {
    let scope = who.allow(Permission::SsoManage).await?;
    who.require_fresh()?;
    Ok(scope)
}
