//! Names: which attribute a client means, in any case, with its schema's name before it or without.

use crate::schema::{Attribute, COMMON, Kind, ResourceType, Schema};

/// Where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// All of an extension.
    Extension(&'static Schema),
    Attribute(Place),
}

/// An attribute, or one of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The extension that it stands in, if it is not the core's.
    pub extension: Option<&'static Schema>,
    pub attribute: &'static Attribute,
    pub part: Option<&'static Attribute>,
}

impl Place {
    /// What is there: the part, or the whole.
    pub fn meant(&self) -> &'static Attribute {
        self.part.unwrap_or(self.attribute)
    }
}

pub(crate) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|it| it.name.eq_ignore_ascii_case(name))
}

/// What a name means of resources of a type; nothing where they have no such attribute.
pub(crate) fn resolve(of: &'static ResourceType, name: &str) -> Option<Named> {
    for schema in [Some(of.core), of.extension].into_iter().flatten() {
        let Some(rest) = after(name, schema.id) else { continue };
        let extension = (schema != of.core).then_some(schema);
        return match (rest.strip_prefix(':'), extension) {
            (None, Some(extension)) if rest.is_empty() => Some(Named::Extension(extension)),
            (Some(rest), _) => place(extension, schema.attributes, rest),
            (None, _) => None,
        };
    }
    place(None, of.core.attributes, name).or_else(|| place(None, &COMMON, name))
}

fn place(
    extension: Option<&'static Schema>,
    attributes: &'static [Attribute],
    name: &str,
) -> Option<Named> {
    let (whole, part) = name.split_once('.').map_or((name, None), |(a, b)| (a, Some(b)));
    let attribute = find(attributes, whole)?;
    let part = match (part, attribute.kind) {
        (None, _) => None,
        (Some(part), Kind::Complex(parts)) => Some(find(parts, part)?),
        (Some(_), _) => return None,
    };
    Some(Named::Attribute(Place { extension, attribute, part }))
}

fn after<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let head = name.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &name[prefix.len()..])
}
