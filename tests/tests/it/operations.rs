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
            found.push(Operation { name, method, path: path.clone(), spec: spec.clone() });
        }
    }
    assert!(found.len() > 40, "the contract is not whole");
    found
}
