//! A streamed answer, read as far as a test wants to.

use reqwest::header::HeaderMap;

/// Dropping it hangs up.
#[derive(Debug)]
pub struct Streaming {
    response: reqwest::Response,
    pub status: u16,
    pub headers: HeaderMap,
    /// What came so far.
    pub events: String,
}

impl Streaming {
    pub(super) fn new(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { response, status, headers, events: String::new() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads until `part` has come.
    pub async fn read_until(&mut self, part: &str) {
        while !self.events.contains(part) {
            assert!(self.read().await, "the stream ended without `{part}`: {}", self.events);
        }
    }

    /// Reads to the end; the connection may be cut.
    pub async fn read_all(&mut self) -> &str {
        while self.read().await {}
        &self.events
    }

    async fn read(&mut self) -> bool {
        match self.response.chunk().await {
            Ok(Some(bytes)) => {
                self.events.push_str(&String::from_utf8_lossy(&bytes));
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// What the stream's last comment says that the call cost.
    pub fn cost(&self) -> Option<String> {
        let mut lines = self.events.lines();
        lines.find_map(|line| line.strip_prefix(": x-ralex-cost ")).map(str::to_owned)
    }
}
