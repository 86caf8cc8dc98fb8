//! Patches: RFC 7644 section 3.5.2, and the ways in which Okta and Entra write it.
//!
//! All of a patch is applied to a copy before any of it is stored, so a wrong step leaves nothing behind.
//! Taken are operations in any case, paths and values without one, keys of such values that are paths
//! themselves, and booleans as texts.

use serde_json::{Map, Value};

use crate::Refusal;
use crate::filter::{self, Filter, Op, Path};
use crate::matches::{check_value, value_matches};
use crate::names::{Named, Place, find, resolve};
use crate::resource::{MOST_VALUES, Object, single, value};
use crate::schema::{Attribute, ResourceType};

/// Of one patch.
const MOST_OPERATIONS: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// The resource as the patch leaves it.
pub(crate) fn apply(
    of: &'static ResourceType,
    before: &Object,
    body: &Value,
) -> Result<Object, Refusal> {
    let operations = field(body, "Operations").and_then(Value::as_array);
    let Some(operations) = operations.filter(|all| !all.is_empty()) else {
        return Err(Refusal::syntax("A patch has `Operations`, a list of at least one."));
    };
    if operations.len() > MOST_OPERATIONS {
        let most = format!("A patch has at most {MOST_OPERATIONS} operations.");
        return Err(Refusal::syntax(most));
    }
    let mut after = before.clone();
    for operation in operations {
        step(of, &mut after, operation)?;
    }
    Ok(after)
}

fn step(of: &'static ResourceType, object: &mut Object, operation: &Value) -> Result<(), Refusal> {
    let word = field(operation, "op").and_then(Value::as_str).unwrap_or_default();
    let verb = match word.to_ascii_lowercase().as_str() {
        "add" => Verb::Add,
        "replace" => Verb::Replace,
        "remove" => Verb::Remove,
        _ => return Err(Refusal::syntax("`op` must be add, replace or remove.")),
    };
    let given = field(operation, "value").unwrap_or(&Value::Null);
    let path = match field(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => return Err(Refusal::path("`path` must be a text.")),
    };
    match (path, given, verb) {
        (Some(path), _, _) => at(of, object, verb, path, given),
        (None, _, Verb::Remove) => Err(Refusal::target("To remove something needs a `path`.")),
        (None, Value::Object(all), _) => all.iter().try_for_each(|(key, given)| {
            let path = filter::path(key).ok();
            let known = path.is_some_and(|path| match resolve(of, &path.name) {
                Some(Named::Extension(_)) => true,
                Some(Named::Attribute(place)) => !place.meant().is_read_only(),
                None => false,
            });
            // As in a whole resource, what is unknown or not for clients is ignored.
            if known { at(of, object, verb, key, given) } else { Ok(()) }
        }),
        (None, _, _) => Err(Refusal::value("Without a `path`, `value` must be an object.")),
    }
}

/// A field of a request, in whatever case it is written.
pub(crate) fn field<'a>(of: &'a Value, name: &str) -> Option<&'a Value> {
    let all = of.as_object()?;
    all.get(name).or_else(|| {
        all.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}

fn at(
    of: &'static ResourceType,
    object: &mut Object,
    verb: Verb,
    text: &str,
    given: &Value,
) -> Result<(), Refusal> {
    let path =
        filter::path(text).map_err(|why| Refusal::path(format!("`path` cannot be read {why}.")))?;
    let place = match resolve(of, &path.name) {
        Some(Named::Attribute(place)) => place,
        Some(Named::Extension(schema)) => {
            if verb == Verb::Remove || given.is_null() {
                object.remove(schema.id);
                return Ok(());
            }
            let Value::Object(all) = given else {
                return Err(Refusal::value(format!("`{}` must be an object.", schema.id)));
            };
            return all.iter().try_for_each(|(key, given)| {
                let known = find(schema.attributes, key.split('.').next().unwrap_or_default());
                let path = format!("{}:{key}", schema.id);
                known.map_or(Ok(()), |_| at(of, object, verb, &path, given))
            });
        }
        None => return Err(Refusal::path(format!("A {} has no attribute `{text}`.", of.name))),
    };
    let part = match (&path.part, place.part) {
        (Some(name), _) => Some(find(place.attribute.parts(), name).ok_or_else(|| {
            Refusal::path(format!("`{}` has no part `{name}`.", place.attribute.name))
        })?),
        (None, part) => part,
    };
    if place.attribute.is_read_only() || part.is_some_and(Attribute::is_read_only) {
        return Err(Refusal::mutability(format!("`{text}` is not for clients to change.")));
    }
    let target = match place.extension {
        None => &mut *object,
        Some(extension) => {
            let inner = object.entry(extension.id).or_insert_with(|| Value::Object(Map::new()));
            inner.as_object_mut().ok_or_else(|| Refusal::path("That is no extension."))?
        }
    };
    change(target, verb, &Target { place, path: &path, part }, given)?;
    tidy(object);
    Ok(())
}

/// What an operation is about.
struct Target<'a> {
    place: Place,
    path: &'a Path,
    part: Option<&'static Attribute>,
}

