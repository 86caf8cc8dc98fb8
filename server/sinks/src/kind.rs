//! What each kind of sink takes: its addresses, its forms, and what proves who sends.

use ralex_api::sinks::{SinkCredential, SinkFormat, SinkKind};
use ralex_kernel::{Problem, Secret};
use ralex_providers::{Post, Tls};
use url::Url;
use zeroize::Zeroizing;

use crate::{collector, store, webhook};

/// The longest list of authorities or certificates that is kept.
const LONGEST_PEM: usize = 64 * 1024;

/// What proves who sends, before it is sealed.
pub(crate) struct Proof {
    pub plain: Zeroizing<Vec<u8>>,
    /// What it is known by, where it is no secret itself.
    pub credential: Option<String>,
    /// As the receiver needs it, where it was made here.
    pub shown: Option<String>,
}

/// The address as it is checked against the egress policy. Who is reached stands in it.
pub(crate) fn address(kind: SinkKind, url: &str, post: &Post) -> Result<Url, Problem> {
    let url = match kind {
        SinkKind::Webhook => url.parse().map_err(|_| Problem::field("url", "is no address"))?,
        SinkKind::Syslog => collector::address(url)?.0,
        SinkKind::S3 => store::address(url)?,
    };
    post.check(&url)?;
    Ok(url)
}

/// The form that is asked for, or the usual one.
pub(crate) fn format(kind: SinkKind, asked: Option<SinkFormat>) -> Result<SinkFormat, Problem> {
    let formats = kind.formats();
    let chosen = asked.or_else(|| formats.first().copied());
    chosen.filter(|chosen| formats.contains(chosen)).ok_or_else(|| {
        let names: Vec<&str> = formats.iter().map(|format| format.as_str()).collect();
        Problem::field("format", format!("must be one of {} for this kind", names.join(", ")))
    })
}

/// Where a store is: as it is said, or as its address says.
pub(crate) fn region(
    kind: SinkKind,
    said: Option<String>,
    url: &Url,
) -> Result<Option<String>, Problem> {
    let said = said.filter(|said| !said.is_empty());
    match (kind, said) {
        (SinkKind::Webhook | SinkKind::Syslog, None) => Ok(None),
        (SinkKind::Webhook | SinkKind::Syslog, Some(_)) => {
            Err(Problem::field("region", "is only for a store of objects"))
        }
        (SinkKind::S3, None) => Post::region(url).map(Some).ok_or_else(|| {
            let rule = "must be said, since the address does not name it (us-east-1 for most stores that are not at AWS)";
            Problem::field("region", rule)
        }),
        (SinkKind::S3, Some(region)) if is_word(&region, 64) => Ok(Some(region)),
        (SinkKind::S3, Some(_)) => {
            Err(Problem::field("region", "must be letters, digits and dashes"))
        }
    }
}

/// Who vouches for a collector; none for the public authorities.
pub(crate) fn authority(kind: SinkKind, pem: Option<String>) -> Result<Option<String>, Problem> {
    let Some(pem) = pem.filter(|pem| !pem.trim().is_empty()) else { return Ok(None) };
    if kind != SinkKind::Syslog {
        return Err(Problem::field("ca_pem", "is only for a collector of syslog"));
    }
    if pem.len() > LONGEST_PEM {
        return Err(Problem::field("ca_pem", "is too long"));
    }
    Tls::new(Some(&pem), None)?;
    Ok(Some(pem))
}

/// What proves who sends, of what a person gives.
pub(crate) fn proof(kind: SinkKind, given: Option<&SinkCredential>) -> Result<Proof, Problem> {
    let empty = SinkCredential::default();
    let given = given.unwrap_or(&empty);
    let key = given.access_key_id.is_some()
        || given.secret_access_key.is_some()
        || given.session_token.is_some();
    let certificate = given.client_certificate.is_some() || given.client_key.is_some();
    let refused = |field: &str, what: &str| {
        Err(Problem::field(format!("credential.{field}"), format!("is only for {what}")))
    };
    match kind {
        SinkKind::Webhook | SinkKind::Syslog if key => {
            refused("access_key_id", "a store of objects")
        }
        SinkKind::Webhook | SinkKind::S3 if certificate => {
            refused("client_certificate", "a collector of syslog")
        }
        SinkKind::Webhook => {
            let secret = webhook::new_secret();
            let shown = Some(webhook::shown(secret.as_slice()));
            Ok(Proof { plain: Zeroizing::new(secret.to_vec()), credential: None, shown })
        }
        SinkKind::Syslog => identity(given),
        SinkKind::S3 => access_key(given),
    }
}

