//! Gemini's routes: the model and the method stand in the path.

use actix_web::web::{Bytes, Path};
use actix_web::{HttpRequest, HttpResponse, post};
use ralex_providers::{Dialect, InPath};

use super::models::answer;

/// Answer a conversation (Gemini's dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1beta/models/{model}:generateContent")]
pub async fn generate(
    request: HttpRequest,
    model: Path<String>,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    let path = InPath { model: Some(model.into_inner()), streamed: Some(false) };
    answer(Dialect::Gemini, &request, body, path).await
}

/// Answer a conversation as a stream (Gemini's dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1beta/models/{model}:streamGenerateContent")]
pub async fn stream(
    request: HttpRequest,
    model: Path<String>,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    let path = InPath { model: Some(model.into_inner()), streamed: Some(true) };
    answer(Dialect::Gemini, &request, body, path).await
}
