//! A fresh proof: asked for over whatever page needs it, which then goes on by itself.

use js_sys::Function;
use wasm_bindgen::JsValue;
use yew::prelude::*;

use super::login::code_field;
use super::passkeys::passkey_button;
use crate::api;
use crate::components::{Button, Dialog, Form, Kind, TextField};
use crate::hooks::input::needed;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_session;

/// Opens when the server asks for a fresh proof.
#[component]
pub fn ProofGate() -> Html {
    let asking = use_state(|| None::<Function>);
    let prove_at = use_session().and_then(|session| session.me.prove_at.clone());
    {
        let asked = keep(&asking);
        use_effect_with((), move |()| {
            api::client::when_unproven(asked.reform(Some));
        });
    }
    let Some(waiting) = (*asking).clone() else { return Html::default() };
    let answered = keep(&asking);
    let onend = Callback::from(move |proven: bool| {
        answered.emit(None);
        // What waits is a promise of this page, which takes any answer.
        let _ = waiting.call1(&JsValue::NULL, &proven.into());
    });
    match prove_at {
        Some(address) => by_provider(address, onend),
        None => html! { <ProofDialog {onend} /> },
    }
}

/// Whoever came in by an organisation's provider proves it there, and comes back to the first page.
fn by_provider(address: String, onend: Callback<bool>) -> Html {
    let onclose = onend.reform(|()| false);
    html! {
        <Dialog title="Confirm that it is you" onclose={onclose.clone()}>
            <p>{ "This is worth more than an open session. Have your organisation’s single sign-on ask you once more; then come back here and repeat it within ten minutes." }</p>
            <p class="panel-actions">
                <a class="button primary" href={address}>{ "Sign in once more" }</a>
                <Button kind={Kind::Quiet} onclick={onclose}>{ "Not now" }</Button>
            </p>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct Props {
    onend: Callback<bool>,
}

#[component]
fn ProofDialog(props: &Props) -> Html {
    let both = use_session().is_some_and(|session| session.me.second_factor);
    let password = use_input("", needed);
    let code = use_input("", needed);
    let prove = use_action(props.onend.reform(|()| true));
    let by_passkey = use_action(props.onend.reform(|()| true));
    let (own, _) = use_load((), |()| api::passkey::own());
    let has = own.ready().is_some_and(|own| own.1.offered && !own.0.passkeys.is_empty());
    let onsubmit = {
        let (password, code, prove) = (password.clone(), code.clone(), prove.clone());
        Callback::from(move |()| {
            let code = both.then(|| code.text());
            prove.run(api::identity::step_up(&password.text(), code.as_deref()));
        })
    };
    let onclose = props.onend.reform(|()| false);
    let mut inputs = vec![password.clone()];
    if both {
        inputs.push(code.clone());
    }
    html! {
        <Dialog title="Confirm that it is you" onclose={onclose.clone()}>
            <p class="faint">{ "This is worth more than an open session. It is asked once in ten minutes." }</p>
            <Form {inputs} verb="Confirm" running={prove.running()} problem={prove.problem()} {onsubmit} oncancel={onclose}>
                <TextField label="Password" path="password" kind="password" input={password} autocomplete="current-password" autofocus=true />
                if both { { code_field(code) } }
            </Form>
            if has { { passkey_button("Use a passkey", Kind::Quiet, &by_passkey, || Box::pin(api::passkey::step_up())) } }
        </Dialog>
    }
}
