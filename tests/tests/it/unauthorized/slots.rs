//! Where a body or a query names something, read from the contract.

use serde_json::{Map, Value};

use crate::operations::Operation;

/// A step to a field of a body.
#[derive(Clone, Debug)]
pub enum Step {
    Field(String),
    /// The first of a list.
    First,
}

/// A text that a body or a query holds.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its field's own name.
    pub name: String,
    pub is_id: bool,
    /// Nothing where it is in the query.
    pub way: Vec<Step>,
}

fn resolved<'a>(contract: &'a Value, mut schema: &'a Value) -> &'a Value {
    while let Some(name) = schema["$ref"].as_str() {
        schema = contract.pointer(name.trim_start_matches('#')).unwrap();
    }
    schema
}

/// Texts are free where the schema does not list them.
fn is_free_text(schema: &Value) -> bool {
    let kinds = &schema["type"];
    let is_text =
        kinds == "string" || kinds.as_array().is_some_and(|it| it.contains(&"string".into()));
    is_text && schema.get("enum").is_none()
}

/// All texts below a schema; deeper than this nothing in the contract goes.
fn walk(contract: &Value, schema: &Value, name: &str, way: &[Step], found: &mut Vec<Slot>) {
    if way.len() > 8 {
        return;
    }
    let schema = resolved(contract, schema);
    for branch in ["oneOf", "anyOf", "allOf"] {
        for part in schema[branch].as_array().into_iter().flatten() {
            walk(contract, part, name, way, found);
        }
    }
    if let Some(items) = schema.get("items") {
        walk(contract, items, name, &[way, &[Step::First]].concat(), found);
    }
    for (field, part) in schema["properties"].as_object().into_iter().flatten() {
        walk(contract, part, field, &[way, &[Step::Field(field.clone())]].concat(), found);
    }
    if is_free_text(schema) {
        let is_id = schema["format"] == "uuid";
        found.push(Slot { name: name.to_owned(), is_id, way: way.to_vec() });
    }
}

/// The slots of an operation's query.
pub fn in_query(contract: &Value, operation: &Operation) -> Vec<Slot> {
    let mut found = Vec::new();
    for parameter in operation.spec["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "query" {
            let mut slots = Vec::new();
            let name = parameter["name"].as_str().unwrap();
            walk(contract, &parameter["schema"], name, &[], &mut slots);
            found.extend(slots.into_iter().map(|slot| Slot { way: Vec::new(), ..slot }));
        }
    }
    found
}

/// The slots of an operation's body.
pub fn in_body(contract: &Value, operation: &Operation) -> Vec<Slot> {
    let mut found = Vec::new();
    let content = &operation.spec["requestBody"]["content"]["application/json"];
    walk(contract, &content["schema"], "", &[], &mut found);
    found.retain(|slot| !slot.way.is_empty());
    found
}

/// Puts a text at its place in a body, and what leads there where it is missing.
pub fn put(body: &mut Value, way: &[Step], text: &str) {
    match way.split_first() {
        None => *body = text.into(),
        Some((Step::Field(name), rest)) => {
            if !body.is_object() {
                *body = Value::Object(Map::new());
            }
            put(&mut body[name.as_str()], rest, text);
        }
        Some((Step::First, rest)) => {
            if body.as_array().is_none_or(Vec::is_empty) {
                *body = Value::Array(vec![Value::Null]);
            }
            put(&mut body[0], rest, text);
        }
    }
}
