//! One request, one answer: JSON over `fetch`, with problems as RFC 9457 writes them.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use js_sys::{Function, Promise, Uint8Array};
use ralex_api::changes::ChangeRequest;
use ralex_api::{Code, Page, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, RequestCredentials, RequestInit, Response};
use yew::Callback;

use super::{file, read};
use crate::text::json;

pub type Answer<T> = Result<T, Problem>;

/// Everything but the model routes lives below this.
pub const BASE: &str = "/api/v1";

/// Understood, and not done yet.
pub const ACCEPTED: u16 = 202;

thread_local! {
    static SIGNED_OUT: RefCell<Option<Callback<Code>>> = const { RefCell::new(None) };
    static PROVES: RefCell<Option<Callback<Function>>> = const { RefCell::new(None) };
}

/// Says who asks the reader for a fresh proof. It calls the function with true once there is one,
/// and the request that needed it is sent again; with false where the reader would rather not.
pub fn when_unproven(asked: Callback<Function>) {
    PROVES.set(Some(asked));
}

async fn proven() -> bool {
    let Some(ask) = PROVES.with_borrow(Clone::clone) else { return false };
    let answer = Promise::new(&mut |resolve, _| ask.emit(resolve));
    JsFuture::from(answer).await.is_ok_and(|answer| answer.is_truthy())
}

/// Says whom to tell when the server no longer knows the session, or wants a new password first.
pub fn when_signed_out(told: Callback<Code>) {
    SIGNED_OUT.set(Some(told));
}

/// JSON on its way.
type Coming = Pin<Box<dyn Future<Output = Answer<Value>>>>;

/// An answer on its way: a request that is sent when it is awaited, and how to read what comes back.
///
/// The same sending serves every type, so that what a type adds is its reading and no more.
pub struct Reply<T> {
    answer: Coming,
    read: fn(&Value) -> Result<T, read::Error>,
}

impl<T> Future for Reply<T> {
    type Output = Answer<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer<T>> {
        let read = self.read;
        let answer = self.answer.as_mut().poll(context);
        answer.map(|answer| answer.and_then(|value| read(&value).map_err(misread)))
    }
}

pub fn find<T: DeserializeOwned>(path: &str) -> Reply<T> {
    Reply { answer: send("GET", path, None), read: read::from_value }
}

/// A page of a list.
pub fn list<T: DeserializeOwned>(path: &str) -> Reply<Page<T>> {
    Reply { answer: send("GET", path, None), read: read::page }
}

pub fn create<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Reply<T> {
    Reply { answer: send("POST", path, Some(write(body))), read: read::from_value }
}

pub fn update<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Reply<T> {
    Reply { answer: send("PATCH", path, Some(write(body))), read: read::from_value }
}

