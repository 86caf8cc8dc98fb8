//! What a token is narrowed to, of what its holder may: models, permissions, and networks that it works from.

use std::net::IpAddr;

use ipnet::IpNet;
use ralex_kernel::{Permission, Permissions, Problem};

const MODELS_MAX: usize = 200;
const ADDRESSES_MAX: usize = 50;

/// As somebody wishes them, checked.
#[derive(Debug)]
pub(crate) struct Limits {
    /// By name, as each organisation has them when it is called. What has no such name yet may have it later.
    pub models: Option<Vec<String>>,
    pub permissions: Option<Permissions>,
    /// As texts, the one form of each network.
    pub addresses: Option<Vec<String>>,
}

impl Limits {
    pub fn parse(
        models: Option<Vec<String>>,
        permissions: Option<&[String]>,
        addresses: Option<&[String]>,
    ) -> Result<Self, Problem> {
        check_models(models.as_deref())?;
        Ok(Self {
            models,
            permissions: permissions.map(parse_permissions).transpose()?,
            addresses: addresses.map(parse_addresses).transpose()?,
        })
    }

    pub fn names(&self) -> Option<Vec<String>> {
        self.permissions.map(Permissions::names)
    }
}

fn check_models(models: Option<&[String]>) -> Result<(), Problem> {
    let Some(models) = models else { return Ok(()) };
    if models.is_empty() || models.len() > MODELS_MAX {
        let rule = format!("must name 1 to {MODELS_MAX} models, or be absent for all");
        return Err(Problem::field("models", rule));
    }
    match models.iter().position(|name| name.trim().is_empty() || name.len() > 128) {
        Some(at) => Err(Problem::field(format!("models[{at}]"), "is not a model's name")),
        None => Ok(()),
    }
}

fn parse_permissions(names: &[String]) -> Result<Permissions, Problem> {
    if names.is_empty() {
        let rule = "must name one permission at least, or be absent for all";
        return Err(Problem::field("permissions", rule));
    }
    let parse = |(at, name): (usize, &String)| {
        name.parse::<Permission>().map_err(|_| {
            let rule =
                "is no permission; `ralex roles permissions` or GET …/permissions lists them";
            Problem::field(format!("permissions[{at}]"), rule)
        })
    };
    names.iter().enumerate().map(parse).collect()
}

fn parse_addresses(texts: &[String]) -> Result<Vec<String>, Problem> {
    if texts.is_empty() || texts.len() > ADDRESSES_MAX {
        let rule = format!("must name 1 to {ADDRESSES_MAX} networks, or be absent for all");
        return Err(Problem::field("addresses", rule));
    }
    let parse = |(at, text): (usize, &String)| {
        network(text.trim()).map(|network| network.to_string()).ok_or_else(|| {
            let rule = "must be an address or a network as 203.0.113.0/24 or 2001:db8::/32";
            Problem::field(format!("addresses[{at}]"), rule)
        })
    };
    texts.iter().enumerate().map(parse).collect()
}

fn network(text: &str) -> Option<IpNet> {
    let single = |address: IpAddr| IpNet::from(address.to_canonical());
    text.parse::<IpAddr>().map(single).or_else(|_| text.parse().map(|it: IpNet| it.trunc())).ok()
}

/// Permissions as the database has them. One that there is no more brings nothing.
pub(crate) fn stored_permissions(names: Option<&[String]>) -> Option<Permissions> {
    names.map(|names| names.iter().filter_map(|name| name.parse::<Permission>().ok()).collect())
}

/// Whether a token that is limited to these networks works from an address. From one that is not known it
/// does not.
pub(crate) fn is_within(networks: &[String], address: Option<IpAddr>) -> bool {
    let Some(address) = address.map(|it| it.to_canonical()) else { return false };
    networks.iter().filter_map(|text| network(text)).any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Result<Vec<String>, Problem> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        parse_addresses(&texts)
    }

    #[test]
    fn a_network_has_one_form_and_nonsense_none() {
        let given = ["10.1.2.3", "10.1.2.3/8", " 2001:DB8::1/32 ", "::ffff:192.0.2.1"];
        let kept = ["10.1.2.3/32", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"];
        assert_eq!(addresses(&given).unwrap(), kept);
        for nonsense in ["", "example.com", "10.0.0.0/33", "10.0.0", "10.0.0.0-10.0.0.9"] {
            assert!(addresses(&[nonsense]).is_err(), "{nonsense}");
        }
        assert!(addresses(&[]).is_err());
        assert!(addresses(&["10.0.0.0/8"; 51]).is_err());
    }

    #[test]
    fn a_token_works_from_its_networks_only() {
        let networks = addresses(&["10.0.0.0/8", "2001:db8::/32"]).unwrap();
        let from = |text: &str| is_within(&networks, Some(text.parse().unwrap()));
        assert!(from("10.255.255.255") && from("::ffff:10.0.0.1") && from("2001:db8:1::"));
        assert!(!from("11.0.0.0") && !from("2001:db9::") && !from("::1"));
        assert!(!is_within(&networks, None));
    }

    #[test]
    fn a_permission_that_there_is_no_more_brings_nothing() {
        let names = ["llm.invoke".to_owned(), "gone.away".to_owned()];
        let only = Permissions::NONE.with(Permission::LlmInvoke);
        assert_eq!(stored_permissions(Some(&names)), Some(only));
        assert_eq!(stored_permissions(Some(&names[1..])), Some(Permissions::NONE));
        assert_eq!(stored_permissions(None), None);
        assert!(parse_permissions(&names).is_err());
    }
}
