//! JSON as text.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};

use super::borrowed::digits;

/// On one line.
pub fn compact(value: &impl Serialize) -> serde_json::Result<String> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Fractions))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a text stands for, as the browser reads it: whole numbers to 2^53 and fractions exactly.
pub fn read(text: &str) -> Result<Value, &'static str> {
    #[cfg(target_arch = "wasm32")]
    let read = js_sys::JSON::parse(text).map(|value| taken(&value));
    #[cfg(not(target_arch = "wasm32"))]
    let read = serde_json::from_str(text);
    read.map_err(|_| "it is no JSON")
}

/// The browser's value as ours.
#[cfg(target_arch = "wasm32")]
fn taken(value: &wasm_bindgen::JsValue) -> Value {
    use js_sys::{Array, Object};
    use wasm_bindgen::JsCast;

    if let Some(text) = value.as_string() {
        return Value::String(text);
    }
    if let Some(number) = value.as_f64() {
        return amount(number);
    }
    if let Some(items) = value.dyn_ref::<Array>() {
        return items.iter().map(|item| taken(&item)).collect();
    }
    if let Some(fields) = value.dyn_ref::<Object>() {
        let fields = Object::entries(fields);
        let fields = fields.iter().map(|field| {
            let field = Array::from(&field);
            (field.get(0).as_string().unwrap_or_default(), taken(&field.get(1)))
        });
        return Value::Object(fields.collect());
    }
    value.as_bool().map_or(Value::Null, Value::Bool)
}

/// A whole number as one, for fields that take no other.
#[cfg(any(test, target_arch = "wasm32"))]
fn amount(number: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and within what fits")]
    let whole = number as i64;
    let is_whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    if is_whole { whole.into() } else { number.into() }
}

/// Has fractions written by the browser: `serde_json`'s own way is faster, by a table of ten
/// kilobytes that every browser would download.
struct Fractions;

impl Formatter for Fractions {
    fn write_f64<W: ?Sized + Write>(&mut self, text: &mut W, value: f64) -> std::io::Result<()> {
        text.write_all(digits(value).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_fits_where_only_whole_ones_do() {
        assert_eq!(amount(5.0).as_u64(), Some(5));
        assert_eq!(amount(-1.0).as_i64(), Some(-1));
        assert_eq!((amount(0.5).as_u64(), amount(0.5).as_f64()), (None, Some(0.5)));
        assert_eq!(amount(1e300).as_f64(), Some(1e300));
    }

    #[test]
    fn a_fraction_is_read_back_as_it_was() {
        for number in [0.1, 0.85, 1.0 / 3.0, 1e300, -2.5e-9] {
            let text = compact(&json!({ "share": number })).unwrap();
            assert_eq!(read(&text).unwrap()["share"].as_f64(), Some(number), "{text}");
        }
        assert_eq!(compact(&json!([1, "a\"b", null])).unwrap(), r#"[1,"a\"b",null]"#);
    }
}
