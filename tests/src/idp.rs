//! A scripted provider of single sign-on: it signs with real keys, checks what a provider has to check,
//! and misbehaves in the one way that a test asks for.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data, Form};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as Rsa, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

pub const CLIENT: &str = "ralex";
pub const SECRET: &str = "client-secret-canary";

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Rs256,
    Es256,
    /// Not at all, and it says so.
    None,
    /// With the public key as a shared secret.
    PublicKeyAsSecret,
    /// With a key that is not published.
    Stranger,
}

/// What it says, and how. A test changes it at any time.
#[derive(Clone, Debug)]
pub struct Manner {
    /// What it says of whoever logs in.
    pub user: Value,
    /// What of the ID token is otherwise; null takes a claim away.
    pub otherwise: Value,
    pub sign: Sign,
    /// The name of the key, if it is to be another than the real one.
    pub kid: Option<String>,
    /// What the second question is answered with; the user when absent.
    pub userinfo: Option<Value>,
    /// What it calls itself in its answers to the browser.
    pub answers_as: Option<String>,
    /// Whether it promises to.
    pub promises_to: bool,
    /// What it calls itself in its discovery document, if it is another name than its own.
    pub claims_to_be: Option<String>,
}

/// A running one; ends when it is dropped.
pub struct Idp {
    address: SocketAddr,
    inner: Arc<Inner>,
    handle: ServerHandle,
}

struct Inner {
    manner: Mutex<Manner>,
    keys: Mutex<Keys>,
    codes: Mutex<HashMap<String, Code>>,
    served: Mutex<HashMap<&'static str, u32>>,
    address: Mutex<String>,
}

struct Keys {
    rsa: Arc<Rsa>,
    ec: Arc<EcdsaKeyPair>,
    /// Raised by each rotation.
    generation: u32,
}

struct Code {
    nonce: String,
    challenge: String,
    redirect_uri: String,
}

