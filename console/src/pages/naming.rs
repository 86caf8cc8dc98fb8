//! What one calls oneself, and one's own sessions.

use ralex_api::identity::{Session, User};
use ralex_kernel::Name;
use yew::prelude::*;

use crate::api;
use crate::components::{Dialog, Form, TextField};
use crate::hooks::input::{parses, parses_if_filled};
use crate::hooks::{use_action, use_input};

#[derive(Properties, PartialEq)]
pub struct RenameProps {
    pub user: User,
    pub ondone: Callback<User>,
    pub onclose: Callback<()>,
}

/// Changes what one is called, in every organisation.
#[component]
pub fn Rename(props: &RenameProps) -> Html {
    let name = use_input(props.user.name.as_str(), parses::<Name>);
    let rename = use_action(props.ondone.clone());
    let onsubmit = {
        let (name, rename) = (name.clone(), rename.clone());
        Callback::from(move |()| {
            let Some(name) = name.parsed() else { return };
            rename.run(api::identity::rename(name));
        })
    };
    html! {
        <Dialog title="Change your name" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Change name" running={rename.running()} problem={rename.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} hint="What others read, in every organisation that you belong to." autofocus=true />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct NameSessionProps {
    pub session: Session,
    pub ondone: Callback<Session>,
    pub onclose: Callback<()>,
}

/// Says what one calls a session.
#[component]
pub fn NameSession(props: &NameSessionProps) -> Html {
    let old = props.session.name.as_ref().map(ToString::to_string).unwrap_or_default();
    let name = use_input(&old, parses_if_filled::<Name>);
    let save = use_action(props.ondone.clone());
    let onsubmit = {
        let (name, save, id) = (name.clone(), save.clone(), props.session.id);
        Callback::from(move |()| save.run(api::identity::name_session(id, name.parsed())))
    };
    html! {
        <Dialog title="Name this session" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone()]} verb="Save" running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} placeholder="Laptop at home" hint="Only you see it. Left empty, it has none." autofocus=true />
            </Form>
        </Dialog>
    }
}
