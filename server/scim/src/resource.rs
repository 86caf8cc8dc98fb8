//! Resources: bodies of requests, read into the one form that everything else works on.
//!
//! Names are written as the schemas write them, values have their types, and what nobody asked for or may
//! set is gone: unknown attributes are ignored, as RFC 7644 section 3.3 has it, and so are read-only ones.

use serde_json::{Map, Value};

use crate::Refusal;
use crate::names::find;
use crate::schema::{Attribute, COMMON, Kind, ResourceType};

/// A resource without what the server says of it.
pub(crate) type Object = Map<String, Value>;

/// Of one text, in bytes, and of the values of one attribute.
const LONGEST: usize = 1_024;
pub(crate) const MOST_VALUES: usize = 10_000;

/// Reads a body.
pub(crate) fn read(of: &'static ResourceType, body: &Value) -> Result<Object, Refusal> {
    let Value::Object(body) = body else {
        return Err(Refusal::syntax("The body must be a JSON object."));
    };
    let mut found = Object::new();
    for (key, given) in body {
        let extension = of.extension.filter(|it| it.id.eq_ignore_ascii_case(key));
        if let Some(schema) = extension {
            let inner = object(schema.attributes, given, schema.id)?;
            if !inner.is_empty() {
                found.insert(schema.id.to_owned(), Value::Object(inner));
            }
            continue;
        }
        let attribute = find(of.core.attributes, key).or_else(|| find(&COMMON, key));
        let Some(attribute) = attribute.filter(|it| !it.is_read_only()) else { continue };
        if let Some(value) = value(attribute, given)? {
            found.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(found)
}

/// Refuses a resource that lacks what it cannot be without.
pub(crate) fn check(of: &'static ResourceType, object: &Object) -> Result<(), Refusal> {
    let name = of.core.attributes[0].name;
    let given = object.get(name).and_then(Value::as_str).map(str::trim);
    if given.is_none_or(str::is_empty) {
        return Err(Refusal::value(format!("`{name}` is needed.")));
    }
    Ok(())
}

fn object(attributes: &'static [Attribute], given: &Value, of: &str) -> Result<Object, Refusal> {
    let Value::Object(given) = given else {
        return Err(Refusal::value(format!("`{of}` must be an object.")));
    };
    let mut found = Object::new();
    for (key, given) in given {
        let attribute = find(attributes, key).filter(|it| !it.is_read_only());
        let Some(attribute) = attribute else { continue };
        if let Some(value) = value(attribute, given)? {
            found.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(found)
}

/// A value of an attribute; nothing where it stands for none.
pub(crate) fn value(attribute: &Attribute, given: &Value) -> Result<Option<Value>, Refusal> {
    if given.is_null() {
        return Ok(None);
    }
    if !attribute.many {
        return single(attribute, given);
    }
    let given = match given {
        Value::Array(values) => values.as_slice(),
        _ => std::slice::from_ref(given),
    };
    if given.len() > MOST_VALUES {
        let most = format!("`{}` has at most {MOST_VALUES} values.", attribute.name);
        return Err(Refusal::value(most));
    }
    let mut values = Vec::with_capacity(given.len());
    for given in given {
        values.extend(single(attribute, given)?);
    }
    let primary = values.iter().filter(|it| it["primary"] == true).count();
    if primary > 1 {
        let rule = format!("At most one value of `{}` is the primary one.", attribute.name);
        return Err(Refusal::value(rule));
    }
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

/// One value of an attribute.
pub(crate) fn single(attribute: &Attribute, given: &Value) -> Result<Option<Value>, Refusal> {
    let wrong = |wanted: &str| Refusal::value(format!("`{}` must be {wanted}.", attribute.name));
    match (attribute.kind, given) {
        (_, Value::Null) => Ok(None),
        (Kind::Boolean, Value::Bool(_)) => Ok(Some(given.clone())),
        // Entra writes booleans as texts.
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Some(Value::Bool(true)))
        }
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Some(Value::Bool(false)))
        }
        (Kind::Boolean, _) => Err(wrong("true or false")),
        (Kind::Text | Kind::Reference(_) | Kind::Time, Value::String(text)) => {
            if text.len() > LONGEST || text.contains(|c: char| c.is_control() && c != '\n') {
                return Err(wrong("at most 1024 bytes of text without control characters"));
            }
            Ok(Some(given.clone()))
        }
        (Kind::Text | Kind::Reference(_) | Kind::Time, _) => Err(wrong("a text")),
        (Kind::Complex(parts), Value::Object(_)) => {
            let found = object(parts, given, attribute.name)?;
            Ok((!found.is_empty()).then_some(Value::Object(found)))
        }
        // Of a whole value only its identifier, as some clients write managers and members.
        (Kind::Complex(parts), Value::String(_)) if find(parts, "value").is_some() => {
            let mut whole = Object::new();
            whole.insert("value".to_owned(), given.clone());
            let found = object(parts, &Value::Object(whole), attribute.name)?;
            Ok((!found.is_empty()).then_some(Value::Object(found)))
        }
        (Kind::Complex(_), _) => Err(wrong("an object")),
    }
}
