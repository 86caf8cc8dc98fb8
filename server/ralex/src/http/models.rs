//! The model routes: what SDKs call. Errors are in the caller's own dialect.

use std::io;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_ENCODING, HeaderValue, RETRY_AFTER, UPGRADE};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder, post};
use futures_util::{Stream, StreamExt};
use ralex_access::{Access, Permission};
use ralex_api::routing::Priority;
use ralex_broker::{About, Answered, Broker, CallRequest, CallStream, Failure, Wishes};
use ralex_budgets::run_name;
use ralex_identity::{Identity, SignedIn};
use ralex_kernel::{CallId, Code, OrgId, Problem, RequestId, ScopePath};
use ralex_providers::{Dialect, InPath, Inbound, JsonArray, error_body};

use super::extract::sign_in;
use super::middleware::Deployment;
use super::rate_limits::tell;

/// Answer a chat completion (OpenAI's dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1/chat/completions")]
pub async fn chat_completions(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    answer(Dialect::OpenaiChat, &request, body, InPath::default()).await
}

/// Answer a response request (OpenAI's newer dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1/responses")]
pub async fn responses(
    request: HttpRequest,
    body: Result<Bytes, actix_web::Error>,
) -> HttpResponse {
    answer(Dialect::OpenaiResponses, &request, body, InPath::default()).await
}

/// Refuse the WebSocket that some clients try first, so that they go on with a POST. Codex does so at
/// once where it is told to use another protocol, and after seven tries (ten seconds) where not.
pub async fn no_websocket(request: HttpRequest) -> HttpResponse {
    let detail = "Responses are answered to POST; WebSockets are not served here.";
    let problem = Problem::new(Code::InvalidRequest, detail);
    let mut refused = if request.headers().contains_key(UPGRADE) {
        HttpResponse::build(StatusCode::UPGRADE_REQUIRED)
    } else {
        HttpResponse::MethodNotAllowed()
    };
    refused.insert_header((ALLOW, "POST")).json(error_body(Dialect::OpenaiResponses, &problem))
}

/// Answer a message (Anthropic's dialect).
#[utoipa::path(tag = "model calls", request_body = Object, responses((status = 200, body = Object)))]
#[post("/v1/messages")]
pub async fn messages(request: HttpRequest, body: Result<Bytes, actix_web::Error>) -> HttpResponse {
    answer(Dialect::AnthropicMessages, &request, body, InPath::default()).await
}

/// A call as it arrives, and the dialect in which it is answered or refused.
pub(super) struct Asked<'a> {
    pub dialect: Dialect,
    pub request: &'a HttpRequest,
    pub body: Result<Bytes, actix_web::Error>,
}

/// Answers a conversation in the caller's dialect, whatever comes of it.
pub(super) async fn answer(
    dialect: Dialect,
    request: &HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    path: InPath,
) -> HttpResponse {
    let named = request.extensions().get::<Deployment>().map(|Deployment(model)| model.clone());
    let path = InPath { model: path.model.or(named), ..path };
    let read = |body: &Bytes| Inbound::parse_at(dialect, body.clone(), path);
    answered(Asked { dialect, request, body }, read).await
}

/// Answers any call, once its body is read.
pub(super) async fn answered(
    asked: Asked<'_>,
    read: impl FnOnce(&Bytes) -> Result<Inbound, Problem>,
) -> HttpResponse {
    let (dialect, request) = (asked.dialect, asked.request);
    // On the heap, since everything that a call may wait for makes it large.
    match Box::pin(call(request, asked.body, read)).await {
        Ok(Answered::Whole { call, about, body, cost }) => {
            started(HttpResponse::Ok(), call, &about)
                .insert_header(("x-ralex-cost", cost.to_string()))
                .content_type("application/json")
                .body(body)
        }
        Ok(Answered::Stream { call, about, held, stream }) => {
            let mut response = started(HttpResponse::Ok(), call, &about);
            response
                // The cost follows as a comment at the stream's end, when it is known.
                .insert_header(("x-ralex-cost-limit", held.to_string()))
                .insert_header(("cache-control", "no-cache"))
                .insert_header(("x-accel-buffering", "no"))
                .insert_header((CONTENT_ENCODING, HeaderValue::from_static("identity")));
            if wants_array(dialect, request) {
                return response.content_type("application/json").streaming(as_array(stream));
            }
            response.content_type(stream.content_type().to_owned()).streaming(stream)
        }
        Err(failure) => refused(dialect, request, failure),
    }
}

