//! Login, one's own account, sessions and personal tokens.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post};
use ralex_api::Page;
use ralex_api::factors::SecondFactorLogin;
use ralex_api::identity::{
    ChangePassword, Login, LoginAnswer, Me, NameSession, Org, Session, UpdateMe, User,
};
use ralex_api::page::PageQuery;
use ralex_identity::Identity;
use ralex_identity::login::LoggedIn;
use ralex_kernel::SessionId;

use super::extract::{Body, Query, Unrestricted, Who, arrival, same_site};
use super::problem::Result;
use super::server::Edge;

/// Log in with e-mail and password; sets the session's cookie, or asks for a second factor.
#[utoipa::path(tag = "account", request_body = Login, responses((status = 200, body = LoginAnswer)), security(()))]
#[post("/auth/login")]
pub async fn login(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    login: Body<Login>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    Ok(logged_in(&edge, identity.login(&login.0, &arrival(&request, &edge)).await?))
}

/// Complete a login with a second factor; sets the session's cookie.
#[utoipa::path(tag = "account", request_body = SecondFactorLogin, responses((status = 200, body = LoginAnswer)), security(()))]
#[post("/auth/second-factor")]
pub async fn complete_login(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    second: Body<SecondFactorLogin>,
) -> Result<HttpResponse> {
    same_site(&request, &edge)?;
    Ok(logged_in(&edge, identity.complete_login(&second.0, &arrival(&request, &edge)).await?))
}

/// End the session that this request comes with.
#[utoipa::path(tag = "account", responses((status = 204)))]
#[post("/auth/logout")]
pub async fn logout(
    who: Unrestricted,
    identity: Data<Identity>,
    edge: Data<Edge>,
) -> Result<HttpResponse> {
    identity.logout(&who.0.caller).await?;
    let mut gone = session_cookie(&edge, String::new(), 0);
    gone.make_removal();
    Ok(HttpResponse::NoContent().cookie(gone).finish())
}

/// Change one's own password; ends all other sessions.
#[utoipa::path(tag = "account", request_body = ChangePassword, responses((status = 204)))]
#[post("/auth/password")]
pub async fn change_password(
    request: HttpRequest,
    who: Unrestricted,
    identity: Data<Identity>,
    edge: Data<Edge>,
    change: Body<ChangePassword>,
) -> Result<HttpResponse> {
    identity.change_password(&who.0.caller, &change.0, &arrival(&request, &edge)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Show who is signed in, and what they may do where.
#[utoipa::path(tag = "account", responses((status = 200, body = Me)))]
#[get("/me")]
pub async fn me(who: Unrestricted, identity: Data<Identity>) -> Result<HttpResponse> {
    let me = identity.me(&who.0.caller, who.0.must_change_password).await?;
    Ok(HttpResponse::Ok().json(me))
}

/// Change what one is called, in every organisation.
#[utoipa::path(tag = "account", request_body = UpdateMe, responses((status = 200, body = User)))]
#[patch("/me")]
pub async fn update_me(
    who: Who,
    identity: Data<Identity>,
    change: Body<UpdateMe>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(identity.update_me(&who.0.caller, &change.0).await?))
}

/// List one's own sessions.
#[utoipa::path(tag = "account", params(PageQuery), responses((status = 200, body = Page<Session>)))]
#[get("/me/sessions")]
pub async fn list_sessions(
    who: Who,
    identity: Data<Identity>,
    page: Query<PageQuery>,
) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(identity.sessions(&who.0.caller, &page.0).await?))
}

/// End all of one's own sessions but the one that asks.
#[utoipa::path(tag = "account", responses((status = 204)))]
#[delete("/me/sessions")]
pub async fn end_other_sessions(who: Who, identity: Data<Identity>) -> Result<HttpResponse> {
    identity.end_other_sessions(&who.0.caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Say what one calls one of one's own sessions.
#[utoipa::path(tag = "account", params(("session" = SessionId, Path)), request_body = NameSession, responses((status = 200, body = Session)))]
#[patch("/me/sessions/{session}")]
pub async fn name_session(
    who: Who,
    identity: Data<Identity>,
    session: Path<SessionId>,
    named: Body<NameSession>,
) -> Result<HttpResponse> {
    let caller = &who.0.caller;
    Ok(HttpResponse::Ok()
        .json(identity.name_session(caller, session.into_inner(), &named.0).await?))
}

/// End one of one's own sessions.
#[utoipa::path(tag = "account", params(("session" = SessionId, Path)), responses((status = 204)))]
#[delete("/me/sessions/{session}")]
pub async fn end_session(
    who: Who,
    identity: Data<Identity>,
    session: Path<SessionId>,
) -> Result<HttpResponse> {
    let caller = &who.0.caller;
    let user = ralex_identity::person(caller)?;
    identity.end_session(caller, user, session.into_inner()).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// List the organisations that one belongs to.
#[utoipa::path(tag = "organisations", responses((status = 200, body = Page<Org>)))]
#[get("/orgs")]
pub async fn list_orgs(who: Who, identity: Data<Identity>) -> Result<HttpResponse> {
    let items = identity.orgs(&who.0.caller).await?;
    Ok(HttpResponse::Ok().json(Page { items, next_cursor: None }))
}

pub(super) fn logged_in(edge: &Edge, done: LoggedIn) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    if let Some(cookie) = done.cookie {
        let seconds = ralex_identity::session::LIFETIME.num_seconds();
        response.cookie(session_cookie(edge, cookie.expose().to_owned(), seconds));
    }
    if let Some(device) = done.device {
        let text = device.expose().to_owned();
        let seconds = Duration::days(ralex_identity::device::DAYS).whole_seconds();
        response.cookie(strict(edge, edge.device_cookie_name(), text, seconds));
    }
    response.json(done.answer)
}

pub(super) fn session_cookie(edge: &Edge, text: String, seconds: i64) -> Cookie<'static> {
    strict(edge, edge.cookie_name(), text, seconds)
}

/// A cookie that only this server sees, and that no other site brings along.
fn strict(edge: &Edge, name: &'static str, text: String, seconds: i64) -> Cookie<'static> {
    Cookie::build(name, text)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(edge.is_secure())
        .max_age(Duration::seconds(seconds))
        .finish()
}
