//! Programs that ask a person for a token of theirs, as the standards have it (RFC 6749, 7009, 7636,
//! 8252, 8414, 8628), and what the person's browser asks meanwhile.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::{self, Bytes, Data, Path};
use actix_web::{HttpRequest, HttpResponse, get, post};
use ralex_api::oauth::{
    AnswerDevice, AnswerProgram, CLIENT_ID, DeviceAuthorization, DeviceLogin, OAuthError,
    ProgramAnswered, TokenGranted,
};
use ralex_identity::Identity;
use ralex_identity::program::{Redirect, Refused};
use ralex_kernel::{Problem, Secret};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::extract::{Body, Proven, Query, Who, arrival};
use super::problem::Result;
use super::server::Edge;

const BY_CODE: &str = "authorization_code";
const BY_DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// No form of these standards comes near.
const LARGEST_FORM: usize = 8 << 10;

/// What a program sends for a token.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct TokenForm {
    /// `authorization_code` or `urn:ietf:params:oauth:grant-type:device_code`.
    grant_type: String,
    /// `ralex-cli`.
    client_id: Option<String>,
    /// What the browser brought.
    code: Option<String>,
    code_verifier: Option<String>,
    redirect_uri: Option<String>,
    device_code: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct DeviceForm {
    /// `ralex-cli`.
    client_id: Option<String>,
    /// What the program runs on, for the name of the token.
    name: Option<String>,
}

#[derive(Deserialize, utoipa::ToSchema)]
pub struct RevokeForm {
    token: Secret,
}

/// What a program has a browser bring here; the page to which the browser is sent reads the rest.
#[derive(Deserialize, utoipa::IntoParams)]
pub struct AuthorizeQuery {
    /// `code`.
    response_type: String,
    /// `ralex-cli`.
    client_id: String,
    /// An address of the machine itself.
    redirect_uri: String,
}

/// Tell programs what is understood here (RFC 8414).
#[utoipa::path(tag = "programs", responses((status = 200)), security(()))]
#[get("/.well-known/oauth-authorization-server")]
pub async fn authorization_server(request: HttpRequest, edge: Data<Edge>) -> HttpResponse {
    let base = edge.base(&request);
    HttpResponse::Ok().json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/oauth/authorize"),
        "token_endpoint": format!("{base}/oauth/token"),
        "device_authorization_endpoint": format!("{base}/oauth/device_authorization"),
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [BY_CODE, BY_DEVICE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// Send a browser that a program opened to the page that asks its person.
#[utoipa::path(tag = "programs", params(AuthorizeQuery), responses((status = 303)), security(()))]
#[get("/oauth/authorize")]
pub async fn authorize(request: HttpRequest, query: Query<AuthorizeQuery>) -> Result<HttpResponse> {
    let AuthorizeQuery { response_type, client_id, redirect_uri } = query.0;
    // Nobody is sent back to where it is not certain that the program is.
    Redirect::parse(&redirect_uri)?;
    if client_id != CLIENT_ID {
        return Err(Problem::field("client_id", format!("must be \"{CLIENT_ID}\"")).into());
    }
    if response_type != "code" {
        return Err(Problem::field("response_type", "must be code").into());
    }
    let to = format!("/authorize?{}", request.query_string());
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, to)).finish())
}

/// Exchange a code for a token.
#[utoipa::path(tag = "programs", request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"), responses((status = 200, body = TokenGranted), (status = 400, body = OAuthError)), security(()))]
#[post("/oauth/token")]
pub async fn token(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    body: Bytes,
) -> Result<HttpResponse> {
    let form: TokenForm = match form(&body) {
        Ok(form) => form,
        Err(refused) => return Ok(refused),
    };
    if form.client_id.as_deref() != Some(CLIENT_ID) {
        return Ok(refused("invalid_client", &format!("`client_id` must be {CLIENT_ID}.")));
    }
    let arrival = arrival(&request, &edge);
    let granted = match (form.grant_type.as_str(), &form) {
        (
            BY_CODE,
            TokenForm {
                code: Some(code),
                code_verifier: Some(verifier),
                redirect_uri: Some(redirect_uri),
                ..
            },
        ) => identity.exchange_code(code, verifier, redirect_uri, &arrival).await,
        (BY_DEVICE, TokenForm { device_code: Some(code), .. }) => {
            identity.exchange_device(code, &arrival).await
        }
        (BY_CODE, _) => {
            let detail = "`code`, `code_verifier` and `redirect_uri` are needed.";
            return Ok(refused("invalid_request", detail));
        }
        (BY_DEVICE, _) => return Ok(refused("invalid_request", "`device_code` is needed.")),
        _ => {
            let detail = format!("`grant_type` must be {BY_CODE} or {BY_DEVICE}.");
            return Ok(refused("unsupported_grant_type", &detail));
        }
    };
    match granted {
        Ok(granted) => {
            let kept_by_nobody = (CACHE_CONTROL, "no-store");
            Ok(HttpResponse::Ok().insert_header(kept_by_nobody).json(granted))
        }
        Err(Refused::Failed(problem)) => Err(problem.into()),
        Err(why) => Ok(why.error().map_or_else(
            || refused("invalid_grant", "The code is no good."),
            |error| refused(&error.error, &error.error_description),
        )),
    }
}

