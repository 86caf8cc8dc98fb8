//! Keys: where each vendor looks for them, and whether they are the right ones.

use actix_web::HttpRequest;

use super::dialect::Dialect;
use super::route::What;
use super::sigv4;

/// What a provider may insist on.
#[derive(Clone, Debug)]
pub enum Key {
    /// In the vendor's own place: `authorization`, `x-api-key`, `api-key`, `x-goog-api-key`, `?key=`.
    Plain(String),
    /// Amazon's signatures, version 4; Bedrock also takes a plain key.
    Amazon { id: String, secret: String, region: String },
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn bearer(request: &HttpRequest) -> Option<String> {
    header(request, "authorization")?.strip_prefix("Bearer ").map(str::to_owned)
}

fn in_query(request: &HttpRequest) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.find(|(name, _)| name == "key").map(|(_, key)| key.into_owned())
}

/// The key of a call, wherever it stands; of a signature, the key's identity.
pub(super) fn key_of(request: &HttpRequest) -> Option<String> {
    let named = ["x-api-key", "api-key", "x-goog-api-key"];
    let named = named.iter().find_map(|name| header(request, name)).map(str::to_owned);
    named.or_else(|| bearer(request)).or_else(|| in_query(request)).or_else(|| {
        let (_, credential) = header(request, "authorization")?.split_once("Credential=")?;
        credential.split('/').next().map(str::to_owned)
    })
}

/// Why a vendor refuses a call; nothing, when it is content.
pub(super) fn refusal(
    wanted: &Key,
    what: What,
    request: &HttpRequest,
    body: &[u8],
) -> Option<String> {
    let wanted = match wanted {
        Key::Plain(key) => key,
        Key::Amazon { id, secret, region } => {
            let signature = sigv4::Wanted { id, secret, region, service: "bedrock" };
            return sigv4::refusal(&signature, request, body);
        }
    };
    let found = match what.dialect() {
        Dialect::Messages => {
            let own = header(request, "x-api-key").map(str::to_owned);
            own.or_else(|| bearer(request))
        }
        Dialect::Gemini => {
            let own = header(request, "x-goog-api-key").map(str::to_owned);
            own.or_else(|| in_query(request)).or_else(|| bearer(request))
        }
        Dialect::Converse => bearer(request),
        Dialect::Chat | Dialect::Responses => {
            let azure = header(request, "api-key").map(str::to_owned);
            azure.filter(|_| request.path().starts_with("/openai/")).or_else(|| bearer(request))
        }
    };
    match found {
        None => Some("You didn't provide an API key.".to_owned()),
        Some(found) if found == *wanted => None,
        Some(_) => Some("Incorrect API key provided.".to_owned()),
    }
}
