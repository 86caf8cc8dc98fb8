//! Tokens as providers, mistaken ones and attackers write them, against the rules of `verify`.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as Rsa, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::keys::Keys;
use crate::verify::{Ended, Expected, Wrong, id_token, logout_token};

const ISSUER: &str = "https://idp.example";
const CLIENT: &str = "ralex";
const NONCE: &str = "the nonce of this login";
const NOW: i64 = 1_790_000_000;

/// A provider with a key of each kind.
struct Idp {
    rsa: Rsa,
    ec: EcdsaKeyPair,
}

impl Idp {
    fn new() -> Self {
        Self {
            rsa: Rsa::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    /// Where it stands in the key as it is written (RFC 8017, A.1.1); the exponent is behind it.
    fn modulus(&self) -> Vec<u8> {
        self.rsa.public_key().as_ref()[9..265].to_vec()
    }

    fn keys(&self) -> Value {
        let exponent = self.rsa.public_key().as_ref()[267..].to_vec();
        let point = self.ec.public_key().as_ref();
        json!({ "keys": [
            { "kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256",
              "n": encoded(&self.modulus()), "e": encoded(&exponent) },
            { "kty": "EC", "kid": "e", "use": "sig", "crv": "P-256",
              "x": encoded(&point[1..33]), "y": encoded(&point[33..]) },
        ] })
    }

    fn known(&self) -> Keys {
        Keys::read(&self.keys()).unwrap()
    }

    fn rs256(&self, head: &Value, claims: &Value) -> String {
        token(head, claims, |text| {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).unwrap();
            signature
        })
    }

    fn es256(&self, head: &Value, claims: &Value) -> String {
        let sign =
            |text: &[u8]| self.ec.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec();
        token(head, claims, sign)
    }

    /// By the RSA key, as it is usual.
    fn usual(&self, claims: &Value) -> String {
        self.rs256(&json!({ "alg": "RS256", "kid": "r", "typ": "JWT" }), claims)
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(head: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let text = format!(
        "{}.{}",
        encoded(head.to_string().as_bytes()),
        encoded(claims.to_string().as_bytes())
    );
    let signature = encoded(&sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn hs256(key: &[u8], head: &Value, claims: &Value) -> String {
    token(head, claims, |text| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    })
}

fn good() -> Value {
    json!({ "iss": ISSUER, "aud": CLIENT, "sub": "alice", "exp": NOW + 300, "iat": NOW - 5,
        "nonce": NONCE })
}

/// Good claims but for some; null takes one away.
fn but(changes: Value) -> Value {
    let mut claims = good();
    let all = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            all.remove(name);
        } else {
            all.insert(name.clone(), value.clone());
        }
    }
    claims
}

fn expected() -> Expected<'static> {
    let now: DateTime<Utc> = DateTime::from_timestamp(NOW, 0).unwrap();
    Expected { issuer: ISSUER, client_id: CLIENT, now, proof_since: None }
}

fn read(idp: &Idp, token: &str) -> Result<Map<String, Value>, Wrong> {
    id_token(token, &idp.known(), expected(), NONCE, Some("access"))
}

#[test]
fn a_good_token_of_either_key_says_who_it_is() {
    let idp = Idp::new();
    assert_eq!(read(&idp, &idp.usual(&good())).unwrap()["sub"], "alice");
    let by_point = idp.es256(&json!({ "alg": "ES256", "kid": "e" }), &good());
    assert_eq!(read(&idp, &by_point).unwrap()["sub"], "alice");
}

#[test]
fn no_token_chooses_how_it_is_checked() {
    let idp = Idp::new();
    let unsigned = |head: Value| token(&head, &good(), |_| Vec::new());
    for alg in ["none", "None", "NONE", "nOnE"] {
        let without = unsigned(json!({ "alg": alg, "kid": "r" }));
        assert_eq!(read(&idp, &without).unwrap_err(), Wrong::Algorithm, "{alg}");
    }
    // The public key as a shared secret, in each of the forms in which an attacker has it.
    let document = idp.keys()["keys"][0].to_string();
    for key in [idp.modulus(), encoded(&idp.modulus()).into_bytes(), document.into_bytes()] {
        let forged = hs256(&key, &json!({ "alg": "HS256", "kid": "r" }), &good());
        assert_eq!(read(&idp, &forged).unwrap_err(), Wrong::Algorithm);
    }
    // A key is for one algorithm: the other key's, and another of its own kind, are wrong.
    let swapped = idp.rs256(&json!({ "alg": "RS256", "kid": "e" }), &good());
    assert_eq!(read(&idp, &swapped).unwrap_err(), Wrong::Algorithm);
    let swapped = idp.es256(&json!({ "alg": "ES256", "kid": "r" }), &good());
    assert_eq!(read(&idp, &swapped).unwrap_err(), Wrong::Algorithm);
    let other = idp.rs256(&json!({ "alg": "PS256", "kid": "r" }), &good());
    assert_eq!(read(&idp, &other).unwrap_err(), Wrong::Algorithm);
}

#[test]
fn only_the_providers_own_keys_count() {
    let (idp, other) = (Idp::new(), Idp::new());
    assert_eq!(read(&idp, &other.usual(&good())).unwrap_err(), Wrong::Signature);
    let unknown = idp.rs256(&json!({ "alg": "RS256", "kid": "new" }), &good());
    assert_eq!(read(&idp, &unknown).unwrap_err(), Wrong::UnknownKey);
    // Without a name there must be no choice.
    let nameless = idp.rs256(&json!({ "alg": "RS256" }), &good());
    assert_eq!(read(&idp, &nameless).unwrap_err(), Wrong::UnknownKey);
    let one = json!({ "keys": [idp.keys()["keys"][0]] });
    let keys = Keys::read(&one).unwrap();
    assert!(id_token(&nameless, &keys, expected(), NONCE, None).is_ok());
    // A key that the token itself brings is no key of the provider's.
    let brought = json!({ "alg": "RS256", "kid": "r", "jwk": other.keys()["keys"][0],
        "jku": "https://evil.example/keys", "x5u": "https://evil.example/cert" });
    assert_eq!(read(&idp, &other.rs256(&brought, &good())).unwrap_err(), Wrong::Signature);
    // One that was retired is as unknown as one that never was.
    let retired = Keys::read(&json!({ "keys": [idp.keys()["keys"][1]] })).unwrap();
    let old = id_token(&idp.usual(&good()), &retired, expected(), NONCE, None);
    assert_eq!(old.unwrap_err(), Wrong::UnknownKey);
}

#[test]
fn a_token_that_was_changed_or_is_none_is_refused() {
    let idp = Idp::new();
    let good_one = idp.usual(&good());
    let parts: Vec<&str> = good_one.split('.').collect();
    let changed = encoded(but(json!({ "sub": "bob" })).to_string().as_bytes());
    let forged = format!("{}.{changed}.{}", parts[0], parts[2]);
    assert_eq!(read(&idp, &forged).unwrap_err(), Wrong::Signature);
    let critical = json!({ "alg": "RS256", "kid": "r", "crit": ["exp"] });
    let long = "a".repeat(100_000);
    for junk in ["", ".", "..", "a.b.c", good_one.trim_end_matches(parts[2]), &long] {
        assert!(read(&idp, junk).is_err(), "{junk}");
    }
    assert_eq!(read(&idp, &idp.rs256(&critical, &good())).unwrap_err(), Wrong::Malformed);
}

#[test]
fn it_is_from_the_provider_and_for_us() {
    let idp = Idp::new();
    let wrong = |changes: Value| read(&idp, &idp.usual(&but(changes))).unwrap_err();
    assert_eq!(wrong(json!({ "iss": "https://idp.example/" })), Wrong::Issuer);
    assert_eq!(wrong(json!({ "iss": null })), Wrong::Issuer);
    assert_eq!(wrong(json!({ "iss": [ISSUER] })), Wrong::Issuer);
    for audience in [json!("other"), json!(["other"]), json!([]), json!(null), json!([CLIENT, 1])] {
        assert_eq!(wrong(json!({ "aud": audience })), Wrong::Audience, "{audience}");
    }
    assert_eq!(wrong(json!({ "aud": [CLIENT, "other"] })), Wrong::AuthorizedParty);
    assert_eq!(wrong(json!({ "azp": "other" })), Wrong::AuthorizedParty);
    assert_eq!(wrong(json!({ "aud": [CLIENT, "o"], "azp": "o" })), Wrong::AuthorizedParty);
    let shared = idp.usual(&but(json!({ "aud": [CLIENT, "other"], "azp": CLIENT })));
    assert!(read(&idp, &shared).is_ok());
    assert_eq!(wrong(json!({ "sub": null })), Wrong::Subject);
    assert_eq!(wrong(json!({ "sub": "" })), Wrong::Subject);
    assert_eq!(wrong(json!({ "sub": 7 })), Wrong::Subject);
    assert_eq!(wrong(json!({ "sub": "a".repeat(256) })), Wrong::Subject);
}

#[test]
fn it_is_for_now_to_a_minute_and_a_time_of_a_wrong_type_is_none() {
    let idp = Idp::new();
    let said = |changes: Value| read(&idp, &idp.usual(&but(changes)));
    assert_eq!(said(json!({ "exp": NOW - 60 })).unwrap_err(), Wrong::Expired);
    assert!(said(json!({ "exp": NOW - 59 })).is_ok());
    assert_eq!(said(json!({ "exp": null })).unwrap_err(), Wrong::Expired);
    assert_eq!(said(json!({ "exp": (NOW + 300).to_string() })).unwrap_err(), Wrong::Malformed);
    assert_eq!(said(json!({ "nbf": NOW + 61 })).unwrap_err(), Wrong::NotYet);
    assert!(said(json!({ "nbf": NOW + 60 })).is_ok());
    assert_eq!(said(json!({ "nbf": "soon" })).unwrap_err(), Wrong::Malformed);
    assert_eq!(said(json!({ "iat": NOW + 61 })).unwrap_err(), Wrong::IssuedAt);
    assert_eq!(said(json!({ "iat": null })).unwrap_err(), Wrong::IssuedAt);
    assert!(said(json!({ "exp": 1_790_000_300.5 })).is_ok());
}

#[test]
fn it_is_for_this_login_and_goes_with_its_access_token() {
    let idp = Idp::new();
    let said = |changes: Value| read(&idp, &idp.usual(&but(changes)));
    for nonce in [json!("another"), json!(null), json!(7), json!(""), json!(format!("{NONCE} "))] {
        assert_eq!(said(json!({ "nonce": nonce })).unwrap_err(), Wrong::Nonce, "{nonce}");
    }
    let half = encoded(&Sha256::digest(b"access")[..16]);
    assert!(said(json!({ "at_hash": half })).is_ok());
    let other = encoded(&Sha256::digest(b"another")[..16]);
    assert_eq!(said(json!({ "at_hash": other })).unwrap_err(), Wrong::AccessTokenHash);
    assert_eq!(said(json!({ "at_hash": 1 })).unwrap_err(), Wrong::AccessTokenHash);
    let alone = idp.usual(&but(json!({ "at_hash": half })));
    let alone = id_token(&alone, &idp.known(), expected(), NONCE, None);
    assert_eq!(alone.unwrap_err(), Wrong::AccessTokenHash);
}

#[test]
fn a_logout_token_is_no_login_and_a_login_is_no_logout() {
    let idp = Idp::new();
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let out = but(json!({ "events": events, "nonce": null, "sid": "s1", "jti": "j" }));
    let read_out = |claims: &Value| logout_token(&idp.usual(claims), &idp.known(), expected());
    let ended = Ended { subject: Some("alice".into()), sid: Some("s1".into()) };
    assert_eq!(read_out(&out).unwrap(), ended);
    assert_eq!(read_out(&good()).unwrap_err(), Wrong::Kind);
    assert_eq!(read(&idp, &idp.usual(&out)).unwrap_err(), Wrong::Nonce);
    let typed = idp.rs256(&json!({ "alg": "RS256", "kid": "r", "typ": "logout+jwt" }), &out);
    assert!(logout_token(&typed, &idp.known(), expected()).is_ok());
    assert_eq!(read(&idp, &typed).unwrap_err(), Wrong::Kind);
    let wrong = |changes: Value| {
        let mut claims = out.clone();
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        read_out(&claims).unwrap_err()
    };
    assert_eq!(wrong(json!({ "nonce": NONCE })), Wrong::Kind);
    assert_eq!(wrong(json!({ "events": { "other": {} } })), Wrong::Kind);
    assert_eq!(
        wrong(json!({ "events": "http://schemas.openid.net/event/backchannel-logout" })),
        Wrong::Kind
    );
    assert_eq!(wrong(json!({ "aud": "other" })), Wrong::Audience);
    assert_eq!(wrong(json!({ "iss": "https://other.example" })), Wrong::Issuer);
    assert_eq!(wrong(json!({ "iat": NOW - 601 })), Wrong::IssuedAt);
    assert_eq!(wrong(json!({ "exp": NOW - 60 })), Wrong::Expired);
    let nobody = but(json!({ "events": events, "nonce": null, "sub": null }));
    assert_eq!(read_out(&nobody).unwrap_err(), Wrong::Subject);
}
