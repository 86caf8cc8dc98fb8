//! Sends an answer, with the delays, stalls and cuts that a script asks for.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;

use super::question::{Question, Reply};
use super::script::Script;
use super::state::Call;
use super::{chat, messages};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Chat,
    Messages,
}

/// One thing that happens on the connection.
enum Step {
    Send(String),
    Wait(u64),
    /// Nothing more, until the client goes away.
    Stall,
    /// The connection closes, although the answer has not ended.
    Cut,
}

/// The pieces of a streamed text.
pub(super) fn pieces(script: &Script, reply: &Reply) -> Vec<String> {
    let words = || reply.text.split_inclusive(' ').map(str::to_owned).collect();
    script.chunks.clone().unwrap_or_else(words)
}

/// A text in two parts, to show that clients put arguments together.
pub(super) fn halves(text: &str) -> Vec<&str> {
    let middle = (text.len() / 2..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let (first, second) = text.split_at(middle);
    vec![first, second]
}

impl Dialect {
    fn error(self, status: u16, message: &str) -> Value {
        match self {
            Self::Chat => chat::error(status, message),
            Self::Messages => messages::error(status, message),
        }
    }

    fn whole(self, id: u64, question: &Question, script: &Script, reply: &Reply) -> Value {
        match self {
            Self::Chat => chat::whole(id, question, script, reply),
            Self::Messages => messages::whole(id, question, script, reply),
        }
    }

    fn steps(self, id: u64, question: &Question, script: &Script, reply: &Reply) -> Vec<Step> {
        let (first, pieces, last) = match self {
            Self::Chat => chat::events(id, question, script, reply),
            Self::Messages => messages::events(id, question, script, reply),
        };
        let mut steps: Vec<Step> = first.into_iter().map(Step::Send).collect();
        let stop = |sent: usize| self.trouble(script, sent);
        for (sent, piece) in pieces.into_iter().enumerate() {
            if let Some(trouble) = stop(sent) {
                steps.extend(trouble);
                return steps;
            }
            if script.delay_chunk_ms > 0 && sent > 0 {
                steps.push(Step::Wait(script.delay_chunk_ms));
            }
            steps.push(Step::Send(piece));
        }
        if script.stall_after.or(script.cut_after).or(script.error_after).is_some() {
            steps.extend(stop(usize::MAX).unwrap_or_default());
            return steps;
        }
        steps.extend(last.into_iter().map(Step::Send));
        steps
    }

    /// What goes wrong once so many pieces are sent.
    fn trouble(self, script: &Script, sent: usize) -> Option<Vec<Step>> {
        let due = |after: Option<usize>| after.is_some_and(|after| sent >= after);
        if due(script.stall_after) {
            return Some(vec![Step::Stall]);
        }
        if due(script.cut_after) {
            return Some(vec![Step::Cut]);
        }
        if due(script.error_after) {
            let status = script.status.unwrap_or(529);
            let body = script.error.clone().unwrap_or_else(|| self.error(status, "Overloaded"));
            return Some(vec![Step::Send(match self {
                Self::Chat => format!("data: {body}\n\n"),
                Self::Messages => format!("event: error\ndata: {body}\n\n"),
            })]);
        }
        (script.malformed && sent > 0)
            .then(|| vec![Step::Send("data: {\"choices\": [{\n\n".to_owned())])
    }
}

/// The dialect's error for what the vendors refuse.
pub(super) fn refuse(dialect: Dialect, mut call: Call, status: u16, message: &str) -> HttpResponse {
    call.end();
    HttpResponse::build(code(status)).json(dialect.error(status, message))
}

/// Answers as scripted.
pub(super) async fn answer(
    dialect: Dialect,
    call: Call,
    id: u64,
    question: &Question,
    script: &Script,
) -> HttpResponse {
    if script.delay_first_ms > 0 {
        wait(script.delay_first_ms).await;
    }
    if let (Some(status), None) = (script.status, script.error_after) {
        return failure(dialect, call, status, script);
    }
    let reply = question.reply(script);
    if question.streamed {
        let steps = dialect.steps(id, question, script, &reply);
        return HttpResponse::Ok()
            .content_type("text/event-stream; charset=utf-8")
            .insert_header(("cache-control", "no-cache"))
            .streaming(run(call, steps));
    }
    whole(call, dialect.whole(id, question, script, &reply).to_string(), script).await
}

async fn whole(mut call: Call, body: String, script: &Script) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type("application/json");
    if script.stall_after.is_some() {
        std::future::pending::<()>().await;
    }
    if script.cut_after.is_some() {
        let half = body.chars().take(body.len() / 2).collect();
        return response.streaming(run(call, vec![Step::Send(half), Step::Cut]));
    }
    call.end();
    if script.malformed { response.body("{\"choices\": [{") } else { response.body(body) }
}

fn failure(dialect: Dialect, mut call: Call, status: u16, script: &Script) -> HttpResponse {
    call.end();
    let mut response = HttpResponse::build(code(status));
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
                Some(Step::Send(text)) => {
                    // The last part may be written without being asked for more.
                    if steps.is_empty() {
                        call.end();
                    }
                    return Some((Ok(Bytes::from(text)), (call, steps)));
                }
                Some(Step::Wait(milliseconds)) => wait(milliseconds).await,
                Some(Step::Stall) => std::future::pending::<()>().await,
                Some(Step::Cut) => {
                    // What is not flushed yet would be thrown away; being pending once flushes it.
                    tokio::task::yield_now().await;
                    call.end();
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
