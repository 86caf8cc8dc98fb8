//! Arguments that satisfy a tool's JSON schema, as far as its required properties go.

use serde_json::{Value, json};

use crate::json::{Object, text};

/// Schemas may refer to themselves.
const DEEPEST: usize = 8;

/// An object with every required property.
pub(super) fn of_schema(schema: Option<&Value>) -> Value {
    let Some(schema) = schema else { return json!({}) };
    match example(schema, schema, DEEPEST) {
        object @ Value::Object(_) => object,
        _ => json!({}),
    }
}

fn example(schema: &Value, root: &Value, depth: usize) -> Value {
    let Some(schema) = schema.as_object() else { return Value::Null };
    if depth == 0 {
        return Value::Null;
    }
    if let Some(target) = text(schema, "$ref").and_then(|to| root.pointer(to.strip_prefix('#')?)) {
        return example(target, root, depth - 1);
    }
    if let Some(given) = ["const", "default"].into_iter().find_map(|key| schema.get(key)) {
        return given.clone();
    }
    for key in ["enum", "examples", "anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|all| all.first()) {
            let is_schema = key.ends_with("Of");
            return if is_schema { example(first, root, depth - 1) } else { first.clone() };
        }
    }
    match kind(schema) {
        Some("string") => json!("example"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => items(schema, root, depth),
        Some("object") => properties(schema, root, depth),
        Some(_) | None => Value::Null,
    }
}

/// The type; the first where several are allowed.
fn kind(schema: &Object) -> Option<&str> {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None => schema.contains_key("properties").then_some("object"),
    }
}

fn items(schema: &Object, root: &Value, depth: usize) -> Value {
    let wanted = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
    match schema.get("items") {
        Some(item) if wanted > 0 => json!([example(item, root, depth - 1)]),
        _ => json!([]),
    }
}

fn properties(schema: &Object, root: &Value, depth: usize) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let made = required.filter_map(Value::as_str).map(|name| {
        let property = properties.and_then(|properties| properties.get(name));
        let value = property.map_or(json!("example"), |schema| example(schema, root, depth - 1));
        (name.to_owned(), value)
    });
    Value::Object(made.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_required_property_gets_a_value_of_its_type() {
        let schema = json!({
            "type": "object",
            "$defs": { "unit": { "enum": ["celsius", "kelvin"] } },
            "properties": {
                "city": { "type": "string" },
                "days": { "type": "integer", "minimum": 3 },
                "unit": { "$ref": "#/$defs/unit" },
                "tags": { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                "at": { "type": "object", "properties": { "x": { "type": ["number", "null"] } },
                    "required": ["x"] },
                "skip": { "type": "string" },
            },
            "required": ["city", "days", "unit", "tags", "at"],
        });
        assert_eq!(
            of_schema(Some(&schema)),
            json!({ "city": "example", "days": 3, "unit": "celsius", "tags": ["example"],
                "at": { "x": 1 } })
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "type": "object", "properties": { "a": { "$ref": "#" } },
            "required": ["a"] });
        assert!(of_schema(Some(&schema)).is_object());
        assert_eq!(of_schema(None), json!({}));
        assert_eq!(of_schema(Some(&json!("x"))), json!({}));
    }
}
