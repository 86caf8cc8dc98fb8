//! `Idempotency-Key`: a write that is sent again is done once and answered alike.
//!
//! Keys belong to a session or a token, and an answer may hold a secret. So whoever sends one is let in
//! before anything is looked up or kept, as at any other request: by a credential that lives, from an
//! address that it works from, and of this site. Whoever is not gets no further than the handler, which
//! says so.

use actix_web::body::{BoxBody, EitherBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use actix_web::{Error, HttpResponse};
use ralex_identity::{Freshness, Identity, SignedIn};
use ralex_kernel::{Clock, Code, Problem};
use ralex_vault::{Attempt, Known, Vault};
use sha2::{Digest, Sha256};

use crate::http::extract::{sign_in, too_large_or};
use crate::http::problem::Failed;

const KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;

/// Answers a repeated POST as it was answered before; passes everything else on.
pub async fn idempotent(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, Error> {
    let (attempt, vault) = match attempt(&mut request).await {
        Ok(Some(found)) => found,
        Ok(None) => {
            return Ok(next.call(request).await?.map_into_boxed_body().map_into_left_body());
        }
        Err(failed) => return Ok(request.error_response(failed).map_into_left_body()),
    };
    let known = match vault.begin_attempt(&attempt, Clock::system().now()).await {
        Ok(known) => known,
        Err(problem) => return Ok(request.error_response(Failed(problem)).map_into_left_body()),
    };
    if let Known::Answered { status, body, proven } = known {
        return match may_hear(&request, &attempt, proven).await {
            Ok(()) => Ok(request.into_response(answered_before(status, body)).map_into_left_body()),
            Err(failed) => Ok(request.error_response(failed).map_into_left_body()),
        };
    }
    let response = match next.call(request).await {
        Ok(response) if response.status().is_success() => response,
        Ok(response) => {
            vault.forget_attempt(&attempt).await.map_err(Failed)?;
            return Ok(response.map_into_boxed_body().map_into_left_body());
        }
        Err(error) => {
            vault.forget_attempt(&attempt).await.map_err(Failed)?;
            return Err(error);
        }
    };
    let (request, response) = response.into_parts();
    match keep(&vault, &attempt, response).await {
        Ok(response) => Ok(ServiceResponse::new(request, response).map_into_left_body()),
        Err(problem) => {
            Ok(ServiceResponse::from_err(Failed(problem), request).map_into_left_body())
        }
    }
}

fn answered_before(status: u16, body: Vec<u8>) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = HttpResponse::build(status);
    response.insert_header((REPLAYED, "true"));
    if !body.is_empty() {
        response.content_type("application/json");
    }
    response.body(body)
}

/// Whether the caller may still have an answer from before: the body may have taken its time, and the
/// credential may have ended meanwhile. What was answered upon a fresh proof takes one again.
async fn may_hear(request: &ServiceRequest, attempt: &Attempt, proven: bool) -> Result<(), Failed> {
    let Some(signed_in) = admitted(request).await? else {
        let detail = "The credential has ended. Log in again, or use another token.";
        return Err(Problem::new(Code::Unauthenticated, detail).into());
    };
    if name_of(&signed_in).as_ref() != Some(&attempt.caller) {
        let detail = "This Idempotency-Key came before with another credential. Use a fresh one.";
        return Err(Problem::new(Code::IdempotencyKeyReused, detail).into());
    }
    if proven && let Some(identity) = request.app_data::<Data<Identity>>() {
        identity.require_fresh(&signed_in)?;
    }
    Ok(())
}

/// Who sends the request; nothing where they would not be let in, which the handler is to say. What cannot
/// be told now is an error, or the same request might be done twice.
async fn admitted(request: &ServiceRequest) -> Result<Option<SignedIn>, Failed> {
    match sign_in(request.request()).await {
        Ok(signed_in) => Ok(Some(signed_in).filter(|it| !it.must_change_password)),
        Err(problem) if matches!(problem.code, Code::Unavailable | Code::Internal) => {
            Err(problem.into())
        }
        Err(_) => Ok(None),
    }
}

/// The session or the token, whichever of its cookies or secrets was shown: it can get another one between
/// a request and its repetition.
fn name_of(signed_in: &SignedIn) -> Option<String> {
    let credential = signed_in.caller.credential;
    credential.id().map(|id| format!("{}:{id}", credential.kind()))
}

/// Keeps the answer before it goes out.
async fn keep(
    vault: &Vault,
    attempt: &Attempt,
    response: HttpResponse<impl MessageBody>,
) -> Result<HttpResponse, Problem> {
    let (response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| unread())?;
    vault.finish_attempt(attempt, response.status().as_u16(), &body).await?;
    Ok(response.set_body(BoxBody::new(body)))
}

/// What is sent, where it is a write that names itself.
async fn attempt(request: &mut ServiceRequest) -> Result<Option<(Attempt, Data<Vault>)>, Failed> {
    // A login's answer is a cookie and not only a body, so logins are never replayed.
    if request.method() != Method::POST || request.path().contains("/auth/") {
        return Ok(None);
    }
    // A test of guardrails or call rules changes nothing, and its text is not to be kept. An export is as long
    // as an organisation is large, and there is no harm in another one.
    if ["/guardrails/test", "/call-rules/test", "/export"]
        .iter()
        .any(|it| request.path().ends_with(it))
    {
        return Ok(None);
    }
    let Some(key) = request.headers().get(KEY) else { return Ok(None) };
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= LONGEST);
    let Some(key) = key.map(str::to_owned) else {
        let rule = format!("must be 1 to {LONGEST} visible ASCII characters");
        return Err(Problem::field("Idempotency-Key", rule).into());
    };
    // Before the body, which is not read for whoever is not let in.
    let Some(signed_in) = admitted(request).await? else { return Ok(None) };
    let Some(caller) = name_of(&signed_in) else { return Ok(None) };
    let Some(vault) = request.app_data::<Data<Vault>>().cloned() else { return Ok(None) };
    let body = request.extract::<Bytes>().await.map_err(|error| too_large_or(&error))?;
    let mut hash = Sha256::new();
    for part in [request.path().as_bytes(), b"\n", request.query_string().as_bytes(), b"\n", &body]
    {
        hash.update(part);
    }
    let attempt = Attempt {
        caller,
        key,
        request: hash.finalize().to_vec(),
        proven: signed_in.proof == Freshness::Fresh,
    };
    request.set_payload(Payload::from(body));
    Ok(Some((attempt, vault)))
}

fn unread() -> Problem {
    Problem::new(Code::Internal, "An answer could not be kept.")
}
