//! A login by the browser of this machine (RFC 8252, with PKCE by RFC 7636).

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ralex_api::oauth::{CLIENT_ID, TokenGranted};
use rand::RngExt;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{Asked, ask};
use crate::say;

/// How long somebody may take to say yes.
const PATIENCE: Duration = Duration::from_mins(5);
/// A request line with its headers; no browser's is longer.
const LONGEST: usize = 16 << 10;

pub(super) async fn log_in(server: &Url, name: &str) -> anyhow::Result<TokenGranted> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port is free")?;
    let redirect = format!("http://{}/done", listener.local_addr()?);
    let (verifier, state) = (random(), random());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let mut page = server.join("/oauth/authorize")?;
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", CLIENT_ID)
        .append_pair("redirect_uri", &redirect)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("state", &state)
        .append_pair("name", name);
    say::problem(&format!("Say yes in your browser. If none opens, open this in it:\n\n{page}\n"));
    open(&page);
    let waited = tokio::time::timeout(PATIENCE, answered(&listener, &state));
    let code = waited.await.context("Nobody said yes for five minutes.")??;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT_ID),
        ("code", &code),
        ("code_verifier", &verifier),
        ("redirect_uri", &redirect),
    ];
    match ask(server, "/oauth/token", &form).await? {
        Asked::Granted(granted) => Ok(granted),
        Asked::Refused(why) => bail!("{}", why.error_description),
    }
}

/// Waits for the browser. Whatever else comes to this port is sent away, and waited on further.
async fn answered(listener: &TcpListener, state: &str) -> anyhow::Result<String> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Some(target) = request(&mut stream).await else { continue };
        let Ok(url) = Url::parse(&format!("http://127.0.0.1{target}")) else { continue };
        let value = |name: &str| {
            url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        if url.path() != "/done" || value("state").as_deref() != Some(state) {
            answer(&mut stream, "404 Not Found", "This is not the way in.").await;
            continue;
        }
        let Some(code) = value("code") else {
            let said = "You said no. Nobody is logged in. This window can be closed.";
            answer(&mut stream, "200 OK", said).await;
            bail!("You said no.")
        };
        // Whether the code is good for a token is known only afterwards.
        answer(&mut stream, "200 OK", "You said yes. Go on in the terminal.").await;
        return Ok(code);
    }
}

/// The target of a request; nothing for what is none, or does not come.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    let head = async {
        while !read.windows(4).any(|it| it == b"\r\n\r\n") && read.len() < LONGEST {
            if stream.read_buf(&mut read).await.ok()? == 0 {
                return None;
            }
        }
        Some(())
    };
    tokio::time::timeout(Duration::from_secs(5), head).await.ok()??;
    let text = String::from_utf8(read).ok()?;
    let mut line = text.lines().next()?.split(' ');
    (line.next()? == "GET").then_some(())?;
    line.next().map(str::to_owned)
}

async fn answer(stream: &mut TcpStream, status: &str, said: &str) {
    let page = format!("<!doctype html><meta charset=utf-8><title>Ralex</title><p>{said}</p>");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    // A browser that went away has been told nothing it needs.
    stream.write_all(answer.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

/// 256 bits, as the standard has them written.
fn random() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where there is no browser, the address stands on the terminal.
fn open(page: &Url) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = || Stdio::null();
    let mut command = Command::new(program);
    command.arg(page.as_str()).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().ok();
}
