//! Whether a resource is what a filter asks for.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::Refusal;
use crate::filter::{Filter, Op, Path};
use crate::names::{Named, find, resolve};
use crate::resource::Object;
use crate::schema::{Attribute, Kind, ResourceType};

/// Refuses a filter that names what there is not, before anything is looked for.
pub(crate) fn check(of: &'static ResourceType, filter: &Filter) -> Result<(), Refusal> {
    walk(filter, &mut |path| meant(of, path).map(drop))
}

/// Whether a resource is so. The filter was checked.
pub(crate) fn matches(of: &'static ResourceType, object: &Object, filter: &Filter) -> bool {
    decide(filter, &mut |path| {
        let (attribute, part) = meant(of, path).ok()?;
        Some((values(of, object, path, (attribute, part)), part.unwrap_or(attribute)))
    })
}

/// Whether one value of an attribute is so.
pub(crate) fn value_matches(of: &'static Attribute, value: &Value, filter: &Filter) -> bool {
    decide(filter, &mut |path| {
        let part = find(of.parts(), &path.name)?;
        Some((value.get(part.name).into_iter().collect(), part))
    })
}

/// Refuses a filter of values that names what they have not.
pub(crate) fn check_value(of: &'static Attribute, filter: &Filter) -> Result<(), Refusal> {
    walk(filter, &mut |path| {
        let known = find(of.parts(), &path.name).is_some() && path.within.is_none();
        let unknown = || format!("`{}` has no part `{path}`.", of.name);
        if known { Ok(()) } else { Err(Refusal::filter(unknown())) }
    })
}

fn walk(filter: &Filter, see: &mut dyn FnMut(&Path) -> Result<(), Refusal>) -> Result<(), Refusal> {
    match filter {
        Filter::And(a, b) | Filter::Or(a, b) => {
            walk(a, see)?;
            walk(b, see)
        }
        Filter::Not(inner) => walk(inner, see),
        Filter::Present(path) | Filter::Some(path) | Filter::Compare(path, ..) => see(path),
    }
}

type Meant = (&'static Attribute, Option<&'static Attribute>);

/// The attribute of a path, and the part of it that is compared.
fn meant(of: &'static ResourceType, path: &Path) -> Result<Meant, Refusal> {
    let unknown = || Refusal::filter(format!("A {} has no attribute `{path}`.", of.name));
    let Some(Named::Attribute(place)) = resolve(of, &path.name) else { return Err(unknown()) };
    let mut part = place.part;
    if let Some(within) = &path.within {
        check_value(place.attribute, within)?;
        if let Some(name) = &path.part {
            part = Some(find(place.attribute.parts(), name).ok_or_else(unknown)?);
        }
    }
    // Of a value with parts the one that is called so is meant.
    let whole = place.attribute.parts();
    Ok((place.attribute, part.or_else(|| find(whole, "value"))))
}

fn values<'a>(
    of: &'static ResourceType,
    object: &'a Object,
    path: &Path,
    (attribute, part): Meant,
) -> Vec<&'a Value> {
    let place = match resolve(of, &path.name) {
        Some(Named::Attribute(place)) => place,
        Some(Named::Extension(_)) | None => return Vec::new(),
    };
    let whole = match place.extension {
        Some(extension) => object.get(extension.id).and_then(|it| it.get(attribute.name)),
        None => object.get(attribute.name),
    };
    let all: Vec<&Value> = match whole {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    };
    let so = |value: &&Value| {
        path.within.as_ref().is_none_or(|within| value_matches(attribute, value, within))
    };
    let all = all.into_iter().filter(so);
    match part {
        Some(part) => all.filter_map(|value| value.get(part.name)).collect(),
        None => all.collect(),
    }
}

type Found<'a> = Option<(Vec<&'a Value>, &'static Attribute)>;

fn decide<'a>(filter: &Filter, find: &mut dyn FnMut(&Path) -> Found<'a>) -> bool {
    match filter {
        Filter::And(a, b) => decide(a, find) && decide(b, find),
        Filter::Or(a, b) => decide(a, find) || decide(b, find),
        Filter::Not(inner) => !decide(inner, find),
        Filter::Present(path) | Filter::Some(path) => {
            find(path).is_some_and(|(values, _)| !values.is_empty())
        }
        Filter::Compare(path, op, wanted) => find(path).is_some_and(|(values, attribute)| {
            let any = |op| values.iter().any(|value| compare(attribute, value, op, wanted));
            match (op, wanted) {
                (Op::Eq, Value::Null) => values.is_empty(),
                (Op::Ne, Value::Null) => !values.is_empty(),
                (Op::Ne, _) => !any(Op::Eq),
                (op, _) => any(*op),
            }
        }),
    }
}

fn compare(attribute: &Attribute, value: &Value, op: Op, wanted: &Value) -> bool {
    let (a, b) = match (value, wanted) {
        (Value::String(a), Value::String(b)) if attribute.kind == Kind::Time => {
            let time = |text: &str| text.parse::<DateTime<Utc>>().ok();
            return time(a).zip(time(b)).is_some_and(|(a, b)| ordered(op, a.cmp(&b)));
        }
        (Value::String(a), Value::String(b)) if attribute.exact => (a.clone(), b.clone()),
        (Value::String(a), Value::String(b)) => (a.to_lowercase(), b.to_lowercase()),
        // A boolean is also compared with the text of one, as Entra does.
        (Value::Bool(a), Value::Bool(_) | Value::String(_)) => {
            let b = wanted.as_str().map_or_else(|| wanted.to_string(), str::to_lowercase);
            return op == Op::Eq && a.to_string() == b;
        }
        _ => return false,
    };
    match op {
        Op::Co => a.contains(&b),
        Op::Sw => a.starts_with(&b),
        Op::Ew => a.ends_with(&b),
        Op::Eq | Op::Ne | Op::Gt | Op::Ge | Op::Lt | Op::Le => ordered(op, a.cmp(&b)),
    }
}

const fn ordered(op: Op, order: Ordering) -> bool {
    match op {
        Op::Eq => order.is_eq(),
        Op::Ne => order.is_ne(),
        Op::Gt => order.is_gt(),
        Op::Ge => order.is_ge(),
        Op::Lt => order.is_lt(),
        Op::Le => order.is_le(),
        Op::Co | Op::Sw | Op::Ew => false,
    }
}
