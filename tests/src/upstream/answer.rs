//! From a request to its answer: what is asked, whether the vendor would take it, what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use serde_json::{Value, json};

use super::auth;
use super::beside::{self, Transcript};
use super::dialect::Dialect;
use super::embeddings;
use super::keep;
use super::multipart;
use super::question::Question;
use super::respond::{self, Generation};
use super::route::{Asked, What};
use super::script::Script;
use super::state::{Call, Received, Served, State};

/// Answers whatever no path of the test's own side is for.
pub(super) async fn any(state: Arc<State>, request: HttpRequest, raw: Bytes) -> HttpResponse {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if let Some(kept) = keep::answer(&state, &request, &raw) {
        return kept;
    }
    let Some(asked) = Asked::of(request.method(), request.path()) else {
        return HttpResponse::NotFound().json(Dialect::Chat.error(404, "There is no such path."));
    };
    if asked.what == What::Models {
        return models(&request);
    }
    let dialect = asked.what.dialect();
    let mut call = state.begin();
    let Some(body) = read(&request, &raw) else {
        return respond::refuse(dialect, call, 400, "We could not parse the JSON body.");
    };
    // Google counts a whole request as well as bare contents.
    let mut question = Question::read(dialect, body.get("generateContentRequest").unwrap_or(&body));
    question.streamed |= asked.streamed;
    if let Some(model) = &asked.model {
        question.model.clone_from(model);
    }
    remember(&state, &request, &question, &body, &raw);
    let (model, streamed) = (question.model.clone(), question.streamed);
    let served = Served { model, input: question.input_tokens(), streamed, ..Served::default() };
    call.bill(&raw, served);
    if let Some(why) = state.key().and_then(|key| auth::refusal(key, asked.what, &request, &raw)) {
        let status = if dialect == Dialect::Converse { 403 } else { 401 };
        return respond::refuse(dialect, call, status, &why);
    }
    if let Some(message) = complaint(&asked, &question, &request, &body) {
        return respond::refuse(dialect, call, 400, message);
    }
    let script = state.script(&question.model, auth::key_of(&request).as_deref());
    let call = match respond::first(dialect, call, &script).await {
        Ok(call) => call,
        Err(failure) => return failure,
    };
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    if let What::Generate(dialect) = asked.what {
        if dialect == Dialect::Responses {
            keep::keep(&state, &request, (id, &question), (&body, &script));
        }
        let as_array = dialect == Dialect::Gemini && !request.query_string().contains("alt=sse");
        let asked = Generation { dialect, question: &question, as_array };
        return respond::generation(asked, call, id, &script).await;
    }
    beside(asked.what, call, id, &question, &body, &script).await
}

/// Everything that is not generated.
async fn beside(
    what: What,
    call: Call,
    id: u64,
    question: &Question,
    body: &Value,
    script: &Script,
) -> HttpResponse {
    let tokens = question.input_tokens();
    let answer = match what {
        What::CountTokens(Dialect::Gemini) => json!({ "totalTokens": tokens }),
        What::CountTokens(Dialect::Converse) => json!({ "inputTokens": tokens }),
        What::CountTokens(Dialect::Responses) => {
            json!({ "object": "response.input_tokens", "input_tokens": tokens })
        }
        What::CountTokens(Dialect::Chat | Dialect::Messages) => json!({ "input_tokens": tokens }),
        What::Embed => embeddings::openai(body, script),
        What::EmbedContent { batch } => embeddings::gemini(body, batch, script),
        What::Moderate => beside::moderation(id, body),
        What::Image => beside::images(body),
        What::Rerank(ranker) => beside::rerank(ranker, id, body),
        What::Speech => {
            return respond::whole(call, "audio/wav", beside::speech(body).into(), script).await;
        }
        What::Transcribe => match beside::transcript(body, script) {
            Transcript::Json(answer) => answer,
            Transcript::Text(text) => {
                return respond::whole(call, "text/plain; charset=utf-8", text.into(), script)
                    .await;
            }
            Transcript::Events(events) => return respond::events(call, events),
        },
        // Answered before.
        What::Generate(_) | What::Models => Value::Null,
    };
    respond::whole(call, "application/json", answer.to_string().into(), script).await
}

/// The body as JSON, forms as well.
fn read(request: &HttpRequest, raw: &[u8]) -> Option<Value> {
    let content_type = request.headers().get("content-type").and_then(|it| it.to_str().ok());
    match content_type {
        Some(form) if form.starts_with("multipart/") => multipart::fields(form, raw),
        _ => serde_json::from_slice(raw).ok(),
    }
}

fn remember(state: &State, request: &HttpRequest, question: &Question, body: &Value, raw: &[u8]) {
    state.received(|| {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let all = request.headers().iter();
        Received {
            path: request.path().to_owned(),
            query: request.query_string().to_owned(),
            headers: all.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            model: question.model.clone(),
            body: body.clone(),
            raw: text(raw),
        }
    });
}

/// What the vendors insist on.
fn complaint(
    asked: &Asked,
    question: &Question,
    request: &HttpRequest,
    body: &Value,
) -> Option<&'static str> {
    if question.model.is_empty() {
        return Some("you must provide a model parameter");
    }
    let missing = |field: &str| body.get(field).is_none_or(Value::is_null);
    match asked.what {
        What::Generate(Dialect::Chat | Dialect::Converse | Dialect::Messages)
            if !body["messages"].is_array() =>
        {
            Some("messages: Field required")
        }
        What::Generate(Dialect::Messages) if !body["max_tokens"].is_u64() => {
            Some("max_tokens: Field required")
        }
        What::Generate(Dialect::Messages)
            if !request.headers().contains_key("anthropic-version")
                && missing("anthropic_version") =>
        {
            Some("anthropic-version: header is required")
        }
        What::Generate(Dialect::Responses) | What::Embed | What::Moderate | What::Speech
            if missing("input") =>
        {
            Some("Missing required parameter: 'input'.")
        }
        What::Generate(Dialect::Gemini) if !body["contents"].is_array() => {
            Some("* GenerateContentRequest.contents: contents is not specified")
        }
        What::Rerank(_) if missing("query") || missing("documents") => {
            Some("query and documents are required")
        }
        What::Transcribe if missing("file") => Some("file is required"),
        _ => None,
    }
}

/// In the manner of whom the client takes this for.
fn models(request: &HttpRequest) -> HttpResponse {
    if request.headers().contains_key("anthropic-version") {
        let model = json!({ "type": "model", "id": "scripted", "display_name": "Scripted",
            "created_at": "2026-01-01T00:00:00Z" });
        let (first, last) = ("scripted", "scripted");
        return HttpResponse::Ok().json(json!({ "data": [model], "has_more": false,
            "first_id": first, "last_id": last }));
    }
    if request.path().contains("/v1beta/") {
        let methods = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"];
        let model = json!({ "name": "models/scripted", "displayName": "Scripted",
            "supportedGenerationMethods": methods });
        return HttpResponse::Ok().json(json!({ "models": [model] }));
    }
    let model = json!({ "id": "scripted", "object": "model", "created": 0, "owned_by": "tests" });
    HttpResponse::Ok().json(json!({ "object": "list", "data": [model] }))
}
