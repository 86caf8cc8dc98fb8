//! The form of a provider, and its end.

use ralex_api::catalog::{NewProvider, Provider, ProviderKind, ProviderKindInfo, UpdateProvider};
use ralex_kernel::Slug;
use yew::prelude::*;

use super::provider_timeouts::use_phases;
use crate::api;
use crate::api::client::Reply;
use crate::components::{Badge, Banner, ConfirmDelete, Dialog, Form, SelectField, TextField, Tone};
use crate::hooks::input::{needed, parses};
use crate::hooks::{use_action, use_input};
use crate::session::use_org;
use crate::text::borrowed::lower;
use crate::text::number::counted;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    /// The kinds that can be added.
    pub kinds: Vec<ProviderKindInfo>,
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
    let kind = use_state(|| old.map_or(ProviderKind::OPENAI, |provider| provider.kind.clone()));
    let info = of(&props.kinds, &kind);
    let slug = use_input(old.map_or("openai", |provider| provider.slug.as_str()), parses::<Slug>);
    let address = use_input(
        old.and_then(|provider| provider.base_url.as_deref())
            .or(info.as_ref().and_then(|info| info.base_url.as_deref()))
            .unwrap_or_default(),
        needed,
    );
    let phases = use_phases(old.map(|provider| provider.timeouts).unwrap_or_default());
    let onsubmit = {
        let (save, org, kind, slug, address) =
            (save.clone(), org.slug(), (*kind).clone(), slug.clone(), address.clone());
        let known = old.map(|provider| provider.slug.to_string());
        let phases = phases.clone();
        Callback::from(move |()| {
            let kind = kind.clone();
            let base_url = address.filled().filter(|_| kind != ProviderKind::SIMULATED);
            let Some(slug) = slug.parsed() else { return };
            let timeouts = phases.timeouts();
            let new = NewProvider { slug, kind, base_url, timeouts };
            save.run(send(&org, known.as_deref(), new));
        })
    };
    let onkind = {
        let (kind, slug, address) = (kind.clone(), slug.clone(), address.clone());
        let kinds = props.kinds.clone();
        Callback::from(move |name: String| {
            let Some(chosen) = kinds.iter().find(|info| info.kind.as_str() == name) else { return };
            // What was proposed for the last kind gives way; what somebody wrote stays.
            let proposed = kinds.iter().any(|info| slug_of(&info.kind) == slug.text());
            if proposed || slug.text().is_empty() {
                slug.set(slug_of(&chosen.kind));
            }
            address.set(chosen.base_url.clone().unwrap_or_default());
            kind.set(chosen.kind.clone());
        })
    };
    let simulated = *kind == ProviderKind::SIMULATED;
    let mut inputs = vec![slug.clone()];
    if !simulated {
        inputs.push(address.clone());
        inputs.extend(phases.all());
    }
    let hint = info.as_ref().and_then(|info| info.base_url_hint.clone());
    let placeholder = hint.unwrap_or_else(|| "https://llm.example.com/v1".to_owned());
    let moved = old.is_some_and(|provider| {
        provider.keys > 0 && provider.base_url.as_deref() != Some(address.text().as_str())
    });
    html! {
        <Dialog title={old.map_or_else(|| "Add provider".to_owned(), |provider| format!("Edit {}", provider.slug))} onclose={props.onclose.clone()}>
            <Form {inputs} verb={if old.is_some() { "Save provider" } else { "Add provider" }} running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if old.is_none() {
                    <SelectField label="Kind" path="kind" options={options(&props.kinds)} value={kind.to_string()} onchange={onkind} />
                    if let Some(info) = &info { { about(info) } }
                    <TextField label="Slug" path="slug" input={slug} hint="How it is named here. It stays." />
                }
                if simulated { <p class="note">{ "Answers by itself, without a key or a network. Good for a first call and for tests." }</p> }
                else { <TextField label="Base URL" path="base_url" kind="url" input={address} {placeholder} hint="Keys are bound to its scheme, host and port." /> }
                if !simulated { { phases.fields(info.as_ref().map(|info| info.timeouts).unwrap_or_default()) } }
                if moved { <Banner tone={Tone::Warn}><p>{ "Another scheme, host or port detaches its keys; enter them again afterwards." }</p></Banner> }
            </Form>
        </Dialog>
    }
}

/// Adds a provider, or changes the one that is known by a slug.
fn send(org: &str, known: Option<&str>, new: NewProvider) -> Reply<Provider> {
    match known {
        Some(slug) => {
            let timeouts = Some(new.timeouts);
            let change = UpdateProvider { base_url: new.base_url, enabled: None, timeouts };
            api::catalog::update_provider(org, slug, change)
        }
        None => api::catalog::create_provider(org, new),
    }
}

fn of(kinds: &[ProviderKindInfo], kind: &ProviderKind) -> Option<ProviderKindInfo> {
    kinds.iter().find(|info| info.kind == *kind).cloned()
}

fn options(kinds: &[ProviderKindInfo]) -> Vec<(AttrValue, AttrValue)> {
    let mut options: Vec<(AttrValue, AttrValue)> =
        kinds.iter().map(|info| (info.kind.to_string().into(), info.name.clone().into())).collect();
    options.sort_by_key(|(_, name)| lower(name));
    options
}

/// What a kind speaks and offers, and where its vendor describes it.
fn about(info: &ProviderKindInfo) -> Html {
    let key = match (info.needs_key, info.auth.as_str()) {
        (_, "none") => "Takes no key.",
        (true, _) => "Needs a key.",
        (false, _) => "A key may be added.",
    };
    html! {
        <div class="note">
            <p>
                { key }
                if info.local { { " Runs on a machine of your own; the server must be allowed to reach it." } }
                if info.known_models > 0 { { format!(" {} known.", counted(info.known_models.into(), "model")) } }
                if let Some(docs) = &info.docs { { " " }<a href={docs.clone()} target="_blank" rel="noreferrer">{ "Vendor’s documentation" }</a> }
            </p>
            <p class="badges">{ for info.operations.iter().map(|word| html! { <Badge>{ word.replace('_', " ") }</Badge> }) }</p>
        </div>
    }
}

fn slug_of(kind: &ProviderKind) -> String {
    kind.as_str().replace('_', "-")
}

pub fn delete_provider(
    org: &str,
    provider: &Provider,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let Provider { slug, models, keys, .. } = provider.clone();
    let title = format!("Delete provider {slug}?");
    let said = AttrValue::from(format!("Provider {slug} is deleted."));
    let ondone = ondone.reform(move |()| said.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::catalog::delete_provider(&org, slug.as_str()));
    html! {
        <ConfirmDelete {title} verb="Delete provider" {delete} {ondone} {onclose}>
            <p>{ format!("It has {} and {}. Calls to its models are refused from then on.", counted(models.into(), "model"), counted(keys.into(), "key")) }</p>
        </ConfirmDelete>
    }
}
