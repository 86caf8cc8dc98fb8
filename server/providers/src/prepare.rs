//! From a caller's request to the one that an upstream gets.
//!
//! Where both speak the same dialect, the caller's bytes stay as they are, and only these values
//! are spliced in: the upstream's name of the model, a maximum of output tokens when there is none
//! (else nothing could be held for the call), and on chat streams the wish for a usage chunk.

use std::ops::Range;

use bytes::Bytes;
use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};
use url::Url;

use crate::dialect::{Dialect, ProviderKind};
use crate::inbound::Inbound;
use crate::json::given;
use crate::translate;

/// Which model of which upstream a call goes to.
#[derive(Clone, Debug)]
pub struct Target {
    pub kind: ProviderKind,
    /// As the vendors' SDKs take it; only a simulated target has none.
    pub base_url: Option<Url>,
    /// The upstream's name of the model.
    pub upstream_model: String,
    /// The most tokens that the model can produce in one answer.
    pub max_output: u64,
}

/// A request that is ready to be sent, to be sent again, or to be sent elsewhere.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) inbound: Inbound,
    pub(crate) target: Target,
    pub(crate) url: Option<Url>,
    pub(crate) body: Bytes,
    pub(crate) max_output: u64,
}

impl Prepared {
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The most tokens that each of the [`Inbound::answers`] can have: what to hold for.
    pub fn max_output(&self) -> u64 {
        self.max_output
    }

    /// The dialect that the upstream is spoken to in.
    pub fn upstream_dialect(&self) -> Dialect {
        self.target.kind.dialect(self.inbound.dialect())
    }
}

/// Makes the upstream's request. `default_max_output` is for callers that set no maximum.
pub fn prepare(
    inbound: &Inbound,
    target: &Target,
    default_max_output: u64,
) -> Result<Prepared, Problem> {
    let max_output =
        inbound.max_output().unwrap_or_else(|| default_max_output.min(target.max_output).max(1));
    let dialect = target.kind.dialect(inbound.dialect());
    let body = if dialect == inbound.dialect() {
        spliced(inbound, target, max_output)?
    } else {
        let body = translate::request(inbound, target, max_output)?;
        Value::Object(body).to_string().into()
    };
    let url = endpoint(target, dialect)?;
    Ok(Prepared { inbound: inbound.clone(), target: target.clone(), url, body, max_output })
}

/// The name of the field that limits the output.
pub(crate) const fn max_output_field(kind: ProviderKind) -> &'static str {
    match kind {
        // OpenAI's reasoning models refuse the old name, compatible servers ignore the new one.
        ProviderKind::Openai => "max_completion_tokens",
        ProviderKind::Anthropic | ProviderKind::OpenaiCompatible | ProviderKind::Simulated => {
            "max_tokens"
        }
    }
}

fn spliced(inbound: &Inbound, target: &Target, max_output: u64) -> Result<Bytes, Problem> {
    let mut splice = Splice::default();
    splice.set(inbound, "model", &json!(target.upstream_model));
    if inbound.max_output().is_none() {
        splice.set(inbound, max_output_field(target.kind), &json!(max_output));
    }
    let chat = inbound.dialect() == Dialect::OpenaiChat;
    if chat && inbound.streamed() && !inbound.wants_usage() {
        let mut options = match given(inbound.body(), "stream_options") {
            None => serde_json::Map::new(),
            Some(Value::Object(options)) => options.clone(),
            Some(_) => return Err(Problem::field("stream_options", "must be an object")),
        };
        options.insert("include_usage".to_owned(), Value::Bool(true));
        splice.set(inbound, "stream_options", &Value::Object(options));
    }
    Ok(splice.apply(inbound.raw()))
}

/// Changes to a body's top level that leave every other byte alone.
#[derive(Default)]
struct Splice {
    replaced: Vec<(Range<usize>, String)>,
    added: Vec<String>,
}

impl Splice {
    fn set(&mut self, inbound: &Inbound, key: &str, value: &Value) {
        match inbound.span(key) {
            Some(span) => self.replaced.push((span, value.to_string())),
            None => self.added.push(format!(",{}:{value}", json!(key))),
        }
    }

    fn apply(mut self, raw: &Bytes) -> Bytes {
        self.replaced.sort_by_key(|(span, _)| span.start);
        let end = raw.iter().rposition(|byte| *byte == b'}').unwrap_or(raw.len());
        let mut body = Vec::with_capacity(raw.len() + 128);
        let mut from = 0;
        for (span, value) in &self.replaced {
            body.extend_from_slice(raw.get(from..span.start).unwrap_or_default());
            body.extend_from_slice(value.as_bytes());
            from = span.end;
        }
        body.extend_from_slice(raw.get(from..end).unwrap_or_default());
        self.added.iter().for_each(|field| body.extend_from_slice(field.as_bytes()));
        body.extend_from_slice(raw.get(end..).unwrap_or_default());
        body.into()
    }
}

