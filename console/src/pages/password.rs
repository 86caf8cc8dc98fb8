//! Choosing a password: first instead of the one-time one, later from the profile.

use yew::prelude::*;

use super::login::card;
use crate::api;
use crate::components::{Button, Form, Kind, TextField};
use crate::hooks::input::{needed, password};
use crate::hooks::{use_action, use_input, use_title};

#[derive(Properties, PartialEq)]
pub struct FirstProps {
    pub ondone: Callback<()>,
    pub onsignout: Callback<()>,
}

#[component]
pub fn FirstPasswordPage(props: &FirstProps) -> Html {
    use_title("Set a password");
    let lead = "The one-time password has done its work. Choose one that only you know; nothing else works before that.";
    let form = html! {
        <>
            <PasswordForm current="One-time password" verb="Set password" ondone={props.ondone.clone()} />
            <p class="gate-foot"><Button kind={Kind::Quiet} onclick={props.onsignout.clone()}>{ "Sign out" }</Button></p>
        </>
    };
    card("Set a password", lead, form)
}

#[derive(Properties, PartialEq)]
pub struct FormProps {
    /// What the old password is called.
    pub current: AttrValue,
    pub verb: AttrValue,
    pub ondone: Callback<()>,
}

#[component]
pub fn PasswordForm(props: &FormProps) -> Html {
    let current = use_input("", needed);
    let new = use_input("", password);
    let change = {
        let (current, new, done) = (current.clone(), new.clone(), props.ondone.clone());
        use_action(Callback::from(move |()| {
            current.set("");
            new.set("");
            done.emit(());
        }))
    };
    let onsubmit = {
        let (current, new, change) = (current.clone(), new.clone(), change.clone());
        Callback::from(move |()| {
            change.run(api::identity::change_password(&current.text(), &new.text()));
        })
    };
    html! {
        <Form inputs={vec![current.clone(), new.clone()]} verb={props.verb.clone()} running={change.running()}
            problem={change.problem()} {onsubmit}>
            <TextField label={props.current.clone()} path="current" kind="password" input={current} autocomplete="current-password" />
            <TextField label="New password" path="new" kind="password" input={new} autocomplete="new-password"
                hint="At least 8 characters, better 15. A few words in a row are easy to keep and hard to guess." />
        </Form>
    }
}