/// Extensions without anything in them are none.
fn tidy(object: &mut Object) {
    object.retain(|_, value| value.as_object().is_none_or(|inner| !inner.is_empty()));
}

fn change(
    object: &mut Object,
    verb: Verb,
    target: &Target<'_>,
    given: &Value,
) -> Result<(), Refusal> {
    let attribute = target.place.attribute;
    let verb = if given.is_null() && verb == Verb::Replace { Verb::Remove } else { verb };
    match (&target.path.within, target.part) {
        (Some(within), part) => chosen(object, verb, attribute, (within, part), given),
        (None, Some(part)) if attribute.many => every(object, verb, (attribute, part), given),
        (None, Some(part)) => {
            let whole = object.entry(attribute.name).or_insert_with(|| Value::Object(Map::new()));
            set(whole, verb, part, given)?;
            if whole.as_object().is_some_and(Map::is_empty) {
                object.remove(attribute.name);
            }
            Ok(())
        }
        (None, None) if verb == Verb::Remove => {
            let listed = given.as_array().filter(|_| attribute.many);
            match listed {
                // Entra names the values that go beside the path.
                Some(listed) => {
                    retain(object, attribute, |value| !listed.iter().any(|gone| same(gone, value)));
                }
                None if attribute.required && !attribute.many => {
                    let rule = format!("`{}` cannot be removed.", attribute.name);
                    return Err(Refusal::mutability(rule));
                }
                None => drop(object.remove(attribute.name)),
            }
            Ok(())
        }
        (None, None) => whole(object, verb, attribute, given),
    }
}

/// Whether a value that is named is this one: by its identifier, where it has one.
fn same(named: &Value, value: &Value) -> bool {
    let id = |it: &Value| it.get("value").or(Some(it)).cloned();
    id(named) == id(value)
}

fn whole(
    object: &mut Object,
    verb: Verb,
    attribute: &'static Attribute,
    given: &Value,
) -> Result<(), Refusal> {
    let Some(new) = value(attribute, given)? else {
        if verb == Verb::Replace {
            object.remove(attribute.name);
        }
        return Ok(());
    };
    let old = object.remove(attribute.name);
    let next = match (new, old) {
        (Value::Array(new), Some(Value::Array(old))) if verb == Verb::Add => {
            Value::Array(added(old, new)?)
        }
        (Value::Object(new), Some(Value::Object(mut old))) => {
            old.extend(new);
            Value::Object(old)
        }
        (new, _) => new,
    };
    object.insert(attribute.name.to_owned(), next);
    Ok(())
}

/// Values with others added that are not among them; a new primary one is the only one.
fn added(mut old: Vec<Value>, new: Vec<Value>) -> Result<Vec<Value>, Refusal> {
    if new.iter().any(|it| it["primary"] == true) {
        demote(old.iter_mut());
    }
    let mut known: std::collections::HashSet<String> =
        old.iter().map(ToString::to_string).collect();
    old.extend(new.into_iter().filter(|it| known.insert(it.to_string())));
    if old.len() > MOST_VALUES {
        let most = format!("An attribute has at most {MOST_VALUES} values.");
        return Err(Refusal::value(most));
    }
    Ok(old)
}

