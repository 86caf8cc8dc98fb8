//! Embeddings, as OpenAI and Google write them.
//!
//! A vector is made of its text's words, so that texts which share words are near each other:
//! enough for whoever tests a cache or a search by meaning.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::question::count;
use super::script::Script;

const DIMENSIONS: usize = 64;

/// A text's vector, of length one.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions.max(1)];
    for word in text.to_lowercase().split(|it: char| !it.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        for byte in Sha256::digest(word.as_bytes()).chunks(2).take(4) {
            let at = usize::from(byte[0]) * 256 + usize::from(byte[1]);
            vector[at % dimensions.max(1)] += if byte[0] % 2 == 0 { 1.0 } else { -1.0 };
        }
    }
    let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
    if length > 0.0 {
        for it in &mut vector {
            *it /= length;
        }
    }
    vector
}

fn vectors(texts: &[String], dimensions: Option<u64>, script: &Script) -> Vec<Vec<f32>> {
    let dimensions = dimensions.and_then(|it| usize::try_from(it).ok()).unwrap_or(DIMENSIONS);
    match &script.vectors {
        Some(told) => told.iter().cycle().take(texts.len()).cloned().collect(),
        None => texts.iter().map(|text| vector(text, dimensions)).collect(),
    }
}

/// A text, texts, or texts as tokens, each of which counts as a word.
fn texts(input: &Value) -> Vec<String> {
    let words =
        |tokens: &[Value]| tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) if all.first().is_some_and(Value::is_number) => vec![words(all)],
        Value::Array(all) => all
            .iter()
            .map(|one| match one {
                Value::Array(tokens) => words(tokens),
                text => text.as_str().unwrap_or_default().to_owned(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

pub(super) fn openai(body: &Value, script: &Script) -> Value {
    let texts = texts(&body["input"]);
    let as_bytes = body["encoding_format"] == "base64";
    let written = |vector: Vec<f32>| {
        if as_bytes {
            let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
            json!(STANDARD.encode(bytes))
        } else {
            json!(vector)
        }
    };
    let vectors = vectors(&texts, body["dimensions"].as_u64(), script).into_iter().enumerate();
    let data: Vec<Value> = vectors
        .map(|(index, it)| json!({ "object": "embedding", "index": index, "embedding": written(it) }))
        .collect();
    let tokens: u64 = texts.iter().map(|text| count(text)).sum();
    json!({
        "object": "list",
        "data": data,
        "model": body["model"],
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}

fn content(request: &Value) -> String {
    let parts = request["content"]["parts"].as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(" ")
}

pub(super) fn gemini(body: &Value, batch: bool, script: &Script) -> Value {
    let one = [body.clone()];
    let requests =
        if batch { body["requests"].as_array().map_or(&one[..0], |it| it) } else { &one };
    let texts: Vec<String> = requests.iter().map(content).collect();
    let dimensions = requests.first().and_then(|it| it["outputDimensionality"].as_u64());
    let vectors = vectors(&texts, dimensions, script);
    let mut values: Vec<Value> = vectors.into_iter().map(|it| json!({ "values": it })).collect();
    if batch { json!({ "embeddings": values }) } else { json!({ "embedding": values.pop() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_share_words_are_nearer_than_others() {
        let near = |a: &str, b: &str| -> f32 {
            vector(a, DIMENSIONS).iter().zip(vector(b, DIMENSIONS)).map(|(a, b)| a * b).sum()
        };
        let same = near("How do I reset my password?", "how to reset my password");
        assert!(same > near("How do I reset my password?", "weather in Oslo today") + 0.3);
    }
}
