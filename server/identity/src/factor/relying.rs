//! What this deployment is to an authenticator: the domain that its passkeys are for.

use ralex_kernel::{Code, Problem};
use url::{Host, Url};
use webauthn_rs::{Webauthn, WebauthnBuilder};

use super::broken;

/// What authenticators show above the account.
const NAME: &str = "Ralex";

/// An authenticator makes a passkey for one domain and uses it nowhere else, and browsers ask it on
/// safe pages only. Without such an address there is none.
pub(crate) enum RelyingParty {
    Offered(Box<Webauthn>),
    Missing(&'static str),
}

impl RelyingParty {
    /// By the address that people use.
    pub fn of(public_url: Option<&Url>) -> Result<Self, Problem> {
        let Some(url) = public_url else {
            return Ok(Self::Missing(
                "Passkeys are made for one domain, and this server is not told its own: \
                 set public_url (RALEX_PUBLIC_URL) to the address that people use.",
            ));
        };
        let Some(Host::Domain(domain)) = url.host() else {
            return Ok(Self::Missing(
                "Passkeys are made for a domain, and public_url (RALEX_PUBLIC_URL) names an IP \
                 address: give the server a name.",
            ));
        };
        let is_local = domain == "localhost" || domain.ends_with(".localhost");
        if url.scheme() != "https" && !is_local {
            return Ok(Self::Missing(
                "Browsers use passkeys with https only, and public_url (RALEX_PUBLIC_URL) is plain \
                 http: put TLS before the server.",
            ));
        }
        let built = WebauthnBuilder::new(domain, url).and_then(|it| it.rp_name(NAME).build());
        built.map(|it| Self::Offered(Box::new(it))).map_err(|_| broken())
    }

    /// Why there are no passkeys here; nothing where there are.
    pub const fn missing(&self) -> Option<&'static str> {
        match self {
            Self::Offered(_) => None,
            Self::Missing(why) => Some(why),
        }
    }

    /// # Errors
    /// `conflict` with the reason where passkeys are not offered.
    pub fn offered(&self) -> Result<&Webauthn, Problem> {
        match self {
            Self::Offered(webauthn) => Ok(webauthn),
            Self::Missing(why) => Err(Problem::new(Code::Conflict, *why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_offered_for_a_domain_that_browsers_trust_and_for_nothing_else() {
        for (address, why) in [
            (Some("https://ralex.example.com"), None),
            (Some("https://ralex.example.com:8443/below"), None),
            (Some("http://localhost:8080"), None),
            (Some("http://ralex.example.com"), Some("plain http")),
            (Some("http://notlocalhost"), Some("plain http")),
            (Some("https://203.0.113.7"), Some("IP address")),
            (Some("http://127.0.0.1:8080"), Some("IP address")),
            (Some("https://[::1]"), Some("IP address")),
            (None, Some("not told")),
        ] {
            let url = address.map(|text| Url::parse(text).unwrap());
            let party = RelyingParty::of(url.as_ref()).unwrap();
            assert_eq!(party.missing().is_some(), why.is_some(), "{address:?}");
            let told = party.missing().unwrap_or_default();
            assert!(told.contains(why.unwrap_or_default()), "{address:?}: {told}");
            assert_eq!(party.offered().is_ok(), why.is_none(), "{address:?}");
        }
    }
}
