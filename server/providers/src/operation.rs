//! What is asked of a provider besides answering a conversation: embeddings, images, speech,
//! transcriptions, rankings, files.
//!
//! A request goes on as it came, with only the model's name changed, to a provider whose file
//! says where it offers the operation. Only rankings and embeddings are translated, since their
//! forms differ in little more than names. A provider that does not offer an operation refuses it here, by name.

mod answer;
mod form;
pub(crate) mod line;
mod rerank;
#[cfg(test)]
mod tests;
mod units;

use bytes::Bytes;
use ralex_kernel::{Code, Problem};
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::codec;
use crate::codec::embeddings::{self, Encoded};
use crate::codec::gemini::count;
use crate::dialect::{Dialect, Operation};
use crate::distinct;
use crate::inbound::{InPath, Inbound, flag, not_json, spans, whole};
use crate::json::{Object, given, text};
use crate::prepare::{Prepared, Splice, Target, address};
use crate::spec::ProviderSpec;

pub(crate) use answer::{Arrived, Pass, check_readable, count_here, operated, raw};
pub(crate) use form::Form;
pub(crate) use units::tokens;

/// How a request is sent, beside its body.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub method: Method,
    /// What stands below the operation's own address: `/file-1/content`.
    pub below: String,
    pub query: Option<String>,
    /// Nothing where the body is JSON.
    pub form: Option<Form>,
    /// The body's type, where there is a body.
    pub content_type: Option<String>,
}

impl Default for Manner {
    /// How conversations are sent.
    fn default() -> Self {
        Self {
            method: Method::POST,
            below: String::new(),
            query: None,
            form: None,
            content_type: Some("application/json".to_owned()),
        }
    }
}

/// A request about things that a provider keeps, as its address says it.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    pub method: &'a str,
    /// Below the operation's own address: empty, `/file-1`, `/file-1/content`.
    pub below: &'a str,
    pub query: Option<&'a str>,
}

/// No more images are made at once anywhere.
const MOST_IMAGES: u64 = 16;

impl Inbound {
    /// Reads the body of an operation that names a model: JSON, or a form where files come along.
    pub fn parse_operation(
        operation: Operation,
        raw: Bytes,
        content_type: Option<&str>,
    ) -> Result<Self, Problem> {
        let dialect = match operation {
            Operation::CountTokens => Dialect::AnthropicMessages,
            Operation::Generate
            | Operation::Embeddings
            | Operation::Moderations
            | Operation::Images
            | Operation::ImageEdits
            | Operation::ImageVariations
            | Operation::Speech
            | Operation::Transcriptions
            | Operation::Translations
            | Operation::Rerank
            | Operation::Files
            | Operation::Batches
            | Operation::Responses
            | Operation::Models => Dialect::OpenaiChat,
        };
        Self::parse_operation_at(operation, dialect, raw, content_type, InPath::default())
    }

    /// The same for another dialect, and for those that name the model in the address.
    pub fn parse_operation_at(
        operation: Operation,
        dialect: Dialect,
        raw: Bytes,
        content_type: Option<&str>,
        path: InPath,
    ) -> Result<Self, Problem> {
        // Google's callers may wrap the conversation that is to be counted.
        let wrapped = operation == Operation::CountTokens && dialect == Dialect::Gemini;
        let raw = if wrapped { count::conversation(&raw)? } else { raw };
        let (body, spans, manner) = if is_form(content_type) {
            let (form, body, spans) = Form::read(&raw, content_type.unwrap_or_default())?;
            let content_type = content_type.map(str::to_owned);
            (body, spans, Manner { form: Some(form), content_type, ..Manner::default() })
        } else {
            let spans = spans(&raw)?;
            let body = distinct::object(&raw).map_err(|error| not_json(&error))?;
            (body, spans, Manner::default())
        };
        let model = path.model.or_else(|| text(&body, "model").map(str::to_owned));
        let model = model.filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| Problem::field("model", "must be the name of a model"))?;
        check(operation, dialect, &body, &manner)?;
        let streamed = streamed(operation, &body, manner.form.is_some())?;
        let answers = if operation.paints() { images(&body)? } else { 1 };
        let read = (raw, body, spans);
        Ok(Self::of_operation(dialect, operation, read, model, (streamed, answers), manner))
    }

    /// A request about what a provider keeps: its files and batches. It names no model.
    pub fn parse_kept(
        operation: Operation,
        dialect: Dialect,
        kept: Kept<'_>,
        raw: Bytes,
        content_type: Option<&str>,
    ) -> Result<Self, Problem> {
        let not_found = || Problem::new(Code::NotFound, "There is nothing at this address.");
        let method = Method::from_bytes(kept.method.as_bytes()).map_err(|_| not_found())?;
        let below = kept.below.trim_end_matches('/');
        // The address is joined to the provider's, where nothing else may be reached.
        let segments = below.split('/').skip(1);
        let fine = |it: &str| {
            !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        };
        if !(below.is_empty() || below.starts_with('/')) || !segments.clone().all(fine) {
            return Err(not_found());
        }
        let content_type =
            (!raw.is_empty()).then(|| content_type.unwrap_or("application/json").to_owned());
        let manner = Manner {
            method,
            below: below.to_owned(),
            query: kept.query.filter(|query| !query.is_empty()).map(str::to_owned),
            form: None,
            content_type,
        };
        let read = (raw, Object::new(), Vec::new());
        Ok(Self::of_operation(dialect, operation, read, String::new(), (false, 1), manner))
    }

    /// An upper bound of what the operation has in the unit of its model's price (images, seconds
    /// of sound, characters to speak, searches), for the hold.
    pub fn worst_units(&self) -> u64 {
        units::units(self).worst
    }
}

