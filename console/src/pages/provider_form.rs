//! The form of a provider, and its end.

use ralex_api::catalog::{NewProvider, Provider, ProviderKind, UpdateProvider};
use ralex_kernel::Slug;
use yew::prelude::*;

use super::provider_card::kind_name;
use crate::api;
use crate::api::client::Answer;
use crate::components::{Banner, Confirm, Dialog, Form, SelectField, TextField, Tone};
use crate::hooks::input::{needed, parses};
use crate::hooks::{use_action, use_input};
use crate::session::use_org;
use crate::text::number::counted;

const KINDS: [ProviderKind; 4] = [
    ProviderKind::Openai,
    ProviderKind::Anthropic,
    ProviderKind::OpenaiCompatible,
    ProviderKind::Simulated,
];

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub provider: Option<Provider>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn ProviderForm(props: &FormProps) -> Html {
    let org = use_org();
    let old = props.provider.as_ref();
    let save = use_action(
        props
            .ondone
            .reform(|provider: Provider| format!("Provider {} is saved.", provider.slug).into()),
    );
    let kind = use_state(|| old.map_or(ProviderKind::Openai, |provider| provider.kind));
    let slug = use_input(old.map_or("openai", |provider| provider.slug.as_str()), parses::<Slug>);
    let address = use_input(
        old.and_then(|provider| provider.base_url.as_deref())
            .or(kind.default_base_url())
            .unwrap_or_default(),
        needed,
    );
    let onsubmit = {
        let (save, org, kind, slug, address) =
            (save.clone(), org.slug(), *kind, slug.clone(), address.clone());
        let known = old.map(|provider| provider.slug.to_string());
        Callback::from(move |()| {
            let (org, known) = (org.clone(), known.clone());
            let base_url = address.filled().filter(|_| kind != ProviderKind::Simulated);
            let Some(slug) = slug.parsed() else { return };
            save.run(send(org, known, NewProvider { slug, kind, base_url }));
        })
    };
    let onkind = {
        let (kind, slug, address) = (kind.clone(), slug.clone(), address.clone());
        Callback::from(move |name: String| {
            let chosen = named(&name);
            // What was proposed for the last kind gives way; what somebody wrote stays.
            if KINDS.iter().any(|kind| slug_of(*kind) == slug.text()) || slug.text().is_empty() {
                slug.set(slug_of(chosen));
            }
            address.set(chosen.default_base_url().unwrap_or_default());
            kind.set(chosen);
        })
    };
    let simulated = *kind == ProviderKind::Simulated;
    let mut inputs = vec![slug.clone()];
    if !simulated {
        inputs.push(address.clone());
    }
    let options = KINDS.map(|kind| (kind.as_str().into(), kind_name(kind).into())).to_vec();
    let moved = old.is_some_and(|provider| {
        provider.keys > 0 && provider.base_url.as_deref() != Some(address.text().as_str())
    });
    html! {
        <Dialog title={old.map_or_else(|| "Add provider".to_owned(), |provider| format!("Edit {}", provider.slug))} onclose={props.onclose.clone()}>
            <Form {inputs} verb={if old.is_some() { "Save provider" } else { "Add provider" }} running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if old.is_none() {
                    <SelectField label="Kind" path="kind" {options} value={kind.as_str()} onchange={onkind} />
                    <TextField label="Slug" path="slug" input={slug} hint="How it is named here. It stays." />
                }
                if simulated { <p class="note">{ "Answers by itself, without a key or a network. Good for a first call and for tests." }</p> }
                else { <TextField label="Base URL" path="base_url" kind="url" input={address} placeholder="https://llm.example.com/v1" hint="Keys are bound to its scheme, host and port." /> }
                if moved { <Banner tone={Tone::Warn}><p>{ "Another scheme, host or port detaches its keys; enter them again afterwards." }</p></Banner> }
            </Form>
        </Dialog>
    }
}

/// Adds a provider, or changes the one that is known by a slug.
async fn send(org: String, known: Option<String>, new: NewProvider) -> Answer<Provider> {
    match known {
        Some(slug) => {
            let change = UpdateProvider { base_url: new.base_url, enabled: None };
            api::catalog::update_provider(&org, &slug, change).await
        }
        None => api::catalog::create_provider(&org, new).await,
    }
}

fn named(kind: &str) -> ProviderKind {
    let found = KINDS.into_iter().find(|known| known.as_str() == kind);
    found.unwrap_or(ProviderKind::Openai)
}

fn slug_of(kind: ProviderKind) -> String {
    kind.as_str().replace('_', "-")
}

#[derive(Properties, PartialEq)]
pub struct DeleteProps {
    pub provider: Provider,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn DeleteProvider(props: &DeleteProps) -> Html {
    let org = use_org();
    let Provider { slug, models, keys, .. } = props.provider.clone();
    let delete = {
        let slug = slug.clone();
        use_action(props.ondone.reform(move |()| format!("Provider {slug} is deleted.").into()))
    };
    let (running, problem, title) =
        (delete.running(), delete.problem(), format!("Delete provider {slug}?"));
    let onconfirm = Callback::from(move |()| {
        let (org, slug) = (org.slug(), slug.to_string());
        delete.run(async move { api::catalog::delete_provider(&org, &slug).await });
    });
    html! {
        <Confirm {title} verb="Delete provider" {running} {problem} {onconfirm} onclose={props.onclose.clone()}>
            <p>{ format!("It has {} and {}. Calls to its models are refused from then on.", counted(models.into(), "model"), counted(keys.into(), "key")) }</p>
        </Confirm>
    }
}