/// Google streams one JSON array to those who do not ask for events.
fn wants_array(dialect: Dialect, request: &HttpRequest) -> bool {
    let mut query = request.query_string().split('&');
    dialect == Dialect::Gemini && !query.any(|pair| pair == "alt=sse")
}

fn as_array(events: Box<CallStream>) -> impl Stream<Item = io::Result<Bytes>> {
    async_stream::try_stream! {
        let (mut events, mut array) = (events, JsonArray::default());
        while let Some(bytes) = events.next().await {
            yield array.push(&bytes?);
        }
        yield array.finish();
    }
}

async fn call(
    request: &HttpRequest,
    body: Result<Bytes, actix_web::Error>,
    read: impl FnOnce(&Bytes) -> Result<Inbound, Problem>,
) -> Result<Answered, Failure> {
    let signed_in = signed_in(request).await?;
    let body = body.map_err(|error| super::extract::too_large_or(&error).0)?;
    let (org, at) = place(request, &signed_in).await?;
    // Who may not call learns nothing of what is wrong with a body.
    let access = part::<Access>(request)?;
    access.allow(&signed_in.caller, org, Permission::LlmInvoke, at).await?;
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let inbound = read(&body)?.with_headers(headers);
    let broker = part::<Broker>(request)?;
    let wishes = wishes(request)?;
    let meaning = meaning(request);
    broker.call(CallRequest { signed_in, org, at, inbound, body, wishes, meaning }).await
}

/// Usage is summed up by each tag of a call on its own, so there have to be few.
const MOST_TAGS: usize = 10;
const LONGEST_TAG: usize = 64;
const RUN: &str = "x-ralex-run";
/// By which coding agents name their session on every request: Claude Code
/// (<https://code.claude.com/docs/en/llm-gateway-protocol>) and Codex.
const AGENT_SESSIONS: [&str; 2] = ["x-claude-code-session-id", "session_id"];
/// Headers that no condition of a route may read.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"];

/// Headers that change what a body means, as one text.
fn meaning(request: &HttpRequest) -> String {
    let meant = ["anthropic-beta", "anthropic-version", "openai-beta", "api-version"];
    let values = meant.iter().filter_map(|name| request.headers().get(*name)?.to_str().ok());
    let query = request.query_string();
    values.chain([query]).collect::<Vec<_>>().join("\n")
}

/// Words of the caller's own, separated by commas. Each is kept once.
fn tags(text: &str) -> Result<Vec<String>, Problem> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if tag.len() > LONGEST_TAG {
            let rule = format!("has a tag of more than {LONGEST_TAG} characters");
            return Err(Problem::field("x-ralex-tags", rule));
        }
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    if tags.len() > MOST_TAGS {
        let rule = format!("has more than {MOST_TAGS} tags");
        return Err(Problem::field("x-ralex-tags", rule));
    }
    Ok(tags)
}

/// The run that a call is part of: as its caller says, or else the session that a coding agent
/// says of itself.
fn run(text: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, Problem> {
    if let Some(named) = text(RUN) {
        return run_name(RUN, &named).map(Some);
    }
    let mut sessions = AGENT_SESSIONS.iter().filter_map(|name| text(name));
    Ok(sessions.find_map(|named| run_name(RUN, &named).ok()))
}

/// What the headers ask for beside the request itself.
pub(super) fn wishes(request: &HttpRequest) -> Result<Wishes, Problem> {
    let text = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    };
    let labels = text("x-ralex-labels").unwrap_or_default();
    let tags = tags(&text("x-ralex-tags").unwrap_or_default())?;
    let priority = match text("x-ralex-priority") {
        Some(named) => match Priority::named(&named) {
            None => return Err(Problem::field("x-ralex-priority", "must be high, normal or low")),
            known => known,
        },
        None => None,
    };
    let cache = text("x-ralex-cache");
    let cache = match cache.as_deref() {
        None => None,
        Some(known @ ("no-store" | "no-cache" | "off" | "exact")) => Some(known),
        Some(_) => return Err(Problem::field("x-ralex-cache", "must be no-store or exact")),
    };
    let escalate = match text("x-ralex-escalate").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::field("x-ralex-escalate", "must be true or false")),
    };
    let open = request.headers().iter().filter(|(name, _)| !CREDENTIALS.contains(&name.as_str()));
    let open = open.filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    Ok(Wishes {
        model: text("x-ralex-model"),
        route: text("x-ralex-route"),
        labels: labels
            .split(',')
            .map(str::trim)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect(),
        tags,
        run: run(&text)?,
        residency: text("x-ralex-residency"),
        session: text("x-ralex-session"),
        escalate,
        priority,
        fresh: cache.is_some_and(|asked| asked != "exact"),
        exact: cache == Some("exact"),
        purpose: None,
        keeper: None,
        headers: open.collect(),
    })
}

