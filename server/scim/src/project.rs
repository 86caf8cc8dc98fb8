//! Projections: which attributes an answer shows (`attributes`, `excludedAttributes`).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Refusal;
use crate::names::{Named, Place, resolve};
use crate::resource::Object;
use crate::schema::{COMMON, ResourceType};

/// What a client wants to see.
#[derive(Clone, Debug, Default)]
pub(crate) struct Projection {
    only: Option<Vec<String>>,
    without: Vec<String>,
}

impl Projection {
    /// Reads the two parameters, of which a request has one at most.
    pub fn read(only: Option<&str>, without: Option<&str>) -> Result<Self, Refusal> {
        if only.is_some() && without.is_some() {
            let rule = "Send `attributes` or `excludedAttributes`, not both.";
            return Err(Refusal::value(rule));
        }
        let names = |text: &str| {
            let names = text.split(',').map(str::trim).filter(|it| !it.is_empty());
            names.map(str::to_owned).collect::<Vec<_>>()
        };
        Ok(Self {
            only: only.map(names).filter(|it| !it.is_empty()),
            without: without.map(names).unwrap_or_default(),
        })
    }

    /// Whether an attribute may be part of the answer, so that it need not be read where it is not.
    pub fn shows(&self, of: &'static ResourceType, name: &str) -> bool {
        let is_it = |text: &String| match resolve(of, text) {
            Some(Named::Attribute(place)) => place.attribute.name == name,
            Some(Named::Extension(_)) | None => false,
        };
        let whole = |text: &String| is_it(text) && !text.contains('.');
        self.only.as_ref().is_none_or(|only| only.iter().any(is_it))
            && !self.without.iter().any(whole)
    }

    /// Leaves of a resource what is wanted, and what always is told.
    pub fn apply(&self, of: &'static ResourceType, object: &mut Object) {
        if let Some(only) = &self.only {
            let mut kept = Object::new();
            for attribute in COMMON.iter().filter(|it| it.returned == "always") {
                if let Some(value) = object.get(attribute.name) {
                    kept.insert(attribute.name.to_owned(), value.clone());
                }
            }
            for named in only.iter().filter_map(|name| resolve(of, name)) {
                keep(object, &mut kept, named);
            }
            *object = kept;
        }
        for named in self.without.iter().filter_map(|name| resolve(of, name)) {
            match named {
                Named::Extension(schema) => drop(object.remove(schema.id)),
                Named::Attribute(place) => leave(object, place),
            }
        }
        schemas(of, object);
    }
}

fn keep(from: &Object, to: &mut Object, named: Named) {
    let place = match named {
        Named::Extension(schema) => {
            if let Some(value) = from.get(schema.id) {
                to.insert(schema.id.to_owned(), value.clone());
            }
            return;
        }
        Named::Attribute(place) => place,
    };
    let (from, to) = match place.extension {
        None => (from, to),
        Some(schema) => {
            let Some(Value::Object(inner)) = from.get(schema.id) else { return };
            let made = to.entry(schema.id).or_insert_with(|| Value::Object(Object::new()));
            let Value::Object(made) = made else { return };
            (inner, made)
        }
    };
    let Some(value) = from.get(place.attribute.name) else { return };
    let Some(part) = place.part else {
        to.insert(place.attribute.name.to_owned(), value.clone());
        return;
    };
    let only = |value: &Value| value.get(part.name).cloned();
    let name = place.attribute.name.to_owned();
    match value {
        Value::Array(values) => {
            let mut kept = to.remove(&name).and_then(|it| it.as_array().cloned());
            let kept = kept.get_or_insert_with(|| {
                values.iter().map(|_| Value::Object(Object::new())).collect()
            });
            for (kept, value) in kept.iter_mut().zip(values) {
                if let (Value::Object(kept), Some(value)) = (kept, only(value)) {
                    kept.insert(part.name.to_owned(), value);
                }
            }
            to.insert(name, Value::Array(std::mem::take(kept)));
        }
        value => {
            let made = to.entry(name).or_insert_with(|| Value::Object(Object::new()));
            if let (Value::Object(made), Some(value)) = (made, only(value)) {
                made.insert(part.name.to_owned(), value);
            }
        }
    }
}

fn leave(object: &mut Object, place: Place) {
    if place.meant().returned == "always" {
        return;
    }
    let object = match place.extension {
        None => object,
        Some(schema) => match object.get_mut(schema.id) {
            Some(Value::Object(inner)) => inner,
            Some(_) | None => return,
        },
    };
    let Some(part) = place.part else {
        object.remove(place.attribute.name);
        return;
    };
    match object.get_mut(place.attribute.name) {
        Some(Value::Array(values)) => {
            for value in values.iter_mut().filter_map(Value::as_object_mut) {
                value.remove(part.name);
            }
        }
        Some(Value::Object(value)) => drop(value.remove(part.name)),
        Some(_) | None => {}
    }
}

/// Names the schemas of which there is something.
pub(crate) fn schemas(of: &'static ResourceType, object: &mut Object) {
    let extension = of.extension.map(|it| it.id).filter(|id| object.contains_key(*id));
    let all: BTreeSet<&str> = extension.into_iter().chain([of.core.id]).collect();
    object.insert("schemas".to_owned(), all.into_iter().collect());
}
