//! The models that a caller may use, in each dialect's shape.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Path;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, get};
use ralex_access::{Access, Permission};
use ralex_broker::Broker;
use ralex_kernel::{Code, Problem, RequestId};
use ralex_providers::{Dialect, error_body};
use ralex_routing::{Plan, Routing};
use serde_json::{Value, json};
use std::sync::Arc;

use super::models::{part, place, refused, signed_in};

/// List the models that the caller may use, in the dialect that the caller's headers tell.
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/models")]
pub async fn list(request: HttpRequest) -> HttpResponse {
    let dialect = dialect(&request);
    respond(dialect, &request, listed(&request, dialect).await)
}

/// Describe one model that the caller may use.
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/models/{model}")]
pub async fn find(request: HttpRequest, model: Path<String>) -> HttpResponse {
    let dialect = dialect(&request);
    respond(dialect, &request, found(&request, dialect, &model).await)
}

/// List the models that the caller may use (Gemini's dialect).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1beta/models")]
pub async fn list_gemini(request: HttpRequest) -> HttpResponse {
    respond(Dialect::Gemini, &request, listed(&request, Dialect::Gemini).await)
}

/// Describe one model that the caller may use (Gemini's dialect).
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1beta/models/{model}")]
pub async fn find_gemini(request: HttpRequest, model: Path<String>) -> HttpResponse {
    respond(Dialect::Gemini, &request, found(&request, Dialect::Gemini, &model).await)
}

/// The path is the same in three dialects; each vendor's SDK sends a header that no other does.
fn dialect(request: &HttpRequest) -> Dialect {
    if request.headers().contains_key("anthropic-version") {
        Dialect::AnthropicMessages
    } else if request.headers().contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else {
        Dialect::OpenaiChat
    }
}

/// A path or method of the wire formats that is not served: a problem as elsewhere, with the error
/// that the caller's dialect has beside it, since it is a vendor's SDK that reads it.
pub fn unknown_path(request: &HttpRequest) -> HttpResponse {
    let path = request.path();
    let dialect = if path.starts_with("/v1beta/") {
        Dialect::Gemini
    } else if path.starts_with("/v1/messages") {
        Dialect::AnthropicMessages
    } else {
        dialect(request)
    };
    let detail = "There is no such path, or not with this method. What is served is listed at \
                  /docs.";
    let mut problem = Problem::new(Code::NotFound, detail);
    problem.request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let mut error = error_body(dialect, &problem);
    let mut body = json!(problem);
    body["error"] = error["error"].take();
    HttpResponse::NotFound().insert_header((CONTENT_TYPE, "application/problem+json")).json(body)
}

fn respond(dialect: Dialect, request: &HttpRequest, body: Result<Value, Problem>) -> HttpResponse {
    match body {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(problem) => refused(dialect, request, problem.into()),
    }
}

/// The models that the caller's rights and token, and the rules about lists, leave.
async fn usable(request: &HttpRequest) -> Result<Vec<Arc<Plan>>, Problem> {
    let signed_in = signed_in(request).await?;
    let (org, at) = place(request, &signed_in).await?;
    let access = part::<Access>(request)?;
    access.allow(&signed_in.caller, org, Permission::LlmInvoke, at).await?;
    let mut models = part::<Routing>(request)?.available(org).await?;
    if let Some(names) = &signed_in.caller.models {
        models.retain(|plan| names.contains(&plan.name));
    }
    part::<Broker>(request)?.shown(&signed_in, (org, at), models).await
}

async fn found(request: &HttpRequest, dialect: Dialect, model: &str) -> Result<Value, Problem> {
    let models = usable(request).await?;
    let found = models.iter().find(|plan| plan.name == model);
    let missing = || Problem::new(Code::ModelNotFound, "There is no such model that you may use.");
    found.map(|plan| described(dialect, plan)).ok_or_else(missing)
}

async fn listed(request: &HttpRequest, dialect: Dialect) -> Result<Value, Problem> {
    let models = usable(request).await?;
    let data: Vec<_> = models.iter().map(|plan| described(dialect, plan)).collect();
    Ok(match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::BedrockConverse => {
            json!({ "object": "list", "data": data })
        }
        Dialect::AnthropicMessages => {
            let id = |row: Option<&Value>| row.and_then(|row| row.get("id")).cloned();
            json!({ "first_id": id(data.first()), "last_id": id(data.last()), "has_more": false, "data": data })
        }
        Dialect::Gemini => json!({ "models": data }),
    })
}

fn described(dialect: Dialect, plan: &Plan) -> Value {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::BedrockConverse => json!({
            "id": plan.name,
            "object": "model",
            "created": plan.created_at.timestamp(),
            "owned_by": plan.provider_slug,
        }),
        Dialect::AnthropicMessages => json!({
            "id": plan.name,
            "type": "model",
            "display_name": plan.name,
            "created_at": plan.created_at,
        }),
        Dialect::Gemini => json!({
            "name": format!("models/{}", plan.name),
            "baseModelId": plan.name,
            "version": "1",
            "displayName": plan.name,
            "inputTokenLimit": plan.context_window,
            "outputTokenLimit": plan.max_output,
            "supportedGenerationMethods":
                ["generateContent", "streamGenerateContent", "countTokens"],
        }),
    }
}
