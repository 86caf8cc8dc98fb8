//! One provider with its keys and its models.

use ralex_api::catalog::{Model, Provider, ProviderKind};
use ralex_api::vault::{SecretInfo, SecretState};
use ralex_kernel::Price;
use yew::prelude::*;

use super::models::{Doing, Over};
use crate::components::{Badge, Button, Column, Icon, IconButton, Table, Tone, When};
use crate::text::number::grouped;

const COLUMNS: [Column; 6] = [
    Column::text("Model"),
    Column::text("At the provider").wide(),
    Column::number("$ in / M"),
    Column::number("$ out / M"),
    Column::number("Context").wide(),
    Column::text(""),
];

/// A provider's kind in words.
pub const fn kind_name(kind: ProviderKind) -> &'static str {
    match kind {
        ProviderKind::Openai => "OpenAI",
        ProviderKind::Anthropic => "Anthropic",
        ProviderKind::OpenaiCompatible => "OpenAI-compatible",
        ProviderKind::Simulated => "Simulated",
    }
}

pub fn provider_card(
    provider: &Provider,
    models: &[Model],
    keys: &[SecretInfo],
    doing: &Doing,
) -> Html {
    let models: Vec<&Model> = models.iter().filter(|model| model.provider == provider.id).collect();
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
                    <p class="faint">{ kind_name(provider.kind) }{ " · " }{ address }</p>
                </div>
                { badge(provider) }
                <div class="panel-actions">{ actions(provider, doing) }</div>
            </header>
            if provider.kind != ProviderKind::Simulated { { key_list(provider, &keys, doing) } }
            { model_list(provider, &models, doing) }
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
            if provider.kind != ProviderKind::Simulated {
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
    let (rotate, delete) = (Box::new(key.clone()), Box::new(key.clone()));
    html! {
        <li key={key.id.to_string()}>
            <div>
                <strong>{ key.name.to_string() }</strong>{ " " }<span class="faint">{ format!("version {}", key.version) }</span>
                <p class="faint">{ "Sent to " }<code>{ key.origin.clone() }</code>{ " only · entered " }<When at={key.rotated_at} /></p>
            </div>
            if key.state == SecretState::Detached {
                <Badge tone={Tone::Warn} title="The provider’s address changed; replace the key to use it there.">{ "Detached" }</Badge>
            }
            if doing.may.rotate_key { <IconButton icon={Icon::Rotate} label={format!("Replace {}", key.name)} onclick={doing.open.reform(move |()| Over::RotateKey(rotate.clone()))} /> }
            if doing.may.delete_key { <IconButton icon={Icon::Trash} label={format!("Delete {}", key.name)} onclick={doing.open.reform(move |()| Over::DeleteKey(delete.clone()))} /> }
        </li>
    }
}

fn model_list(provider: &Provider, models: &[&Model], doing: &Doing) -> Html {
    let chosen = Box::new(provider.clone());
    html! {
        <div class="part">
            <header class="panel-head">
                <h3>{ "Models" }</h3>
                if doing.may.model { <Button icon={Icon::Plus} onclick={doing.open.reform(move |()| Over::AddModel(chosen.clone()))}>{ "Add model" }</Button> }
            </header>
            if models.is_empty() { <p class="faint">{ "None. What is not listed here cannot be called." }</p> }
            else {
                <Table caption={format!("Models of {}", provider.slug)} columns={COLUMNS.to_vec()}>
                    { for models.iter().map(|model| model_row(model, doing)) }
                </Table>
            }
        </div>
    }
}

fn model_row(model: &Model, doing: &Doing) -> Html {
    let (edit, delete) = (Box::new(model.clone()), Box::new(model.clone()));
    html! {
        <tr key={model.id.to_string()}>
            <th scope="row"><code>{ model.name.clone() }</code></th>
            <td class="wide"><code class="faint">{ model.upstream_model.clone() }</code></td>
            <td class="number">{ price(model.input_price) }</td>
            <td class="number">{ price(model.output_price) }</td>
            <td class="number wide" title={format!("{} of output at most", grouped(model.max_output.into()))}>{ grouped(model.context_window.into()) }</td>
            <td class="number">
                if doing.may.model {
                    <IconButton icon={Icon::Edit} label={format!("Edit {}", model.name)} onclick={doing.open.reform(move |()| Over::EditModel(edit.clone()))} />
                    <IconButton icon={Icon::Trash} label={format!("Delete {}", model.name)} onclick={doing.open.reform(move |()| Over::DeleteModel(delete.clone()))} />
                }
            </td>
        </tr>
    }
}

/// A price with the decimals of money, and more where it has more.
pub fn price(price: Price) -> String {
    let text = price.to_string();
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((_, fraction)) if fraction.len() == 1 => format!("{text}0"),
        Some(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_keeps_every_digit() {
        let shown = |text: &str| price(text.parse().unwrap());
        assert_eq!(shown("3"), "3.00");
        assert_eq!(shown("0.5"), "0.50");
        assert_eq!(shown("0.075"), "0.075");
    }
}
