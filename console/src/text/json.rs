//! JSON as text.

use std::io::Write;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// On one line.
pub fn compact(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Fractions))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Has fractions written by the standard library, which the console holds anyway: `serde_json`'s own
/// way is faster, by a table of ten kilobytes that every browser would download.
struct Fractions;

impl Formatter for Fractions {
    fn write_f64<W: ?Sized + Write>(&mut self, text: &mut W, value: f64) -> std::io::Result<()> {
        write!(text, "{value}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fraction_is_read_back_as_it_was() {
        for number in [0.1, 0.85, 1.0 / 3.0, 1e300, -2.5e-9] {
            let text = compact(&json!({ "share": number })).unwrap();
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["share"].as_f64(), Some(number), "{text}");
        }
        assert_eq!(compact(&json!([1, "a\"b", null])).unwrap(), r#"[1,"a\"b",null]"#);
    }
}
