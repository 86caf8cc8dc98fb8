//! What the built-in provider does besides conversing: vectors of the words in a text, judgements
//! that find nothing, rankings by common words. The same request gets the same answer.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::codec::embeddings::pack;
use crate::dialect::Operation;
use crate::error::{Refusal, UpstreamError};
use crate::filter::TextFilter;
use crate::json::{Object, object as fields, text};
use crate::operation;
use crate::prepare::Prepared;

/// Numbers of a vector, where the caller does not say.
const DIMENSIONS: u64 = 256;
const MOST_DIMENSIONS: u64 = 4096;

/// Answers an operation in the form that most providers have for it.
pub(crate) fn operate(
    prepared: &Prepared,
    filter: Option<Box<dyn TextFilter>>,
) -> Result<Answer, UpstreamError> {
    let inbound = &prepared.inbound;
    let body: Object = serde_json::from_slice(&prepared.body).unwrap_or_default();
    let mut answer = match inbound.operation() {
        Operation::Embeddings => embeddings(&body, inbound.counted_tokens())?,
        Operation::Moderations => moderations(&body),
        Operation::Rerank => ranking(&body),
        Operation::CountTokens => return Ok(operation::count_here(inbound)),
        Operation::Generate
        | Operation::Images
        | Operation::ImageEdits
        | Operation::ImageVariations
        | Operation::Speech
        | Operation::Transcriptions
        | Operation::Translations
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => return Err(refused("The simulated provider does not offer this.")),
    };
    answer.insert("model".to_owned(), json!(prepared.target.upstream_model));
    operation::operated(prepared, Value::Object(answer).to_string().into(), filter)
}

fn refused(message: &str) -> UpstreamError {
    let message = message.to_owned();
    UpstreamError::Status(Refusal { status: 400, message, ..Refusal::default() })
}

/// The values of a field that holds one or several.
fn each(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        // A row of numbers is one text that was counted into tokens before.
        Some(Value::Array(values)) if !values.iter().all(Value::is_number) => {
            values.iter().collect()
        }
        Some(value) => vec![value],
    }
}

fn embeddings(body: &Object, tokens: u64) -> Result<Object, UpstreamError> {
    let dimensions = match body.get("dimensions").map(Value::as_u64) {
        None => DIMENSIONS,
        Some(Some(dimensions)) if (1..=MOST_DIMENSIONS).contains(&dimensions) => dimensions,
        Some(_) => return Err(refused("`dimensions` must be between 1 and 4096.")),
    };
    let base64 = text(body, "encoding_format") == Some("base64");
    let data = each(body.get("input")).into_iter().enumerate().map(|(index, input)| {
        let vector = json!(vector(&words(input), dimensions));
        let vector = if base64 { pack(&vector) } else { vector };
        json!({ "object": "embedding", "index": index, "embedding": vector })
    });
    Ok(fields([
        ("object", json!("list")),
        ("data", data.collect()),
        ("usage", json!({ "prompt_tokens": tokens, "total_tokens": tokens })),
    ]))
}

