//! Passkeys: where one is offered, named and removed.

use ralex_api::factors::RecoveryCodes;
use ralex_api::passkeys::{Passkey, PasskeyAdded};
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::api::client::Answer;
use crate::components::{Button, ConfirmDelete, Dialog, Failed, Form, Kind, TextField, When};
use crate::hooks::input::parses;
use crate::hooks::{Action, use_action, use_input, use_load};

/// A button for what a passkey does, and why it did not.
pub fn passkey_button<T: 'static>(
    verb: &'static str,
    kind: Kind,
    action: &Action<T>,
    ask: impl Fn() -> Answering<T> + 'static,
) -> Html {
    let onclick = {
        let action = action.clone();
        Callback::from(move |()| action.run(ask()))
    };
    html! {
        <>
            if let Some(problem) = action.problem() { <Failed {problem} /> }
            <p class={classes!((kind == Kind::Quiet).then_some("gate-foot"))}><Button {kind} busy={action.running()} {onclick}>{ verb }</Button></p>
        </>
    }
}

/// An answer of an authenticator and then of the server on its way.
pub type Answering<T> = std::pin::Pin<Box<dyn Future<Output = Answer<T>>>>;

/// Whether passkeys are offered here; not while nobody knows.
#[hook]
pub fn use_offered() -> bool {
    use_load((), |()| api::passkey::offer()).0.ready().is_some_and(|offer| offer.offered)
}

/// A passkey among one's own factors.
pub fn passkey_row(
    passkey: &Passkey,
    onrename: &Callback<Passkey>,
    onremove: &Callback<Passkey>,
) -> Html {
    let with = |tell: &Callback<Passkey>| {
        let passkey = passkey.clone();
        tell.reform(move |()| passkey.clone())
    };
    html! {
        <li key={passkey.id.to_string()}>
            <div>
                <strong>{ passkey.name.to_string() }</strong>
                <p class="faint">
                    { "Passkey · added " }<When at={passkey.added_at} />
                    if let Some(at) = passkey.last_used_at { { " · last used " }<When {at} /> }
                </p>
            </div>
            <Button onclick={with(onrename)}>{ "Rename" }</Button>
            <Button onclick={with(onremove)}>{ "Remove" }</Button>
        </li>
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The one that gets another name; a new one where there is none.
    pub passkey: Option<Passkey>,
    /// With the recovery codes of a first factor.
    pub ondone: Callback<Option<RecoveryCodes>>,
    pub onclose: Callback<()>,
}

/// Asks for a name, and where the passkey is new then for the authenticator.
#[component]
pub fn PasskeyForm(props: &Props) -> Html {
    let was = props.passkey.as_ref().map(|passkey| passkey.name.to_string()).unwrap_or_default();
    let name = use_input(&was, parses::<Name>);
    let send = use_action(props.ondone.clone());
    let onsubmit = {
        let (name, send, id) = (name.clone(), send.clone(), props.passkey.as_ref().map(|it| it.id));
        Callback::from(move |()| {
            let name = name.text();
            let written: Answering<_> = match id {
                Some(id) => {
                    Box::pin(async move { api::passkey::rename(id, &name).await.map(|()| None) })
                }
                None => Box::pin(async move {
                    let added: PasskeyAdded = api::passkey::add(name).await?;
                    Ok(added.recovery_codes)
                }),
            };
            send.run(written);
        })
    };
    let (title, verb) = match props.passkey {
        Some(_) => ("Rename passkey", "Rename"),
        None => ("Add passkey", "Continue"),
    };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} {verb} running={send.running()} problem={send.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} placeholder="work laptop" autofocus=true
                    hint="By what you will know it again. Your device then asks for your finger, face or PIN." />
            </Form>
        </Dialog>
    }
}

pub fn remove_dialog(passkey: &Passkey, ondone: Callback<()>, onclose: Callback<()>) -> Html {
    let (id, title) = (passkey.id, format!("Remove {}?", passkey.name));
    let delete = Callback::from(move |()| api::passkey::remove(id));
    html! {
        <ConfirmDelete {title} verb="Remove passkey" {delete} {ondone} {onclose}>
            <p>{ "It opens nothing any more, and sessions that it alone opened end, this one too if it is one of them. With the last second factor the recovery codes go." }</p>
        </ConfirmDelete>
    }
}
