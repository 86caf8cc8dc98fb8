//! From a caller's request to the one that an upstream gets.
//!
//! Where both speak the same dialect, the caller's bytes stay as they are, and only these values
//! are spliced in: the upstream's name of the model, a maximum of output tokens when there is none
//! (else nothing could be held for the call), and on chat streams the wish for a usage chunk.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use ralex_kernel::{Code, Problem};
use serde_json::{Value, json};
use url::Url;

use crate::codec;
use crate::codec::refuse::unsupported;
use crate::dialect::{Dialect, Operation};
use crate::inbound::Inbound;
use crate::json::given;
use crate::operation::prepare_operation;
use crate::patience::Patience;
use crate::spec::{ProviderSpec, Scheme, Speaks};
use crate::tool_use::ToolUse;

/// Which model of which upstream a call goes to.
#[derive(Clone, Debug)]
pub struct Target {
    pub spec: Arc<ProviderSpec>,
    /// As the vendors' SDKs take it; only a simulated target has none.
    pub base_url: Option<Url>,
    /// The upstream's name of the model.
    pub upstream_model: String,
    /// The most tokens that the model can produce in one answer.
    pub max_output: u64,
    /// How long this provider may take, where that is not as usual.
    pub patience: Patience,
}

/// A request that is ready to be sent, to be sent again, or to be sent elsewhere.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) inbound: Inbound,
    pub(crate) target: Target,
    pub(crate) dialect: Dialect,
    pub(crate) url: Option<Url>,
    pub(crate) body: Bytes,
    /// The bodies to be sent one by one in its place, where the upstream takes less at a time.
    pub(crate) parts: Vec<Bytes>,
    pub(crate) max_output: u64,
    /// The caller wants one tool call a turn, of an upstream that may not know how to: see
    /// [`crate::one_call`].
    pub(crate) one_call: bool,
    /// A streamed answer may have to be ended before the upstream ends it.
    pub(crate) cuttable: bool,
}

impl Prepared {
    /// The same call, whose streamed answer can be ended early and properly: see [`crate::Allowance`].
    #[must_use]
    pub fn cuttable(&self) -> Self {
        Self { cuttable: true, ..self.clone() }
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The most tokens that each of the [`Inbound::answers`] can have: what to hold for.
    pub fn max_output(&self) -> u64 {
        self.max_output
    }

    /// An upper bound of the input's tokens, of what this upstream is sent of it. Take the smaller
    /// of this and the model's context window.
    pub fn input_tokens(&self) -> u64 {
        let whole = self.inbound.input_tokens();
        let translated = self.dialect != self.inbound.dialect();
        if translated { whole.saturating_sub(self.inbound.offered_tokens()) } else { whole }
    }

    /// An upper bound of what this upstream does that has a price besides tokens: see
    /// [`Inbound::worst_units`].
    pub fn worst_units(&self) -> u64 {
        let generates = self.inbound.operation() == Operation::Generate;
        let translated = self.dialect != self.inbound.dialect();
        if generates && translated { 0 } else { self.inbound.worst_units() }
    }

    /// The same of the tools that it runs.
    pub fn worst_tools(&self) -> ToolUse {
        let translated = self.dialect != self.inbound.dialect();
        if translated { ToolUse::default() } else { ToolUse::worst(&self.inbound) }
    }

    /// The dialect that the upstream is spoken to in.
    pub fn upstream_dialect(&self) -> Dialect {
        self.dialect
    }
}

/// Makes the upstream's request. `default_max_output` is for callers that set no maximum.
pub fn prepare(
    inbound: &Inbound,
    target: &Target,
    default_max_output: u64,
) -> Result<Prepared, Problem> {
    if inbound.operation() != Operation::Generate {
        return prepare_operation(inbound, target);
    }
    let max_output =
        inbound.max_output().unwrap_or_else(|| default_max_output.min(target.max_output).max(1));
    let speaks = target.spec.speaks(inbound.dialect());
    // A simulated provider speaks whatever it is spoken to in.
    let dialect = speaks.map_or(inbound.dialect(), |speaks| speaks.wire);
    for field in &target.spec.quirks.refuses {
        if given(inbound.body(), field).is_some() {
            let name = &target.spec.name;
            return Err(unsupported(field, &format!("is not understood by {name}")));
        }
    }
    let (body, one_call) = if dialect == inbound.dialect() {
        let mut splice = Splice::default();
        codec::of(dialect).splice(inbound, target, max_output, &mut splice)?;
        (splice.apply(inbound.raw()), false)
    } else {
        let request = codec::of(inbound.dialect()).decode_request(inbound)?;
        let body = codec::of(dialect).encode_request(&request, target, max_output)?;
        let one_call = request.parallel_tools.is_some_and(|parallel| !parallel.value);
        (Value::Object(body).to_string().into(), one_call)
    };
    let url = match speaks {
        Some(speaks) if !target.spec.is_simulated() => {
            Some(endpoint(target, speaks, inbound.streamed())?)
        }
        Some(_) | None => None,
    };
    Ok(Prepared {
        inbound: inbound.clone(),
        target: target.clone(),
        dialect,
        url,
        body,
        parts: Vec::new(),
        max_output,
        one_call,
        cuttable: false,
    })
}

/// Changes to a body's top level that leave every other byte alone.
#[derive(Debug, Default)]
pub(crate) struct Splice {
    replaced: Vec<(Range<usize>, String)>,
    added: Vec<String>,
}

impl Splice {
    /// Replaces a top-level value, or adds it where there is none.
    pub fn set(&mut self, inbound: &Inbound, key: &str, value: &Value) {
        match inbound.span(key) {
            Some(span) => self.replaced.push((span, value.to_string())),
            None => self.added.push(format!(",{}:{value}", json!(key))),
        }
    }