fn words(value: &Value) -> Vec<String> {
    let said = match value {
        Value::String(said) => said.clone(),
        other => other.to_string(),
    };
    let words = said.split(|it: char| !it.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// A vector of length one, to which each word adds its own direction: texts with common words are
/// near each other.
fn vector(words: &[String], dimensions: u64) -> Vec<f32> {
    let mut vector = vec![0.0f32; usize::try_from(dimensions).unwrap_or(1)];
    for word in words {
        let hash = fnv(word);
        let at = usize::try_from(hash % dimensions).unwrap_or(0);
        if let Some(number) = vector.get_mut(at) {
            *number += if hash >> 63 == 0 { 1.0 } else { -1.0 };
        }
    }
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    if length > 0.0 {
        for number in &mut vector {
            *number /= length;
        }
    } else if let Some(first) = vector.first_mut() {
        *first = 1.0;
    }
    vector
}

/// The same in every process, unlike the standard library's.
fn fnv(word: &str) -> u64 {
    word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn moderations(body: &Object) -> Object {
    let categories = ["harassment", "hate", "self-harm", "sexual", "violence"];
    let said = |value: Value| -> Object {
        categories.iter().map(|name| ((*name).to_owned(), value.clone())).collect()
    };
    let input = each(body.get("input"));
    let results = input.iter().map(|_| {
        json!({ "flagged": false, "categories": said(json!(false)),
            "category_scores": said(json!(0.0)) })
    });
    fields([("id", json!("modr-simulated")), ("results", results.collect())])
}

fn ranking(body: &Object) -> Object {
    let query = words(body.get("query").unwrap_or(&Value::Null));
    let documents = each(body.get("documents"));
    let mut ranked: Vec<(usize, f64)> = documents
        .iter()
        .map(|document| words(document.get("text").unwrap_or(document)))
        .map(|words| {
            let found = query.iter().filter(|word| words.contains(word)).count();
            f64::from(u32::try_from(found).unwrap_or(u32::MAX))
                / f64::from(u32::try_from(query.len()).unwrap_or(u32::MAX).max(1))
        })
        .enumerate()
        .collect();
    ranked.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    let top = body.get("top_n").or_else(|| body.get("top_k")).and_then(Value::as_u64);
    let top = top.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX);
    let returned = body.get("return_documents") == Some(&Value::Bool(true));
    let results = ranked.into_iter().take(top).map(|(index, score)| {
        let mut row = fields([("index", json!(index)), ("relevance_score", json!(score))]);
        if let Some(document) = documents.get(index).filter(|_| returned) {
            let said = document.get("text").unwrap_or(document);
            row.insert("document".to_owned(), json!({ "text": said }));
        }
        Value::Object(row)
    });
    fields([("results", results.collect())])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::Dialect;
    use crate::inbound::{InPath, Inbound};
    use crate::prepare::Target;
    use crate::spec::Specs;

    fn ask(operation: Operation, body: &Value) -> Value {
        let raw = body.to_string().into();
        answered(&Inbound::parse_operation(operation, raw, None).unwrap())
    }

    fn answered(inbound: &Inbound) -> Value {
        let operation = inbound.operation();
        let target = Target {
            spec: Arc::clone(Specs::built_in().unwrap().find("simulated").unwrap()),
            base_url: None,
            upstream_model: "sim".to_owned(),
            max_output: 1000,
            patience: crate::Patience::default(),
        };
        let prepared = operation::prepare_operation(inbound, &target).unwrap();
        let answer = operate(&prepared, None).unwrap();
        let Answer::Whole { body, usage, .. } = answer else { panic!("{answer:?}") };
        assert!(!usage.estimated || operation != Operation::Embeddings);
        serde_json::from_slice(&body).unwrap()
    }

    #[test]
    fn texts_with_common_words_are_near_each_other() {
        let input = ["the quick brown fox", "a quick brown dog", "unrelated matters entirely"];
        let said = ask(Operation::Embeddings, &json!({ "model": "m", "input": input }));
        let vector = |index: usize| -> Vec<f64> {
            let numbers = said["data"][index]["embedding"].as_array().unwrap();
            numbers.iter().map(|it| it.as_f64().unwrap()).collect()
        };
        let dot = |one: usize, other: usize| -> f64 {
            vector(one).iter().zip(vector(other)).map(|(one, other)| one * other).sum()
        };
        assert!((dot(0, 0) - 1.0).abs() < 1e-5);
        assert!(dot(0, 1) > 0.3 && dot(0, 1) > dot(0, 2) + 0.2, "{} {}", dot(0, 1), dot(0, 2));
        let packed =
            json!({ "model": "m", "input": "x", "encoding_format": "base64", "dimensions": 2 });
        let said = ask(Operation::Embeddings, &packed);
        assert_eq!(said["data"][0]["embedding"].as_str().map(str::len), Some(12));
        let counted = json!({ "model": "m", "input": [[1, 2], [3]] });
        assert_eq!(ask(Operation::Embeddings, &counted)["usage"]["total_tokens"], 3);
    }

    #[test]
    fn googles_callers_get_vectors_too() {
        let body = json!({ "content": { "parts": [{ "text": "the quick brown fox" }] } });
        let path = InPath { model: Some("m".to_owned()), streamed: None };
        let (operation, raw) = (Operation::Embeddings, body.to_string().into());
        let inbound = Inbound::parse_operation_at(operation, Dialect::Gemini, raw, None, path);
        let said = answered(&inbound.unwrap());
        assert_eq!(said["embedding"]["values"].as_array().map(Vec::len), Some(256));
    }

    #[test]
    fn documents_are_ranked_by_common_words_in_the_callers_form() {
        let documents = ["cats sleep", "dogs bark loudly", "birds sing"];
        let body = json!({ "model": "m", "query": "dogs bark", "documents": documents, "top_n": 1,
            "return_documents": true });
        let said = ask(Operation::Rerank, &body);
        assert_eq!(
            said["results"],
            json!([{ "index": 1, "relevance_score": 1.0, "document": { "text": "dogs bark loudly" } }])
        );
        let body = json!({ "model": "m", "query": "sing", "documents": documents, "top_k": 1 });
        assert_eq!(ask(Operation::Rerank, &body)["data"][0]["index"], 2);
    }

    #[test]
    fn nothing_is_flagged() {
        let said = ask(Operation::Moderations, &json!({ "model": "m", "input": ["a", "b"] }));
        assert_eq!(said["results"].as_array().map(Vec::len), Some(2));
        assert_eq!(said["results"][0]["flagged"], false);
    }
}
