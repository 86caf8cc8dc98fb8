//! Sends an answer, with the delays, stalls and cuts that a script asks for.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;

use super::dialect::{Dialect, Frames};
use super::question::Question;
use super::script::Script;
use super::stamp::stamped;
use super::state::Call;

/// One thing that happens on the connection.
enum Step {
    Send(Bytes),
    /// A piece of what the model says.
    Piece(Bytes),
    /// The same, with the time written into it.
    Stamp(Bytes),
    Wait(u64),
    /// Nothing more, until the client goes away.
    Stall,
    /// The connection closes, although the answer has not ended.
    Cut,
}

/// The answer of a model: its dialect, its question, and whether a stream is to be an array.
pub(super) struct Generation<'a> {
    pub dialect: Dialect,
    pub question: &'a Question,
    pub as_array: bool,
}

fn steps(dialect: Dialect, frames: Frames, script: &Script) -> Vec<Step> {
    let mut steps: Vec<Step> = frames.first.into_iter().map(Step::Send).collect();
    let stop = |sent: usize| trouble(dialect, script, sent);
    for (sent, piece) in frames.pieces.into_iter().enumerate() {
        if let Some(trouble) = stop(sent) {
            steps.extend(trouble);
            return steps;
        }
        if script.delay_chunk_ms > 0 && sent > 0 {
            steps.push(Step::Wait(script.delay_chunk_ms));
        }
        steps.push(if script.stamped { Step::Stamp(piece) } else { Step::Piece(piece) });
    }
    if script.stall_after.or(script.cut_after).or(script.error_after).is_some() {
        steps.extend(stop(usize::MAX).unwrap_or_default());
        return steps;
    }
    steps.extend(frames.last.into_iter().map(Step::Send));
    steps
}

/// What goes wrong once so many pieces are sent.
fn trouble(dialect: Dialect, script: &Script, sent: usize) -> Option<Vec<Step>> {
    let due = |after: Option<usize>| after.is_some_and(|after| sent >= after);
    if due(script.stall_after) {
        return Some(vec![Step::Stall]);
    }
    if due(script.cut_after) {
        return Some(vec![Step::Cut]);
    }
    if due(script.error_after) {
        let frame = dialect.error_frame(script.status.unwrap_or(529), script.error.as_ref());
        return Some(vec![Step::Send(frame)]);
    }
    let broken = Bytes::from_static(b"data: {\"choices\": [{\n\n");
    (script.malformed && sent > 0).then(|| vec![Step::Send(broken)])
}

/// The dialect's error for what the vendors refuse.
pub(super) fn refuse(dialect: Dialect, mut call: Call, status: u16, message: &str) -> HttpResponse {
    call.line(|served| served.refused = true);
    call.end();
    failed(dialect, status).json(dialect.error(status, message))
}

fn failed(dialect: Dialect, status: u16) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::build(code(status));
    if let Some(header) = dialect.error_header(status) {
        response.insert_header(header);
    }
    response
}

/// What a script wants before any answer: a delay, and a failure in the answer's stead.
pub(super) async fn first(
    dialect: Dialect,
    call: Call,
    script: &Script,
) -> Result<Call, HttpResponse> {
    if script.delay_first_ms > 0 {
        wait(script.delay_first_ms).await;
    }
    match (script.status, script.error_after) {
        (Some(status), None) => Err(failure(dialect, call, status, script)),
        _ => Ok(call),
    }
}

/// The answer of a model, as scripted.
pub(super) async fn generation(
    asked: Generation<'_>,
    mut call: Call,
    id: u64,
    script: &Script,
) -> HttpResponse {
    let Generation { dialect, question, as_array } = asked;
    let reply = question.reply(script);
    call.line(|served| {
        served.told = reply.usage.map(|usage| (usage.prompt(), usage.output_tokens));
        served.output = reply.text.split_whitespace().count() as u64;
    });
    if !question.streamed {
        let body = dialect.whole(id, question, &reply).to_string();
        return whole(call, "application/json", body.into(), script).await;
    }
    let frames = dialect.frames(id, question, script, &reply);
    let (frames, content_type) = if as_array {
        (super::gemini::as_array(frames), "application/json")
    } else {
        (frames, dialect.content_type())
    };
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header(("cache-control", "no-cache"))
        .streaming(run(call, steps(dialect, frames, script)))
}

/// A stream of events that is no model's answer.
pub(super) fn events(call: Call, events: Vec<String>) -> HttpResponse {
    let steps = events.into_iter().map(|event| Step::Send(event.into())).collect();
    HttpResponse::Ok().content_type("text/event-stream").streaming(run(call, steps))
}

/// One body, unless a script spoils it.
pub(super) async fn whole(
    mut call: Call,
    content_type: &'static str,
    body: Bytes,
    script: &Script,
) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type(content_type);
    if script.stall_after.is_some() {
        std::future::pending::<()>().await;
    }
    if script.cut_after.is_some() {
        let half = body.slice(..body.len() / 2);
        return response.streaming(run(call, vec![Step::Send(half), Step::Cut]));
    }
    call.end();
    if script.malformed { response.body("{\"choices\": [{") } else { response.body(body) }
}

fn failure(dialect: Dialect, mut call: Call, status: u16, script: &Script) -> HttpResponse {
    call.line(|served| served.refused = true);
    call.end();
    let mut response = failed(dialect, status);
    if let Some(seconds) = script.retry_after {
        response.insert_header(("retry-after", seconds.to_string()));
    }
    let message = script.message.as_deref().unwrap_or("The script says so.");
    match &script.error {
        Some(Value::String(text)) => response.content_type("text/html").body(text.clone()),
        Some(body) => response.json(body),
        None => response.json(dialect.error(status, message)),
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn run(call: Call, steps: Vec<Step>) -> impl futures_util::Stream<Item = Result<Bytes, io::Error>> {
    stream::unfold((call, VecDeque::from(steps)), |(mut call, mut steps)| async move {
        loop {
            match steps.pop_front() {
                Some(Step::Piece(part)) => {
                    call.line(|served| served.pieces += 1);
                    if steps.is_empty() {
                        call.end();
                    }
                    return Some((Ok(part), (call, steps)));
                }
                Some(Step::Send(part)) => {
                    // The last part may be written without being asked for more.
                    if steps.is_empty() {
                        call.end();
                    }
                    return Some((Ok(part), (call, steps)));
                }
                Some(Step::Stamp(part)) => return Some((Ok(stamped(&part)), (call, steps))),
                Some(Step::Wait(milliseconds)) => wait(milliseconds).await,
                Some(Step::Stall) => std::future::pending::<()>().await,
                Some(Step::Cut) => {
                    // What is not flushed yet would be thrown away; being pending once flushes it.
                    tokio::task::yield_now().await;
                    call.end();
                    call.line(|served| served.ended = false);
                    let cut = io::Error::new(io::ErrorKind::ConnectionReset, "as scripted");
                    return Some((Err(cut), (call, steps)));
                }
                None => {
                    call.end();
                    return None;
                }
            }
        }
    })
}

async fn wait(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
