//! SCIM, by which an organisation's own directory says who its people are; and how that is set up.
//!
//! The protocol's operations stand in RFC 7644 and in no contract of ours: it has its own discovery, its
//! own media type and its own errors. All of them come to one handler.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::web::{Bytes, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};
use ralex_access::Permission;
use ralex_api::scim::{NewScimToken, ScimConnection, SetScim};
use ralex_api::tokens::NewTokenAnswer;
use ralex_identity::Identity;
use ralex_kernel::TokenId;
use ralex_scim::{Ask, LARGEST_BODY, Refusal, Scim, Told};

use super::extract::{Body, OrgCaller, arrival, authorization};
use super::problem::Result;
use super::server::Edge;

const MEDIA_TYPE: &str = "application/scim+json";

/// Show whether the organisation's directory is heard, and by which tokens.
#[utoipa::path(tag = "provisioning", params(("org" = String, Path)), responses((status = 200, body = ScimConnection)))]
#[get("/scim")]
pub async fn find_scim(
    request: HttpRequest,
    who: OrgCaller,
    scim: Data<Scim>,
    edge: Data<Edge>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ScimManage).await?;
    Ok(HttpResponse::Ok().json(scim.connection(scope.org(), &edge.base(&request)).await?))
}

/// Have the organisation's directory heard, or not any more. What it has done stays.
#[utoipa::path(tag = "provisioning", params(("org" = String, Path)), request_body = SetScim, responses((status = 200, body = ScimConnection)))]
#[put("/scim")]
pub async fn set_scim(
    request: HttpRequest,
    who: OrgCaller,
    scim: Data<Scim>,
    edge: Data<Edge>,
    set: Body<SetScim>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ScimManage).await?;
    let after = scim.set_connection(&scope, set.0, &edge.base(&request)).await?;
    Ok(HttpResponse::Ok().json(after))
}

/// Make a token for the organisation's directory, shown once. It takes the right to give all that the
/// provisioned groups hold. Asks a session for a fresh proof.
#[utoipa::path(tag = "provisioning", params(("org" = String, Path)), request_body = NewScimToken, responses((status = 201, body = NewTokenAnswer)))]
#[post("/scim/tokens")]
pub async fn create_scim_token(
    who: OrgCaller,
    identity: Data<Identity>,
    scim: Data<Scim>,
    new: Body<NewScimToken>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ScimManage).await?;
    identity.require_fresh_session(&who.signed_in)?;
    Ok(HttpResponse::Created().json(scim.create_token(&scope, new.0).await?))
}

/// Revoke a token of the organisation's directory.
#[utoipa::path(tag = "provisioning", params(("org" = String, Path), ("token" = TokenId, Path)), responses((status = 204)))]
#[delete("/scim/tokens/{token}")]
pub async fn revoke_scim_token(
    who: OrgCaller,
    scim: Data<Scim>,
    path: Path<(String, TokenId)>,
) -> Result<HttpResponse> {
    let scope = who.allow(Permission::ScimManage).await?;
    scim.revoke_token(&scope, path.1).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The addresses of the protocol itself.
pub fn protocol(config: &mut ServiceConfig) {
    config
        .route("/scim/v2/{org}", web::route().to(answer))
        .route("/scim/v2/{org}/{path:.*}", web::route().to(answer));
}

async fn answer(
    request: HttpRequest,
    scim: Data<Scim>,
    edge: Data<Edge>,
    body: actix_web::Result<Bytes>,
) -> HttpResponse {
    let path: Vec<String> = request.match_info().query("path").split('/').map(decoded).collect();
    let org = request.match_info().query("org");
    let arrival = arrival(&request, &edge);
    let told = match scim.directory(org, authorization(&request), &arrival).await {
        Ok(directory) => {
            let header = |name| request.headers().get(name).and_then(|it| it.to_str().ok());
            let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
            let ask = Ask {
                method: request.method().as_str(),
                path: &path,
                query: &query.map(web::Query::into_inner).unwrap_or_default(),
                if_match: header(IF_MATCH),
                if_none_match: header(IF_NONE_MATCH),
                body: &read(&request, body),
                base: &format!("{}/scim/v2/{org}", edge.base(&request)),
            };
            scim.answer(&directory, &ask).await
        }
        Err(refusal) => {
            scim.count(&path, refusal.status);
            Err(refusal)
        }
    };
    told.map_or_else(|refusal| refused(&refusal), shown)
}

fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// The body, or why it is none.
fn read(
    request: &HttpRequest,
    body: actix_web::Result<Bytes>,
) -> std::result::Result<serde_json::Value, Refusal> {
    let bad = |status, kind, detail: &str| Refusal::new(status, kind, detail);
    let body = body.map_err(|error| {
        let status = error.as_response_error().status_code().as_u16();
        bad(status, None, "The body could not be read to its end, or is too large.")
    })?;
    if body.len() > LARGEST_BODY {
        let detail = format!("The body has more than {LARGEST_BODY} bytes.");
        return Err(bad(413, Some("tooLarge"), &detail));
    }
    let header = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = header.and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(MEDIA_TYPE) && !kind.eq_ignore_ascii_case("application/json") {
        let detail = "Send JSON, as `Content-Type: application/scim+json`.";
        return Err(bad(415, None, detail));
    }
    let invalid =
        |error| bad(400, Some("invalidSyntax"), &format!("The body is no JSON: {error}."));
    serde_json::from_slice(&body).map_err(invalid)
}

fn shown(told: Told) -> HttpResponse {
    let mut response = HttpResponse::build(status(told.status));
    if let Some(location) = told.location {
        response.insert_header((LOCATION, location));
    }
    if let Some(version) = told.version {
        response.insert_header((ETAG, version));
    }
    match told.body {
        Some(body) => response.content_type(MEDIA_TYPE).body(body.to_string()),
        None => response.finish(),
    }
}

fn refused(refusal: &Refusal) -> HttpResponse {
    let mut response = HttpResponse::build(status(refusal.status));
    if refusal.status == 401 {
        response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"ralex\""));
    }
    let unavailable = (refusal.status == 503).then_some(1);
    if let Some(seconds) = refusal.retry_after.or(unavailable) {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.content_type(MEDIA_TYPE).body(refusal.told().to_string())
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
