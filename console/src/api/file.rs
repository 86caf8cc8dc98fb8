//! Files that the browser keeps: an answer as a download, under the name that the server gave it.

use ralex_api::{Code, Problem};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, HtmlElement, Response, Url};

use super::client::{Answer, no_answer};

/// Waits for all of it first, so that nothing is kept of an answer that breaks off.
pub async fn keep(response: &Response) -> Answer<()> {
    let said = response.headers().get("content-disposition").ok().flatten().unwrap_or_default();
    let name = said.split('"').nth(1).unwrap_or("export").to_owned();
    let blob = response.blob().map_err(|_| no_answer())?;
    let blob: Blob = JsFuture::from(blob).await.map_err(|_| broken())?.unchecked_into();
    offer(&blob, &name).map_err(|_| no_answer())
}

/// The browser lets it go with the page.
fn offer(blob: &Blob, name: &str) -> Result<(), JsValue> {
    let document = web_sys::window().and_then(|window| window.document());
    let link = document.ok_or(JsValue::NULL)?.create_element("a")?;
    link.set_attribute("href", &Url::create_object_url_with_blob(blob)?)?;
    link.set_attribute("download", name)?;
    link.dyn_into::<HtmlElement>().map_err(JsValue::from)?.click();
    Ok(())
}

fn broken() -> Problem {
    let detail = "The download broke off, and nothing is kept of it. Try again; for much data the command \
                  `ralex` is the better way.";
    Problem::new(Code::Unavailable, detail)
}
