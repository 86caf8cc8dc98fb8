//! Against an endpoint on this machine that gives tokens as Google's does.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// What the endpoint was asked.
struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Answers every request with this, and counts a token's number up.
async fn endpoint(status: &'static str, expires_in: u64) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, given) = (asked.clone(), AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let mut part = [0; 4096];
            // The form has no line of its own: it ends the request.
            while !String::from_utf8_lossy(&request).contains("assertion=") {
                let read = socket.read(&mut part).await.unwrap();
                request.extend_from_slice(&part[..read]);
            }
            seen.lock().push(String::from_utf8(request).unwrap());
            let number = given.fetch_add(1, Ordering::Relaxed);
            let body = json!({ "access_token": format!("ya29.{number}"), "token_type": "Bearer",
                "expires_in": expires_in });
            let body = body.to_string();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Endpoint { url, asked }
}

fn account(token_uri: &str) -> (Secret, KeyPair) {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        BASE64_STANDARD.encode(der.as_ref())
    );
    let file = json!({ "type": "service_account", "client_email": "ralex@p.iam.gserviceaccount.com",
        "private_key": pem, "private_key_id": "k1", "token_uri": token_uri, "project_id": "p" });
    (Secret::new(file.to_string()), pair)
}

fn policy() -> EgressPolicy {
    EgressPolicy::new(["127.0.0.0/8".parse().unwrap()])
}

fn http(_: &Url) -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn an_accounts_signature_gives_a_token_that_is_kept() {
    let endpoint = endpoint("200 OK", 3600).await;
    let (key, pair) = account(&endpoint.url);
    let tokens = Tokens::default();
    let policy = policy();
    let (one, two) = tokio::join!(tokens.of(&key, &policy, http), tokens.of(&key, &policy, http));
    assert_eq!((one.unwrap().expose(), two.unwrap().expose()), ("ya29.0", "ya29.0"));
    let asked = endpoint.asked.lock().clone();
    assert_eq!(asked.len(), 1, "one asks, and the others wait for it");

    let form = asked[0].split("\r\n\r\n").nth(1).unwrap();
    let jwt = form.strip_prefix(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant%2Dtype%3Ajwt%2Dbearer&assertion=",
    );
    let (signed, signature) = jwt.unwrap().rsplit_once('.').unwrap();
    let read = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&read(header)).unwrap();
    let claims: Value = serde_json::from_slice(&read(claims)).unwrap();
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("k1")));
    assert_eq!(claims["iss"], "ralex@p.iam.gserviceaccount.com");
    assert_eq!(claims["aud"], endpoint.url.as_str());
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
        pair.public_key(),
    )
    .verify(signed.as_bytes(), &read(signature))
    .unwrap();
}

#[tokio::test]
async fn a_token_that_ends_soon_is_made_anew() {
    let endpoint = endpoint("200 OK", 299).await;
    let (key, _) = account(&endpoint.url);
    let tokens = Tokens::default();
    for expected in ["ya29.0", "ya29.1"] {
        assert_eq!(tokens.of(&key, &policy(), http).await.unwrap().expose(), expected);
    }
}

#[tokio::test]
async fn a_refused_account_is_a_refused_key() {
    let endpoint = endpoint("400 Bad Request", 0).await;
    let (key, _) = account(&endpoint.url);
    let error = Tokens::default().of(&key, &policy(), http).await.unwrap_err();
    assert_eq!(error, unusable());
}

#[tokio::test]
async fn nobody_but_google_is_asked_for_a_token() {
    for uri in [
        "https://oauth2.googleapis.com.evil.test/token",
        "https://oauth2.googleapis.com@evil.test/token",
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com/token?x=1",
        "https://169.254.169.254/token",
        "http://10.0.0.1/token",
        "http://localhost/token",
    ] {
        let (key, _) = account(uri);
        let error = Tokens::default().of(&key, &policy(), http).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Egress(_)), "{uri}: {error:?}");
    }
    let (key, _) = account("http://127.0.0.1:1/token");
    let error = Tokens::default().of(&key, &EgressPolicy::default(), http).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Egress(_)), "{error:?}");
}

#[tokio::test]
async fn what_is_no_service_account_is_refused_without_a_word_of_it() {
    for text in [
        "{",
        r#"{"type":"authorized_user","client_email":"a","private_key":"secret"}"#,
        r#"{"type":"service_account","client_email":"a","private_key":"secret"}"#,
    ] {
        let error = Tokens::default().of(&Secret::new(text.to_owned()), &policy(), http).await;
        assert_eq!(error.unwrap_err(), unusable(), "{text}");
    }
}

#[test]
fn a_keys_text_tells_what_it_is() {
    for (text, kind) in [
        (" {\"type\":\"service_account\"}", Kind::Account),
        ("AIzaSyD", Kind::ApiKey),
        ("AQ.Ab8R", Kind::ApiKey),
        ("ya29.a0Af", Kind::Token),
    ] {
        assert_eq!(Kind::of(&Secret::new(text.to_owned())), kind, "{text}");
    }
}
