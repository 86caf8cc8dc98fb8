//! AWS Signature Version 4: a request that carries a proof of its key instead of the key.
//!
//! Written out here because the vendor's crate brings nine others for what is one hash of a
//! canonical text; its test vectors and its Python library agree with what this gives.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::{Host, Url};

/// An access key of AWS. Its secret parts borrow from the secret that it was read from.
pub(crate) struct AccessKey<'a> {
    pub id: &'a str,
    pub secret: &'a str,
    pub session: Option<&'a str>,
    pub region: Option<&'a str>,
}

/// What stands in a key's place as the vendor's own tools write it.
pub(crate) enum Credential<'a> {
    /// To be signed with.
    AccessKey(AccessKey<'a>),
    /// One of Bedrock's own keys, which is shown as it is.
    Bearer(&'a str),
}

/// What a signature is made for.
pub(crate) struct Request<'a> {
    pub method: &'a str,
    pub url: &'a Url,
    pub body: &'a [u8],
    pub at: DateTime<Utc>,
    pub region: &'a str,
    pub service: &'a str,
}

/// What the standard leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A key that is no form of any of AWS's keys, or whose region nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unusable;

impl<'a> Credential<'a> {
    /// Reads `id:secret`, `id:secret:session`, `id:secret:session:region`, or a single word, which
    /// is a key of Bedrock's.
    pub fn read(text: &'a str) -> Result<Self, Unusable> {
        let mut parts = text.trim().split(':');
        let (Some(id), secret) = (parts.next(), parts.next()) else { return Err(Unusable) };
        let Some(secret) = secret else { return Ok(Self::Bearer(id)) };
        let mut given = || parts.next().filter(|part| !part.is_empty());
        let (session, region) = (given(), given());
        if id.is_empty() || secret.is_empty() || parts.next().is_some() {
            return Err(Unusable);
        }
        Ok(Self::AccessKey(AccessKey { id, secret, session, region }))
    }
}

/// The form with colons of a key that is written as JSON, as `aws sts` prints it.
pub(crate) fn of_json(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let value = value.get("Credentials").unwrap_or(&value);
    let said = |names: [&str; 3]| names.into_iter().find_map(|name| value.get(name)?.as_str());
    let id = said(["AccessKeyId", "accessKeyId", "access_key_id"])?;
    let secret = said(["SecretAccessKey", "secretAccessKey", "secret_access_key"])?;
    let session = said(["SessionToken", "sessionToken", "session_token"]).unwrap_or_default();
    let region = said(["Region", "region", "aws_region"]).unwrap_or_default();
    Some(format!("{id}:{secret}:{session}:{region}"))
}

impl AccessKey<'_> {
    /// The region that the key names, else the one that the host does.
    pub fn region<'a>(&'a self, url: &'a Url) -> Result<&'a str, Unusable> {
        let of_host = || match url.host() {
            Some(Host::Domain(host)) => host.split('.').find(|label| is_region(label)),
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => None,
        };
        self.region.or_else(of_host).ok_or(Unusable)
    }

    /// The headers that prove the key: the time, the session and the signature, over these and
    /// `signed`, which must be sent as they are here.
    pub fn sign(
        &self,
        request: &Request<'_>,
        signed: &[(HeaderName, HeaderValue)],
    ) -> Result<HeaderMap, Unusable> {
        let mut proof = HeaderMap::new();
        let mut add = |name: &'static str, value: &str| {
            let mut value = HeaderValue::from_str(value).map_err(|_| Unusable)?;
            value.set_sensitive(true);
            proof.insert(HeaderName::from_static(name), value);
            Ok(())
        };
        let time = request.at.format("%Y%m%dT%H%M%SZ").to_string();
        add("x-amz-date", &time)?;
        if let Some(session) = self.session {
            add("x-amz-security-token", session)?;
        }
        let mut headers = vec![("host".to_owned(), host(request.url))];
        let others = signed.iter().map(|(name, value)| (name, value));
        for (name, value) in others.chain(proof.iter()) {
            let value = value.to_str().map_err(|_| Unusable)?;
            headers.push((name.as_str().to_owned(), one_space(value)));
        }
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let date = time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{}/{}/aws4_request", request.region, request.service);
        let canonical = canonical(request, &headers, &names);
        let text =
            format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
        let signature = self.signature(date, request, &text)?;
        let id = self.id;
        let header = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        let mut value = HeaderValue::from_str(&header).map_err(|_| Unusable)?;
        value.set_sensitive(true);
        proof.insert(reqwest::header::AUTHORIZATION, value);
        Ok(proof)
    }

    fn signature(&self, date: &str, request: &Request<'_>, text: &str) -> Result<String, Unusable> {
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        for part in [date, request.region, request.service, "aws4_request"] {
            key = keyed(&key, part)?;
        }
        Ok(hex::encode(keyed(&key, text)?))
    }
}

fn keyed(key: &[u8], message: &str) -> Result<Vec<u8>, Unusable> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_err(|_| Unusable)?;
    mac.update(message.as_bytes());
    Ok(mac.finalize().into_bytes().to_vec())
}