fn demote<'a>(values: impl Iterator<Item = &'a mut Value>) {
    for value in values.filter(|it| it["primary"] == true) {
        value["primary"] = Value::Bool(false);
    }
}

fn retain(object: &mut Object, attribute: &Attribute, keep: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(values)) = object.get_mut(attribute.name) {
        values.retain(|value| keep(value));
        if values.is_empty() {
            object.remove(attribute.name);
        }
    }
}

/// Sets one part of every value; where there is none, of a new one.
fn every(
    object: &mut Object,
    verb: Verb,
    (attribute, part): (&'static Attribute, &'static Attribute),
    given: &Value,
) -> Result<(), Refusal> {
    let values = object.entry(attribute.name).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(values) = values else { return Ok(()) };
    if values.is_empty() && verb != Verb::Remove {
        values.push(Value::Object(Map::new()));
    }
    values.iter_mut().try_for_each(|value| set(value, verb, part, given))?;
    retain(object, attribute, |value| value.as_object().is_none_or(|it| !it.is_empty()));
    Ok(())
}

/// Changes the values that a filter chooses.
fn chosen(
    object: &mut Object,
    verb: Verb,
    attribute: &'static Attribute,
    (within, part): (&Filter, Option<&'static Attribute>),
    given: &Value,
) -> Result<(), Refusal> {
    if !attribute.many || attribute.parts().is_empty() {
        let rule = format!("`{}` has not several values to choose from.", attribute.name);
        return Err(Refusal::path(rule));
    }
    check_value(attribute, within)?;
    if verb == Verb::Remove && part.is_none() {
        retain(object, attribute, |value| !value_matches(attribute, value, within));
        return Ok(());
    }
    let values = object.entry(attribute.name).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(values) = values else { return Ok(()) };
    if verb != Verb::Remove && !values.iter().any(|it| value_matches(attribute, it, within)) {
        // What the filter asks for says what the new value is.
        let mut made = Map::new();
        implied(attribute, within, &mut made)?;
        values.push(Value::Object(made));
    }
    let whole = if part.is_none() { single(attribute, given)? } else { None };
    if whole.as_ref().is_some_and(|it| it["primary"] == true)
        || part.is_some_and(|part| part.name == "primary" && given == &Value::Bool(true))
    {
        demote(values.iter_mut());
    }
    for value in values.iter_mut().filter(|it| value_matches(attribute, it, within)) {
        match (part, &whole) {
            (Some(part), _) => set(value, verb, part, given)?,
            (None, Some(Value::Object(new))) => {
                if let Some(old) = value.as_object_mut() {
                    old.extend(new.clone());
                }
            }
            (None, _) => {}
        }
    }
    retain(object, attribute, |value| value.as_object().is_none_or(|it| !it.is_empty()));
    Ok(())
}

/// The parts that a value has of which a filter is true: of equalities that all hold, and of no others.
fn implied(
    attribute: &'static Attribute,
    within: &Filter,
    made: &mut Object,
) -> Result<(), Refusal> {
    match within {
        Filter::And(a, b) => {
            implied(attribute, a, made)?;
            implied(attribute, b, made)
        }
        Filter::Compare(path, Op::Eq, wanted) => {
            let part = find(attribute.parts(), &path.name).filter(|it| !it.is_read_only());
            if let Some(part) = part
                && let Some(value) = value(part, wanted)?
            {
                made.insert(part.name.to_owned(), value);
            }
            Ok(())
        }
        Filter::Compare(..)
        | Filter::Or(..)
        | Filter::Not(_)
        | Filter::Present(_)
        | Filter::Some(_) => {
            Err(Refusal::target(format!("No value of `{}` is so.", attribute.name)))
        }
    }
}

fn set(
    whole: &mut Value,
    verb: Verb,
    part: &'static Attribute,
    given: &Value,
) -> Result<(), Refusal> {
    let Value::Object(whole) = whole else { return Ok(()) };
    let new = if verb == Verb::Remove { None } else { value(part, given)? };
    match new {
        Some(new) => drop(whole.insert(part.name.to_owned(), new)),
        None => drop(whole.remove(part.name)),
    }
    Ok(())
}