    /// Replaces, or where the range is empty adds, a part of the body that stands deeper.
    pub fn within(&mut self, range: Range<usize>, text: String) {
        self.replaced.push((range, text));
    }

    pub fn apply(mut self, raw: &Bytes) -> Bytes {
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
fn endpoint(target: &Target, speaks: &Speaks, streamed: bool) -> Result<Url, Problem> {
    let path = speaks.stream_path.as_ref().filter(|_| streamed).unwrap_or(&speaks.path);
    let mut url = address(target, path)?;
    if !speaks.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&speaks.query);
    }
    Ok(url)
}

/// Joins a path of the provider's to the address that an admin gave.
pub(crate) fn address(target: &Target, path: &str) -> Result<Url, Problem> {
    let not_ready = || Problem::new(Code::ProviderNotReady, "The provider has no base address.");
    let mut url = target.base_url.clone().ok_or_else(not_ready)?;
    let (path, query) =
        path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let base = url.path().trim_end_matches('/').to_owned();
    let vendors = target.spec.base_path();
    let base = match base.as_str() {
        "" => vendors.trim_end_matches('/'),
        // The address of an endpoint is as good as that of the server.
        base if base.ends_with(path) => base.strip_suffix(path).unwrap_or(base),
        base => base,
    };
    // `/v1` at the end of the base and at the beginning of the path is the same one.
    let version = path.get(1..).and_then(|path| path.split('/').next()).unwrap_or_default();
    let base = base.strip_suffix(version).and_then(|base| base.strip_suffix('/')).unwrap_or(base);
    // AWS signs the path as its own libraries write it, where a name is one encoded segment.
    let set = if target.spec.auth.scheme == Scheme::Sigv4 { SEGMENT } else { MODEL };
    let model = utf8_percent_encode(&target.upstream_model, set).to_string();
    url.set_path(&format!("{base}{}", path.replace("{model}", &model)));
    if query.is_some() {
        url.set_query(query);
    }
    Ok(url)
}

/// All but what never needs to be encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What cannot stand in a path as it is; a colon can, and names of models have them.
const MODEL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'?').add(b'<').add(b'>');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::Specs;

    fn spec(kind: &str) -> Arc<ProviderSpec> {
        Specs::built_in().unwrap().find(kind).unwrap().clone()
    }

    fn target(kind: &str, base: &str) -> Target {
        Target {
            spec: spec(kind),
            base_url: Some(base.parse().unwrap()),
            upstream_model: "up".to_owned(),
            max_output: 1000,
            patience: Patience::default(),
        }
    }

    fn body(dialect: Dialect, kind: &str, text: &'static str) -> String {
        let inbound = Inbound::parse(dialect, Bytes::from_static(text.as_bytes())).unwrap();
        let prepared = prepare(&inbound, &target(kind, "https://x.test/v1"), 4096).unwrap();
        String::from_utf8(prepared.body.to_vec()).unwrap()
    }

    #[test]
    fn between_equal_dialects_only_what_must_change_changes() {
        assert_eq!(
            body(
                Dialect::OpenaiChat,
                "openai",
                r#" { "x" : 1.10, "model" : "m", "messages":[{"role":"user"}], "max_tokens": 5 } "#,
            ),
            r#" { "x" : 1.10, "model" : "up", "messages":[{"role":"user"}], "max_tokens": 5 } "#,
        );
    }

    #[test]
    fn what_is_not_sent_is_not_held_for() {
        let body = json!({ "model": "m", "input": "List the files.", "tools": [
            { "type": "function", "name": "shell", "parameters": { "type": "object" } },
            { "type": "web_search", "external_web_access": false },
        ] });
        let inbound = Inbound::parse(Dialect::OpenaiResponses, body.to_string().into()).unwrap();
        let input =
            |kind| prepare(&inbound, &target(kind, "https://x.test"), 100).unwrap().input_tokens();
        for kind in ["gemini", "bedrock", "anthropic", "openai_compatible"] {
            assert!(input(kind) < 2000, "{kind} runs no search of OpenAI's");
        }
        assert!(input("openai") >= crate::UNKNOWN_INPUT);
    }

    #[test]
    fn a_missing_maximum_is_added_under_the_name_that_the_upstream_knows() {
        let text = r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":null}"#;
        assert_eq!(
            body(Dialect::OpenaiChat, "openai", text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":null,"max_completion_tokens":1000}"#,
        );
        assert_eq!(
            body(Dialect::OpenaiChat, "openai_compatible", text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":1000}"#,
        );
        assert_eq!(
            body(Dialect::AnthropicMessages, "anthropic", text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":1000}"#,
        );
    }

    #[test]
    fn a_chat_stream_is_asked_for_its_usage() {
        let text = r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":1,"stream":true,"stream_options":{"x":1}}"#;
        assert_eq!(
            body(Dialect::OpenaiChat, "openai", text),
            r#"{"model":"up","messages":[{"role":"user"}],"max_tokens":1,"stream":true,"stream_options":{"x":1,"include_usage":true}}"#,
        );
    }

    #[test]
    fn every_way_to_write_a_base_address_leads_to_the_endpoint() {
        for (kind, base, path) in [
            ("openai", "https://x.test", "/v1/chat/completions"),
            ("openai", "https://x.test/v1/", "/v1/chat/completions"),
            ("openai_compatible", "https://x.test/api", "/api/chat/completions"),
            ("openai_compatible", "https://x.test/chat/completions", "/chat/completions"),
            ("anthropic", "https://x.test", "/v1/messages"),
            ("anthropic", "https://x.test/v1", "/v1/messages"),
            ("anthropic", "https://x.test/proxy/", "/proxy/v1/messages"),
            ("azure_openai", "https://x.test", "/openai/v1/chat/completions"),
            ("azure_openai", "https://x.test/openai/v1", "/openai/v1/chat/completions"),
            (
                "azure_openai_deployments",
                "https://x.test",
                "/openai/deployments/up/chat/completions",
            ),
            ("bedrock", "https://x.test", "/model/up/converse"),
            ("gemini", "https://x.test", "/v1beta/models/up:generateContent"),
            ("zai", "https://x.test", "/api/paas/v4/chat/completions"),
            ("ollama", "https://x.test", "/v1/chat/completions"),
            ("ollama", "https://x.test/v1", "/v1/chat/completions"),
        ] {
            let target = target(kind, base);
            let speaks = target.spec.speaks(Dialect::OpenaiChat).unwrap();
            let url = endpoint(&target, speaks, false).unwrap();
            assert_eq!(url.path(), path, "{base}");
        }
    }

    #[test]
    fn a_model_of_bedrock_is_one_segment_of_the_path_and_nothing_stands_before_it() {
        let mut target = target("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com");
        target.upstream_model = "arn:aws:bedrock:us-east-1:1:inference-profile/a.b-v1:0".to_owned();
        let speaks = target.spec.speaks(Dialect::OpenaiChat).unwrap();
        let url = endpoint(&target, speaks, true).unwrap();
        assert_eq!(
            url.path(),
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fa.b-v1%3A0/converse-stream"
        );
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
            let target = target("openai_compatible", "https://x.test");
            let sent = prepare(&inbound, &target, 9).unwrap().body;
            body.insert("model".to_owned(), json!("up"));
            body.insert("max_tokens".to_owned(), json!(9));
            prop_assert_eq!(serde_json::from_slice::<Value>(&sent).unwrap(), Value::Object(body));
        }
    }
}
