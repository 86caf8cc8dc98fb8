//! Google's own schemas, a subset of OpenAPI 3.0, as JSON Schema.
//!
//! The other way is never needed: Google takes JSON Schema too, in fields of its own.

use serde_json::{Value, json};

use crate::json::Object;

/// Deeper schemas are kept as they are; no upstream would take them.
const DEEPEST: usize = 64;

/// `parameters` or `responseSchema` as JSON Schema. What has the same name in both is kept.
pub(super) fn to_json_schema(schema: &Value) -> Value {
    convert(schema, DEEPEST)
}

fn convert(schema: &Value, depth: usize) -> Value {
    let (Value::Object(schema), Some(depth)) = (schema, depth.checked_sub(1)) else {
        return schema.clone();
    };
    let mut converted = Object::new();
    let mut nullable = false;
    for (key, value) in schema {
        match key.as_str() {
            "type" => {
                converted.extend(kind(value).map(|kind| ("type".to_owned(), kind)));
            }
            "nullable" => nullable = value == &Value::Bool(true),
            // An order of Google's own; the fields stand in the order they were written.
            "propertyOrdering" | "property_ordering" => {}
            "example" => {
                converted.insert("examples".to_owned(), json!([value]));
            }
            "items" | "additionalProperties" | "additional_properties" => {
                let key = if key == "items" { "items" } else { "additionalProperties" };
                converted.insert(key.to_owned(), convert(value, depth));
            }
            "properties" | "defs" | "$defs" => {
                let key = if key == "properties" { "properties" } else { "$defs" };
                converted.insert(key.to_owned(), each(value, depth));
            }
            "anyOf" | "any_of" => {
                let all = value.as_array().into_iter().flatten();
                let all = all.map(|schema| convert(schema, depth)).collect();
                converted.insert("anyOf".to_owned(), Value::Array(all));
            }
            "ref" => {
                converted.insert("$ref".to_owned(), value.clone());
            }
            _ => {
                let (key, value) = plain(key, value);
                converted.insert(key, value);
            }
        }
    }
    if nullable {
        allow_null(&mut converted);
    }
    Value::Object(converted)
}

fn each(schemas: &Value, depth: usize) -> Value {
    let Value::Object(schemas) = schemas else { return schemas.clone() };
    let converted = schemas.iter().map(|(name, schema)| (name.clone(), convert(schema, depth)));
    Value::Object(converted.collect())
}

/// `STRING` is `string`; nothing where the type is not said.
fn kind(value: &Value) -> Option<Value> {
    match value {
        Value::String(kind) if kind == "TYPE_UNSPECIFIED" => None,
        Value::String(kind) => Some(json!(kind.to_ascii_lowercase())),
        Value::Array(kinds) => Some(kinds.iter().filter_map(kind_of_union).collect()),
        other => Some(other.clone()),
    }
}

fn kind_of_union(value: &Value) -> Option<Value> {
    value
        .as_str()
        .filter(|kind| *kind != "TYPE_UNSPECIFIED")
        .map(|kind| json!(kind.to_ascii_lowercase()))
}

/// Limits, which Google writes as texts of numbers where they are 64 bits wide.
fn plain(key: &str, value: &Value) -> (String, Value) {
    const LIMITS: [(&str, &str); 6] = [
        ("maxItems", "max_items"),
        ("maxLength", "max_length"),
        ("maxProperties", "max_properties"),
        ("minItems", "min_items"),
        ("minLength", "min_length"),
        ("minProperties", "min_properties"),
    ];
    let Some((name, _)) = LIMITS.iter().find(|(camel, snake)| key == *camel || key == *snake)
    else {
        return (key.to_owned(), value.clone());
    };
    let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
    ((*name).to_owned(), number.map_or_else(|| value.clone(), |number| json!(number)))
}

fn allow_null(schema: &mut Object) {
    if let Some(Value::Array(any)) = schema.get_mut("anyOf") {
        any.push(json!({ "type": "null" }));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    let kind = schema.get("type").filter(|kind| kind.is_string()).cloned();
    if let Some(kind) = kind {
        schema.insert("type".to_owned(), json!([kind, "null"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_of_googles_becomes_json_schema() {
        let schema = json!({
            "type": "OBJECT",
            "propertyOrdering": ["city", "days"],
            "required": ["city"],
            "properties": {
                "city": { "type": "STRING", "description": "Where?", "min_length": "1" },
                "days": { "type": "ARRAY", "maxItems": "7", "items": { "type": "INTEGER", "format": "int32" } },
                "unit": { "type": "STRING", "enum": ["c", "f"], "nullable": true, "example": "c" },
                "type": { "any_of": [{ "type": "NUMBER" }, { "type": "TYPE_UNSPECIFIED" }], "nullable": true },
            },
        });
        assert_eq!(
            to_json_schema(&schema),
            json!({
                "type": "object",
                "required": ["city"],
                "properties": {
                    "city": { "type": "string", "description": "Where?", "minLength": 1 },
                    "days": { "type": "array", "maxItems": 7, "items": { "type": "integer", "format": "int32" } },
                    "unit": { "type": ["string", "null"], "enum": ["c", "f", null], "examples": ["c"] },
                    "type": { "anyOf": [{ "type": "number" }, {}, { "type": "null" }] },
                },
            })
        );
    }

    #[test]
    fn json_schema_stays_as_it_is() {
        let schema = json!({ "type": "object", "$defs": { "a": { "type": "string" } },
            "properties": { "x": { "$ref": "#/$defs/a" }, "y": { "type": ["integer", "null"] } },
            "additionalProperties": false });
        assert_eq!(to_json_schema(&schema), schema);
    }

    #[test]
    fn a_schema_without_end_does_not_end_the_stack() {
        let mut schema = json!({});
        for _ in 0..120 {
            schema = json!({ "items": schema });
        }
        assert!(to_json_schema(&schema).is_object());
    }
}
