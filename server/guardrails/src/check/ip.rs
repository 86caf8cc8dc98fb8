//! Addresses of the Internet that say something about someone: public ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) fn is_public(text: &str) -> bool {
    match text.parse() {
        Ok(IpAddr::V4(address)) => public_v4(address),
        Ok(IpAddr::V6(address)) => public_v6(address),
        Err(_) => false,
    }
}

fn public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_unspecified()
        || first == 0
        || first >= 240
        || (first == 100 && (64..128).contains(&second)))
}

fn public_v6(address: Ipv6Addr) -> bool {
    // Only 2000::/3 is given out; 2001:db8::/32 is for documentation.
    let [first, second, ..] = address.segments();
    first & 0xe000 == 0x2000 && !(first == 0x2001 && second == 0x0db8)
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn only_addresses_of_someone_pass() {
        assert!(is_public("8.8.8.8") && is_public("2606:4700:4700::1111"));
        for local in
            ["10.0.0.1", "127.0.0.1", "192.0.2.7", "0.0.0.0", "2001:db8::1", "fe80::1", "::1"]
        {
            assert!(!is_public(local), "{local}");
        }
        assert!(!is_public("1.2.3.400"));
    }
}
