//! A new receiver of the audit log, and another secret for one that is there.

use ralex_api::sinks::{AuditSink, SinkFormat, SinkKind};
use serde_json::{Map, Value, json};
use yew::prelude::*;

use crate::api;
use crate::components::{Button, Code, Dialog, Form, SelectField, TextArea, TextField};
use crate::hooks::input::{anything, needed};
use crate::hooks::{Input, use_action, use_input};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct AddProps {
    pub onclose: Callback<()>,
    pub again: Callback<()>,
}

#[component]
pub fn AddSink(props: &AddProps) -> Html {
    let slug = use_org().slug();
    let kind = use_state(|| SinkKind::Webhook);
    let format = use_state(|| None::<SinkFormat>);
    let (name, url) = (use_input("", needed), use_input("", needed));
    let (region, ca) = (use_input("", anything), use_input("", anything));
    let credential = use_credential();
    let made = use_state(|| None::<AuditSink>);
    let create = {
        let (made, again, onclose) = (made.clone(), props.again.clone(), props.onclose.clone());
        use_action(Callback::from(move |sink: AuditSink| {
            again.emit(());
            if sink.secret.is_some() {
                made.set(Some(sink));
            } else {
                onclose.emit(());
            }
        }))
    };
    let chosen = format.filter(|format| kind.formats().contains(format));
    let chosen = chosen.unwrap_or(kind.formats()[0]);
    let onsubmit = {
        let (create, kind) = (create.clone(), *kind);
        let (name, url) = (name.clone(), url.clone());
        let (region, ca, credential) = (region.clone(), ca.clone(), credential.clone());
        Callback::from(move |()| {
            let mut new = Map::new();
            new.insert("name".into(), json!(name.text()));
            new.insert("kind".into(), json!(kind));
            new.insert("url".into(), json!(url.text()));
            new.insert("format".into(), json!(chosen));
            if kind == SinkKind::S3 {
                fill(&mut new, "region", &region);
            }
            if kind == SinkKind::Syslog {
                fill(&mut new, "ca_pem", &ca);
            }
            let credential = credential.of(kind);
            if !credential.is_empty() {
                new.insert("credential".into(), Value::Object(credential));
            }
            create.run(api::audit::add_sink(&slug, Value::Object(new)));
        })
    };
    if let Some(sink) = &*made {
        return secret_told(sink, &props.onclose);
    }
    let onkind = {
        let kind = kind.clone();
        Callback::from(move |word: String| {
            if let Some(named) = SinkKind::named(&word) {
                kind.set(named);
            }
        })
    };
    let onformat = {
        let format = format.clone();
        Callback::from(move |word: String| format.set(SinkFormat::named(&word)))
    };
    let inputs = [vec![name.clone(), url.clone()], credential.needed_for(*kind)].concat();
    html! {
        <Dialog title="Add a receiver" onclose={props.onclose.clone()} light=false>
            <Form {inputs} verb="Add" running={create.running()} problem={create.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <SelectField label="Kind" path="kind" options={kinds()} value={kind.as_str()} onchange={onkind} />
                <TextField label="Name" path="name" input={name} autofocus=true />
                <TextField label="Address" path="url" input={url} hint={address_hint(*kind)} />
                <SelectField label="Format" path="format" options={formats(*kind)} value={chosen.as_str()} onchange={onformat} />
                if *kind == SinkKind::S3 {
                    <TextField label="Region" path="region" input={region} hint="When empty, the one that the address names." />
                }
                if *kind == SinkKind::Syslog {
                    <TextArea label="Authority" path="ca_pem" input={ca} rows={4} hint="Certificates (PEM) that vouch for the collector; the public ones when empty." />
                }
                { credential.fields(*kind, "credential.") }
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct SecretProps {
    pub sink: AuditSink,
    pub onclose: Callback<()>,
    pub again: Callback<()>,
}

#[component]
pub fn ChangeSecret(props: &SecretProps) -> Html {
    let slug = use_org().slug();
    let kind = props.sink.kind;
    let credential = use_credential();
    let made = use_state(|| None::<AuditSink>);
    let change = {
        let (made, again, onclose) = (made.clone(), props.again.clone(), props.onclose.clone());
        use_action(Callback::from(move |sink: AuditSink| {
            again.emit(());
            if sink.secret.is_some() {
                made.set(Some(sink));
            } else {
                onclose.emit(());
            }
        }))
    };
    if let Some(sink) = &*made {
        return secret_told(sink, &props.onclose);
    }
    let onsubmit = {
        let (change, credential) = (change.clone(), credential.clone());
        let id = props.sink.id.to_string();
        Callback::from(move |()| {
            let credential = Value::Object(credential.of(kind));
            change.run(api::audit::change_sink_secret(&slug, &id, credential));
        })
    };
    let told = match kind {
        SinkKind::Webhook => {
            "A new secret is made. For a day both sign every delivery, so that the receiver can take it over without missing one."
        }
        SinkKind::Syslog => {
            "The collector is shown this certificate from now on; none when both are empty."
        }
        SinkKind::S3 => "Objects are stored with this key from now on.",
    };
    html! {
        <Dialog title={format!("Change the secret of {}", props.sink.name)} onclose={props.onclose.clone()} light=false>
            <p>{ told }</p>
            <Form inputs={credential.needed_for(kind)} verb="Change" running={change.running()} problem={change.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                { credential.fields(kind, "credential.") }
            </Form>
        </Dialog>
    }
}

fn secret_told(sink: &AuditSink, onclose: &Callback<()>) -> Html {
    html! {
        <Dialog title={sink.name.to_string()} onclose={onclose.clone()} light=false>
            <p>{ "This secret signs every delivery (Standard Webhooks). It is not shown again." }</p>
            <Code text={sink.secret.clone().unwrap_or_default()} label="Signing secret" />
            <Button onclick={onclose.clone()}>{ "Done" }</Button>
        </Dialog>
    }
}

/// What proves who sends, as it is typed.
#[derive(Clone, PartialEq)]
struct Credential {
    id: Input,
    secret: Input,
    certificate: Input,
    key: Input,
}

#[hook]
fn use_credential() -> Credential {
    Credential {
        id: use_input("", needed),
        secret: use_input("", needed),
        certificate: use_input("", anything),
        key: use_input("", anything),
    }
}

impl Credential {
    fn needed_for(&self, kind: SinkKind) -> Vec<Input> {
        match kind {
            SinkKind::Webhook | SinkKind::Syslog => Vec::new(),
            SinkKind::S3 => vec![self.id.clone(), self.secret.clone()],
        }
    }

    fn of(&self, kind: SinkKind) -> Map<String, Value> {
        let mut map = Map::new();
        match kind {
            SinkKind::Webhook => {}
            SinkKind::Syslog => {
                fill(&mut map, "client_certificate", &self.certificate);
                fill(&mut map, "client_key", &self.key);
            }
            SinkKind::S3 => {
                fill(&mut map, "access_key_id", &self.id);
                fill(&mut map, "secret_access_key", &self.secret);
            }
        }
        map
    }

    fn fields(&self, kind: SinkKind, path: &str) -> Html {
        let at = |name: &str| format!("{path}{name}");
        match kind {
            SinkKind::Webhook => Html::default(),
            SinkKind::Syslog => html! {
                <>
                    <TextArea label="Own certificate" path={at("client_certificate")} input={self.certificate.clone()} rows={4} hint="PEM, the own one first; only for a collector that asks for one." />
                    <TextArea label="Its private key" path={at("client_key")} input={self.key.clone()} rows={4} hint="PEM; it is sealed and never shown." />
                </>
            },
            SinkKind::S3 => html! {
                <>
                    <TextField label="Access key id" path={at("access_key_id")} input={self.id.clone()} />
                    <TextField label="Secret access key" path={at("secret_access_key")} input={self.secret.clone()} kind="password" hint="It may store objects in this bucket, and needs no other right." />
                </>
            },
        }
    }
}

fn fill(map: &mut Map<String, Value>, name: &str, input: &Input) {
    if let Some(text) = input.filled() {
        map.insert(name.to_owned(), json!(text));
    }
}

fn kinds() -> Vec<(AttrValue, AttrValue)> {
    let label = |kind: SinkKind| match kind {
        SinkKind::Webhook => "Webhook",
        SinkKind::Syslog => "Syslog over TLS",
        SinkKind::S3 => "Bucket (S3)",
    };
    SinkKind::ALL.iter().map(|kind| (kind.as_str().into(), label(*kind).into())).collect()
}

fn formats(kind: SinkKind) -> Vec<(AttrValue, AttrValue)> {
    let label = |format: SinkFormat| match format {
        SinkFormat::Jsonl => "JSON lines, as recorded",
        SinkFormat::Ocsf => "OCSF",
        SinkFormat::Cef => "CEF",
        SinkFormat::Syslog => "Syslog (RFC 5424)",
        SinkFormat::CloudEvents => "CloudEvents",
    };
    kind.formats().iter().map(|it| (it.as_str().into(), label(*it).into())).collect()
}

const fn address_hint(kind: SinkKind) -> &'static str {
    match kind {
        SinkKind::Webhook => "https://…; gets batches from the log's first record on.",
        SinkKind::Syslog => "tls://host:port",
        SinkKind::S3 => "https://… of the bucket, with a folder if you like.",
    }
}
