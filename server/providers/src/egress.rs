//! Where Ralex may connect to: the public internet over TLS, and what the operator lists.
//!
//! A provider's address is tenant input, so it could name the operator's own network. It is
//! checked when it is saved and again at every connect: a literal address before the request, a
//! name in our own resolver, whose answer is the very list of addresses that is connected to. So
//! an answer that changes between check and connect changes nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use ralex_kernel::{Code, Problem};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::address::{is_public, unpack};

/// What may be reached beyond the public internet.
#[derive(Clone, Debug, Default)]
pub struct EgressPolicy {
    allowed: Arc<[IpNet]>,
}

/// The resolver's refusal, found again in the HTTP client's chain of errors.
#[derive(Debug, thiserror::Error)]
#[error("the address of `{host}` is not one that Ralex may reach")]
pub(crate) struct Refused {
    pub host: String,
}

impl EgressPolicy {
    /// `allowed`: networks that may be reached although private, and without TLS.
    pub fn new(allowed: impl IntoIterator<Item = IpNet>) -> Self {
        Self { allowed: allowed.into_iter().collect() }
    }

    /// Refuses an address that no call may go to. Names are resolved only at connect.
    pub fn check_url(&self, url: &Url) -> Result<(), Problem> {
        let refuse = |why: &str| Err(Problem::new(Code::EgressRefused, why));
        if !url.username().is_empty() || url.password().is_some() {
            return refuse(
                "A provider's address must not hold a user name or password; keys go into the vault.",
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("A provider's address must not have a query or fragment.");
        }
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return refuse("A provider's address must begin with https://."),
        };
        if url.port() == Some(0) {
            return refuse("A provider's address must not have port 0.");
        }
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            // A name over http is checked when it is resolved, if any network is allowed at all.
            Some(Host::Domain(_)) if plain && self.allowed.is_empty() => {
                return refuse(
                    "A provider's address must begin with https://, unless its network is listed in RALEX_EGRESS_ALLOW.",
                );
            }
            Some(Host::Domain(_)) => return Ok(()),
            None => return refuse("A provider's address must name a host."),
        };
        if self.permits(address, plain) {
            Ok(())
        } else if plain && is_public(unpack(address)) {
            refuse(
                "A provider's address must begin with https://, unless its network is listed in RALEX_EGRESS_ALLOW.",
            )
        } else {
            refuse(
                "This address is not public. An operator can allow its network with RALEX_EGRESS_ALLOW.",
            )
        }
    }

    /// Without TLS only what is listed; with it the public internet too.
    fn permits(&self, address: IpAddr, plain: bool) -> bool {
        let unpacked = unpack(address);
        let listed =
            self.allowed.iter().any(|net| net.contains(&address) || net.contains(&unpacked));
        listed || (!plain && is_public(unpacked))
    }

    /// True where the address itself, and not only its name, is one that the operator lists.
    pub(crate) fn lists(&self, url: &Url) -> bool {
        let address = match url.host() {
            Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
            Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
            Some(Host::Domain(_)) | None => return false,
        };
        self.check_url(url).is_ok() && self.allowed.iter().any(|net| net.contains(&unpack(address)))
    }

    /// The addresses behind a host that may be reached with TLS; none where it has only others.
    pub(crate) async fn addresses(&self, host: Host<&str>, port: u16) -> Vec<SocketAddr> {
        let found: Vec<SocketAddr> = match host {
            Host::Ipv4(v4) => vec![(v4, port).into()],
            Host::Ipv6(v6) => vec![(v6, port).into()],
            Host::Domain(name) => match tokio::net::lookup_host((name, port)).await {
                Ok(found) => found.collect(),
                Err(_) => Vec::new(),
            },
        };
        found.into_iter().filter(|found| self.permits(found.ip(), false)).collect()
    }

    /// The resolver for one of the two HTTP clients.
    pub(crate) fn resolver(&self, plain: bool) -> Arc<GuardedResolver> {
        Arc::new(GuardedResolver { policy: self.clone(), plain })
    }
}

/// Resolves names, and keeps of the answer only what may be reached.
pub(crate) struct GuardedResolver {
    policy: EgressPolicy,
    plain: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, plain) = (self.policy.clone(), self.plain);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let kept: Vec<SocketAddr> =
                found.into_iter().filter(|found| policy.permits(found.ip(), plain)).collect();
            if kept.is_empty() {
                return Err(Refused { host }.into());
            }
            Ok::<Addrs, _>(Box::new(kept.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &EgressPolicy, url: &str) -> bool {
        policy.check_url(&url.parse().unwrap()).is_ok()
    }

    #[test]
    fn every_spelling_of_an_inside_address_is_refused() {
        let policy = EgressPolicy::default();
        for url in [
            "https://127.0.0.1/v1",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://[::ffff:7f00:1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://2852039166/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:7f00:1::]/",
            "https://0/",
            "https://①②⑦.0.0.1/",
            "https://10.0.0.1:8443/",
            "http://8.8.8.8/",
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://user:pw@example.com/",
            "https://example.com/?q",
            "https://example.com/#f",
            "https://example.com:0/",
            "https://100.100.100.200/",
            "https://[fd00:ec2::254]/",
        ] {
            assert!(!check(&policy, url), "{url}");
        }
    }

    #[test]
    fn public_addresses_over_tls_and_listed_networks_are_reached() {
        assert!(check(&EgressPolicy::default(), "https://api.openai.com/v1"));
        assert!(check(&EgressPolicy::default(), "https://8.8.8.8/v1"));
        let policy = EgressPolicy::new(["127.0.0.0/8".parse().unwrap()]);
        for url in ["http://127.0.0.1:9000/v1", "https://127.1/", "http://[::ffff:127.0.0.1]/"] {
            assert!(check(&policy, url), "{url}");
        }
        assert!(check(&policy, "http://localhost:9000"), "a name is checked when it is resolved");
        assert!(!check(&policy, "http://10.0.0.1/"));
        assert!(
            !check(&policy, "http://8.8.8.8/"),
            "listing one network opens no other without TLS"
        );
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_does_not_resolve() {
        let name = || "localhost".parse::<Name>().unwrap();
        let refused = EgressPolicy::default().resolver(false).resolve(name()).await;
        assert!(refused.err().unwrap().downcast_ref::<Refused>().is_some());
        let policy = EgressPolicy::new(["127.0.0.0/8".parse().unwrap()]);
        let kept: Vec<_> = policy.resolver(true).resolve(name()).await.unwrap().collect();
        assert!(kept.iter().all(SocketAddr::is_ipv4), "{kept:?}");
    }
}
