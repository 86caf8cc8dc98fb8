//! Origins: the scheme, host and port that a key is bound to.

use url::Url;

/// The origin of a provider's address (`https://api.openai.com`, the scheme's own port left
/// out), or nothing where it is not an address of the web.
pub fn origin_of(base_url: &str) -> Option<String> {
    let origin = Url::parse(base_url).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (url, origin) in [
            ("https://api.openai.com/v1", "https://api.openai.com"),
            ("https://API.OpenAI.com:443/v2/x", "https://api.openai.com"),
            ("http://127.0.0.1:9000/v1", "http://127.0.0.1:9000"),
            ("https://127.1/", "https://127.0.0.1"),
            ("https://[::1]:8443", "https://[::1]:8443"),
        ] {
            assert_eq!(origin_of(url).as_deref(), Some(origin), "{url}");
        }
        for none in ["", "nonsense", "file:///etc/passwd", "data:text/plain,x"] {
            assert_eq!(origin_of(none), None, "{none}");
        }
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin() {
        let origin = origin_of("https://example.com/v1");
        for other in
            ["http://example.com/v1", "https://example.com:8443/v1", "https://example.com.evil/v1"]
        {
            assert_ne!(origin_of(other), origin, "{other}");
        }
    }
}
