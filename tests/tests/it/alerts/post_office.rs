//! A mail server as alerts meet it: RFC 5321 with STARTTLS and AUTH, on a port of this machine.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::sinks::collector::{Authority, pem};

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Letter {
    pub from: String,
    pub to: Vec<String>,
    pub headers: BTreeMap<String, String>,
    pub text: String,
    pub encrypted: bool,
    /// The user and the password, where the sender logged in.
    pub login: Option<String>,
    pub taken: bool,
}

/// What listens, and all that came.
#[derive(Clone)]
pub struct PostOffice {
    pub port: u16,
    letters: Arc<Mutex<Vec<Letter>>>,
    /// Answers so to every message, where it is set.
    refusal: Arc<Mutex<Option<&'static str>>>,
    tls: Option<Arc<ServerConfig>>,
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

#[derive(Default)]
struct Talk {
    from: String,
    to: Vec<String>,
    login: Option<String>,
}

impl PostOffice {
    pub fn start() -> Self {
        Self::listen(None)
    }

    /// Knows STARTTLS, as `localhost`.
    pub fn encrypted(authority: &Authority) -> Self {
        let own = authority.vouch("localhost");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let key = PrivateKeyDer::try_from(pem(&own.key)).unwrap();
        let config = config.with_single_cert(vec![pem(&own.certificate).into()], key).unwrap();
        Self::listen(Some(Arc::new(config)))
    }

    fn listen(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let office = Self { port, letters: Arc::default(), refusal: Arc::default(), tls };
        let served = office.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (served, stream) = (served.clone(), stream.unwrap());
                std::thread::spawn(move || served.serve(stream));
            }
        });
        office
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Every message is answered so from now on; taken where there is nothing.
    pub fn answer(&self, refusal: Option<&'static str>) {
        *self.refusal.lock() = refusal;
    }

    /// What was taken.
    pub fn letters(&self) -> Vec<Letter> {
        self.letters.lock().iter().filter(|letter| letter.taken).cloned().collect()
    }

    /// What came, taken or not.
    pub fn came(&self) -> Vec<Letter> {
        self.letters.lock().clone()
    }

    fn serve(&self, mut stream: TcpStream) {
        stream.write_all(b"220 localhost ESMTP\r\n").ok();
        let upgraded = self.talk(&mut stream, false);
        if let (Some(true), Some(tls)) = (upgraded, &self.tls) {
            let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
            self.talk(&mut StreamOwned::new(connection, stream), true);
        }
    }

    /// True where the other side is about to begin TLS.
    fn talk(&self, stream: &mut dyn Wire, encrypted: bool) -> Option<bool> {
        let mut talk = Talk::default();
        loop {
            let line = line(stream)?;
            let verb = line.split([' ', ':']).next().unwrap_or("").to_uppercase();
            let rest = line.get(verb.len()..).unwrap_or("").trim().to_owned();
            let answer = match verb.as_str() {
                "EHLO" if self.tls.is_some() && !encrypted => {
                    "250-localhost\r\n250-STARTTLS\r\n250 8BITMIME".to_owned()
                }
                "EHLO" => "250-localhost\r\n250-AUTH PLAIN\r\n250 8BITMIME".to_owned(),
                "STARTTLS" => {
                    stream.write_all(b"220 go on\r\n").ok()?;
                    return Some(true);
                }
                "AUTH" => {
                    let sent = STANDARD.decode(rest.trim_start_matches("PLAIN ")).unwrap();
                    let text = String::from_utf8(sent).unwrap().replace('\0', ":");
                    let known = text.ends_with(":right");
                    talk.login = Some(text);
                    if known { "235 welcome" } else { "535 wrong: hidden" }.to_owned()
                }
                "MAIL" => {
                    talk.from = address(&rest);
                    "250 ok".to_owned()
                }
                "RCPT" => {
                    talk.to.push(address(&rest));
                    "250 ok".to_owned()
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").ok()?;
                    self.keep(stream, std::mem::take(&mut talk), encrypted)?
                }
                "NOOP" | "RSET" => "250 ok".to_owned(),
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").ok();
                    return None;
                }
                _ => "502 what?".to_owned(),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
            stream.flush().ok()?;
        }
    }

    fn keep(&self, stream: &mut dyn Wire, talk: Talk, encrypted: bool) -> Option<String> {
        let mut lines = Vec::new();
        loop {
            let line = line(stream)?;
            if line == "." {
                break;
            }
            lines.push(line.strip_prefix('.').map_or(line.clone(), str::to_owned));
        }
        let refusal = *self.refusal.lock();
        let (headers, text) = parts(&lines);
        let Talk { from, to, login } = talk;
        let taken = refusal.is_none();
        self.letters.lock().push(Letter { from, to, headers, text, encrypted, login, taken });
        Some(refusal.unwrap_or("250 taken").to_owned())
    }
}

/// A byte at a time: what comes after STARTTLS must stay for TLS to read.
fn line(stream: &mut dyn Wire) -> Option<String> {
    let mut text = Vec::new();
    BufReader::with_capacity(1, stream).read_until(b'\n', &mut text).ok()?;
    if text.is_empty() {
        return None;
    }
    Some(String::from_utf8_lossy(&text).trim_end_matches(['\r', '\n']).to_owned())
}

fn address(text: &str) -> String {
    let inside = text.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or_else(String::new, |(address, _)| address.to_owned())
}

/// Headers in one line each, and the body without its transfer encoding.
fn parts(lines: &[String]) -> (BTreeMap<String, String>, String) {
    let end = lines.iter().position(String::is_empty).unwrap_or(lines.len());
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in &lines[..end] {
        if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
            value.push_str(line);
        } else {
            let (name, value) = line.split_once(": ").unwrap();
            headers.push((name.to_lowercase(), value.to_owned()));
        }
    }
    let headers: BTreeMap<_, _> = headers.into_iter().collect();
    let body = lines.get(end + 1..).unwrap_or_default().join("\n");
    let quoted =
        headers.get("content-transfer-encoding").is_some_and(|it| it == "quoted-printable");
    // Enough for our own texts, which are ASCII.
    let text = if quoted { body.replace("=\n", "").replace("=3D", "=") } else { body };
    (headers, text)
}
