//! Small readings of loose JSON that every file here would repeat.

use serde_json::{Map, Value};

pub(crate) type Object = Map<String, Value>;

/// The text of a field, or nothing when it is absent or no text.
pub(crate) fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A field that says something: present and not null.
pub(crate) fn given<'a>(object: &'a Object, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

/// The objects of an array; anything else counts as none.
pub(crate) fn objects(value: Option<&Value>) -> impl Iterator<Item = &Object> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// An object literal as a map, for building wire bodies step by step.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Object {
    fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
