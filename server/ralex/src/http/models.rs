//! The model routes: what SDKs call. Errors are in the caller's own dialect.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue, RETRY_AFTER};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, get, post};
use ralex_access::{Access, Permission};
use ralex_broker::{Answered, Broker, CallRequest, Failure};
use ralex_identity::{Identity, SignedIn};
use ralex_kernel::{CallId, Code, OrgId, Problem, RequestId, ScopePath, Subject};
use ralex_providers::{Dialect, Inbound, error_body};
use ralex_routing::Routing;
use serde_json::{Value, json};

use super::extract::sign_in;

/// Answer a chat completion (OpenAI's dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1/chat/completions")]
pub async fn chat_completions(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    answer(Dialect::OpenaiChat, &request, body).await
}

/// Answer a message (Anthropic's dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1/messages")]
pub async fn messages(request: HttpRequest, body: Result<Bytes, actix_web::Error>) -> HttpResponse {
    answer(Dialect::AnthropicMessages, &request, body).await
}

/// List the models that the caller may use, in the dialect that the caller's headers tell.
#[utoipa::path(tag = "model calls", responses((status = 200, body = Object)))]
#[get("/v1/models")]
pub async fn list(request: HttpRequest) -> HttpResponse {
    let dialect = if request.headers().contains_key("anthropic-version") {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenaiChat
    };
    match listed(&request, dialect).await {
        Ok(body) => HttpResponse::Ok().json(body),
        Err(problem) => refused(dialect, &request, problem.into()),
    }
}

async fn listed(request: &HttpRequest, dialect: Dialect) -> Result<Value, Problem> {
    let signed_in = signed_in(request).await?;
    let (org, at) = place(request, &signed_in).await?;
    let access = part::<Access>(request)?;
    access.allow(&signed_in.caller, org, Permission::LlmInvoke, at).await?;
    let models = part::<Routing>(request)?.available(org).await?;
    let allowed =
        |name: &str| signed_in.models.as_ref().is_none_or(|names| names.iter().any(|n| n == name));
    let rows = models.iter().filter(|plan| allowed(&plan.name));
    let data: Vec<_> = rows
        .map(|plan| match dialect {
            Dialect::OpenaiChat => json!({
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
        })
        .collect();
    Ok(match dialect {
        Dialect::OpenaiChat => json!({ "object": "list", "data": data }),
        Dialect::AnthropicMessages => {
            let id = |row: Option<&Value>| row.and_then(|row| row.get("id")).cloned();
            json!({ "first_id": id(data.first()), "last_id": id(data.last()), "has_more": false, "data": data })
        }
    })
}

async fn answer(
    dialect: Dialect,
    request: &HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    match call(dialect, request, body).await {
        Ok(Answered::Whole { call, body, cost }) => started(HttpResponse::Ok(), call)
            .insert_header(("x-ralex-cost", cost.to_string()))
            .content_type("application/json")
            .body(body),
        Ok(Answered::Stream { call, held, stream }) => started(HttpResponse::Ok(), call)
            // The cost follows as a comment at the stream's end, when it is known.
            .insert_header(("x-ralex-cost-limit", held.to_string()))
            .insert_header(("cache-control", "no-cache"))
            .insert_header(("x-accel-buffering", "no"))
            .insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")))
            .content_type("text/event-stream; charset=utf-8")
            .streaming(stream),
        Err(failure) => refused(dialect, request, failure),
    }
}

async fn call(
    dialect: Dialect,
    request: &HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> Result<Answered, Failure> {
    let signed_in = signed_in(request).await?;
    let body = body.map_err(|error| super::extract::too_large_or(&error).0)?;
    let (org, at) = place(request, &signed_in).await?;
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let inbound = Inbound::parse(dialect, body.clone())?.with_headers(headers);
    let broker = part::<Broker>(request)?;
    broker.call(CallRequest { signed_in, org, at, inbound, body }).await
}

async fn signed_in(request: &HttpRequest) -> Result<SignedIn, Problem> {
    let signed_in = sign_in(request).await?;
    if signed_in.must_change_password {
        let detail = "Log in to the console and replace the one-time password first.";
        return Err(Problem::new(Code::PasswordChangeRequired, detail));
    }
    Ok(signed_in)
}

/// The organisation, team and project that a call counts against: a team token's own, or for a
/// person what the headers `x-ralex-org`, `x-ralex-team` and `x-ralex-project` name.
async fn place(request: &HttpRequest, signed_in: &SignedIn) -> Result<(OrgId, ScopePath), Problem> {
    if let Subject::Token { org, scope, .. } = signed_in.caller.subject {
        return Ok((org, scope));
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let identity = part::<Identity>(request)?;
    let org = match header("x-ralex-org") {
        Some(reference) => {
            let found = part::<Access>(request)?.org(reference);
            found.ok_or_else(|| Problem::not_found("organisation"))?
        }
        None => {
            if let [only] = identity.orgs(&signed_in.caller).await?.as_slice() {
                only.id
            } else {
                let detail =
                    "You belong to several organisations; name one in the header x-ralex-org.";
                return Err(Problem::new(Code::InvalidRequest, detail));
            }
        }
    };
    // Who holds nothing in the organisation learns nothing of its teams.
    part::<Access>(request)?.belongs(&signed_in.caller, org).await?;
    let at = match (header("x-ralex-project"), header("x-ralex-team")) {
        (Some(project), _) => identity.project_scope(org, project).await?,
        (None, Some(team)) => identity.team_scope(org, team).await?,
        (None, None) => ScopePath::Org,
    };
    Ok((org, at))
}

fn refused(dialect: Dialect, request: &HttpRequest, failure: Failure) -> HttpResponse {
    let mut problem = failure.problem;
    problem.request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = problem.retry_after {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    if matches!(problem.code, Code::BudgetExhausted | Code::ModelNotFound) {
        // The SDKs ask this before they try again; the same call would be refused again.
        response.insert_header(("x-should-retry", "false"));
    }
    if let Some(call) = failure.call {
        response.insert_header(("x-ralex-call-id", call.to_string()));
        response.insert_header(("x-ralex-cost", "0"));
    }
    let body = match &failure.upstream {
        Some(upstream) => upstream.body(dialect, &problem),
        None => error_body(dialect, &problem),
    };
    response.json(body)
}

fn started(mut response: HttpResponseBuilder, call: CallId) -> HttpResponseBuilder {
    response.insert_header(("x-ralex-call-id", call.to_string()));
    response
}

fn part<T: 'static>(request: &HttpRequest) -> Result<&T, Problem> {
    request
        .app_data::<Data<T>>()
        .map(Data::get_ref)
        .ok_or_else(|| Problem::new(Code::Internal, "A part of the server is missing."))
}
