//! Where a provider is: the address that an admin writes, checked once and kept in one form.

use ralex_api::catalog::ProviderKind;
use ralex_kernel::Problem;
use ralex_providers::EgressPolicy;
use url::Url;

use crate::kinds;

/// The address to store for a provider of this kind; a simulated one has none.
pub(crate) fn check(
    kind: &ProviderKind,
    written: Option<&str>,
    egress: &EgressPolicy,
) -> Result<Option<String>, Problem> {
    let known = kinds::known(kind)?;
    let wrong = |message: String| Err(Problem::field("base_url", message));
    let own = kinds::base_url(known);
    let address = match (written.or(own.as_deref()), known.is_simulated()) {
        (None, true) => return Ok(None),
        (Some(_), true) => {
            return wrong("must be absent: a simulated provider has no address".to_owned());
        }
        (None, false) => {
            let like = known.base_url_hint.as_deref().unwrap_or("https://…");
            return wrong(format!("is needed for a provider of kind {kind}, such as {like}"));
        }
        (Some(address), false) => address.trim(),
    };
    let url = match Url::parse(address) {
        Ok(url) => url,
        Err(error) => return wrong(format!("is not an address: {error}")),
    };
    egress.check_url(&url)?;
    Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use ralex_kernel::Code;

    use super::*;

    fn checked(kind: &ProviderKind, address: Option<&str>) -> Result<Option<String>, Code> {
        let egress = EgressPolicy::new(["127.0.0.0/8".parse().unwrap()]);
        check(kind, address, &egress).map_err(|problem| problem.code)
    }

    #[test]
    fn a_vendor_has_its_own_address_unless_another_is_written() {
        let address = |written| checked(&ProviderKind::OPENAI, written).unwrap().unwrap();
        assert_eq!(address(None), "https://api.openai.com/v1");
        assert_eq!(
            address(Some(" https://EU.api.openai.com/v1/ ")),
            "https://eu.api.openai.com/v1"
        );
    }

    #[test]
    fn a_compatible_server_needs_an_address_and_a_simulated_one_takes_none() {
        assert_eq!(checked(&ProviderKind::OPENAI_COMPATIBLE, None), Err(Code::InvalidRequest));
        assert_eq!(checked(&ProviderKind::SIMULATED, None), Ok(None));
        let simulated = checked(&ProviderKind::SIMULATED, Some("https://example.com"));
        assert_eq!(simulated, Err(Code::InvalidRequest));
    }

    #[test]
    fn only_addresses_that_may_be_reached_pass() {
        let of = |address| checked(&ProviderKind::OPENAI_COMPATIBLE, Some(address));
        assert_eq!(of("http://127.0.0.1:9/v1/"), Ok(Some("http://127.0.0.1:9/v1".to_owned())));
        for refused in [
            "http://10.0.0.1",
            "https://169.254.169.254/latest",
            "https://user:pw@example.com",
            "https://example.com/?a=b",
            "https://example.com/#x",
            "ftp://example.com",
        ] {
            assert_eq!(of(refused), Err(Code::EgressRefused), "{refused}");
        }
        assert_eq!(of("example.com/v1"), Err(Code::InvalidRequest));
        assert_eq!(of(""), Err(Code::InvalidRequest));
    }
}
