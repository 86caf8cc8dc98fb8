//! The contract: what `openapi.json` says is what the server does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ralex_tests::app::{App, checkout, run};
use serde_json::Value;

use crate::operations::{Operation, operations};

const FIX: &str = "`target/debug/ralex openapi > openapi/openapi.json` writes it anew";

#[test]
fn the_checked_in_contract_is_what_the_binary_prints() {
    let output = run(&["openapi"], &[]);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let kept = fs::read_to_string(checkout().join("openapi/openapi.json")).unwrap_or_default();
    let differs = printed.lines().zip(kept.lines()).find(|(printed, kept)| printed != kept);
    assert!(printed == kept, "openapi/openapi.json is stale at {differs:?}; {FIX}");
}

#[test]
fn every_operation_says_what_it_does_and_where_it_belongs() {
    let mut ids = BTreeSet::new();
    for Operation { name, spec, .. } in operations() {
        let summary = spec["summary"].as_str().unwrap_or_default();
        assert!(summary.ends_with('.') && summary.contains(' '), "{name} says `{summary}`");
        assert_eq!(spec["tags"].as_array().map(Vec::len), Some(1), "{name} needs one tag");
        assert!(ids.insert(spec["operationId"].to_string()), "{name} shares its operationId");
        let answers = spec["responses"].as_object().unwrap();
        // What sends a browser on has succeeded by that.
        let succeeds = |status: &String| status.starts_with('2') || status == "303";
        assert!(answers.keys().any(succeeds), "{name} never succeeds");
        if name.contains("/api/") {
            assert!(answers.contains_key("default"), "{name} names no problem");
        }
    }
}

#[test]
fn every_path_parameter_is_described_by_its_operation() {
    for Operation { name, path, spec, .. } in operations() {
        let parameters = spec["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
        let told: BTreeSet<_> =
            in_path.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
        let written: BTreeSet<_> = path
            .split('{')
            .skip(1)
            .map(|part| part.split('}').next().unwrap().to_owned())
            .collect();
        assert_eq!(told, written, "{name}");
    }
}

#[test]
fn every_word_of_the_contract_is_as_it_is_sent() {
    let document: Value =
        serde_json::from_slice(&fs::read(checkout().join("openapi/openapi.json")).unwrap())
            .unwrap();
    let mut lists = 0;
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for word in schema["enum"].as_array().into_iter().flatten() {
            lists += 1;
            let word = word.as_str().unwrap();
            // The wire knows no capitals; what a type is called in the code has some.
            assert!(!word.contains(char::is_uppercase), "{name} has `{word}`");
        }
    }
    assert!(lists > 0);
}

/// Follows every `$ref` of a document.
fn unknown_references(document: &Value, at: &Value, unknown: &mut Vec<String>) {
    match at {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let pointer = reference.trim_start_matches('#');
                if document.pointer(pointer).is_none() {
                    unknown.push(reference.clone());
                }
            }
            for value in fields.values() {
                unknown_references(document, value, unknown);
            }
        }
        Value::Array(items) => {
            for value in items {
                unknown_references(document, value, unknown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_server_tells_its_contract_and_shows_it_from_its_own_files() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let served = anonymous.get("/openapi.json").await.ok();
    let printed = run(&["openapi"], &[]).stdout;
    assert_eq!(served, serde_json::from_slice::<Value>(&printed).unwrap());
    assert_eq!(served["openapi"].as_str().map(|version| &version[..4]), Some("3.1."));
    let mut unknown = Vec::new();
    unknown_references(&served, &served, &mut unknown);
    assert!(unknown.is_empty(), "nothing stands at {unknown:?}");

    let page = anonymous.get("/docs/").await;
    assert_eq!(page.status, 200, "{page:?}");
    let is_asset = |part: &&str| {
        let ending = Path::new(part).extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("js" | "css"))
    };
    let assets: Vec<_> = page.text.split('"').filter(is_asset).collect();
    assert!(!assets.is_empty(), "{}", page.text);
    for asset in assets {
        assert!(!asset.contains("//"), "{asset} is not served from here");
        let path = format!("/docs/{}", asset.trim_start_matches("./"));
        let answer = anonymous.get(&path).await;
        assert_eq!((answer.status, answer.text.is_empty()), (200, false), "{path}");
    }
    let setup = anonymous.get("/docs/swagger-initializer.js").await;
    assert!(setup.text.contains("/openapi.json"), "{}", setup.text);
}