/// A client certificate with its key, or nothing where the collector asks for none.
fn identity(given: &SinkCredential) -> Result<Proof, Problem> {
    let (chain, key) = match (&given.client_certificate, &given.client_key) {
        (None, None) => {
            return Ok(Proof { plain: Zeroizing::default(), credential: None, shown: None });
        }
        (Some(chain), Some(key)) => (chain.trim(), key.expose().trim()),
        (None, Some(_)) => {
            return Err(Problem::field("credential.client_certificate", "must come with its key"));
        }
        (Some(_), None) => {
            return Err(Problem::field("credential.client_key", "must come with its certificate"));
        }
    };
    if chain.len() + key.len() > LONGEST_PEM {
        return Err(Problem::field("credential.client_certificate", "is too long"));
    }
    Tls::new(None, Some((chain, key)))?;
    let credential = Some(Tls::fingerprint(chain)?);
    let plain = Zeroizing::new(format!("{chain}\n{key}\n").into_bytes());
    Ok(Proof { plain, credential, shown: None })
}

fn access_key(given: &SinkCredential) -> Result<Proof, Problem> {
    let needed = |field: &str| Problem::field(format!("credential.{field}"), "is needed");
    let id = given.access_key_id.as_deref().ok_or_else(|| needed("access_key_id"))?;
    let secret = given.secret_access_key.as_ref().ok_or_else(|| needed("secret_access_key"))?;
    let session = given.session_token.as_ref().map_or("", Secret::expose);
    for (field, text, longest) in [
        ("access_key_id", id, 256),
        ("secret_access_key", secret.expose(), 1_024),
        ("session_token", session, 8_192),
    ] {
        if !is_word(text, longest) && (field != "session_token" || !text.is_empty()) {
            let rule = "must be printable characters without spaces";
            return Err(Problem::field(format!("credential.{field}"), rule));
        }
    }
    let plain = Zeroizing::new(format!("{id}\n{}\n{session}", secret.expose()).into_bytes());
    Ok(Proof { plain, credential: Some(id.to_owned()), shown: None })
}

fn is_word(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_another_kind_is_refused() {
        let key = || SinkCredential {
            access_key_id: Some("AKIDEXAMPLE".into()),
            secret_access_key: Some(Secret::new("a/b+c".into())),
            ..SinkCredential::default()
        };
        assert!(proof(SinkKind::S3, None).is_err());
        assert_eq!(proof(SinkKind::S3, Some(&key())).unwrap().credential.unwrap(), "AKIDEXAMPLE");
        assert!(proof(SinkKind::Webhook, Some(&key())).is_err());
        assert!(proof(SinkKind::Syslog, Some(&key())).is_err());
        let spaced = SinkCredential { access_key_id: Some("A\nB".into()), ..key() };
        assert!(proof(SinkKind::S3, Some(&spaced)).is_err());
        let lone = SinkCredential {
            client_key: Some(Secret::new("key".into())),
            ..SinkCredential::default()
        };
        assert!(proof(SinkKind::Syslog, Some(&lone)).is_err());
        assert!(proof(SinkKind::Syslog, None).unwrap().plain.is_empty());
        assert!(format(SinkKind::Webhook, Some(SinkFormat::Cef)).is_err());
        assert_eq!(format(SinkKind::S3, None).unwrap(), SinkFormat::Jsonl);
    }

    #[test]
    fn a_stores_region_is_said_or_in_its_address() {
        let of = |said: Option<&str>, url: &str| {
            region(SinkKind::S3, said.map(str::to_owned), &url.parse().unwrap())
        };
        let aws = "https://logs-eu-west-1.s3.eu-central-1.amazonaws.com/audit";
        assert_eq!(of(None, aws).unwrap().as_deref(), Some("eu-central-1"));
        assert_eq!(of(Some("auto"), "https://r2.example/b").unwrap().as_deref(), Some("auto"));
        assert!(of(None, "https://minio.example/bucket").is_err());
        assert!(of(Some("a b"), aws).is_err());
    }
}
