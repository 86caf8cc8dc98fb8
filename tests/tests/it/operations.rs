//! Every operation of the contract, for suites that must miss none.

use ralex_tests::app::run;
use reqwest::Method;
use serde_json::Value;

pub struct Operation {
    /// `POST /api/v1/orgs/{org}/teams`.
    pub name: String,
    pub method: Method,
    pub path: String,
    pub spec: Value,
    /// What the body may say, by name.
    pub fields: Vec<String>,
}

/// The contract, as the binary prints it.
pub fn contract() -> Value {
    let printed = run(&["openapi"], &[]).stdout;
    serde_json::from_slice(&printed).unwrap()
}

/// All of them.
pub fn operations() -> Vec<Operation> {
    let document = contract();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, spec) in item.as_object().unwrap() {
            let method = method.to_uppercase();
            let name = format!("{method} {path}");
            let method = method.parse().unwrap();
            let (path, spec, fields) = (path.clone(), spec.clone(), fields(&document, spec));
            found.push(Operation { name, method, path, spec, fields });
        }
    }
    assert!(found.len() > 40, "the contract is not whole");
    found
}

fn fields(document: &Value, spec: &Value) -> Vec<String> {
    let schema = &spec["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let schema = schema.as_str().and_then(|it| it.strip_prefix('#'));
    let schema = schema.and_then(|it| document.pointer(it));
    let named = schema.and_then(|it| it["properties"].as_object());
    named.map(|it| it.keys().cloned().collect()).unwrap_or_default()
}