/// Begin the login of a program that has no browser.
#[utoipa::path(tag = "programs", request_body(content = DeviceForm, content_type = "application/x-www-form-urlencoded"), responses((status = 200, body = DeviceAuthorization), (status = 400, body = OAuthError)), security(()))]
#[post("/oauth/device_authorization")]
pub async fn begin_device(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    body: Bytes,
) -> Result<HttpResponse> {
    let form: DeviceForm = match form(&body) {
        Ok(form) => form,
        Err(refused) => return Ok(refused),
    };
    if form.client_id.as_deref() != Some(CLIENT_ID) {
        return Ok(refused("invalid_client", &format!("`client_id` must be {CLIENT_ID}.")));
    }
    let arrival = arrival(&request, &edge);
    let begun = identity.begin_device(form.name.as_deref(), &arrival, &edge.base(&request)).await?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(begun))
}

/// End the personal token that is shown (RFC 7009); one that opens nothing is no error.
#[utoipa::path(tag = "programs", request_body(content = RevokeForm, content_type = "application/x-www-form-urlencoded"), responses((status = 200), (status = 400, body = OAuthError)), security(()))]
#[post("/oauth/revoke")]
pub async fn revoke(
    request: HttpRequest,
    identity: Data<Identity>,
    edge: Data<Edge>,
    body: Bytes,
) -> Result<HttpResponse> {
    let form: RevokeForm = match form(&body) {
        Ok(form) => form,
        Err(refused) => return Ok(refused),
    };
    identity.give_up_token(&form.token, &arrival(&request, &edge)).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Say yes or no to a program on one's own machine. Asks for a fresh proof.
#[utoipa::path(tag = "account", request_body = AnswerProgram, responses((status = 200, body = ProgramAnswered)))]
#[post("/auth/programs")]
pub async fn answer_program(
    request: HttpRequest,
    who: Proven,
    identity: Data<Identity>,
    edge: Data<Edge>,
    said: Body<AnswerProgram>,
) -> Result<HttpResponse> {
    let (arrival, base) = (arrival(&request, &edge), edge.base(&request));
    let answered = identity.answer_program(&who.0.caller, &said.0, &arrival, &base).await?;
    Ok(HttpResponse::Ok().json(answered))
}

/// Show the program that waits for a typed code.
#[utoipa::path(tag = "account", params(("user_code" = String, Path)), responses((status = 200, body = DeviceLogin)))]
#[get("/auth/device/{user_code}")]
pub async fn find_device(
    request: HttpRequest,
    who: Who,
    identity: Data<Identity>,
    edge: Data<Edge>,
    user_code: Path<String>,
) -> Result<HttpResponse> {
    let arrival = arrival(&request, &edge);
    let found = identity.find_device(&who.0.caller, &user_code, &arrival).await?;
    Ok(HttpResponse::Ok().json(found))
}

/// Say yes or no to the program whose code one typed. Asks for a fresh proof.
#[utoipa::path(tag = "account", request_body = AnswerDevice, responses((status = 204)))]
#[post("/auth/device")]
pub async fn answer_device(
    request: HttpRequest,
    who: Proven,
    identity: Data<Identity>,
    edge: Data<Edge>,
    said: Body<AnswerDevice>,
) -> Result<HttpResponse> {
    identity.answer_device(&who.0.caller, &said.0, &arrival(&request, &edge)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A form, read by hand, since what is wrong with it is told in words of the standard.
fn form<T: DeserializeOwned>(body: &Bytes) -> std::result::Result<T, HttpResponse> {
    let wrong = |why: &str| refused("invalid_request", why);
    if body.len() > LARGEST_FORM {
        return Err(wrong("The form is too large."));
    }
    let text = std::str::from_utf8(body).map_err(|_| wrong("The form is no text."))?;
    let read = web::Query::<T>::from_query(text).map_err(|_| {
        wrong("Send a form (application/x-www-form-urlencoded) with every field once.")
    })?;
    Ok(read.into_inner())
}

fn refused(error: &str, description: &str) -> HttpResponse {
    let (error, error_description) = (error.to_owned(), description.to_owned());
    HttpResponse::build(StatusCode::BAD_REQUEST)
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(OAuthError { error, error_description })
}
