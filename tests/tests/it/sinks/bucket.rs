//! A store of objects that checks what S3 checks: the signature, the hashes, the condition.
//!
//! The signature is computed here from the vendor's description, not with the server's code.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

pub const REGION: &str = "eu-test-1";

#[derive(Clone, Default)]
pub struct Bucket {
    port: u16,
    /// Which key opens it: its id and its secret.
    pub key: Arc<Mutex<(String, String)>>,
    pub objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// Names that were asked to be stored once more.
    pub again: Arc<Mutex<Vec<String>>>,
    /// Stores so many, and then answers that it is out of order.
    pub lies: Arc<Mutex<usize>>,
    /// Whether it knows `If-None-Match`.
    pub old: Arc<Mutex<bool>>,
}

impl Bucket {
    pub fn start(id: &str, secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = Arc::new(Mutex::new((id.to_owned(), secret.to_owned())));
        let bucket = Self { port, key, ..Self::default() };
        let served = bucket.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                served.serve(stream.unwrap());
            }
        });
        bucket
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/logs/ralex/", self.port)
    }

    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (mut text, mut part) = (Vec::new(), [0; 4_096]);
        let head = loop {
            let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
            text.extend_from_slice(&part[..read]);
            if let Some(end) = text.windows(4).position(|it| it == b"\r\n\r\n") {
                break end;
            }
        };
        let lines = String::from_utf8_lossy(&text[..head]).into_owned();
        let (first, headers) = lines.split_once("\r\n").unwrap();
        let headers: BTreeMap<String, String> = headers
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = text.split_off(head + 4);
        while body.len() < length {
            let read = stream.read(&mut part).unwrap();
            body.extend_from_slice(&part[..read]);
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let (status, code) = self.answer(method, path, &headers, body);
        let said = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
        let length = said.len();
        let answer = format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}"
        );
        stream.write_all(answer.as_bytes()).ok()
    }

    fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> (u16, &'static str) {
        let digest = Sha256::digest(&body);
        let hash = hex::encode(digest);
        let (id, secret) = self.key.lock().clone();
        if headers["x-amz-content-sha256"] != hash {
            return (400, "XAmzContentSHA256Mismatch");
        }
        assert_eq!(headers["x-amz-checksum-sha256"], STANDARD.encode(digest));
        let authorization = &headers["authorization"];
        if !authorization.contains(&format!("Credential={id}/")) {
            return (403, "InvalidAccessKeyId");
        }
        let Some(signed) = authorization.split("SignedHeaders=").nth(1) else {
            return (400, "AuthorizationHeaderMalformed");
        };
        let names = signed.split(',').next().unwrap();
        if *authorization.rsplit('=').next().unwrap()
            != signature(&secret, (method, path), headers, names, &hash)
        {
            return (403, "SignatureDoesNotMatch");
        }
        let once = headers.get("if-none-match").is_some_and(|it| it == "*");
        if once && *self.old.lock() {
            return (501, "NotImplemented");
        }
        let mut objects = self.objects.lock();
        if once && objects.contains_key(path) {
            self.again.lock().push(path.to_owned());
            return (412, "PreconditionFailed");
        }
        let before = objects.insert(path.to_owned(), body.clone());
        assert!(before.is_none_or(|before| before == body), "{path} was written over");
        let mut lies = self.lies.lock();
        if *lies > 0 {
            *lies -= 1;
            return (503, "SlowDown");
        }
        (200, "")
    }

    /// The lines of all objects, in the order of their names.
    pub fn lines(&self) -> Vec<String> {
        let objects = self.objects.lock();
        let records = objects.iter().filter(|(name, _)| !name.contains("/test/"));
        let texts = records.map(|(_, body)| String::from_utf8(body.clone()).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

fn signature(
    secret: &str,
    (method, path): (&str, &str),
    headers: &BTreeMap<String, String>,
    names: &str,
    hash: &str,
) -> String {
    for needed in ["host", "x-amz-content-sha256", "x-amz-date"] {
        assert!(names.split(';').any(|name| name == needed), "{names}");
    }
    let lines: Vec<String> =
        names.split(';').map(|name| format!("{name}:{}", headers[name].trim())).collect();
    let lines = lines.join("\n");
    let canonical = format!("{method}\n{path}\n\n{lines}\n\n{names}\n{hash}");
    let time = &headers["x-amz-date"];
    let scope = format!("{}/{REGION}/s3/aws4_request", &time[..8]);
    let text =
        format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in scope.split('/').chain([text.as_str()]) {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    hex::encode(key)
}
