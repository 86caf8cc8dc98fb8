//! What every browser knows already: letters of any alphabet, and fractions in digits.
//!
//! The standard library knows it by tables that each browser would download beside its own, thirty
//! kilobytes of what does not compress. On the host, where tests run, it is the library's.

/// Lower case.
pub fn lower(text: &str) -> String {
    #[cfg(target_arch = "wasm32")]
    return js_sys::JsString::from(text).to_lower_case().into();
    #[cfg(not(target_arch = "wasm32"))]
    text.to_lowercase()
}

/// Upper case.
pub fn upper(text: &str) -> String {
    #[cfg(target_arch = "wasm32")]
    return js_sys::JsString::from(text).to_upper_case().into();
    #[cfg(not(target_arch = "wasm32"))]
    text.to_uppercase()
}

/// A number in the fewest digits that are read back as the same.
pub fn digits(number: f64) -> String {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Number::from(number)
        .to_string_with_radix(10)
        .map_or_else(|_| String::new(), Into::into);
    #[cfg(not(target_arch = "wasm32"))]
    number.to_string()
}

/// A number with so many decimals.
pub fn fixed(number: f64, decimals: u8) -> String {
    #[cfg(target_arch = "wasm32")]
    return js_sys::Number::from(number)
        .to_fixed(decimals)
        .map_or_else(|_| String::new(), Into::into);
    #[cfg(not(target_arch = "wasm32"))]
    format!("{number:.*}", usize::from(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_fractions_are_those_of_every_language() {
        assert_eq!((lower("ÄRGER Ab"), upper("émile")), ("ärger ab".into(), "ÉMILE".into()));
        assert_eq!((digits(0.1), digits(42.0)), ("0.1".into(), "42".into()));
        assert_eq!((fixed(0.25, 4), fixed(37.4, 0)), ("0.2500".into(), "37".into()));
    }
}
