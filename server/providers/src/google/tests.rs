//! Against an endpoint on this machine that gives tokens as Google's does.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::dialect::Dialect;
use crate::prepare::{Target, prepare};
use crate::{Answer, Client, InPath, Inbound, Specs, Timeouts};

/// What the endpoint was asked.
struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Gives a token with the next number for every assertion, and answers every question.
async fn endpoint(status: &'static str, expires_in: u64) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, given) = (asked.clone(), AtomicUsize::new(0));
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = request(&mut socket).await;
            let (kind, body) = if request.contains("alt=sse") {
                ("text/event-stream", SSE.to_owned())
            } else if request.contains("Content ") {
                ("application/json", REPLY.to_owned())
            } else {
                let number = given.fetch_add(1, Ordering::Relaxed);
                let token = format!("ya29.{number}");
                let body = json!({ "access_token": token, "expires_in": expires_in });
                ("application/json", body.to_string())
            };
            seen.lock().push(request);
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Endpoint { url, asked }
}

const REPLY: &str = include_str!("../../tests/golden/gemini/reply.json");
const SSE: &str = include_str!("../../tests/golden/gemini/stream.txt");

/// A request to its end.
async fn request(socket: &mut TcpStream) -> String {
    let mut request = String::new();
    let mut part = [0; 4096];
    loop {
        let read = socket.read(&mut part).await.unwrap();
        request.push_str(std::str::from_utf8(&part[..read]).unwrap());
        let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        if let Some((_, body)) = request.split_once("\r\n\r\n")
            && body.len() >= length
        {
            return request;
        }
    }
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

async fn call(endpoint: &Endpoint, client: &Client, key: &Secret, streamed: bool) -> Answer {
    let base = endpoint.url.replace("/token", "/v1/projects/p/locations/global");
    let vertex = Target {
        spec: Specs::built_in().unwrap().find("vertex").unwrap().clone(),
        base_url: Some(base.parse().unwrap()),
        upstream_model: "up".to_owned(),
        max_output: 1000,
        patience: crate::Patience::default(),
    };
    let path = InPath { model: Some("asked".to_owned()), streamed: Some(streamed) };
    let body = json!({ "contents": [{ "parts": [{ "text": "x" }] }] }).to_string();
    let inbound = Inbound::parse_at(Dialect::Gemini, body.into(), path).unwrap();
    client.send(&prepare(&inbound, &vertex, 9).unwrap(), Some(key)).await.unwrap()
}

#[tokio::test]
async fn vertex_is_called_with_a_token_of_the_account() {
    let endpoint = endpoint("200 OK", 3600).await;
    let (key, _) = account(&endpoint.url);
    let client = Client::new(policy(), Timeouts::default()).unwrap();
    let Answer::Whole { body, usage, .. } = call(&endpoint, &client, &key, false).await else {
        panic!("it is no whole answer");
    };
    assert_eq!(body, REPLY);
    assert!(usage.output_tokens > 0 && !usage.estimated, "{usage:?}");
    let Answer::Stream(stream) = call(&endpoint, &client, &key, true).await else {
        panic!("it is no stream");
    };
    let chunks: Vec<_> = stream.map(Result::unwrap).collect().await;
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
    assert_eq!(String::from_utf8(bytes).unwrap(), SSE);
    assert!(chunks.last().unwrap().usage.is_some());

    let asked = endpoint.asked.lock().clone();
    let place = "/v1/projects/p/locations/global/publishers/google/models/up";
    assert_eq!(asked.len(), 3, "one token is enough for two calls");
    assert!(asked[1].starts_with(&format!("POST {place}:generateContent HTTP")), "{}", asked[1]);
    assert!(asked[2].starts_with(&format!("POST {place}:streamGenerateContent?alt=sse HTTP")));
    assert!(asked[1..].iter().all(|it| it.contains("authorization: Bearer ya29.0\r\n")));
    assert!(asked[1..].iter().all(|it| !it.contains("PRIVATE KEY")), "a key left Ralex");
}

#[tokio::test]
async fn a_key_of_the_express_mode_is_shown_as_it_is() {
    let endpoint = endpoint("200 OK", 3600).await;
    let client = Client::new(policy(), Timeouts::default()).unwrap();
    call(&endpoint, &client, &Secret::new("AQ.abc".to_owned()), false).await;
    let asked = endpoint.asked.lock().clone();
    assert!(asked[0].contains("x-goog-api-key: AQ.abc\r\n"), "{}", asked[0]);
}
