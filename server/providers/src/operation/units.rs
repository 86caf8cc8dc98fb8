//! How much an operation asks for, before and after: tokens, and what has a price of its own.

use serde_json::Value;

use crate::codec::embeddings;
use crate::dialect::Operation;
use crate::inbound::Inbound;
use crate::json::{Object, given, objects, text};
use crate::tokens::{Input, count, worst_searches};
use crate::usage::Usage;

/// A count as it probably is, and as it is at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub likely: u64,
    pub worst: u64,
}

impl Bounds {
    const fn exactly(count: u64) -> Self {
        Self { likely: count, worst: count }
    }
}

/// The largest image that OpenAI's models make has 6,240 tokens; steps on the way have 100 each.
const IMAGE_OUTPUT: u64 = 8_000;
/// An image that is to be changed, looked at as closely as can be: 6,240 tokens and its tiles.
const IMAGE_SHOWN: u64 = 7_000;
/// Tokens of a second that is heard (OpenAI counts a thousand in a minute), and of what was said in
/// it at most.
const HEARD: u64 = 17;
const SAID: u64 = 10;
/// A search ranks this many documents, and longer ones count once for each piece of this size.
const DOCUMENTS: u64 = 100;
const PIECE: u64 = 500;

/// What the operation has in the unit of its price.
pub(crate) fn units(inbound: &Inbound) -> Bounds {
    let body = inbound.body();
    match inbound.operation() {
        Operation::Images | Operation::ImageEdits | Operation::ImageVariations => {
            Bounds::exactly(inbound.answers())
        }
        Operation::Speech => Bounds::exactly(characters(text(body, "input").unwrap_or_default())),
        Operation::Transcriptions | Operation::Translations => seconds(inbound),
        Operation::Rerank => searches(body),
        Operation::Generate => Bounds { likely: 0, worst: worst_searches(body) },
        Operation::Embeddings
        | Operation::Moderations
        | Operation::CountTokens
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => Bounds::default(),
    }
}

