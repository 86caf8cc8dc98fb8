//! Somebody's webhook, on a port of this machine, which checks signatures as its owner would.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::Sha256;

/// A delivery as it came.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub headers: BTreeMap<String, String>,
    pub body: Value,
    text: String,
    pub taken: bool,
}

impl Delivery {
    /// As docs/src/alerts.md tells receivers to do it.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let header = |name: &str| self.headers[name].as_str();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes());
        mac.update(self.text.as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        header("webhook-signature").split(' ').any(|it| it == signature)
    }
}

#[derive(Clone)]
pub struct Hook {
    pub url: String,
    came: Arc<Mutex<Vec<Delivery>>>,
    status: Arc<Mutex<u16>>,
}

impl Hook {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks/in-secret", listener.local_addr().unwrap());
        let hook = Self { url, came: Arc::default(), status: Arc::new(Mutex::new(204)) };
        let served = hook.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                served.serve(stream.unwrap());
            }
        });
        hook
    }

    pub fn answer(&self, status: u16) {
        *self.status.lock() = status;
    }

    pub fn came(&self) -> Vec<Delivery> {
        self.came.lock().clone()
    }

    pub fn taken(&self) -> Vec<Delivery> {
        self.came.lock().iter().filter(|delivery| delivery.taken).cloned().collect()
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
        let headers: BTreeMap<_, _> = lines
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        let mut body = text.split_off(head + 4);
        while body.len() < length {
            let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
            body.extend_from_slice(&part[..read]);
        }
        let status = *self.status.lock();
        let text = String::from_utf8(body).unwrap();
        let body = serde_json::from_str(&text).unwrap();
        self.came.lock().push(Delivery { headers, body, text, taken: status < 300 });
        let answer =
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok()
    }
}