pub(super) async fn signed_in(request: &HttpRequest) -> Result<SignedIn, Problem> {
    let signed_in = sign_in(request).await?;
    if signed_in.must_change_password {
        let detail = "Log in to the console and replace the one-time password first.";
        return Err(Problem::new(Code::PasswordChangeRequired, detail));
    }
    Ok(signed_in)
}

/// The organisation, team and project that a call counts against: a program's home, or for a
/// person what the headers `x-ralex-org`, `x-ralex-team` and `x-ralex-project` name.
pub(super) async fn place(
    request: &HttpRequest,
    signed_in: &SignedIn,
) -> Result<(OrgId, ScopePath), Problem> {
    if let Some((_, org, scope)) = signed_in.caller.subject.machine() {
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

pub(super) fn refused(dialect: Dialect, request: &HttpRequest, failure: Failure) -> HttpResponse {
    let mut problem = failure.problem;
    problem.request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = problem.retry_after {
        response.insert_header((RETRY_AFTER, seconds.to_string()));
    }
    if let Some(approval) = problem.approval {
        response.insert_header(("x-ralex-approval", approval.to_string()));
    }
    if is_final(problem.code) {
        // The SDKs ask this before they try again; the same call would be refused again.
        response.insert_header(("x-should-retry", "false"));
    }
    if let Some(call) = failure.call {
        response.insert_header(("x-ralex-call-id", call.to_string()));
        response.insert_header(("x-ralex-cost", failure.cost.to_string()));
    }
    let body = match &failure.upstream {
        Some(upstream) => upstream.body(dialect, &problem),
        None => error_body(dialect, &problem),
    };
    response.json(body)
}

/// Whether the same call would be refused again, whatever its status makes clients think.
const fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::BudgetExhausted
            | Code::ModelNotFound
            | Code::CallDenied
            | Code::GuardrailBlocked
            | Code::ApprovalRequired
            | Code::ApprovalDenied
    )
}

/// What every answer says about itself.
fn started(mut response: HttpResponseBuilder, call: CallId, about: &About) -> HttpResponseBuilder {
    response
        .insert_header(("x-ralex-call-id", call.to_string()))
        .insert_header(("x-ralex-provider", about.provider.as_str()))
        .insert_header(("x-ralex-attempts", about.attempts.to_string()))
        .insert_header(("x-ralex-model", header_text(&about.model)))
        .insert_header(("x-ralex-reason", header_text(&about.reason)));
    if let Some(cache) = about.cache {
        response.insert_header(("x-ralex-cache", cache));
    }
    if let Some(similarity) = &about.similarity {
        response.insert_header(("x-ralex-cache-similarity", similarity.as_str()));
    }
    if let Some(routing) = &about.routing {
        response.insert_header(("x-ralex-routing", header_text(routing)));
    }
    if let Some(route) = &about.route {
        response.insert_header(("x-ralex-route", header_text(route)));
    }
    tell(&mut response, &about.limits);
    response
}

/// A header line is visible ASCII; what a name or sentence has beyond that is left out.
fn header_text(text: &str) -> String {
    text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' }).take(500).collect()
}

pub(super) fn part<T: 'static>(request: &HttpRequest) -> Result<&T, Problem> {
    request
        .app_data::<Data<T>>()
        .map(Data::get_ref)
        .ok_or_else(|| Problem::new(Code::Internal, "A part of the server is missing."))
}