fn is_form(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|kind| {
        kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
    })
}

/// Refuses what no provider could understand.
fn check(
    operation: Operation,
    dialect: Dialect,
    body: &Object,
    manner: &Manner,
) -> Result<(), Problem> {
    let required: &[&str] = match operation {
        Operation::Embeddings => return embeddings::check(dialect, body),
        Operation::Moderations | Operation::Speech => &["input"],
        Operation::Images => &["prompt"],
        Operation::ImageEdits => return check_edit(body, manner),
        Operation::Rerank => &["query", "documents"],
        Operation::CountTokens => {
            return codec::of(dialect).read(body).map(|_| ());
        }
        Operation::ImageVariations => return with_file("image", manner),
        Operation::Transcriptions | Operation::Translations => return with_file("file", manner),
        Operation::Generate
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => &[],
    };
    match required.iter().find(|field| given(body, field).is_none()) {
        Some(field) => Err(Problem::field(*field, "is required")),
        None => Ok(()),
    }
}

/// Refuses a form without a file.
fn with_file(field: &str, manner: &Manner) -> Result<(), Problem> {
    match &manner.form {
        Some(form) if !form.files.is_empty() => Ok(()),
        Some(_) | None => {
            Err(Problem::field(field, "is required, in a form (multipart/form-data)"))
        }
    }
}

/// What is to be changed comes along in a form, or is named in JSON.
fn check_edit(body: &Object, manner: &Manner) -> Result<(), Problem> {
    let named = ["image", "images"].iter().any(|field| given(body, field).is_some());
    if given(body, "prompt").is_none() {
        Err(Problem::field("prompt", "is required"))
    } else if named {
        Ok(())
    } else {
        with_file("image", manner)
    }
}

fn streamed(operation: Operation, body: &Object, form: bool) -> Result<bool, Problem> {
    match operation {
        Operation::Speech => Ok(text(body, "stream_format") == Some("sse")),
        Operation::ImageEdits | Operation::Transcriptions if form => {
            Ok(text(body, "stream").is_some_and(|it| it.eq_ignore_ascii_case("true")))
        }
        Operation::Images | Operation::ImageEdits => flag(body, "stream"),
        Operation::Generate
        | Operation::ImageVariations
        | Operation::Embeddings
        | Operation::Moderations
        | Operation::Transcriptions
        | Operation::Translations
        | Operation::Rerank
        | Operation::CountTokens
        | Operation::Files
        | Operation::Batches
        | Operation::Responses
        | Operation::Models => Ok(false),
    }
}

/// How many images are asked for, as a number or as a form's text.
fn images(body: &Object) -> Result<u64, Problem> {
    let wrong = || Problem::field("n", format!("must be between 1 and {MOST_IMAGES}"));
    let count = match given(body, "n") {
        Some(Value::String(count)) => count.trim().parse().map_err(|_| wrong())?,
        _ => whole(body, "n")?.unwrap_or(1),
    };
    if (1..=MOST_IMAGES).contains(&count) { Ok(count) } else { Err(wrong()) }
}

