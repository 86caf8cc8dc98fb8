//! Coming in by single sign-on: the way out to the provider, the way back, and who one is there.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use ralex_api::sso::{ConnectSso, SsoBegun, SsoDoors, SsoDoorsQuery, SsoLinks};
use ralex_kernel::{Problem, Secret, SsoLinkId};
use ralex_sso::{Back, Begun, Connecting, Errand, Finished, PATIENCE_MINUTES, Sso, Visit};
use serde::Deserialize;

use super::auth::session_cookie;
use super::extract::{Body, Proven, Query, Who, arrival, too_large_or};
use super::problem::Result;
use super::server::Edge;

/// What a browser brings back. Providers add words of their own, which are passed over.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct BackQuery {
    /// What the way out was given.
    state: Option<String>,
    /// What the provider gives the token for.
    code: Option<String>,
    /// Who says that they answer (RFC 9207).
    iss: Option<String>,
    /// That the provider says no.
    error: Option<String>,
}

/// A provider's word that somebody is out.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "it is read by hand, for a problem where it is no form")]
pub struct LogoutForm {
    logout_token: String,
}

/// List the ways in for who says where they belong; no account is looked at.
#[utoipa::path(tag = "single sign-on", params(SsoDoorsQuery), responses((status = 200, body = SsoDoors)), security(()))]
#[get("/auth/sso")]
pub async fn list_sso_doors(sso: Data<Sso>, query: Query<SsoDoorsQuery>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(sso.doors(&query.0.at).await?))
}

/// How to go to a provider.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
pub struct StartQuery {
    /// Whether the provider is to ask who one is, whatever it knows from before: for a fresh proof.
    #[serde(default)]
    fresh: bool,
}

/// Go to a provider to log in; a browser is sent there.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path), StartQuery), responses((status = 303)), security(()))]
#[get("/auth/sso/{org}/{provider}/start")]
pub async fn start_sso(
    request: HttpRequest,
    sso: Data<Sso>,
    edge: Data<Edge>,
    path: Path<(String, String)>,
    query: Query<StartQuery>,
) -> Result<HttpResponse> {
    let (base, arrival) = (edge.base(&request), arrival(&request, &edge));
    let visit = Visit { org: &path.0, provider: &path.1, base: &base, arrival: &arrival };
    let errand = if query.0.fresh { Errand::Proof } else { Errand::Login };
    let begun = sso.begin(visit, errand).await?;
    let to = (LOCATION, begun.to.clone());
    Ok(kept(HttpResponse::SeeOther().insert_header(to), &edge, begun).finish())
}

/// Come back from a provider; a browser is sent to the console, with a session or with the reason why
/// there is none.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path), BackQuery), responses((status = 303)), security(()))]
#[get("/auth/sso/{org}/{provider}/callback")]
pub async fn finish_sso(
    request: HttpRequest,
    sso: Data<Sso>,
    edge: Data<Edge>,
    path: Path<(String, String)>,
    query: Query<BackQuery>,
) -> Result<HttpResponse> {
    let (base, arrival) = (edge.base(&request), arrival(&request, &edge));
    let visit = Visit { org: &path.0, provider: &path.1, base: &base, arrival: &arrival };
    let cookie = request.cookie(edge.sso_cookie_name());
    let back = Back {
        state: query.0.state.as_deref(),
        code: query.0.code.as_deref(),
        issuer: query.0.iss.as_deref(),
        error: query.0.error.as_deref(),
        cookie: cookie.as_ref().map(Cookie::value),
    };
    let Finished { to, session } = sso.finish(visit, &back).await?;
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, to)).insert_header((CACHE_CONTROL, "no-store"));
    let mut gone = carried(&edge, String::new());
    gone.make_removal();
    response.cookie(gone);
    if let Some(session) = session {
        let text = session.cookie.expose().to_owned();
        response.cookie(session_cookie(&edge, text, session.seconds));
    }
    Ok(response.finish())
}

/// Tell that somebody is out (OpenID Connect Back-Channel Logout); for providers.
#[utoipa::path(tag = "single sign-on", params(("org" = String, Path), ("provider" = String, Path)), request_body(content = LogoutForm, content_type = "application/x-www-form-urlencoded"), responses((status = 200)), security(()))]
#[post("/auth/sso/{org}/{provider}/logout")]
pub async fn end_sso(
    request: HttpRequest,
    sso: Data<Sso>,
    edge: Data<Edge>,
    path: Path<(String, String)>,
    form: std::result::Result<Bytes, actix_web::Error>,
) -> Result<HttpResponse> {
    let (base, arrival) = (edge.base(&request), arrival(&request, &edge));
    let visit = Visit { org: &path.0, provider: &path.1, base: &base, arrival: &arrival };
    let form = form.map_err(|error| too_large_or(&error))?;
    let token = logout_token(&form)?;
    sso.log_out(visit, token.expose()).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).finish())
}

/// List who one is to providers of single sign-on.
#[utoipa::path(tag = "account", responses((status = 200, body = SsoLinks)))]
#[get("/me/identities")]
pub async fn list_identities(who: Who, sso: Data<Sso>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(sso.own_links(&who.0.caller).await?))
}

/// Connect one's account to a provider of one's organisation: answers where the browser has to go. Asks
/// for a fresh proof.
#[utoipa::path(tag = "account", request_body = ConnectSso, responses((status = 201, body = SsoBegun)))]
#[post("/me/identities")]
pub async fn connect_identity(
    request: HttpRequest,
    who: Proven,
    sso: Data<Sso>,
    edge: Data<Edge>,
    wished: Body<ConnectSso>,
) -> Result<HttpResponse> {
    let (base, arrival) = (edge.base(&request), arrival(&request, &edge));
    let ConnectSso { org, provider } = &wished.0;
    let visit = Visit { org, provider, base: &base, arrival: &arrival };
    let begun = sso.begin_link(Connecting { caller: &who.0.caller, visit }).await?;
    let answer = SsoBegun { url: begun.to.clone() };
    Ok(kept(&mut HttpResponse::Created(), &edge, begun).json(answer))
}

/// Disconnect one's account from a provider; ends the sessions that it opened.
#[utoipa::path(tag = "account", params(("link" = SsoLinkId, Path)), responses((status = 204)))]
#[delete("/me/identities/{link}")]
pub async fn disconnect_identity(
    who: Who,
    sso: Data<Sso>,
    link: Path<SsoLinkId>,
) -> Result<HttpResponse> {
    sso.delete_own_link(&who.0.caller, link.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn logout_token(form: &[u8]) -> std::result::Result<Secret, Problem> {
    let mut fields = url::form_urlencoded::parse(form);
    let found = fields.find(|(name, _)| name == "logout_token");
    let found = found.map(|(_, token)| Secret::new(token.into_owned()));
    found.ok_or_else(|| Problem::field("logout_token", "is needed, in a form"))
}

/// Has the browser keep what proves that it was the one that left.
fn kept<'a>(
    response: &'a mut actix_web::HttpResponseBuilder,
    edge: &Edge,
    begun: Begun,
) -> &'a mut actix_web::HttpResponseBuilder {
    response.insert_header((CACHE_CONTROL, "no-store"));
    if let Some(secret) = begun.cookie {
        response.cookie(carried(edge, secret.expose().to_owned()));
    }
    response
}

/// Lax: the provider's page sends the browser back, and a stricter cookie would stay behind.
fn carried(edge: &Edge, text: String) -> Cookie<'static> {
    Cookie::build(edge.sso_cookie_name(), text)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(edge.is_secure())
        .max_age(Duration::minutes(PATIENCE_MINUTES))
        .finish()
}
