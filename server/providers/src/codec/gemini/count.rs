//! Counting a conversation's tokens, which Google asks for in two forms: `contents` alone, or a
//! whole request of generateContent in a field.

use bytes::Bytes;
use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};

use super::fields::spells;
use crate::inbound::{Inbound, spans};
use crate::json::object;
use crate::prepare::Target;
use crate::spec::Scheme;

const WHOLE: &str = "generateContentRequest";

/// The conversation that a caller wants counted, as the body of a generateContent request.
pub(crate) fn conversation(raw: &Bytes) -> Result<Bytes, Problem> {
    let spans = spans(raw)?;
    let mut whole = spans.iter().filter(|(key, _)| spells(key, WHOLE));
    match (whole.next(), whole.next()) {
        (None, _) => Ok(raw.clone()),
        (Some(_), Some((key, _))) => Err(Problem::field(key, "stands in two spellings")),
        (Some((key, _)), None) if spans.iter().any(|(other, _)| other == "contents") => {
            Err(Problem::field(key, "cannot stand beside contents"))
        }
        (Some((_, span)), None) => Ok(raw.slice(span.clone())),
    }
}

/// The request for an upstream of Google's. AI Studio counts more than contents only in a whole
/// request; Vertex has its fields side by side, and only those that it counts.
pub(crate) fn request(inbound: &Inbound, target: &Target) -> Result<Bytes, Problem> {
    let counted = ["contents", "generationConfig", "systemInstruction", "tools"];
    let mut body = inbound.body().clone();
    body.retain(|key, _| !spells(key, "model"));
    let body = if target.spec.auth.scheme == Scheme::Google {
        body.retain(|key, _| counted.iter().any(|name| spells(key, name)));
        body
    } else {
        body.insert("model".to_owned(), json!(format!("models/{}", target.upstream_model)));
        object([(WHOLE, Value::Object(body))])
    };
    let body = serde_json::to_vec(&body);
    let failed = |error| Problem::new(Code::Internal, format!("no JSON: {error}"));
    body.map(Bytes::from).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::target;
    use crate::dialect::Dialect;
    use crate::inbound::InPath;

    fn asked(text: &'static str) -> Inbound {
        let raw = conversation(&Bytes::from_static(text.as_bytes())).unwrap();
        let path = InPath { model: Some("asked".to_owned()), ..InPath::default() };
        Inbound::parse_at(Dialect::Gemini, raw, path).unwrap()
    }

    fn sent(inbound: &Inbound, kind: &str) -> Value {
        serde_json::from_slice(&request(inbound, &target(kind)).unwrap()).unwrap()
    }

    #[test]
    fn both_forms_are_the_same_conversation() {
        let alone = asked(r#"{"contents":[{"parts":[{"text":"the quick brown fox"}]}]}"#);
        let whole = asked(
            r#"{"generate_content_request":{"model":"models/asked","contents":[{"parts":[{"text":"the quick brown fox"}]}]}}"#,
        );
        assert!(alone.counted_tokens() > 4);
        let contents = json!([{ "parts": [{ "text": "the quick brown fox" }] }]);
        for inbound in [&alone, &whole] {
            assert_eq!(
                sent(inbound, "gemini"),
                json!({ "generateContentRequest": { "model": "models/up", "contents": contents } })
            );
            assert_eq!(sent(inbound, "vertex"), json!({ "contents": contents }));
        }
    }

    #[test]
    fn two_conversations_in_one_body_are_refused() {
        for text in [
            r#"{"contents":[],"generateContentRequest":{}}"#,
            r#"{"generateContentRequest":{},"generate_content_request":{}}"#,
        ] {
            let problem = conversation(&Bytes::from_static(text.as_bytes())).unwrap_err();
            assert_eq!(problem.code, Code::InvalidRequest);
        }
    }
}
