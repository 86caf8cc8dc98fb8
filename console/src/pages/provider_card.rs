//! One provider with its keys.

use ralex_api::catalog::{Provider, ProviderKind, ProviderKindInfo};
use ralex_api::vault::{SecretInfo, SecretState};
use yew::prelude::*;

use super::providers::{Doing, Over};
use crate::components::{Badge, Button, Icon, IconButton, Tone, When};
use crate::text::number::{counted, grouped};

/// A provider's kind in words.
pub fn kind_name(kinds: &[ProviderKindInfo], kind: &ProviderKind) -> String {
    let known = kinds.iter().find(|info| info.kind == *kind);
    known.map_or_else(|| kind.to_string(), |info| info.name.clone())
}

pub fn provider_card(
    provider: &Provider,
    kinds: &[ProviderKindInfo],
    keys: &[SecretInfo],
    doing: &Doing,
) -> Html {
    let keys: Vec<&SecretInfo> = keys.iter().filter(|key| key.provider == provider.id).collect();
    let address = provider
        .base_url
        .clone()
        .unwrap_or_else(|| "answers without a key or a network".to_owned());
    html! {
        <section class="panel provider" key={provider.id.to_string()}>
            <header class="panel-head">
                <div>
                    <h2>{ provider.slug.to_string() }</h2>
                    <p class="faint">{ kind_name(kinds, &provider.kind) }{ " · " }{ address }</p>
                </div>
                { badge(provider) }
                <div class="panel-actions">{ actions(provider, doing) }</div>
            </header>
            if provider.kind != ProviderKind::SIMULATED { { key_list(provider, &keys, doing) } }
            <p class="faint">{ models_of(provider) }</p>
        </section>
    }
}

fn badge(provider: &Provider) -> Html {
    let (tone, word, why) = match (provider.enabled, provider.ready) {
        (false, _) => (Tone::Plain, "Off", "It is switched off; its models refuse calls."),
        (true, true) => (Tone::Good, "Ready", "Calls can go to it."),
        (true, false) => {
            (Tone::Warn, "Needs a key", "Its models refuse calls until a key is added.")
        }
    };
    html! { <Badge {tone} title={why}>{ word }</Badge> }
}

fn actions(provider: &Provider, doing: &Doing) -> Html {
    if !doing.may.provider {
        return Html::default();
    }
    let (edit, delete) = (Box::new(provider.clone()), Box::new(provider.clone()));
    let (slug, on) = (provider.slug.to_string(), !provider.enabled);
    let switch = doing.switch.reform(move |()| (slug.clone(), on));
    html! {
        <>
            <Button onclick={switch}>{ if provider.enabled { "Switch off" } else { "Switch on" } }</Button>
            if provider.kind != ProviderKind::SIMULATED {
                <IconButton icon={Icon::Edit} label={format!("Edit {}", provider.slug)} onclick={doing.open.reform(move |()| Over::EditProvider(edit.clone()))} />
            }
            <IconButton icon={Icon::Trash} label={format!("Delete {}", provider.slug)} onclick={doing.open.reform(move |()| Over::DeleteProvider(delete.clone()))} />
        </>
    }
}

fn key_list(provider: &Provider, keys: &[&SecretInfo], doing: &Doing) -> Html {
    let chosen = Box::new(provider.clone());
    html! {
        <div class="part">
            <header class="panel-head">
                <h3>{ "Keys" }</h3>
                if doing.may.add_key { <Button icon={Icon::Key} onclick={doing.open.reform(move |()| Over::AddKey(chosen.clone()))}>{ "Add key" }</Button> }
            </header>
            if keys.is_empty() { <p class="faint">{ if provider.keys > 0 { "Its keys are not shown to you." } else { "None. A key goes in and never comes out again." } }</p> }
            <ul class="rows">{ for keys.iter().map(|key| key_row(key, doing)) }</ul>
        </div>
    }
}

fn key_row(key: &SecretInfo, doing: &Doing) -> Html {
    let (rotate, limit, delete) =
        (Box::new(key.clone()), Box::new(key.clone()), Box::new(key.clone()));
    let asked = key.id;
    html! {
        <li key={key.id.to_string()}>
            <div>
                <strong>{ key.name.to_string() }</strong>{ " " }<span class="faint">{ format!("version {}", key.version) }</span>
                <p class="faint">{ "Sent to " }<code>{ key.origin.clone() }</code>{ " only · entered " }<When at={key.rotated_at} />{ format!(" · {}", share(key)) }</p>
            </div>
            if key.state == SecretState::Detached {
                <Badge tone={Tone::Warn} title="The provider’s address changed; replace the key to use it there.">{ "Detached" }</Badge>
            }
            if doing.may.ask { <IconButton icon={Icon::People} label={format!("Who can use {}", key.name)} onclick={doing.open.reform(move |()| Over::KeyUsers(asked))} /> }
            if doing.may.rotate_key { <IconButton icon={Icon::Gauge} label={format!("Share and limits of {}", key.name)} onclick={doing.open.reform(move |()| Over::LimitKey(limit.clone()))} /> }
            if doing.may.rotate_key { <IconButton icon={Icon::Rotate} label={format!("Replace {}", key.name)} onclick={doing.open.reform(move |()| Over::RotateKey(rotate.clone()))} /> }
            if doing.may.delete_key { <IconButton icon={Icon::Trash} label={format!("Delete {}", key.name)} onclick={doing.open.reform(move |()| Over::DeleteKey(delete.clone()))} /> }
        </li>
    }
}

fn models_of(provider: &Provider) -> String {
    match provider.models {
        0 => "It has no models yet; add one under Models.".to_owned(),
        models => format!("It answers for {}.", counted(models.into(), "model")),
    }
}

/// How a key is used beside the provider's others.
fn share(key: &SecretInfo) -> String {
    let mut said = vec![match key.weight {
        0 => "only when no other is left".to_owned(),
        weight => format!("share {weight}"),
    }];
    said.extend(
        key.requests_per_minute.map(|most| format!("{} requests/min", grouped(most.into()))),
    );
    said.extend(key.tokens_per_minute.map(|most| format!("{} tokens/min", grouped(most.into()))));
    said.join(" · ")
}
