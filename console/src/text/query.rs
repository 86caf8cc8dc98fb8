//! The part of an address behind the question mark: where a page keeps its filters.

/// Names and values, in the order in which they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `?a=b&c=d`; what is malformed is left out.
    pub fn parse(text: &str) -> Self {
        let pairs = text.trim_start_matches('?').split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .filter_map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    Some((decode(name)?, decode(value)?))
                })
                .collect(),
        )
    }

    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// A value that is there and not empty.
    pub fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The same with one value set; an empty value takes the name away.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut pairs = self.0.clone();
        let place = pairs.iter().position(|(key, _)| key == name);
        match (place, value.is_empty()) {
            (Some(place), true) => {
                pairs.remove(place);
            }
            (Some(place), false) => value.clone_into(&mut pairs[place].1),
            (None, true) => {}
            (None, false) => pairs.push((name.to_owned(), value.to_owned())),
        }
        Self(pairs)
    }

    /// The same with one value more where there is one.
    pub fn with_some(&self, name: &str, value: Option<impl ToString>) -> Self {
        value.map_or_else(|| self.clone(), |value| self.with(name, &value.to_string()))
    }
}

/// With its question mark, or nothing at all.
impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            let mark = if place == 0 { '?' } else { '&' };
            write!(f, "{mark}{}={}", encode(name), encode(value))?;
        }
        Ok(())
    }
}

/// Percent-encodes all but what RFC 3986 leaves unreserved; also right for one part of a path.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_survives_the_address() {
        let query = Query::default().with("actor", "user:a b&c=d").with("q", "ü+1");
        assert_eq!(query.to_string(), "?actor=user%3Aa%20b%26c%3Dd&q=%C3%BC%2B1");
        assert_eq!(Query::parse(&query.to_string()), query);
    }

    #[test]
    fn an_empty_value_leaves_no_trace() {
        let query = Query::parse("?a=1&b=2").with("a", "");
        assert_eq!(query.to_string(), "?b=2");
        assert_eq!(query.with("b", "").to_string(), "");
        assert_eq!(Query::parse("?a=").find("a"), None);
    }

    #[test]
    fn a_malformed_pair_is_left_out() {
        assert_eq!(Query::parse("a=%zz&b=%4&c=1+2").find("c"), Some("1 2"));
        assert_eq!(Query::parse("a=%zz&b=%4&c=1").to_string(), "?c=1");
    }
}
