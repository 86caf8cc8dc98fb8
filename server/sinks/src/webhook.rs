//! Webhooks as Standard Webhooks 1.0 says: a name for each delivery, the time, and a signature over
//! both and the body, so that a receiver knows who sent it and that it is not an old one again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ralex_api::sinks::SinkFormat;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::delivery::lined;

/// How a secret begins where it is shown.
const PREFIX: &str = "whsec_";

/// A fresh secret.
pub fn new_secret() -> Zeroizing<[u8; 32]> {
    Zeroizing::new(rand::random())
}

/// The secret as receivers' libraries take it.
pub fn shown(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// What the records are sent as, and what that is called.
pub(crate) fn body(format: SinkFormat, lines: &[String]) -> (&'static str, Vec<u8>) {
    let array = || format!("[{}]", lines.join(",")).into_bytes();
    match format {
        SinkFormat::CloudEvents => ("application/cloudevents-batch+json; charset=utf-8", array()),
        SinkFormat::Ocsf => ("application/json", array()),
        SinkFormat::Jsonl | SinkFormat::Cef | SinkFormat::Syslog => {
            ("application/x-ndjson", lined(lines).into_bytes())
        }
    }
}

/// The headers of a delivery. While a secret is being changed both sign, and a receiver takes the
/// one that it knows.
pub fn headers(
    secrets: &[&[u8]],
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let signatures: Vec<String> =
        secrets.iter().map(|secret| signature(secret, id, timestamp, body)).collect();
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

fn signature(secret: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    // HMAC takes a key of any length, so this makes one of every secret.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_that_the_standard_gives_as_an_example() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(shown(&secret), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
}
