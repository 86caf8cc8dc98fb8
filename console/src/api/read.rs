//! Reading an answer: the type that its JSON stands for.
//!
//! As `serde_json` does it, in a fraction of what a browser would have to download. Every type has code
//! of its own to be read from a list of its fields' values and from an object, where the latter
//! compares names and keeps book of what it met. Here the fields are looked up, once for all
//! types, and handed over as the list; names of variants likewise as their numbers. So a field
//! must not have a second name, which the list would take for another field. The error is an own one for the
//! same reason: that of `serde_json` tells of numbers by a table of ten kilobytes.

use std::cell::{Cell, RefCell};
use std::fmt::Display;

use ralex_api::Page;
use serde::de::value::{BorrowedStrDeserializer, U32Deserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected,
    IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

thread_local! {
    static TOLD: RefCell<String> = const { RefCell::new(String::new()) };
    static MISSED: Cell<&'static str> = const { Cell::new("") };
}

/// That something does not fit. What it was waits beside it until it is asked for: every field of every
/// type hands an error on, and one that holds nothing costs nothing there.
#[derive(Debug)]
pub struct Error(());

impl Error {
    fn of(told: String) -> Self {
        TOLD.set(told);
        Self(())
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        TOLD.with_borrow(|told| f.write_str(told))
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: Display>(told: T) -> Self {
        Self::of(told.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Unsigned(number) => number.to_string(),
            Unexpected::Signed(number) => number.to_string(),
            Unexpected::Str(text) => format!("“{text}”"),
            _of_another_kind => "something else".to_owned(),
        };
        Self::of(format!("{found} where {wanted} belongs"))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    /// A type can say only how many values it got before there was none.
    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self::of(format!("{} is missing", MISSED.get()))
    }
}

/// What the JSON stands for.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Error> {
    T::deserialize(Json(value))
}

/// A page of a list, of which only its items are read anew for every type.
pub fn page<T: DeserializeOwned>(value: &Value) -> Result<Page<T>, Error> {
    let next_cursor = value.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
    let items = value.get("items").unwrap_or(&Value::Null);
    Ok(Page { items: from_value(items)?, next_cursor })
}

/// Where a type reads itself from.
#[derive(Clone, Copy)]
struct Json<'a>(&'a Value);

/// Not generic, so that it is there once.
fn unlike(value: &Value, wanted: &str) -> Error {
    let found = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Error::custom(format_args!("{found} where {wanted} belongs"))
}

impl<'a> Json<'a> {
    fn bool(self) -> Result<bool, Error> {
        self.0.as_bool().ok_or_else(|| unlike(self.0, "a truth"))
    }

    fn signed(self) -> Result<i64, Error> {
        self.0.as_i64().ok_or_else(|| unlike(self.0, "a whole number"))
    }

    fn unsigned(self) -> Result<u64, Error> {
        self.0.as_u64().ok_or_else(|| unlike(self.0, "a whole number from 0 up"))
    }

    fn float(self) -> Result<f64, Error> {
        self.0.as_f64().ok_or_else(|| unlike(self.0, "a number"))
    }

    fn text(self) -> Result<&'a str, Error> {
        self.0.as_str().ok_or_else(|| unlike(self.0, "a text"))
    }

    fn items(self) -> Result<Items<'a>, Error> {
        let items = self.0.as_array().ok_or_else(|| unlike(self.0, "a list"))?;
        Ok(Items(items.iter()))
    }

    fn object(self) -> Result<&'a Map<String, Value>, Error> {
        self.0.as_object().ok_or_else(|| unlike(self.0, "an object"))
    }

    fn entries(self) -> Result<Entries<'a>, Error> {
        Ok(Entries { rest: self.object()?.iter(), value: self })
    }

    fn fields(self, names: &'static [&'static str]) -> Result<Fields<'a>, Error> {
        Ok(Fields { names: names.iter(), object: self.object()?, whole: self.0 })
    }

    /// A variant is written as its name, or as an object of its name and what it holds.
    fn variant(self, names: &'static [&'static str]) -> Result<Variant<'a>, Error> {
        let only = self.0.as_object().filter(|entries| entries.len() == 1);
        let (name, value) = match (self.0.as_str(), only.and_then(|only| only.iter().next())) {
            (Some(name), _) => (name, &Value::Null),
            (None, Some((name, value))) => (name.as_str(), value),
            (None, None) => return Err(unlike(self.0, "one of several names")),
        };
        let number = (0..).zip(names).find(|(_, known)| **known == name).map(|(number, _)| number);
        let number = number.ok_or_else(|| Error::unknown_variant(name, names))?;
        Ok(Variant { number, value: Self(value) })
    }
}

