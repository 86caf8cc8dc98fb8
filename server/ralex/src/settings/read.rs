//! Reading one setting's text.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use ralex_audit::Witness;
use ralex_kernel::Secret;
use ralex_mail::Security;
use ralex_vault::Seal;
use url::Url;

pub(super) fn as_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

pub(super) fn named<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|why| format!("`{text}` {why}"))
}

pub(super) fn within<T: FromStr + PartialOrd + fmt::Display>(
    text: &str,
    low: T,
    high: T,
) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if number >= low && number <= high => Ok(number),
        _ => Err(format!("`{text}` is not a whole number from {low} to {high}")),
    }
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse().map_err(|_| format!("`{part}` is not a network such as 10.0.0.0/8"))
        })
        .collect()
}

pub(super) fn truth(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither true nor false"))
}

pub(super) fn witnesses(text: &str) -> Result<Vec<Witness>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|why| format!("`{part}` {why}")))
        .collect()
}

pub(super) fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err(format!("`{text}` is not a folder")) }
}

pub(super) fn database_url(text: &str) -> Result<Option<Secret>, String> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some("postgres" | "postgresql") => Ok(Some(Secret::new(text.to_owned()))),
        _ => Err("is not a URL such as postgres://user@host/database".to_owned()),
    }
}

/// The vault says whether it is a key, and repeats nothing of it.
pub(super) fn seal_key(text: &str) -> Result<Option<Secret>, String> {
    let key = Secret::new(text.to_owned());
    match Seal::from_base64(&key) {
        Ok(_) => Ok(Some(key)),
        Err(_) => {
            Err("must be 32 bytes in base64, as `openssl rand -base64 32` makes them".to_owned())
        }
    }
}

pub(super) fn password(text: &str) -> Result<Option<Secret>, String> {
    ralex_identity::password::weakness(text, &[])
        .map_or_else(|| Ok(Some(Secret::new(text.to_owned()))), Err)
}

pub(super) fn public_url(text: &str) -> Result<Option<Url>, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(url)),
        _ => Err(format!("`{text}` is not an address such as https://ralex.example.com")),
    }
}

pub(super) fn filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| {
        format!("`{text}` is not a log filter such as info or ralex_broker=debug,info")
    })
}

pub(super) fn security(text: &str) -> Result<Security, String> {
    match text {
        "required" => Ok(Security::Required),
        "opportunistic" => Ok(Security::Opportunistic),
        "off" => Ok(Security::Off),
        _ => Err(format!("`{text}` is none of required, opportunistic and off")),
    }
}

pub(super) fn certificate(path: &str) -> Result<Option<String>, String> {
    std::fs::read_to_string(path)
        .map(Some)
        .map_err(|error| format!("`{path}` cannot be read: {error}"))
}
