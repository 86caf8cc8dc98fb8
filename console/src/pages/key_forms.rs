//! Entering, replacing and deleting a provider's key. The value is never shown again.

use ralex_api::vault::SecretInfo;
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::components::{Confirm, Dialog, Form, TextField};
use crate::hooks::input::{needed, parses};
use crate::hooks::{use_action, use_input};
use crate::session::use_org;
use crate::text::number::counted;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub provider: AttrValue,
    /// The key to replace.
    pub secret: Option<SecretInfo>,
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
    let save = use_action(props.ondone.reform(|secret: SecretInfo| {
        format!("Key {} is sealed, version {}.", secret.name, secret.version).into()
    }));
    let onsubmit = {
        let (save, name, value, provider) =
            (save.clone(), name.clone(), value.clone(), props.provider.to_string());
        let id = old.as_ref().map(|secret| secret.id);
        Callback::from(move |()| {
            let Some(name) = name.parsed::<Name>() else { return };
            let (org, provider, value) =
                (org.slug(), provider.clone(), value.text().trim().to_owned());
            save.run(async move {
                match id {
                    Some(id) => api::vault::rotate(&org, id, &value).await,
                    None => api::vault::create(&org, &name, &provider, &value).await,
                }
            });
        })
    };
    let (title, verb) = match &old {
        Some(secret) => (format!("Replace key {}", secret.name), "Replace key"),
        None => (format!("Add a key for {}", props.provider), "Add key"),
    };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone(), value.clone()]} {verb} running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if old.is_none() { <TextField label="Name" path="name" input={name} hint="To tell keys of one provider apart." /> }
                <TextField label="Key" path="value" kind="password" input={value} autofocus=true autocomplete="off"
                    hint="Sealed at once and used only for calls to this provider. Nobody can read it again." />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct DeleteProps {
    pub secret: SecretInfo,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn DeleteKey(props: &DeleteProps) -> Html {
    let org = use_org();
    let SecretInfo { id, name, version, provider_slug, .. } = props.secret.clone();
    let delete = {
        let name = name.clone();
        use_action(props.ondone.reform(move |()| format!("Key {name} is deleted.").into()))
    };
    let (running, problem) = (delete.running(), delete.problem());
    let onconfirm = Callback::from(move |()| {
        let org = org.slug();
        delete.run(async move { api::vault::delete(&org, id).await });
    });
    html! {
        <Confirm title={format!("Delete key {name}?")} verb="Delete key" {running} {problem} {onconfirm} onclose={props.onclose.clone()}>
            <p>{ format!("Destroys {} for good. Calls to {provider_slug} need another key from then on.", counted(version.into(), "version")) }</p>
        </Confirm>
    }
}