/// Makes the upstream's request of an operation.
pub fn prepare_operation(inbound: &Inbound, target: &Target) -> Result<Prepared, Problem> {
    let operation = inbound.operation();
    let spec = &target.spec;
    let dialect = inbound.dialect();
    let path = spec.operations.get(&operation).filter(|_| understands(spec, operation, dialect));
    let mut parts = Vec::new();
    let (url, body) = match path {
        Some(path) => {
            let body = match operation {
                Operation::Rerank => rerank::request(inbound, target)?,
                Operation::Embeddings => match embeddings::request(inbound, target)? {
                    Encoded::AsItCame => named(inbound, target),
                    Encoded::One(body) => body,
                    Encoded::Parts(bodies) => {
                        parts = bodies;
                        Bytes::new()
                    }
                },
                Operation::CountTokens if dialect == Dialect::Gemini => {
                    count::request(inbound, target)?
                }
                Operation::Generate
                | Operation::Moderations
                | Operation::Images
                | Operation::ImageEdits
                | Operation::ImageVariations
                | Operation::Speech
                | Operation::Transcriptions
                | Operation::Translations
                | Operation::CountTokens
                | Operation::Files
                | Operation::Batches
                | Operation::Responses
                | Operation::Models => named(inbound, target),
            };
            let url = (!spec.is_simulated()).then(|| url(inbound, target, path)).transpose()?;
            (url, body)
        }
        // Every conversation can be counted, if not as the provider would.
        None if operation == Operation::CountTokens => (None, Bytes::new()),
        None => return Err(not_offered(spec, operation)),
    };
    let max_output = units::worst_output(inbound);
    Ok(Prepared {
        inbound: inbound.clone(),
        target: target.clone(),
        dialect,
        url,
        body,
        parts,
        max_output,
        one_call: false,
        cuttable: false,
    })
}

/// The request with the upstream's name of the model.
fn named(inbound: &Inbound, target: &Target) -> Bytes {
    let Some(span) = inbound.span("model") else { return inbound.raw().clone() };
    if inbound.manner().form.is_some() {
        let raw = inbound.raw();
        let before = raw.get(..span.start).unwrap_or_default();
        let after = raw.get(span.end..).unwrap_or_default();
        return [before, target.upstream_model.as_bytes(), after].concat().into();
    }
    let mut splice = Splice::default();
    splice.set(inbound, "model", &json!(target.upstream_model));
    splice.apply(inbound.raw())
}

fn url(inbound: &Inbound, target: &Target, path: &str) -> Result<Url, Problem> {
    let manner = inbound.manner();
    let path = match path.split_once('?') {
        Some((path, query)) => format!("{path}{}?{query}", manner.below),
        None => format!("{path}{}", manner.below),
    };
    let mut url = address(target, &path)?;
    if let Some(query) = &manner.query {
        let query = match url.query() {
            Some(own) => format!("{own}&{query}"),
            None => query.clone(),
        };
        url.set_query(Some(&query));
    }
    Ok(url)
}

/// Whether what a provider offers is in the caller's form: things that providers keep, and counts
/// of conversations, have one form for each family of dialects.
fn understands(spec: &ProviderSpec, operation: Operation, dialect: Dialect) -> bool {
    let family = |dialect: Dialect| match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => Dialect::OpenaiChat,
        Dialect::AnthropicMessages | Dialect::Gemini | Dialect::BedrockConverse => dialect,
    };
    match operation {
        Operation::Files | Operation::Batches | Operation::Responses | Operation::CountTokens => {
            let mut wires = spec.speaks.iter().map(|speaks| family(speaks.wire));
            wires.any(|wire| wire == family(dialect))
        }
        Operation::Generate
        | Operation::Embeddings
        | Operation::Moderations
        | Operation::Images
        | Operation::ImageEdits
        | Operation::ImageVariations
        | Operation::Speech
        | Operation::Transcriptions
        | Operation::Translations
        | Operation::Rerank
        | Operation::Models => true,
    }
}

fn not_offered(spec: &ProviderSpec, operation: Operation) -> Problem {
    let detail = format!(
        "{} does not offer `{}` in this form. Use a model of a provider that does.",
        spec.name,
        operation.as_str()
    );
    Problem::new(Code::Unsupported, detail)
}
