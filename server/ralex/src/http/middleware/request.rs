//! A request's id, its log line, its metrics, and the headers that every answer has.

use std::time::Instant;

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{DefaultHeaders, Next};
use actix_web::{Error, HttpMessage};
use ralex_kernel::{Code, Problem, RequestId};
use tracing::{Instrument, debug, error, info_span};

use crate::http::extract::PoliciesOf;
use crate::http::problem::{Failed, answer};

const POLICY_VERSION: HeaderName = HeaderName::from_static("policy-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives a request its id, makes problems of errors, and counts.
pub async fn per_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<BoxBody>>, Error> {
    let id = RequestId::generate();
    let begun = Instant::now();
    request.extensions_mut().insert(id);
    let method = request.method().to_string();
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let span = info_span!("request", request.id = %id, http.method = %method, http.route = %route);
    let response = next.call(request).instrument(span.clone()).await?;
    let _entered = span.enter();
    let mut response = with_problem(response, id);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    if let Some(version) = policy_version(&response)
        && let Ok(value) = HeaderValue::from_str(&version.to_string())
    {
        response.headers_mut().insert(POLICY_VERSION, value);
    }
    let status = response.status().as_u16();
    let labels = [("method", method), ("route", route), ("status", status.to_string())];
    metrics::counter!("ralex_http_requests_total", &labels).increment(1);
    metrics::histogram!("ralex_http_request_seconds", &labels[..2]).record(begun.elapsed());
    debug!(http.status = status, "answered with {status} after {:?}", begun.elapsed());
    Ok(response)
}

/// The version that the organisation's policies have reached, for whoever may know of it: a refusal
/// that does not tell whether there is such an organisation tells no version either.
fn policy_version<B>(response: &ServiceResponse<B>) -> Option<i64> {
    let told = response.status().is_success() || response.status() == StatusCode::FORBIDDEN;
    let extensions = response.request().extensions();
    extensions.get::<PoliciesOf>().filter(|_| told).map(PoliciesOf::version)
}

/// Puts the request's id into a problem, and makes problems of the framework's own errors.
fn with_problem<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    id: RequestId,
) -> ServiceResponse<EitherBody<BoxBody>> {
    let problem = response.response().error().map(|error| match error.as_error::<Failed>() {
        Some(Failed(problem)) => problem.clone(),
        None => framework_problem(error),
    });
    let Some(mut problem) = problem else {
        return response.map_into_boxed_body().map_into_left_body();
    };
    if problem.code == Code::Internal {
        error!(detail = problem.detail, "a request failed: {}", problem.detail);
    }
    problem.request_id = Some(id.to_string());
    let (request, _) = response.into_parts();
    ServiceResponse::new(request, answer(&problem)).map_into_left_body()
}

fn framework_problem(error: &Error) -> Problem {
    match error.as_response_error().status_code().as_u16() {
        404 => Problem::not_found("path"),
        413 => Problem::new(Code::TooLarge, "The body is larger than this server takes."),
        400..=499 => Problem::new(Code::InvalidRequest, "The request could not be read."),
        _ => Problem::new(Code::Internal, "Something failed inside Ralex; the log says more."),
    }
}

/// Headers that keep a browser from doing more with an answer than the console needs.
pub fn security_headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add(("X-Content-Type-Options", "nosniff"))
        .add(("X-Frame-Options", "DENY"))
        .add(("Referrer-Policy", "no-referrer"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
        .add(("Cross-Origin-Resource-Policy", "same-origin"))
        .add((
            "Content-Security-Policy",
            "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
             img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
             form-action 'self'",
        ))
}