/// Changes only what the header says was read.
pub fn update_if<T: DeserializeOwned>(
    path: &str,
    body: &impl Serialize,
    header: (&'static str, String),
) -> Reply<T> {
    Reply {
        answer: send_if("PATCH", path, Some(write(body)), Some(header)),
        read: read::from_value,
    }
}

/// Makes something only where what the header says is so.
pub fn create_if<T: DeserializeOwned>(
    path: &str,
    body: &impl Serialize,
    header: Option<(&'static str, String)>,
) -> Reply<T> {
    Reply { answer: send_if("POST", path, Some(write(body)), header), read: read::from_value }
}

pub fn replace<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Reply<T> {
    Reply { answer: send("PUT", path, Some(write(body))), read: read::from_value }
}

/// A write that answers with nothing to read.
pub fn tell(path: &str, body: Option<&Value>) -> Reply<()> {
    Reply { answer: send("POST", path, body.map(write)), read: |_| Ok(()) }
}

/// A change whose outcome does not matter here.
pub fn change(path: &str, body: &impl Serialize) -> Reply<()> {
    Reply { answer: send("PATCH", path, Some(write(body))), read: |_| Ok(()) }
}

pub fn delete(path: &str) -> Reply<()> {
    Reply { answer: send("DELETE", path, None), read: |_| Ok(()) }
}

/// Deletes only what the header says was read.
pub fn delete_if(path: &str, header: (&'static str, String)) -> Reply<()> {
    Reply { answer: send_if("DELETE", path, None, Some(header)), read: |_| Ok(()) }
}

/// That only this version of something is meant.
pub fn of_version(version: u64) -> (&'static str, String) {
    ("If-Match", format!("\"{version}\""))
}

/// What is accepted and waits for a second person is not done, and told in the place of a success.
fn waits(value: Value) -> Answer<Value> {
    let Ok(request) = read::from_value::<ChangeRequest>(&value) else { return Ok(value) };
    let detail = format!(
        "{} Nothing is done yet: somebody else with the same right has to confirm it, under Approvals, \
         Changes.",
        request.summary
    );
    let title = "Waits for a second person".to_owned();
    Err(Problem { status: ACCEPTED, title, ..Problem::new(Code::Conflict, detail) })
}

/// What says that somebody else is in front than this page thinks, or may do less.
fn tells(code: Code) -> bool {
    matches!(
        code,
        Code::Unauthenticated | Code::PasswordChangeRequired | Code::SecondFactorRequired
    )
}

fn send(method: &'static str, path: &str, body: Option<Answer<String>>) -> Coming {
    send_if(method, path, body, None)
}

fn send_if(
    method: &'static str,
    path: &str,
    body: Option<Answer<String>>,
    header: Option<(&'static str, String)>,
) -> Coming {
    let url = format!("{BASE}{path}");
    Box::pin(async move {
        let body = body.transpose()?;
        let mut asked = false;
        loop {
            let headers = header.iter().map(|(name, value)| (*name, value.as_str()));
            let headers: Vec<(&str, &str)> = headers.collect();
            let response = fetch(method, &url, body.clone(), &headers, None).await?;
            let status = response.status();
            let text = text_of(&response).await?;
            if (200..300).contains(&status) {
                if text.is_empty() {
                    return Ok(Value::Null);
                }
                let value = json::read(&text).map_err(misread)?;
                return if status == ACCEPTED { waits(value) } else { Ok(value) };
            }
            refused(problem_of(status, &text), &mut asked).await?;
        }
    })
}

/// What a refusal comes to: another try where the reader has proven who they are.
async fn refused(problem: Problem, asked: &mut bool) -> Answer<()> {
    if problem.code == Code::StepUpRequired && !std::mem::replace(asked, true) && proven().await {
        return Ok(());
    }
    if tells(problem.code) {
        SIGNED_OUT.with_borrow(|told| told.as_ref().map(|told| told.emit(problem.code)));
    }
    Err(problem)
}

/// Asks for what the browser keeps as a file, however large: it is on its disk, and not on this page.
pub async fn download(path: String, body: Answer<String>) -> Answer<()> {
    let (url, body) = (format!("{BASE}{path}"), body?);
    let mut asked = false;
    loop {
        let response = fetch("POST", &url, Some(body.clone()), &[], None).await?;
        let status = response.status();
        if (200..300).contains(&status) {
            return file::keep(&response).await;
        }
        refused(problem_of(status, &text_of(&response).await?), &mut asked).await?;
    }
}

/// Sends a request and gives back its answer, whatever its status.
pub async fn fetch(
    method: &str,
    url: &str,
    body: Option<String>,
    headers: &[(&str, &str)],
    abort: Option<&web_sys::AbortSignal>,
) -> Answer<Response> {
    let window = web_sys::window().ok_or_else(no_answer)?;
    let sent = async {
        let set = Headers::new()?;
        set.set("Accept", "application/json")?;
        if method == "POST" {
            set.set("Idempotency-Key", &key(&window)?)?;
        }
        let init = RequestInit::new();
        if let Some(body) = &body {
            set.set("Content-Type", "application/json")?;
            init.set_body(&JsValue::from_str(body));
        }
        for (name, value) in headers {
            set.set(name, value)?;
        }
        init.set_method(method);
        init.set_credentials(RequestCredentials::SameOrigin);
        init.set_headers(&set);
        init.set_signal(abort);
        JsFuture::from(window.fetch_with_str_and_init(url, &init)).await
    };
    let response = sent.await.map_err(|_: JsValue| no_answer())?;
    response.dyn_into().map_err(|_| no_answer())
}

/// The whole text of an answer.
pub async fn text_of(response: &Response) -> Answer<String> {
    let text = response.text().map_err(|_| no_answer())?;
    let text = JsFuture::from(text).await.map_err(|_| no_answer())?;
    Ok(text.as_string().unwrap_or_default())
}

/// What an answer that is not a success says.
pub fn problem_of(status: u16, text: &str) -> Problem {
    let read = json::read(text).ok().and_then(|value| read::from_value(&value).ok());
    read.unwrap_or_else(|| {
        let mut problem = Problem::new(
            Code::Internal,
            format!("The server answered {status} with nothing that this page understands."),
        );
        problem.status = status;
        problem
    })
}

pub fn no_answer() -> Problem {
    Problem::new(
        Code::Unavailable,
        "The server did not answer. Check that it runs and that you are connected, then retry.",
    )
}

fn misread(error: impl ToString) -> Problem {
    let why = error.to_string();
    Problem::new(
        Code::Internal,
        format!(
            "The answer is not what this page expects ({why}). Reload to get the newest console."
        ),
    )
}

pub fn write(body: &impl Serialize) -> Answer<String> {
    json::compact(body).map_err(|error| {
        Problem::new(Code::Internal, format!("Cannot write the request: {error}."))
    })
}

/// Random and unique, so that a repeated request is known as such. `randomUUID` would exist only
/// on secure origins, and a console on a private network may not be one.
fn key(window: &web_sys::Window) -> Result<String, JsValue> {
    let bytes = Uint8Array::new_with_length(16);
    window.crypto()?.get_random_values_with_js_u8_array(&bytes)?;
    let number = bytes.to_vec().iter().fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    Ok(format!("{number:032x}"))
}
