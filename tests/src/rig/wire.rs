//! A client of HTTP/1.1 that costs next to nothing: it shares two cores with what it measures, so
//! every microsecond of its own would be blamed on the server.
//!
//! It understands what the servers here send (a content length or chunks) and nothing more, and
//! it tells what came even where the answer breaks off.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::upstream::sent_ago;

/// A request that is written again and again.
#[derive(Clone, Debug)]
pub struct Request(Vec<u8>);

impl Request {
    pub fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        use std::fmt::Write as _;
        let mut text = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            // Writing to a String cannot fail.
            write!(text, "{name}: {value}\r\n").ok();
        }
        write!(
            text,
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .ok();
        Self(text.into_bytes())
    }
}

/// What came of an answer so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// At least one byte arrived.
    pub any: bool,
    pub status: Option<u16>,
    pub call: Option<String>,
    /// The header's text, or the one at a stream's end.
    pub cost: Option<String>,
    /// When the first byte of the body arrived.
    pub first: Option<Instant>,
    /// How long the first stamped piece of a stream was under way.
    pub behind: Option<Duration>,
    /// Arrivals of a part of the body: one, where somebody buffered.
    pub arrivals: u32,
    pub body: Vec<u8>,
    /// The whole answer is there.
    pub ended: bool,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunks,
}

/// One connection, kept alive between calls.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 * 1024) })
    }

    /// Sends a request and reads its answer into `seen`, which is filled also where this fails.
    /// `enough` ends the reading before the answer's end; the connection is of no use then.
    pub async fn call(
        &mut self,
        request: &Request,
        seen: &mut Seen,
        enough: Option<u32>,
    ) -> io::Result<()> {
        self.buffer.clear();
        self.stream.write_all(&request.0).await?;
        let end = loop {
            self.more(seen).await?;
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                break end;
            }
        };
        let framing = head(&self.buffer[..end], seen)?;
        self.buffer.drain(..end + 4);
        loop {
            if !self.buffer.is_empty() || matches!(framing, Framing::Length(0)) {
                seen.first.get_or_insert_with(Instant::now);
                seen.arrivals += 1;
                seen.ended = self.take(framing, seen)?;
                seen.behind = seen.behind.or_else(|| sent_ago(&seen.body));
            }
            if seen.ended || enough.is_some_and(|enough| seen.arrivals >= enough) {
                read_cost(seen);
                return Ok(());
            }
            self.more(seen).await?;
        }
    }

    async fn more(&mut self, seen: &mut Seen) -> io::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        seen.any = true;
        Ok(())
    }

    /// Moves what is whole of the body out of the buffer; true at its end.
    fn take(&mut self, framing: Framing, seen: &mut Seen) -> io::Result<bool> {
        match framing {
            Framing::Length(length) => {
                seen.body.append(&mut self.buffer);
                Ok(seen.body.len() >= length)
            }
            Framing::Chunks => loop {
                let Some(line) = find(&self.buffer, b"\r\n") else { return Ok(false) };
                let size = std::str::from_utf8(&self.buffer[..line]).ok();
                let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
                let Some(size) = size else { return Err(io::ErrorKind::InvalidData.into()) };
                let (from, to) = (line + 2, line + 2 + size);
                if self.buffer.len() < to + 2 {
                    return Ok(false);
                }
                seen.body.extend_from_slice(&self.buffer[from..to]);
                self.buffer.drain(..to + 2);
                if size == 0 {
                    return Ok(true);
                }
            },
        }
    }
}

fn head(head: &[u8], seen: &mut Seen) -> io::Result<Framing> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    seen.status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let mut framing = Err(io::ErrorKind::InvalidData.into());
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                framing = value.parse().map(Framing::Length).map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidData, "not a content length")
                });
            }
            "transfer-encoding" => framing = Ok(Framing::Chunks),
            "x-ralex-call-id" => seen.call = Some(value.to_owned()),
            "x-ralex-cost" => seen.cost = Some(value.to_owned()),
            _ => {}
        }
    }
    framing
}

/// A stream tells its cost in a comment at its end.
fn read_cost(seen: &mut Seen) {
    const COMMENT: &[u8] = b": x-ralex-cost ";
    if seen.cost.is_some() {
        return;
    }
    let tail = &seen.body[seen.body.len().saturating_sub(128)..];
    seen.cost = find(tail, COMMENT).and_then(|at| {
        let rest = std::str::from_utf8(&tail[at + COMMENT.len()..]).ok()?;
        Some(rest.lines().next()?.to_owned())
    });
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered(answer: &'static [&'static str]) -> (io::Result<()>, Seen) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            for part in answer {
                stream.write_all(part.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut wire = Wire::connect(address).await.unwrap();
        let mut seen = Seen::default();
        let outcome = wire.call(&Request::post("/", &[], "{}"), &mut seen, None).await;
        (outcome, seen)
    }

    #[tokio::test]
    async fn a_plain_answer_is_read_with_its_call_and_cost() {
        let (outcome, seen) = answered(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Ralex-Call-Id: c1\r\nx-ralex-cost: 0.5\r\n\r\nab",
            "cd",
        ])
        .await;
        outcome.unwrap();
        assert_eq!(
            (seen.status, seen.ended, seen.body.as_slice()),
            (Some(200), true, &b"abcd"[..])
        );
        assert_eq!((seen.call.as_deref(), seen.cost.as_deref()), (Some("c1"), Some("0.5")));
    }

    #[tokio::test]
    async fn a_stream_is_read_chunk_by_chunk_with_the_cost_at_its_end() {
        let (outcome, seen) = answered(&[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\na\r",
            "\n\r\n16\r\n: x-ralex-cost 0.25\n\n\n\r\n0\r\n\r\n",
        ])
        .await;
        outcome.unwrap();
        assert!(seen.ended);
        assert_eq!(seen.cost.as_deref(), Some("0.25"));
    }

    #[tokio::test]
    async fn what_came_of_a_broken_answer_is_told() {
        let (outcome, seen) =
            answered(&["HTTP/1.1 200 OK\r\ncontent-length: 9\r\nx-ralex-call-id: c2\r\n\r\nab"])
                .await;
        outcome.unwrap_err();
        assert!(seen.any && !seen.ended);
        assert_eq!(seen.call.as_deref(), Some("c2"));
    }
}