/// The request in the one form that both sides can make of it. The path is encoded once more than
/// it is sent, as every service but S3 has it; what is sent there has nothing to encode in it.
fn canonical(request: &Request<'_>, headers: &[(String, String)], names: &str) -> String {
    let path = utf8_percent_encode(request.url.path(), RESERVED_IN_PATH);
    let mut query: Vec<(String, String)> =
        request.url.query_pairs().map(|(key, value)| (encode(&key), encode(&value))).collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let headers: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let headers = headers.concat();
    let body = hex::encode(Sha256::digest(request.body));
    let method = request.method;
    format!("{method}\n{path}\n{}\n{headers}\n{names}\n{body}", query.join("&"))
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// As it is sent: with the port only where it is not the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn one_space(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The region that a store's host ends with, before its domain: a bucket before it may look like one.
pub(crate) fn region_of_host(url: &Url) -> Option<String> {
    let Some(Host::Domain(host)) = url.host() else { return None };
    host.rsplit('.').find(|label| is_region(label)).map(str::to_owned)
}

/// `us-east-1`, `us-gov-west-1`, `ap-southeast-4`.
fn is_region(label: &str) -> bool {
    let mut parts = label.split('-').rev();
    let number = parts.next().is_some_and(|it| {
        (1..=2).contains(&it.len()) && it.bytes().all(|byte| byte.is_ascii_digit())
    });
    let rest: Vec<&str> = parts.collect();
    let words = rest.iter().all(|it| it.len() >= 2 && it.bytes().all(|it| it.is_ascii_lowercase()));
    number && words && (2..=3).contains(&rest.len()) && rest.last().is_some_and(|it| it.len() <= 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AKIDEXAMPLE";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn signature(
        method: &str,
        url: &str,
        body: &str,
        service: &str,
        session: &str,
        typed: bool,
    ) -> String {
        let text = format!("{ID}:{SECRET}:{session}");
        let Ok(Credential::AccessKey(key)) = Credential::read(&text) else { panic!("{text}") };
        let url: Url = url.parse().unwrap();
        let region = key.region(&url).unwrap_or("us-east-1");
        let at = "2015-08-30T12:36:00Z".parse().unwrap();
        let body = body.as_bytes();
        let request = Request { method, url: &url, body, at, region, service };
        let json = HeaderValue::from_static("application/json");
        let signed = [(reqwest::header::CONTENT_TYPE, json)];
        let signed = if typed { &signed[..] } else { &[] };
        let headers = key.sign(&request, signed).unwrap();
        assert_eq!(headers["x-amz-date"], "20150830T123600Z");
        let header = headers["authorization"].to_str().unwrap();
        assert!(header.contains(&format!("/20150830/{region}/{service}/aws4_request")), "{header}");
        header.rsplit_once('=').unwrap().1.to_owned()
    }

    #[test]
    fn the_vendors_test_vectors_are_met() {
        let at = "https://example.amazonaws.com/";
        for (method, url, expected) in [
            ("GET", "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            let signed = signature(method, &format!("{at}{url}"), "", "service", "", false);
            assert_eq!(signed, expected, "{method} {url}");
        }
    }

    /// The expectations are those of the vendor's Python library.
    #[test]
    fn a_models_name_is_signed_as_the_vendors_library_signs_it() {
        let call = |url, body, session| signature("POST", url, body, "bedrock", session, true);
        assert_eq!(
            call(
                "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse",
                r#"{"messages":[]}"#,
                ""
            ),
            "7415b2c1e839b363c983fcf2b2b9777726647dd92df0cc0ce218cffeeb8932c8"
        );
        assert_eq!(
            call(
                "https://bedrock-runtime.eu-west-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fabc/converse-stream",
                r#"{"messages":[]}"#,
                "FwoGZXIvYXdzEXAMPLE//=="
            ),
            "61e65fc7ddc38a4404b74384d8a8249559308a75722b5f29c41b2d91b12a1e2a"
        );
        assert_eq!(
            call(
                "https://vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com:8443/x?b=2&a=%2F%20",
                "hé",
                ""
            ),
            "f088ee4c2ef72329914339e4a05e667cf46ac93662417b19e6191363954ac799"
        );
    }

    #[test]
    fn a_key_is_read_in_each_of_its_forms() {
        let read = |text: &str| match Credential::read(text) {
            Ok(Credential::AccessKey(key)) => {
                let url = "https://bedrock-runtime.us-gov-west-1.amazonaws.com".parse().unwrap();
                let region = key.region(&url).unwrap().to_owned();
                Some((key.id.to_owned(), key.session.map(str::to_owned), region))
            }
            Ok(Credential::Bearer(word)) => Some((word.to_owned(), None, String::new())),
            Err(Unusable) => None,
        };
        let region = || "us-gov-west-1".to_owned();
        assert_eq!(read("A:b"), Some(("A".to_owned(), None, region())));
        assert_eq!(read("A:b:c"), Some(("A".to_owned(), Some("c".to_owned()), region())));
        assert_eq!(read("A:b::eu-west-3"), Some(("A".to_owned(), None, "eu-west-3".to_owned())));
        assert_eq!(read("ABSKword="), Some(("ABSKword=".to_owned(), None, String::new())));
        assert_eq!([read(":b"), read("a:"), read("a:b:c:d:e")], [None, None, None]);
        let printed =
            r#"{"Credentials":{"AccessKeyId":"A","SecretAccessKey":"b","SessionToken":"c"}}"#;
        assert_eq!(of_json(printed).as_deref(), Some("A:b:c:"));
    }

    #[test]
    fn a_region_is_found_in_the_host_or_nowhere() {
        for (host, region) in [
            ("bedrock-runtime.us-east-1.amazonaws.com", Some("us-east-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            (
                "vpce-0a1-b2.bedrock-runtime.ap-southeast-4.vpce.amazonaws.com",
                Some("ap-southeast-4"),
            ),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("gateway.example.com", None),
            ("127.0.0.1", None),
        ] {
            let url = format!("https://{host}/").parse().unwrap();
            let key = AccessKey { id: "a", secret: "b", session: None, region: None };
            assert_eq!(key.region(&url).ok(), region, "{host}");
        }
    }
}
