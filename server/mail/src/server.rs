//! The operator's mail server, as the settings name it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use lettre::message::Mailbox;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use percent_encoding::percent_decode_str;
use ralex_kernel::Secret;
use url::Url;

/// Who messages are from: `Ralex <ralex@example.com>` or only the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender(Mailbox);

impl Sender {
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.0
    }

    pub(crate) fn domain(&self) -> &str {
        self.0.email.domain()
    }
}

impl FromStr for Sender {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| "is not an address such as Ralex <ralex@example.com>")
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How the connection is kept from others' eyes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Encrypted from the first byte on (`smtps://`).
    Implicit,
    /// By STARTTLS, and no message where the server knows it not.
    Required,
    /// By STARTTLS where the server knows it. Whoever is on the way can see to it that it does not.
    Opportunistic,
    /// Not at all.
    Off,
}

/// A mail server, and how it is spoken to.
#[derive(Debug)]
pub struct MailServer {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) login: Option<(String, Secret)>,
    pub(crate) security: Security,
    pub(crate) authority: Option<String>,
    pub(crate) sender: Sender,
}

impl MailServer {
    /// `smtp://` or `smtps://`, a host, and a user with a password where one is wanted. `plain` says
    /// what an `smtp://` connection does about encryption; `authority` who vouches for the server,
    /// as PEM, where that is no public one. No error repeats the address, since a password is in it.
    pub fn new(
        url: &str,
        plain: Security,
        authority: Option<String>,
        sender: Sender,
    ) -> Result<Self, &'static str> {
        let url: Url = url.parse().map_err(|_| NOT_ONE)?;
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Implicit, 465),
            "smtp" => (plain, 587),
            _ => return Err(NOT_ONE),
        };
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(NOT_ONE)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err("must end with the host or its port");
        }
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                Some((decoded(user)?, Secret::new(decoded(password)?)))
            }
            _ => return Err("must have a user and a password, or neither"),
        };
        let safe = matches!(security, Security::Implicit | Security::Required) || is_here(&host);
        if login.is_some() && !safe {
            return Err("has a password, which goes over an encrypted connection only: \
                        leave smtp_tls at required");
        }
        let port = url.port().unwrap_or(port);
        // What holds no certificate at all would be read as a list of none.
        if authority.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            return Err(NO_AUTHORITY);
        }
        let made = Self { host, port, login, security, authority, sender };
        made.tls().map_err(|_| NO_AUTHORITY)?;
        Ok(made)
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn tls(&self) -> Result<Tls, String> {
        let parameters = || {
            let builder = TlsParameters::builder(self.host.clone());
            let builder = match &self.authority {
                None => builder.certificate_store(CertificateStore::WebpkiRoots),
                Some(pem) => {
                    builder.certificate_store(CertificateStore::None).add_root_certificate(
                        Certificate::from_pem(pem.as_bytes())
                            .map_err(|_| "The authority is no certificate in PEM.".to_owned())?,
                    )
                }
            };
            builder
                .build_rustls()
                .map_err(|_| "TLS cannot be set up for the mail server.".to_owned())
        };
        Ok(match self.security {
            Security::Implicit => Tls::Wrapper(parameters()?),
            Security::Required => Tls::Required(parameters()?),
            Security::Opportunistic => Tls::Opportunistic(parameters()?),
            Security::Off => Tls::None,
        })
    }
}

const NOT_ONE: &str = "is not an address such as smtp://user:password@mail.example.com:587";
const NO_AUTHORITY: &str = "cannot be spoken to: smtp_ca is no certificate in PEM";

fn decoded(text: &str) -> Result<String, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(Into::into).map_err(|_| "has a user or password that is no text")
}

/// Nobody else is on the way to this machine itself.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str, plain: Security) -> Result<MailServer, &'static str> {
        MailServer::new(url, plain, None, "ralex@example.com".parse().unwrap())
    }

    #[test]
    fn an_address_says_the_port_the_login_and_the_encryption() {
        let one = server("smtp://ada:a%40b%2Fc@mail.example.com", Security::Required).unwrap();
        assert_eq!((one.port, one.security), (587, Security::Required));
        let (user, password) = one.login.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose()), ("ada", "a@b/c"));
        assert!(!format!("{one:?}").contains("a@b/c"));
        let other = server("smtps://mail.example.com", Security::Off).unwrap();
        assert_eq!((other.port, other.security), (465, Security::Implicit));
        assert!(other.login.is_none());
    }

    #[test]
    fn a_password_is_not_sent_where_others_can_read_it() {
        for plain in [Security::Off, Security::Opportunistic] {
            assert!(server("smtp://u:p@mail.example.com", plain).is_err());
            assert!(server("smtp://u:p@127.0.0.1:2525", plain).is_ok());
            assert!(server("smtp://mail.example.com", plain).is_ok());
        }
    }

    #[test]
    fn what_is_no_mail_server_is_refused() {
        for url in [
            "mail.example.com",
            "https://mail.example.com",
            "smtp://",
            "smtp://user@mail.example.com",
            "smtp://mail.example.com/path",
            "smtp://mail.example.com?tls=off",
        ] {
            assert!(server(url, Security::Required).is_err(), "{url}");
        }
        let sender = "ralex@example.com".parse().unwrap();
        let made =
            MailServer::new("smtps://a.example", Security::Off, Some("no".to_owned()), sender);
        assert!(made.unwrap_err().contains("smtp_ca"));
        assert!("no address".parse::<Sender>().is_err());
    }
}
