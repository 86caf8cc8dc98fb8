//! Where a request came from, as far as it matters to who asks.

use std::net::IpAddr;

use ralex_kernel::{Caller, Credential, RequestId, SignOn, Subject};

/// A request before anyone is known to be behind it.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub request: RequestId,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The marks of earlier logins that the browser keeps.
    pub device: Option<String>,
}

impl Arrival {
    pub(crate) fn caller(&self, subject: Subject, credential: Credential) -> Caller {
        self.signed_on(subject, credential, None)
    }

    /// The same for who may have come in by an organisation's provider.
    pub(crate) fn signed_on(
        &self,
        subject: Subject,
        credential: Credential,
        sign_on: Option<SignOn>,
    ) -> Caller {
        Caller {
            subject,
            credential,
            second_factor: false,
            sign_on,
            by_device: false,
            narrowed: None,
            models: None,
            request: self.request,
            address: self.address,
        }
    }

    /// The part of the address that one owner usually has: all of an IPv4 one, /64 of an IPv6 one.
    pub fn network(&self) -> String {
        match self.address {
            None => "unknown".to_owned(),
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}