/// The address of the call. Base addresses are written in several ways, with and without `/v1`,
/// and each vendor's SDK expects another; all of them lead to the same endpoint here.
fn endpoint(target: &Target, dialect: Dialect) -> Result<Option<Url>, Problem> {
    if target.kind == ProviderKind::Simulated {
        return Ok(None);
    }
    let not_ready = || Problem::new(Code::ProviderNotReady, "The provider has no base address.");
    let mut url = target.base_url.clone().ok_or_else(not_ready)?;
    let base = url.path().trim_end_matches('/').to_owned();
    let path = match dialect {
        _ if base.ends_with("/chat/completions") || base.ends_with("/messages") => base,
        Dialect::OpenaiChat if base.is_empty() => "/v1/chat/completions".to_owned(),
        Dialect::OpenaiChat => format!("{base}/chat/completions"),
        Dialect::AnthropicMessages if base.ends_with("/v1") => format!("{base}/messages"),
        Dialect::AnthropicMessages => format!("{base}/v1/messages"),
    };
    url.set_path(&path);
    Ok(Some(url))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn target(kind: ProviderKind, base: &str) -> Target {
        Target {
            kind,
            base_url: Some(base.parse().unwrap()),
            upstream_model: "up".to_owned(),
            max_output: 1000,
        }
    }

    fn body(dialect: Dialect, kind: ProviderKind, text: &'static str) -> String {
        let inbound = Inbound::parse(dialect, Bytes::from_static(text.as_bytes())).unwrap();
        let prepared = prepare(&inbound, &target(kind, "https://x.test/v1"), 4096).unwrap();
        String::from_utf8(prepared.body.to_vec()).unwrap()
    }

    #[test]
    fn between_equal_dialects_only_what_must_change_changes() {
        assert_eq!(
            body(
                Dialect::OpenaiChat,
                ProviderKind::Openai,
                r#" { "x" : 1.10, "model" : "m", "messages":[{"role":"user"}], "max_tokens": 5 } "#,
            ),
            r#" { "x" : 1.10, "model" : "up", "messages":[{"role":"user"}], "max_tokens": 5 } "#,
        );
    }

    #[test]
    fn a_missing_maximum_is_added_under_the_name_that_the_upstream_knows() {
        let text = r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":null}"#;
        assert_eq!(
            body(Dialect::OpenaiChat, ProviderKind::Openai, text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":null,"max_completion_tokens":1000}"#,
        );
        assert_eq!(
            body(Dialect::OpenaiChat, ProviderKind::OpenaiCompatible, text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":1000}"#,
        );
        assert_eq!(
            body(Dialect::AnthropicMessages, ProviderKind::Anthropic, text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":1000}"#,
        );
    }

    #[test]
    fn a_chat_stream_is_asked_for_its_usage() {
        let text = r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":1,"stream":true,"stream_options":{"x":1}}"#;
        assert_eq!(
            body(Dialect::OpenaiChat, ProviderKind::Openai, text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":1,"stream":true,"stream_options":{"x":1,"include_usage":true}}"#,
        );
    }

    #[test]
    fn every_way_to_write_a_base_address_leads_to_the_endpoint() {
        for (kind, base, path) in [
            (ProviderKind::Openai, "https://x.test", "/v1/chat/completions"),
            (ProviderKind::Openai, "https://x.test/v1/", "/v1/chat/completions"),
            (ProviderKind::OpenaiCompatible, "https://x.test/api", "/api/chat/completions"),
            (
                ProviderKind::OpenaiCompatible,
                "https://x.test/chat/completions",
                "/chat/completions",
            ),
            (ProviderKind::Anthropic, "https://x.test", "/v1/messages"),
            (ProviderKind::Anthropic, "https://x.test/v1", "/v1/messages"),
            (ProviderKind::Anthropic, "https://x.test/proxy/", "/proxy/v1/messages"),
        ] {
            let dialect = kind.dialect(Dialect::OpenaiChat);
            let url = endpoint(&target(kind, base), dialect).unwrap().unwrap();
            assert_eq!(url.path(), path, "{base}");
        }
    }

    proptest! {
        #[test]
        fn every_other_field_is_sent_as_it_came(
            names in proptest::collection::hash_set("[A-Z{}\"\\\\é]{1,6}", 0..6),
            spaces in "[ \n]{0,3}",
        ) {
            let mut body = serde_json::Map::new();
            for (index, name) in names.into_iter().enumerate() {
                body.insert(name.clone(), json!({ name: [index, "}", 1.5] }));
            }
            body.insert("messages".to_owned(), json!([{ "role": "user", "content": "}" }]));
            body.insert("model".to_owned(), json!("m"));
            let text = format!("{spaces}{}{spaces}", Value::Object(body.clone()));
            let inbound = Inbound::parse(Dialect::OpenaiChat, text.into()).unwrap();
            let target = target(ProviderKind::OpenaiCompatible, "https://x.test");
            let sent = prepare(&inbound, &target, 9).unwrap().body;
            body.insert("model".to_owned(), json!("up"));
            body.insert("max_tokens".to_owned(), json!(9));
            prop_assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap(), Value::Object(body));
        }
    }
}
