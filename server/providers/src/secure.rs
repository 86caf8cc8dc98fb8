//! A connection with TLS and nothing above it, for collectors that do not speak HTTP: within the
//! egress policy, to a peer whose certificate is good for its name, with one of our own if it asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ralex_kernel::Problem;
use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::post::{Post, not_public};

/// Whom a connection trusts, and what it shows of itself.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// `ca`: who vouches for the peer, where that is not one of the public authorities.
    /// `identity`: a chain of certificates, the own one first, and its private key. All as PEM.
    pub fn new(ca: Option<&str>, identity: Option<(&str, &str)>) -> Result<Self, Problem> {
        let config = trusting(ca)?;
        let Some((chain, key)) = identity else {
            return Ok(Self(Arc::new(config.with_no_client_auth())));
        };
        let chain = certificates("client_certificate", chain)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
            .map_err(|_| Problem::field("client_key", "must be a private key as PEM"))?;
        let config = config.with_client_auth_cert(chain, key).map_err(|_| {
            Problem::field("client_key", "must be the key of the client certificate")
        })?;
        Ok(Self(Arc::new(config)))
    }

    /// What a certificate is known by: the SHA-256 of its first one, as hex.
    pub fn fingerprint(chain: &str) -> Result<String, Problem> {
        let chain = certificates("client_certificate", chain)?;
        Ok(chain.first().map(|first| hex::encode(Sha256::digest(first))).unwrap_or_default())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Post {
    /// Connects to a host and a port, of an address with `https`. What fails is told in a sentence.
    pub async fn connect(
        &self,
        url: &Url,
        port: u16,
        tls: &Tls,
        patience: Duration,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, String> {
        self.check(url).map_err(|problem| problem.detail)?;
        let host = url.host().ok_or("Its address names no host.")?;
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.to_owned())
                .map_err(|_| "Its address names no host.".to_owned())?,
            Host::Ipv4(v4) => ServerName::from(std::net::IpAddr::from(v4)),
            Host::Ipv6(v6) => ServerName::from(std::net::IpAddr::from(v6)),
        };
        let connecting = async {
            let addresses = self.policy().addresses(host, port).await;
            if addresses.is_empty() {
                return Err(not_public(url.host_str().unwrap_or_default()));
            }
            let stream = TcpStream::connect(addresses.as_slice()).await;
            let stream = stream.map_err(|_| "It cannot be reached.".to_owned())?;
            let connector = TlsConnector::from(Arc::clone(&tls.0));
            connector.connect(name, stream).await.map_err(|error| told(&error))
        };
        timeout(patience, connecting)
            .await
            .unwrap_or_else(|_| Err("No answer came in time.".into()))
    }

    /// The sentence for a connection that ended otherwise than it should.
    pub fn broken(error: &std::io::Error) -> String {
        told(error)
    }
}

/// TLS says what it does not like of whom; other errors may name addresses.
fn told(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            format!("Its certificate is not accepted: {why}.")
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("It refuses the connection: {alert:?}.")
        }
        Some(other) => format!("TLS failed: {other}."),
        None => "The connection broke off.".to_owned(),
    }
}

fn trusting(ca: Option<&str>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Problem> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in certificates("ca_pem", pem)? {
                let rule = "must be certificates of authorities as PEM";
                roots.add(certificate).map_err(|_| Problem::field("ca_pem", rule))?;
            }
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Problem::new(ralex_kernel::Code::Internal, "TLS is not to be had."))?;
    Ok(config.with_root_certificates(roots))
}

fn certificates(field: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    read.ok()
        .filter(|read| !read.is_empty())
        .ok_or_else(|| Problem::field(field, "must be one or more certificates as PEM"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_goes_only_with_its_own_key() {
        let of = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let (one, other) = (of("one.example"), of("other.example"));
        let chain = one.cert.pem();
        let made = |key: String| Tls::new(Some(&chain), Some((&chain, &key)));
        assert!(made(one.signing_key.serialize_pem()).is_ok());
        assert!(made(other.signing_key.serialize_pem()).is_err());
        assert!(made("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----".into()).is_err());
        assert!(Tls::new(Some("no certificate"), None).is_err());
        assert!(Tls::new(None, None).is_ok());
        let fingerprint = Tls::fingerprint(&chain).unwrap();
        assert_eq!(fingerprint, hex::encode(Sha256::digest(one.cert.der())));
    }

    #[tokio::test]
    async fn no_connection_leads_inside() {
        let post = Post::new(crate::EgressPolicy::default()).unwrap();
        let tls = Tls::new(None, None).unwrap();
        for url in ["https://127.0.0.1/", "https://[::1]/", "https://localhost/", "http://8.8.8.8/"]
        {
            let url = url.parse().unwrap();
            let refused = post.connect(&url, 6514, &tls, Duration::from_secs(5)).await;
            assert!(refused.is_err(), "{url}");
        }
    }
}