fn characters(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// Seconds of all files, from their heads where those tell, else from their sizes.
fn seconds(inbound: &Inbound) -> Bounds {
    let files = inbound.manner().form.iter().flat_map(|form| &form.files);
    files.fold(Bounds::default(), |sum, file| {
        let bytes = inbound.raw().get(file.span.clone()).unwrap_or_default();
        let of = length(bytes);
        Bounds {
            likely: sum.likely.saturating_add(of.likely),
            worst: sum.worst.saturating_add(of.worst),
        }
    })
}

/// A file's length. Nothing that is spoken is coded in fewer than six thousand bits a second.
fn length(bytes: &[u8]) -> Bounds {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let exact = wav(bytes).or_else(|| flac(bytes));
    let is_mp3 = bytes.starts_with(b"ID3") || bytes.first() == Some(&0xff);
    match (exact, is_mp3) {
        (Some(seconds), _) => Bounds::exactly(seconds),
        (None, true) => Bounds { likely: size.div_ceil(8_000), worst: size.div_ceil(1_000) },
        (None, false) => Bounds { likely: size.div_ceil(4_000), worst: size.div_ceil(750) },
    }
}

/// The size by the bytes of a second, for sound that is not compressed.
fn wav(bytes: &[u8]) -> Option<u64> {
    if !bytes.starts_with(b"RIFF") || bytes.get(8..16) != Some(b"WAVEfmt ") {
        return None;
    }
    let short = |at: usize| bytes.get(at..)?.first_chunk().map(|it| u16::from_le_bytes(*it));
    // Whole numbers, fractions, and either in the longer form of a head.
    if !matches!(short(20)?, 1 | 3 | 0xfffe) {
        return None;
    }
    let samples = u32::from_le_bytes(*bytes.get(24..)?.first_chunk()?);
    let rate = u64::from(samples) * u64::from(short(32)?);
    let size = u64::try_from(bytes.len()).ok()?;
    // Less than this is no speech, and more no microphone.
    (4_000..=12_288_000).contains(&rate).then(|| size.div_ceil(rate))
}

/// Samples by their rate; never fewer than the size would allow.
fn flac(bytes: &[u8]) -> Option<u64> {
    if !bytes.starts_with(b"fLaC") {
        return None;
    }
    let packed = u64::from_be_bytes(*bytes.get(18..)?.first_chunk()?);
    let (rate, samples) = (packed >> 44, packed & 0xf_ffff_ffff);
    let size = u64::try_from(bytes.len()).ok()?;
    let said = samples.checked_div(rate).filter(|seconds| *seconds > 0)?;
    (said >= size / 1_000_000).then_some(said + 1)
}

fn searches(body: &Object) -> Bounds {
    let (documents, query) = documents(body);
    let pieces = |worst: bool| {
        let query = if worst { query.worst } else { query.counted };
        documents.iter().fold(0u64, |sum, it| {
            let length = if worst { it.worst } else { it.counted };
            sum.saturating_add(length.saturating_add(query).div_ceil(PIECE).max(1))
        })
    };
    let searches = |pieces: u64| pieces.div_ceil(DOCUMENTS).max(1);
    Bounds { likely: searches(pieces(false)), worst: searches(pieces(true)) }
}

/// The tokens of each document, and of the query.
fn documents(body: &Object) -> (Vec<Input>, Input) {
    let documents = body.get("documents").and_then(Value::as_array).into_iter().flatten();
    let each = documents.map(|document| match document.get("text").and_then(Value::as_str) {
        Some(text) => Input::of_text(text),
        None => Input::of_value(document),
    });
    (each.collect(), Input::of_text(text(body, "query").unwrap_or_default()))
}

/// The input's tokens, as far as the operation has any.
pub(crate) fn tokens(inbound: &Inbound) -> Input {
    let body = inbound.body();
    let field = |key: &str| body.get(key).map(Input::of_value).unwrap_or_default();
    match inbound.operation() {
        Operation::Generate | Operation::CountTokens | Operation::Moderations => Input::of(body),
        // Google's callers say it in one of the other two.
        Operation::Embeddings => embedded(body.get("input").unwrap_or(&Value::Null))
            .and(googles(body))
            .and(objects(body.get("requests")).map(googles).fold(Input::default(), Input::and)),
        Operation::Speech => field("input").and(field("instructions")),
        Operation::Images => field("prompt"),
        Operation::ImageEdits | Operation::ImageVariations => {
            let images = shown(inbound).saturating_mul(IMAGE_SHOWN);
            field("prompt").and(Input { counted: images, worst: images, ..Input::default() })
        }
        Operation::Transcriptions | Operation::Translations => {
            let Bounds { likely, worst } = seconds(inbound);
            let (counted, worst) = (likely.saturating_mul(HEARD), worst.saturating_mul(HEARD));
            let heard = Input { counted, worst, ..Input::default() };
            field("prompt").and(heard)
        }
        Operation::Rerank => ranked(body),
        Operation::Files | Operation::Batches | Operation::Responses | Operation::Models => {
            Input::default()
        }
    }
}

/// How many images come along: as files of a form, or in JSON.
fn shown(inbound: &Inbound) -> u64 {
    let files = inbound.manner().form.as_ref().map_or(0, |form| form.files.len());
    let named = ["image", "images", "mask"].into_iter().filter_map(|field| {
        let value = given(inbound.body(), field)?;
        Some(value.as_array().map_or(1, Vec::len))
    });
    u64::try_from(named.fold(files, usize::saturating_add)).unwrap_or(u64::MAX)
}

/// Texts, or tokens that the caller counted already.
fn embedded(input: &Value) -> Input {
    match input {
        Value::Array(each) => each.iter().map(embedded).fold(Input::default(), Input::and),
        Value::Number(_) => Input { counted: 1, worst: 1, ..Input::default() },
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => {
            Input::of_value(input)
        }
    }
}

/// A content of Google's callers: its texts, and whatever else is in it as JSON.
fn googles(request: &Object) -> Input {
    let content = request.get("content").and_then(Value::as_object);
    let parts = objects(content.and_then(|content| content.get("parts")));
    let each = parts.map(|part| match (part.len(), text(part, "text")) {
        (1, Some(text)) => Input::of_text(text),
        _ => Input::of_value(&Value::Object(part.clone())),
    });
    let title = text(request, "title").map(Input::of_text).unwrap_or_default();
    each.fold(title, Input::and)
}

/// The query is read again with every document.
fn ranked(body: &Object) -> Input {
    let (documents, query) = documents(body);
    documents.into_iter().fold(Input::default(), |sum, it| sum.and(it).and(query))
}

/// The most tokens that each of the answers can have.
pub(crate) fn worst_output(inbound: &Inbound) -> u64 {
    match inbound.operation() {
        Operation::Images | Operation::ImageEdits | Operation::ImageVariations => IMAGE_OUTPUT,
        // Less than one and a half tokens of sound for a character, by OpenAI's own prices.
        Operation::Speech => units(inbound).worst.saturating_mul(2).saturating_add(50),
        Operation::Transcriptions | Operation::Translations => {
            seconds(inbound).worst.saturating_mul(SAID)
        }
        Operation::Generate
        | Operation::Embeddings
        | Operation::Moderations
        | Operation::CountTokens
        | Operation::Rerank
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => 0,
    }
}

/// What an operation used, before its answer tells.
pub(crate) fn estimate(inbound: &Inbound) -> Usage {
    let operation = inbound.operation();
    let units = units(inbound).likely;
    let counted = inbound.counted_tokens();
    let usage = Usage { units, estimated: true, ..Usage::default() };
    match operation {
        Operation::Transcriptions | Operation::Translations => {
            Usage { audio_input_tokens: counted, ..usage }
        }
        Operation::Speech => Usage {
            input_tokens: counted,
            audio_output_tokens: units.saturating_mul(3) / 2,
            ..usage
        },
        Operation::Generate
        | Operation::Embeddings
        | Operation::Moderations
        | Operation::Images
        | Operation::ImageEdits
        | Operation::ImageVariations
        | Operation::Rerank => Usage { input_tokens: counted, ..usage },
        Operation::CountTokens
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => Usage::default(),
    }
}

/// What an answer, or the last event of a streamed one, says that the operation used.
pub(crate) fn told(inbound: &Inbound, answer: &Object) -> Usage {
    if inbound.operation().is_free() {
        return Usage::default();
    }
    let usage = answer.get("usage");
    let tokens = Usage::of_operation(usage).or_else(|| embeddings::usage(answer));
    let tokens = tokens.or_else(|| billed(answer));
    let units = told_units(inbound, answer);
    match (tokens, units) {
        (Some(tokens), Some(units)) => Usage { units, ..tokens },
        (Some(tokens), None) => Usage { units: self::units(inbound).likely, ..tokens },
        // What is paid by its length or number has no tokens.
        (None, Some(units)) => Usage { units, ..Usage::default() },
        (None, None) => {
            // The text is known, if not what was heard.
            let said = text(answer, "text").map(count).unwrap_or_default();
            Usage { output_tokens: said, ..estimate(inbound) }
        }
    }
}

fn told_units(inbound: &Inbound, answer: &Object) -> Option<u64> {
    match inbound.operation() {
        Operation::Images | Operation::ImageEdits | Operation::ImageVariations => {
            let made = answer.get("data").and_then(Value::as_array).map(Vec::len)?;
            u64::try_from(made).ok()
        }
        Operation::Transcriptions | Operation::Translations => {
            let seconds = given(answer, "usage").and_then(|usage| usage.get("seconds"));
            let seconds = seconds.or_else(|| answer.get("duration"))?;
            let seconds = seconds.as_f64().or_else(|| seconds.as_str()?.parse().ok())?;
            whole_seconds(seconds)
        }
        Operation::Rerank => {
            let billed = answer.get("meta")?.get("billed_units")?;
            billed.get("search_units")?.as_u64()
        }
        Operation::Generate
        | Operation::Embeddings
        | Operation::Moderations
        | Operation::Speech
        | Operation::CountTokens
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is between zero and a million"
)]
fn whole_seconds(seconds: f64) -> Option<u64> {
    (0.0..1e6).contains(&seconds).then(|| seconds.ceil() as u64)
}

/// Cohere tells tokens in a place of its own.
fn billed(answer: &Object) -> Option<Usage> {
    let meta = answer.get("meta")?;
    let tokens = meta.get("billed_units")?.get("input_tokens")?.as_u64()?;
    Some(Usage { input_tokens: tokens, ..Usage::default() })
}