/// `deserialize_u8 => visit_u64(unsigned)`: what kind of value each asks for.
macro_rules! read {
    ($($ask:ident => $visit:ident($kind:ident),)*) => {$(
        fn $ask<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.$kind()?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Json<'de> {
    type Error = Error;

    read! {
        deserialize_bool => visit_bool(bool),
        deserialize_i8 => visit_i64(signed),
        deserialize_i16 => visit_i64(signed),
        deserialize_i32 => visit_i64(signed),
        deserialize_i64 => visit_i64(signed),
        deserialize_u8 => visit_u64(unsigned),
        deserialize_u16 => visit_u64(unsigned),
        deserialize_u32 => visit_u64(unsigned),
        deserialize_u64 => visit_u64(unsigned),
        deserialize_f32 => visit_f64(float),
        deserialize_f64 => visit_f64(float),
        deserialize_str => visit_borrowed_str(text),
        deserialize_string => visit_borrowed_str(text),
        deserialize_identifier => visit_borrowed_str(text),
        deserialize_seq => visit_seq(items),
        deserialize_map => visit_map(entries),
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(self.float()?),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(self.fields(names)?)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self.variant(names)?)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { char bytes byte_buf unit unit_struct }
}

/// The items of a list that are not read yet.
struct Items<'a>(std::slice::Iter<'a, Value>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        MISSED.set("an item");
        self.0.next().map(|item| seed.deserialize(Json(item))).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

/// The values of an object's fields, in the order in which a type has the fields.
struct Fields<'a> {
    names: std::slice::Iter<'static, &'static str>,
    object: &'a Map<String, Value>,
    whole: &'a Value,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Option<&'a Value> {
        let name = self.names.next()?;
        MISSED.set(name);
        // What the contract marks so has its fields among the others.
        if name.starts_with('*') { Some(self.whole) } else { self.object.get(*name) }
    }
}

impl<'de> SeqAccess<'de> for Fields<'de> {
    type Error = Error;

    /// Nothing for a field that is not there: the type has a default for it, or fails.
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        self.next().map(|value| seed.deserialize(Json(value))).transpose()
    }
}

/// The entries of an object that are not read yet, and the value of the one whose name was.
struct Entries<'a> {
    rest: serde_json::map::Iter<'a>,
    value: Json<'a>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Error> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Json(value);
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.value)
    }
}

/// One of several, and what it holds.
struct Variant<'a> {
    number: u32,
    value: Json<'a>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = Json<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Json<'de>), Error> {
        let number: U32Deserializer<Error> = self.number.into_deserializer();
        Ok((seed.deserialize(number)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for Json<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(self.fields(names)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        Named(String),
        Sized { width: u8 },
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        ratio: f64,
        change: i32,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        kinds: Vec<Kind>,
        #[serde(flatten)]
        inner: Inner,
        by_name: BTreeMap<String, (u64, bool)>,
        #[serde(default)]
        note: Option<String>,
        free: Value,
    }

    fn outer() -> Value {
        json!({
            "kinds": ["plain", { "named": "x" }, { "sized": { "width": 3 } }],
            "ratio": 5, "change": -1, "unknown": [{}, null],
            "by_name": { "one": [1, true] },
            "note": null,
            "free": { "any": [1.5, "thing", null] },
        })
    }

    #[test]
    fn a_type_is_read_as_serde_json_reads_it() {
        let value = outer();
        let read: Outer = from_value(&value).unwrap();
        assert_eq!(read, serde_json::from_value(value).unwrap());
        assert_eq!(read.kinds[2], Kind::Sized { width: 3 });
    }

    #[test]
    fn a_type_within_the_fields_of_another_is_read_from_these() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Around {
            name: String,
            #[serde(rename = "*inner")]
            inner: Inner,
        }

        let value = json!({ "name": "x", "ratio": 0.5, "change": 2 });
        let inner = Inner { ratio: 0.5, change: 2 };
        assert_eq!(from_value::<Around>(&value).unwrap(), Around { name: "x".into(), inner });
        let error = from_value::<Around>(&json!({ "name": "x", "ratio": 0.5 })).unwrap_err();
        assert_eq!(error.to_string(), "change is missing");
        let sums = from_value::<ralex_api::usage::UsageRest>(&json!({ "rows": 1 })).unwrap_err();
        assert_eq!(sums.to_string(), "calls is missing", "the contract marks its own so");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (name, wrong, told) in [
            ("kinds", json!({}), "an object where a list belongs"),
            ("kinds", json!([{}]), "an object where one of several names belongs"),
            ("kinds", json!([{ "sized": { "width": 300 } }]), "300 where u8 belongs"),
            ("kinds", json!(["huge"]), "unknown variant `huge`, expected one of `plain`"),
            ("kinds", json!([{ "sized": {} }]), "width is missing"),
            ("note", json!(1), "a number where a text belongs"),
            ("by_name", json!({ "one": [-1, true] }), "a whole number from 0 up belongs"),
            ("by_name", json!({ "one": [1] }), "an item is missing"),
        ] {
            let mut value = outer();
            value[name] = wrong;
            let error = from_value::<Outer>(&value).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
        assert!(from_value::<Inner>(&json!([1.0, 2])).is_err(), "a list is no object");
    }

    #[test]
    fn a_page_is_read_with_its_cursor_and_a_page_without_items_is_none() {
        let read = page::<u8>(&json!({ "items": [1, 2], "next_cursor": "c" })).unwrap();
        assert_eq!(read, Page { items: vec![1, 2], next_cursor: Some("c".into()) });
        assert_eq!(page::<u8>(&json!({ "items": [] })).unwrap().next_cursor, None);
        assert!(page::<u8>(&json!({ "problem": "x" })).is_err());
    }
}