impl Idp {
    /// One that knows Alice.
    ///
    /// # Errors
    /// Where no port is free.
    pub fn start() -> io::Result<Self> {
        let manner = Manner {
            user: alice(),
            otherwise: json!({}),
            sign: Sign::Rs256,
            kid: None,
            userinfo: None,
            answers_as: None,
            promises_to: false,
            claims_to_be: None,
        };
        let inner = Arc::new(Inner {
            manner: Mutex::new(manner),
            keys: Mutex::new(Keys::generation(1).map_err(io::Error::other)?),
            codes: Mutex::default(),
            served: Mutex::default(),
            address: Mutex::default(),
        });
        let (tell, told) = mpsc::channel();
        let served = Arc::clone(&inner);
        std::thread::spawn(move || {
            rt::System::new().block_on(async move {
                match bind(served) {
                    Ok((server, bound)) => {
                        tell.send(Ok((bound, server.handle()))).ok();
                        server.await.ok();
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        });
        let (address, handle) = told.recv().map_err(io::Error::other)??;
        *inner.address.lock() = format!("http://{address}");
        Ok(Self { address, inner, handle })
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Has it behave otherwise from now on.
    pub fn change(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.inner.manner.lock());
    }

    /// Has it sign with new keys, and publish no other.
    pub fn rotate(&self) {
        let mut keys = self.inner.keys.lock();
        if let Ok(fresh) = Keys::generation(keys.generation + 1) {
            *keys = fresh;
        }
    }

    /// How often a path was asked for.
    pub fn served(&self, path: &str) -> u32 {
        self.inner.served.lock().get(path).copied().unwrap_or_default()
    }

    /// What a browser does there: somebody logs in, and is sent back to the answer's address.
    pub fn log_in(&self, authorize: &str) -> Option<String> {
        let url: Url = authorize.parse().ok()?;
        let all: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let asked = |name: &str| all.get(name).cloned();
        if asked("client_id")? != CLIENT || asked("code_challenge_method")? != "S256" {
            return None;
        }
        let code = format!("code-{}", uuid::Uuid::now_v7());
        let redirect_uri = asked("redirect_uri")?;
        let known = Code {
            nonce: asked("nonce")?,
            challenge: asked("code_challenge")?,
            redirect_uri: redirect_uri.clone(),
        };
        self.inner.codes.lock().insert(code.clone(), known);
        let mut back: Url = redirect_uri.parse().ok()?;
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked("state")?);
        if let Some(name) = &self.inner.manner.lock().answers_as {
            back.query_pairs_mut().append_pair("iss", name);
        }
        Some(back.to_string())
    }

    /// A token that says that somebody, or one session, is out.
    pub fn logout_token(&self, claims: &Value) -> String {
        let mut all = json!({
            "iss": self.issuer(), "aud": CLIENT, "iat": Utc::now().timestamp(),
            "exp": Utc::now().timestamp() + 60, "jti": uuid::Uuid::now_v7().to_string(),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        otherwise(&mut all, claims);
        self.inner.sign(&all)
    }
}

impl Drop for Idp {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

pub fn alice() -> Value {
    json!({ "sub": "alice-at-idp", "email": "alice@example.test", "email_verified": true,
        "name": "Alice A", "groups": ["admins", "eng"] })
}

impl Keys {
    fn generation(generation: u32) -> Result<Self, &'static str> {
        let rsa = Rsa::generate(KeySize::Rsa2048).map_err(|_| "no key")?;
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| "no key")?;
        Ok(Self { rsa: Arc::new(rsa), ec: Arc::new(ec), generation })
    }

    /// A 2048 bit key is written with both numbers at these places (RFC 8017, A.1.1).
    fn modulus(&self) -> Vec<u8> {
        self.rsa.public_key().as_ref()[9..265].to_vec()
    }

    fn published(&self) -> Value {
        let exponent = &self.rsa.public_key().as_ref()[267..];
        let point = self.ec.public_key().as_ref();
        let name = |kind: &str| format!("{kind}{}", self.generation);
        json!({ "keys": [
            { "kty": "RSA", "kid": name("rsa"), "use": "sig", "alg": "RS256",
              "n": encoded(&self.modulus()), "e": encoded(exponent) },
            { "kty": "EC", "kid": name("ec"), "use": "sig", "alg": "ES256", "crv": "P-256",
              "x": encoded(&point[1..33]), "y": encoded(&point[33..]) },
        ] })
    }
}

impl Inner {
    fn count(&self, path: &'static str) {
        *self.served.lock().entry(path).or_default() += 1;
    }

    fn sign(&self, claims: &Value) -> String {
        let (sign, kid) = {
            let manner = self.manner.lock();
            (manner.sign, manner.kid.clone())
        };
        let keys = self.keys.lock();
        let generation = keys.generation;
        let (alg, kind) = match sign {
            Sign::Rs256 | Sign::Stranger => ("RS256", "rsa"),
            Sign::Es256 => ("ES256", "ec"),
            Sign::None => ("none", "rsa"),
            Sign::PublicKeyAsSecret => ("HS256", "rsa"),
        };
        let kid = kid.unwrap_or_else(|| format!("{kind}{generation}"));
        let head = json!({ "alg": alg, "kid": kid, "typ": "JWT" }).to_string();
        let text =
            format!("{}.{}", encoded(head.as_bytes()), encoded(claims.to_string().as_bytes()));
        let signature = match sign {
            Sign::Rs256 => by_rsa(&keys.rsa, text.as_bytes()),
            Sign::Stranger => {
                let stranger = Rsa::generate(KeySize::Rsa2048);
                stranger.map(|rsa| by_rsa(&rsa, text.as_bytes())).unwrap_or_default()
            }
            Sign::Es256 => {
                let signed = keys.ec.sign(&SystemRandom::new(), text.as_bytes());
                signed.map(|it| it.as_ref().to_vec()).unwrap_or_default()
            }
            Sign::None => Vec::new(),
            Sign::PublicKeyAsSecret => {
                let mac = Hmac::<Sha256>::new_from_slice(&keys.modulus());
                mac.map(|mut mac| {
                    mac.update(text.as_bytes());
                    mac.finalize().into_bytes().to_vec()
                })
                .unwrap_or_default()
            }
        };
        format!("{text}.{}", encoded(&signature))
    }
}

fn by_rsa(rsa: &Rsa, text: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; rsa.public_modulus_len()];
    rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok();
    signature
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Writes some claims over others; null takes one away.
fn otherwise(claims: &mut Value, changes: &Value) {
    let (Some(all), Some(changes)) = (claims.as_object_mut(), changes.as_object()) else { return };
    for (name, value) in changes {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
}

fn bind(inner: Arc<Inner>) -> io::Result<(actix_web::dev::Server, SocketAddr)> {
    let inner = Data::from(inner);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(inner.clone())
            .route("/.well-known/openid-configuration", web::get().to(discovery))
            .route("/jwks", web::get().to(jwks))
            .route("/token", web::post().to(token))
            .route("/userinfo", web::get().to(userinfo))
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0")?;
    let address = server.addrs()[0];
    Ok((server.run(), address))
}

async fn discovery(inner: Data<Inner>) -> HttpResponse {
    inner.count("discovery");
    let base = inner.address.lock().clone();
    let manner = inner.manner.lock();
    HttpResponse::Ok().json(json!({
        "issuer": manner.claims_to_be.clone().unwrap_or_else(|| base.clone()),
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/jwks"),
        "userinfo_endpoint": format!("{base}/userinfo"),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": manner.promises_to,
        "backchannel_logout_supported": true,
        "scopes_supported": ["openid", "email", "profile", "groups"],
    }))
}

async fn jwks(inner: Data<Inner>) -> HttpResponse {
    inner.count("jwks");
    HttpResponse::Ok().json(inner.keys.lock().published())
}

/// Takes a code once, from the client that it was made for, with the proof that it began.
async fn token(
    inner: Data<Inner>,
    request: HttpRequest,
    form: Form<HashMap<String, String>>,
) -> HttpResponse {
    inner.count("token");
    let refused = |why: &str| HttpResponse::BadRequest().json(json!({ "error": why }));
    let own = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    let said = request.headers().get("authorization").and_then(|it| it.to_str().ok());
    if said != Some(own.as_str()) {
        return refused("invalid_client");
    }
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let code = inner.codes.lock().remove(field("code"));
    let Some(code) = code else { return refused("invalid_grant") };
    let challenge = encoded(&Sha256::digest(field("code_verifier").as_bytes()));
    if challenge != code.challenge || field("redirect_uri") != code.redirect_uri {
        return refused("invalid_grant");
    }
    let manner = inner.manner.lock().clone();
    let now = Utc::now().timestamp();
    let access_token = "access-canary";
    let mut claims = json!({
        "iss": inner.address.lock().clone(), "aud": CLIENT, "iat": now, "exp": now + 300,
        "nonce": code.nonce, "sid": "idp-session", "auth_time": now,
        "at_hash": encoded(&Sha256::digest(access_token.as_bytes())[..16]),
    });
    otherwise(&mut claims, &manner.user);
    otherwise(&mut claims, &manner.otherwise);
    let id_token = inner.sign(&claims);
    HttpResponse::Ok().json(json!({
        "access_token": access_token, "token_type": "Bearer", "id_token": id_token,
    }))
}

async fn userinfo(inner: Data<Inner>, request: HttpRequest) -> HttpResponse {
    inner.count("userinfo");
    let said = request.headers().get("authorization").and_then(|it| it.to_str().ok());
    if said != Some("Bearer access-canary") {
        return HttpResponse::Unauthorized().finish();
    }
    let manner = inner.manner.lock();
    HttpResponse::Ok().json(manner.userinfo.clone().unwrap_or_else(|| manner.user.clone()))
}
