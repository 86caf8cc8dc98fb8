//! Entering, replacing and deleting a provider's key. The value is never shown again.

use ralex_api::vault::{SecretInfo, UpdateSecret};
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::components::{ConfirmDelete, Dialog, Form, TextField};
use crate::hooks::input::{Input, count, needed, parses};
use crate::hooks::{use_action, use_input};
use crate::session::use_org;
use crate::text::number::counted;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub provider: AttrValue,
    /// The key to replace.
    pub secret: Option<SecretInfo>,
    /// How such a key looks.
    pub hint: AttrValue,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn KeyForm(props: &FormProps) -> Html {
    let org = use_org();
    let old = props.secret.clone();
    let name =
        use_input(old.as_ref().map_or("default", |secret| secret.name.as_str()), parses::<Name>);
    let value = use_input("", needed);
    let limits = use_limits(None);
    let save = use_action(props.ondone.reform(|secret: SecretInfo| {
        format!("Key {} is sealed, version {}.", secret.name, secret.version).into()
    }));
    let onsubmit = {
        let (save, name, value, provider) =
            (save.clone(), name.clone(), value.clone(), props.provider.to_string());
        let id = old.as_ref().map(|secret| secret.id);
        let limits = limits.clone();
        Callback::from(move |()| {
            let limits = limits.change();
            let Some(name) = name.parsed::<Name>() else { return };
            let (org, provider, value) =
                (org.slug(), provider.clone(), value.text().trim().to_owned());
            save.run(match id {
                Some(id) => api::vault::rotate(&org, id, &value),
                None => api::vault::create(&org, &name, &provider, &value, &limits),
            });
        })
    };
    let (title, verb) = match &old {
        Some(secret) => (format!("Replace key {}", secret.name), "Replace key"),
        None => (format!("Add a key for {}", props.provider), "Add key"),
    };
    let mut inputs = vec![name.clone(), value.clone()];
    inputs.extend(limits.all());
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form {inputs} {verb} running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if old.is_none() { <TextField label="Name" path="name" input={name} hint="To tell keys of one provider apart." /> }
                <TextField label="Key" path="value" kind="password" input={value} autofocus=true autocomplete="off" placeholder={props.hint.clone()}
                    hint="Sealed at once and used only for calls to this provider. Nobody can read it again." />
                if old.is_none() { { limits.fields() } }
            </Form>
        </Dialog>
    }
}

/// A key's share of the calls, and what its vendor allows it.
#[derive(Clone, PartialEq)]
struct Limits {
    weight: Input,
    requests: Input,
    tokens: Input,
}

#[hook]
fn use_limits(old: Option<&SecretInfo>) -> Limits {
    let most = |limit: Option<u32>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    Limits {
        weight: use_input(&old.map_or(1, |key| key.weight).to_string(), weight),
        requests: use_input(&most(old.and_then(|key| key.requests_per_minute)), count_if_filled),
        tokens: use_input(&most(old.and_then(|key| key.tokens_per_minute)), count_if_filled),
    }
}

impl Limits {
    fn all(&self) -> Vec<Input> {
        vec![self.weight.clone(), self.requests.clone(), self.tokens.clone()]
    }

    /// An empty limit is none.
    fn change(&self) -> UpdateSecret {
        UpdateSecret {
            weight: self.weight.parsed(),
            requests_per_minute: Some(self.requests.parsed()),
            tokens_per_minute: Some(self.tokens.parsed()),
        }
    }

    fn fields(&self) -> Html {
        html! {
            <>
                <TextField label="Share" path="weight" input={self.weight.clone()} hint="Of the calls, beside this provider’s other keys, 0 to 100. With 0 it waits until no other is left." />
                <div class="pair">
                    <TextField label="Requests a minute" path="requests_per_minute" input={self.requests.clone()} placeholder="No limit" hint="What the vendor allows it." />
                    <TextField label="Tokens a minute" path="tokens_per_minute" input={self.tokens.clone()} placeholder="No limit" hint="What the vendor allows it." />
                </div>
            </>
        }
    }
}

fn weight(text: &str) -> Option<String> {
    let good = text.trim().parse::<u8>().is_ok_and(|weight| weight <= 100);
    (!good).then(|| "Enter a whole number from 0 to 100.".to_owned())
}

fn count_if_filled(text: &str) -> Option<String> {
    if text.trim().is_empty() { None } else { count(text) }
}

#[derive(Properties, PartialEq)]
pub struct LimitsProps {
    pub secret: SecretInfo,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn LimitsForm(props: &LimitsProps) -> Html {
    let org = use_org();
    let limits = use_limits(Some(&props.secret));
    let id = props.secret.id;
    let save = use_action(
        props.ondone.reform(|key: SecretInfo| format!("Limits of {} are saved.", key.name).into()),
    );
    let onsubmit = {
        let (save, limits) = (save.clone(), limits.clone());
        Callback::from(move |()| {
            let (org, change) = (org.slug(), limits.change());
            save.run(api::vault::limit(&org, id, change));
        })
    };
    html! {
        <Dialog title={format!("Share and limits of {}", props.secret.name)} onclose={props.onclose.clone()}>
            <Form inputs={limits.all()} verb="Save limits" running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                { limits.fields() }
            </Form>
        </Dialog>
    }
}

pub fn delete_key(
    org: &str,
    secret: &SecretInfo,
    ondone: &Callback<AttrValue>,
    onclose: Callback<()>,
) -> Html {
    let SecretInfo { id, name, version, provider_slug, .. } = secret.clone();
    let said = AttrValue::from(format!("Key {name} is deleted."));
    let ondone = ondone.reform(move |()| said.clone());
    let org = org.to_owned();
    let delete = Callback::from(move |()| api::vault::delete(&org, id));
    html! {
        <ConfirmDelete title={format!("Delete key {name}?")} verb="Delete key" {delete} {ondone} {onclose}>
            <p>{ format!("Destroys {} for good. Calls to {provider_slug} need another key from then on.", counted(version.into(), "version")) }</p>
        </ConfirmDelete>
    }
}
