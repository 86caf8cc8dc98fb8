//! Files, batches and answers, as OpenAI keeps them.
//!
//! An answer is kept for whoever shows the key that asked for it, unless it was not to be stored.
//!
//! A batch is answered line by line by the same scripts as calls are. It ends when it is looked at
//! for the first time, or as many milliseconds after its beginning as the model's script delays
//! answers; a script's status makes its lines fail, and `cut_after` loses the answer to the request
//! for it. What is canceled has its first line answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::auth;
use super::dialect::Dialect;
use super::embeddings;
use super::multipart;
use super::question::Question;
use super::responses;
use super::script::{Script, ScriptedUsage};
use super::state::{Received, State};

const CREATED: u64 = 1_700_000_000;

/// What is kept.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    files: BTreeMap<String, File>,
    batches: BTreeMap<String, Batch>,
    answers: BTreeMap<String, Kept>,
}

#[derive(Clone, Debug)]
struct Kept {
    /// Whose it is.
    key: Option<String>,
    answer: Value,
    input: Value,
}

#[derive(Clone, Debug)]
struct File {
    purpose: String,
    name: String,
    content: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Batch {
    asked: Value,
    begun: Instant,
    status: &'static str,
    output: Option<String>,
    errors: Option<String>,
    counts: (usize, usize),
}

/// Answers what is asked about files and batches; nothing where the path is another.
pub(super) fn answer(
    state: &Arc<State>,
    request: &HttpRequest,
    raw: &[u8],
) -> Option<HttpResponse> {
    let path = request.path();
    if let Some((_, below)) = path.rsplit_once("/responses/").filter(|it| it.1 != "input_tokens") {
        remember(state, request, raw);
        return Some(about_answer(state, request, below));
    }
    let (files, batches) = (path.rsplit_once("/files"), path.rsplit_once("/batches"));
    let (kind, below) = match (files, batches) {
        (Some((_, below)), _) => ("files", below),
        (None, Some((_, below))) => ("batches", below),
        (None, None) => return None,
    };
    if !(below.is_empty() || below.starts_with('/')) || path.contains("/messages/batches") {
        return None;
    }
    remember(state, request, raw);
    let below: Vec<&str> = below.split('/').skip(1).collect();
    let method = request.method();
    Some(match (kind, below.as_slice()) {
        ("files", []) if method == Method::POST => send(state, request, raw),
        ("files", [id]) if method == Method::GET => found(file(state, id)),
        ("files", [id]) if method == Method::DELETE => {
            let gone = state.shelf.lock().files.remove(*id);
            found(gone.map(|_| json!({ "id": id, "object": "file", "deleted": true })))
        }
        ("files", [id, "content"]) => match state.shelf.lock().files.get(*id) {
            Some(file) => HttpResponse::Ok()
                .content_type("application/octet-stream")
                .body(file.content.clone()),
            None => found(None),
        },
        ("batches", []) if method == Method::POST => begin(state, raw),
        ("batches", []) => {
            let ids: Vec<String> = state.shelf.lock().batches.keys().rev().cloned().collect();
            let data: Vec<Value> = ids.iter().filter_map(|id| shown(state, id)).collect();
            HttpResponse::Ok().json(json!({ "object": "list", "data": data, "has_more": false }))
        }
        ("batches", [id]) => {
            work(state, id, false);
            found(shown(state, id))
        }
        ("batches", [id, "cancel"]) => {
            work(state, id, true);
            found(shown(state, id))
        }
        _ => found(None),
    })
}

/// Keeps an answer.
pub(super) fn keep(
    state: &State,
    request: &HttpRequest,
    (id, question): (u64, &Question),
    (body, script): (&Value, &Script),
) {
    if body["store"] == json!(false) {
        return;
    }
    let mut answer = responses::whole(id, question, &question.reply(script));
    answer["store"] = json!(true);
    let input = match &body["input"] {
        Value::String(text) => {
            json!([{ "id": format!("msg_in_{id}"), "type": "message", "role": "user",
            "content": [{ "type": "input_text", "text": text }] }])
        }
        items => items.clone(),
    };
    let kept = Kept { key: auth::key_of(request), answer, input };
    state.shelf.lock().answers.insert(format!("resp_{id}"), kept);
}

/// Answers what is asked about a kept answer.
fn about_answer(state: &State, request: &HttpRequest, below: &str) -> HttpResponse {
    let below: Vec<&str> = below.split('/').collect();
    let key = auth::key_of(request);
    let mut shelf = state.shelf.lock();
    let kept = below.first().and_then(|id| shelf.answers.get(*id)).filter(|it| it.key == key);
    let Some(kept) = kept.cloned() else { return found(None) };
    match (request.method(), below.as_slice()) {
        (&Method::GET, [_]) => found(Some(kept.answer)),
        (&Method::GET, [_, "input_items"]) => found(Some(json!({ "object": "list",
            "data": kept.input, "first_id": null, "last_id": null, "has_more": false }))),
        (&Method::POST, [_, "cancel"]) => HttpResponse::BadRequest()
            .json(Dialect::Responses.error(400, "Cannot cancel a synchronous response.")),
        (&Method::DELETE, [id]) => {
            shelf.answers.remove(*id);
            found(Some(json!({ "id": id, "object": "response", "deleted": true })))
        }
        _ => found(None),
    }
}

fn found(thing: Option<Value>) -> HttpResponse {
    match thing {
        Some(thing) => HttpResponse::Ok().json(thing),
        None => HttpResponse::NotFound().json(Dialect::Chat.error(404, "No such thing is kept.")),
    }
}

fn remember(state: &State, request: &HttpRequest, raw: &[u8]) {
    state.received(|| {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let all = request.headers().iter();
        Received {
            path: request.path().to_owned(),
            query: request.query_string().to_owned(),
            headers: all.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
            model: "kept".to_owned(),
            body: serde_json::from_slice(raw).unwrap_or_default(),
            raw: text(raw),
        }
    });
}

fn next(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // Names sort as they were made.
    format!("{kind}{:08}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn send(state: &State, request: &HttpRequest, raw: &[u8]) -> HttpResponse {
    let content_type = request.headers().get("content-type").and_then(|it| it.to_str().ok());
    let form = content_type.and_then(|kind| multipart::fields(kind, raw));
    let content = content_type.and_then(|kind| multipart::content(kind, raw, "file"));
    let (Some(form), Some(content)) = (form, content) else {
        return HttpResponse::BadRequest().json(Dialect::Chat.error(400, "file is required"));
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file =
        File { purpose: text(&form["purpose"]), name: text(&form["file"]["filename"]), content };
    let id = next("file-up");
    state.shelf.lock().files.insert(id.clone(), file);
    found(self::file(state, &id))
}

fn file(state: &State, id: &str) -> Option<Value> {
    let shelf = state.shelf.lock();
    let file = shelf.files.get(id)?;
    Some(json!({ "id": id, "object": "file", "bytes": file.content.len(), "created_at": CREATED,
        "filename": file.name, "purpose": file.purpose, "status": "processed" }))
}

fn begin(state: &State, raw: &[u8]) -> HttpResponse {
    let asked: Value = serde_json::from_slice(raw).unwrap_or_default();
    let input = asked["input_file_id"].as_str().unwrap_or_default();
    let purpose = state.shelf.lock().files.get(input).map(|file| file.purpose.clone());
    if purpose.as_deref() != Some("batch") {
        return HttpResponse::BadRequest().json(Dialect::Chat.error(400, "no such input file"));
    }
    let batch = Batch {
        begun: Instant::now(),
        status: "validating",
        output: None,
        errors: None,
        counts: (0, 0),
        asked,
    };
    let id = next("batch_up");
    state.shelf.lock().batches.insert(id.clone(), batch);
    let script = script(state, &id);
    if script.cut_after.is_some() {
        let error = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "as scripted");
        let cut = futures_util::stream::iter([Ok(bytes::Bytes::from_static(b"{")), Err(error)]);
        return HttpResponse::Ok().content_type("application/json").streaming(cut);
    }
    found(shown(state, &id))
}

/// The requests of a batch.
fn lines(state: &State, id: &str) -> Vec<Value> {
    let shelf = state.shelf.lock();
    let input = shelf.batches.get(id).and_then(|batch| batch.asked["input_file_id"].as_str());
    let file = input.and_then(|input| shelf.files.get(input));
    let content = file.map(|file| String::from_utf8_lossy(&file.content).into_owned());
    content.unwrap_or_default().lines().filter_map(|it| serde_json::from_str(it).ok()).collect()
}

fn script(state: &State, id: &str) -> Script {
    let lines = lines(state, id);
    let model = lines.first().and_then(|line| line["body"]["model"].as_str());
    state.script(model.unwrap_or_default(), None)
}

/// Answers a batch, once it is due.
fn work(state: &State, id: &str, cancel: bool) {
    let Some(batch) = state.shelf.lock().batches.get(id).cloned() else { return };
    if matches!(batch.status, "completed" | "cancelled") {
        return;
    }
    let script = script(state, id);
    let due = batch.begun.elapsed() >= Duration::from_millis(script.delay_first_ms);
    if !due && !cancel {
        if let Some(batch) = state.shelf.lock().batches.get_mut(id) {
            batch.status = "in_progress";
        }
        return;
    }
    let mut lines = lines(state, id);
    if cancel {
        lines.truncate(1);
    }
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    for line in &lines {
        let (status, body) = answered(line, &script);
        let answer = json!({ "id": next("batch_req_"), "custom_id": line["custom_id"],
            "response": { "status_code": status, "request_id": "r", "body": body },
            "error": null });
        let into = if status < 400 { &mut output } else { &mut errors };
        into.push(answer.to_string());
    }
    let keep = |lines: &[String], name: &str| {
        let content = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
        let file = File { purpose: "batch_output".to_owned(), name: name.to_owned(), content };
        let id = next("file-up");
        state.shelf.lock().files.insert(id.clone(), file);
        id
    };
    let counts = (output.len(), errors.len());
    let output = (!output.is_empty()).then(|| keep(&output, "output.jsonl"));
    let errors = (!errors.is_empty()).then(|| keep(&errors, "errors.jsonl"));
    if let Some(batch) = state.shelf.lock().batches.get_mut(id) {
        batch.status = if cancel { "cancelled" } else { "completed" };
        (batch.output, batch.errors, batch.counts) = (output, errors, counts);
    }
}

fn answered(line: &Value, script: &Script) -> (u16, Value) {
    let dialect = match line["url"].as_str() {
        Some(url) if url.ends_with("/responses") => Dialect::Responses,
        _ => Dialect::Chat,
    };
    if let Some(status) = script.status {
        return (status, dialect.error(status, "The script says so."));
    }
    if line["url"].as_str().is_some_and(|url| url.ends_with("/embeddings")) {
        return (200, embeddings::openai(&line["body"], script));
    }
    let question = Question::read(dialect, &line["body"]);
    let reply = question.reply(script);
    let mut body: Value =
        serde_json::from_str(&dialect.whole(1, &question, &reply).to_string()).unwrap_or_default();
    if matches!(script.usage, Some(ScriptedUsage::Word(_))) {
        body["usage"] = Value::Null;
    }
    (200, body)
}

fn shown(state: &State, id: &str) -> Option<Value> {
    let total = lines(state, id).len();
    let shelf = state.shelf.lock();
    let batch = shelf.batches.get(id)?;
    Some(json!({
        "id": id,
        "object": "batch",
        "endpoint": batch.asked["endpoint"],
        "errors": null,
        "input_file_id": batch.asked["input_file_id"],
        "completion_window": batch.asked["completion_window"],
        "status": batch.status,
        "output_file_id": batch.output,
        "error_file_id": batch.errors,
        "created_at": CREATED,
        "expires_at": CREATED + 86_400,
        "request_counts": { "total": total, "completed": batch.counts.0, "failed": batch.counts.1 },
        "metadata": batch.asked["metadata"],
    }))
}
