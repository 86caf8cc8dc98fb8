//! Passkeys: what the server asks goes to the browser's authenticators, and what they say back to it.

use js_sys::{Function, JSON, Object, Promise, Reflect};
use ralex_api::factors::Factors;
use ralex_api::identity::LoginAnswer;
use ralex_api::passkeys::{PasskeyAdded, PasskeyCeremony, PasskeyOffer};
use ralex_api::{Code, Problem};
use ralex_kernel::PasskeyId;
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::client::{self, Answer, Reply};
use crate::text::json;

const OWN: &str = "/auth/passkeys";

/// Whether there are any here, and why not: the server's word, and then the browser's.
pub async fn offer() -> Answer<PasskeyOffer> {
    let offer: PasskeyOffer = client::find("/auth/passkey").await?;
    if offer.offered && functions("create").is_err() {
        let reason = "This browser cannot use passkeys on this page: it is too old, or the address is \
                      not the one that people use.";
        return Ok(PasskeyOffer { offered: false, reason: Some(reason.to_owned()) });
    }
    Ok(offer)
}

/// What is registered, and what can be.
pub async fn own() -> Answer<(Factors, PasskeyOffer)> {
    Ok((super::identity::factors().await?, offer().await?))
}

pub async fn add(name: String) -> Answer<PasskeyAdded> {
    let (ceremony, credential) = asked(OWN, Value::Null, "create").await?;
    let new = json!({ "name": name, "ceremony": ceremony, "credential": credential });
    client::create(&format!("{OWN}/confirm"), &new).await
}

pub fn rename(id: PasskeyId, name: &str) -> Reply<()> {
    client::change(&format!("{OWN}/{id}"), &json!({ "name": name }))
}

pub fn remove(id: PasskeyId) -> Reply<()> {
    client::delete(&format!("{OWN}/{id}"))
}

/// Logs in by a passkey alone.
pub async fn login() -> Answer<LoginAnswer> {
    let (ceremony, credential) = asked("/auth/passkey/begin", Value::Null, "get").await?;
    let said = json!({ "ceremony": ceremony, "credential": credential });
    client::create("/auth/passkey", &said).await
}

/// Completes a login whose password was right.
pub async fn complete_login(challenge: String) -> Answer<LoginAnswer> {
    let waiting = json!({ "challenge": challenge });
    let (ceremony, credential) = asked("/auth/second-factor/passkey", waiting, "get").await?;
    let said = json!({ "ceremony": ceremony, "credential": credential });
    client::create("/auth/second-factor", &json!({ "challenge": challenge, "passkey": said })).await
}

/// Proves anew who is behind the session.
pub async fn step_up() -> Answer<()> {
    let (ceremony, credential) = asked("/auth/step-up/passkey", Value::Null, "get").await?;
    let said = json!({ "ceremony": ceremony, "credential": credential });
    client::tell("/auth/step-up", Some(&json!({ "passkey": said }))).await
}

/// Has an authenticator sign for one act: what goes with the request that does it.
pub async fn signed(path: &str, body: Value) -> Answer<Value> {
    let (ceremony, credential) = asked(path, body, "get").await?;
    Ok(json!({ "ceremony": ceremony, "credential": credential }))
}

/// Has the server ask and an authenticator answer: the question's name and the answer.
async fn asked(path: &str, body: Value, verb: &str) -> Answer<(String, Value)> {
    let asked: PasskeyCeremony = client::create(path, &body).await?;
    let options = client::write(&asked.options)?;
    let said = authenticated(verb, &options).await.map_err(|why| silent(&why))?;
    let said = json::read(&said).map_err(|_| silent(&JsValue::NULL))?;
    Ok((asked.ceremony, said))
}

/// What reads options, and who asks authenticators by `verb`; an error where the browser lacks either.
fn functions(verb: &str) -> Result<[(JsValue, Function); 2], JsValue> {
    let parse = if verb == "create" {
        "parseCreationOptionsFromJSON"
    } else {
        "parseRequestOptionsFromJSON"
    };
    let window = JsValue::from(web_sys::window());
    let find = |of: &JsValue, name: &str| Reflect::get(of, &name.into());
    let keys = find(&window, "PublicKeyCredential")?;
    let asker = find(&find(&window, "navigator")?, "credentials")?;
    let (parse, ask) = (find(&keys, parse)?.dyn_into()?, find(&asker, verb)?.dyn_into()?);
    Ok([(keys, parse), (asker, ask)])
}

async fn authenticated(verb: &str, options: &str) -> Result<String, JsValue> {
    let [(keys, parse), (asker, ask)] = functions(verb)?;
    let wish = Object::new();
    let options = parse.call1(&keys, &JSON::parse(options)?)?;
    Reflect::set(&wish, &"publicKey".into(), &options)?;
    let answer: Promise = ask.call1(&asker, &wish)?.dyn_into()?;
    // What is written as JSON writes itself: a credential has `toJSON`.
    let text = JSON::stringify(&JsFuture::from(answer).await?)?;
    Ok(text.into())
}

fn silent(why: &JsValue) -> Problem {
    let name = Reflect::get(why, &"name".into()).ok().and_then(|name| name.as_string());
    let detail = match name.as_deref() {
        Some("InvalidStateError") => "This device has a passkey of your account already.",
        _ => {
            "No passkey answered: it was cancelled, took too long, or this device has none for this \
             address. Try again, or use another way."
        }
    };
    Problem::new(Code::Conflict, detail)
}
