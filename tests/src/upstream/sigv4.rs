//! Checks Amazon's signatures, version 4, as Amazon does: written anew, so that it proves the ones
//! that Ralex makes instead of repeating their mistakes.

use actix_web::HttpRequest;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub(super) struct Wanted<'a> {
    pub id: &'a str,
    pub secret: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

pub(super) fn refusal(wanted: &Wanted<'_>, request: &HttpRequest, body: &[u8]) -> Option<String> {
    checked(wanted, request, body).err()
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    let all = request.headers().get_all(name);
    let values: Vec<&str> = all.filter_map(|value| value.to_str().ok()).map(str::trim).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn checked(wanted: &Wanted<'_>, request: &HttpRequest, body: &[u8]) -> Result<(), String> {
    let authorization = header(request, "authorization").ok_or("Missing Authentication Token")?;
    let fields = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("The authorization is no signature of version 4.")?;
    let field = |name: &str| {
        let start = format!("{name}=");
        let found = fields.split(',').find_map(|field| field.trim().strip_prefix(&start));
        found.ok_or_else(|| format!("The authorization has no {name}."))
    };
    let date = header(request, "x-amz-date").ok_or("x-amz-date is missing.")?;
    let day = date.get(..8).ok_or("x-amz-date is no date.")?;
    let scope = format!("{day}/{}/{}/aws4_request", wanted.region, wanted.service);
    let credential = format!("{}/{scope}", wanted.id);
    if field("Credential")? != credential {
        return Err(format!("The credential should be scoped to {scope}."));
    }
    let signed = field("SignedHeaders")?;
    if !signed.split(';').any(|name| name == "host") {
        return Err("The host must be signed.".to_owned());
    }
    let canonical = canonical(request, signed, body)?;
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha(canonical.as_bytes()));
    let first = hmac(format!("AWS4{}", wanted.secret).as_bytes(), day);
    let parts = [wanted.region, wanted.service, "aws4_request", &to_sign];
    let signature = parts.iter().fold(first, |key, part| hmac(&key, part));
    if field("Signature")? == hex::encode(signature) {
        return Ok(());
    }
    Err("The request signature we calculated does not match the signature you provided.".to_owned())
}

/// The request in the one form that both sides sign.
fn canonical(request: &HttpRequest, signed: &str, body: &[u8]) -> Result<String, String> {
    // Every service but S3 encodes the path, which is encoded already, once more.
    let path: Vec<String> = request.path().split('/').map(encoded).collect();
    let mut query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.query_string().as_bytes())
            .map(|(name, value)| (encoded(&name), encoded(&value)))
            .collect();
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut headers = String::new();
    for name in signed.split(';') {
        let value = header(request, name).ok_or_else(|| format!("{name} is signed but absent."))?;
        let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
        headers.extend([name, ":", &words.join(" "), "\n"]);
    }
    let (method, path, query) = (request.method(), path.join("/"), query.join("&"));
    Ok(format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{}", sha(body)))
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(one).collect()
}

fn sha(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// "get-vanilla-query-order-key-case" of Amazon's published signature tests.
    #[test]
    fn a_signature_of_amazons_own_examples_is_right_and_a_changed_one_wrong() {
        let wanted = Wanted {
            id: "AKIDEXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service: "service",
        };
        let request = |signature: &str| {
            TestRequest::get()
                .uri("/?Param2=value2&Param1=value1")
                .insert_header(("host", "example.amazonaws.com"))
                .insert_header(("x-amz-date", "20150830T123600Z"))
                .insert_header(("authorization", format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature={signature}")))
                .to_http_request()
        };
        let right = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        assert_eq!(refusal(&wanted, &request(right), b""), None);
        assert!(refusal(&wanted, &request(&right.replace('b', "c")), b"").is_some());
    }
}
