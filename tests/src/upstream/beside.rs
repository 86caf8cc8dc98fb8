//! What providers answer beside generating text: ranks, moderations, pictures, speech.

use serde_json::{Value, json};

use super::question::count;
use super::route::Ranker;
use super::script::Script;

/// A transparent pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text_of(document: &Value) -> &str {
    document.as_str().or(document["text"].as_str()).unwrap_or_default()
}

/// The share of the query's words that a document has.
#[expect(clippy::cast_precision_loss, reason = "texts of tests have few words")]
fn relevance(query: &str, document: &str) -> f64 {
    let document = document.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let has = |word: &&&str| document.contains(&word.to_lowercase());
    words.iter().filter(has).count() as f64 / words.len().max(1) as f64
}

pub(super) fn rerank(ranker: Ranker, id: u64, body: &Value) -> Value {
    let query = body["query"].as_str().unwrap_or_default();
    let documents = list(&body["documents"]);
    let mut ranked: Vec<(usize, f64)> = documents
        .iter()
        .enumerate()
        .map(|(index, document)| (index, relevance(query, text_of(document))))
        .collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1));
    let most = body["top_n"].as_u64().and_then(|it| usize::try_from(it).ok());
    ranked.truncate(most.unwrap_or(usize::MAX));
    let result = |(index, score): (usize, f64)| {
        let mut result = json!({ "index": index, "relevance_score": score });
        if body["return_documents"] == true {
            result["document"] = json!({ "text": text_of(&documents[index]) });
        }
        result
    };
    let results: Vec<Value> = ranked.into_iter().map(result).collect();
    let words = documents.iter().map(|it| count(text_of(it))).sum::<u64>();
    let tokens = words + count(query) * documents.len() as u64;
    match ranker {
        Ranker::Cohere => json!({ "id": format!("rerank-{id}"), "results": results,
            "meta": { "api_version": { "version": "2" }, "billed_units": { "search_units": 1 } } }),
        Ranker::Jina => json!({ "model": body["model"], "object": "list",
            "usage": { "total_tokens": tokens }, "results": results }),
    }
}

pub(super) fn moderation(id: u64, body: &Value) -> Value {
    let inputs = match &body["input"] {
        Value::Array(inputs) => inputs.clone(),
        one => vec![one.clone()],
    };
    let judge = |input: &Value| {
        let violent = text_of(input).to_lowercase().contains("violence");
        let score = if violent { 0.97 } else { 0.001 };
        let categories = json!({ "violence": violent, "hate": false, "self-harm": false });
        json!({
            "flagged": violent,
            "categories": categories,
            "category_scores": { "violence": score, "hate": 0.0, "self-harm": 0.0 },
            "category_applied_input_types": { "violence": ["text"], "hate": [], "self-harm": [] },
        })
    };
    let results: Vec<Value> = inputs.iter().map(judge).collect();
    json!({ "id": format!("modr-{id}"), "model": body["model"], "results": results })
}

pub(super) fn images(body: &Value) -> Value {
    // A form carries numbers as texts.
    let told = body["n"].as_u64().or_else(|| body["n"].as_str()?.parse().ok());
    let data: Vec<Value> = (0..told.unwrap_or(1)).map(|_| json!({ "b64_json": PIXEL })).collect();
    let words = count(body["prompt"].as_str().unwrap_or_default());
    let (input, output) = (words, 100 * data.len() as u64);
    let details = json!({ "text_tokens": input, "image_tokens": 0 });
    json!({
        "created": 1_700_000_000,
        "background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024",
        "data": data,
        "usage": { "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": details },
    })
}

/// A tenth of a second of silence for each word, in a WAV file, whatever format was asked for.
pub(super) fn speech(body: &Value) -> Vec<u8> {
    const PER_WORD: u32 = 800;
    let words = count(body["input"].as_str().unwrap_or_default());
    let samples = u32::try_from(words).unwrap_or(1).saturating_mul(PER_WORD);
    let mut wav = Vec::new();
    let rate = 8_000_u32;
    wav.extend(b"RIFF");
    wav.extend((36 + samples).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    // One channel of 8-bit samples.
    wav.extend([1, 0, 1, 0]);
    wav.extend(rate.to_le_bytes());
    wav.extend(rate.to_le_bytes());
    wav.extend([1, 0, 8, 0]);
    wav.extend(b"data");
    wav.extend(samples.to_le_bytes());
    wav.resize(wav.len() + samples as usize, 128);
    wav
}

/// What was heard, in the form that was asked for.
pub(super) enum Transcript {
    Json(Value),
    Text(String),
    Events(Vec<String>),
}

pub(super) fn transcript(body: &Value, script: &Script) -> Transcript {
    let heard = || format!("You sent {} bytes.", body["file"]["bytes"]);
    let text = script.text.clone().unwrap_or_else(heard);
    let usage = json!({ "type": "duration", "seconds": 3 });
    if body["stream"] == "true" {
        let event = |data: Value| format!("data: {data}\n\n");
        let pieces = text.split_inclusive(' ');
        let mut events: Vec<String> = pieces
            .map(|delta| event(json!({ "type": "transcript.text.delta", "delta": delta })))
            .collect();
        let tokens = count(&text);
        let usage = json!({ "type": "tokens", "input_tokens": 30, "output_tokens": tokens,
            "total_tokens": 30 + tokens, "input_token_details": { "text_tokens": 0, "audio_tokens": 30 } });
        let done = json!({ "type": "transcript.text.done", "text": text, "usage": usage });
        events.push(event(done));
        return Transcript::Events(events);
    }
    match body["response_format"].as_str() {
        Some("text") => Transcript::Text(format!("{text}\n")),
        Some("srt") => Transcript::Text(format!("1\n00:00:00,000 --> 00:00:03,000\n{text}\n")),
        Some("vtt") => {
            Transcript::Text(format!("WEBVTT\n\n00:00:00.000 --> 00:00:03.000\n{text}\n"))
        }
        Some("verbose_json") => Transcript::Json(json!({ "task": "transcribe", "text": text,
            "language": "english", "duration": 3.0, "segments": [], "usage": usage })),
        _ => Transcript::Json(json!({ "text": text, "usage": usage })),
    }
}
