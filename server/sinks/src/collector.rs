//! Collectors of syslog over TLS, as RFC 5425 has it: each message after its length.
//!
//! The protocol knows no answer, so what stands in for one is the end of the connection: all is
//! sent, our end is closed, and only when the collector has read that far and closes its own is
//! the batch taken. Whatever else happens to the connection means that it is sent again.

use std::fmt::Write as _;
use std::time::Duration;

use ralex_kernel::Problem;
use ralex_providers::{Post, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use url::Url;

use crate::delivery::{Outcome, Receiver};

/// The port that RFC 5425 gives it.
const PORT: u16 = 6_514;
const SCHEME: &str = "tls://";

/// `tls://host:port` as an address with https, which reads every spelling of a host in one way,
/// and its port.
pub(crate) fn address(text: &str) -> Result<(Url, u16), Problem> {
    let rule =
        || Problem::field("url", "must be tls:// with a host and, if it is not 6514, a port");
    let rest = text.strip_prefix(SCHEME).ok_or_else(rule)?;
    // Of a scheme that it does not know, the port is kept whichever it is.
    let port = text.parse::<Url>().map_err(|_| rule())?.port().unwrap_or(PORT);
    let url: Url = format!("https://{rest}").parse().map_err(|_| rule())?;
    if url.path() != "/" || port == 0 {
        return Err(rule());
    }
    Ok((url, port))
}

/// Messages, each after its length in bytes.
pub(crate) fn frames(messages: &[String]) -> Vec<u8> {
    let mut frames = String::new();
    for message in messages {
        write!(frames, "{} {message}", message.len()).ok();
    }
    frames.into_bytes()
}

/// Sends messages, and waits until the collector has read them all.
pub(crate) async fn send(
    post: &Post,
    receiver: &Receiver,
    secret: &[u8],
    messages: &[String],
    patience: Duration,
) -> Outcome {
    let sending = async {
        let (url, port) = address(&receiver.url).map_err(|_| "Its address is none.".to_owned())?;
        let pem = std::str::from_utf8(secret).unwrap_or_default();
        let identity = (!pem.is_empty()).then_some((pem, pem));
        let tls = Tls::new(receiver.ca_pem.as_deref(), identity)
            .map_err(|_| "Its certificates cannot be read any more.".to_owned())?;
        let mut stream = post.connect(&url, port, &tls, patience).await?;
        let broken = |error: std::io::Error| Post::broken(&error);
        stream.write_all(&frames(messages)).await.map_err(broken)?;
        stream.shutdown().await.map_err(broken)?;
        let mut unread = [0; 256];
        // A collector that does not take our certificate says so only now.
        while stream.read(&mut unread).await.map_err(broken)? > 0 {}
        Ok::<_, String>(())
    };
    match timeout(patience, sending).await {
        Ok(Ok(())) => Outcome::Taken { status: 0 },
        Ok(Err(why)) => Outcome::Failed { why, retry_after: None },
        Err(_) => {
            let why = "It did not read to the end in time, as far as can be told.".to_owned();
            Outcome::Failed { why, retry_after: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let of = |text| address(text).ok().map(|(url, port)| (url.to_string(), port));
        assert_eq!(of("tls://logs.example"), Some(("https://logs.example/".into(), 6_514)));
        assert_eq!(of("tls://logs.example:443"), Some(("https://logs.example/".into(), 443)));
        assert_eq!(of("tls://2130706433:99").unwrap().0, "https://127.0.0.1:99/");
        assert_eq!(of("tls://[::1]:99").unwrap().1, 99);
        for text in ["logs.example:1", "tls://", "tls://a:0", "tls://a/b", "https://a", "tls://a:b"]
        {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_in_bytes() {
        let messages = ["<110>1 é".to_owned(), "b".to_owned()];
        assert_eq!(frames(&messages), "9 <110>1 é1 b".as_bytes());
    }
}
