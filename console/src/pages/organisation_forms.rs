//! The forms about organisations: one that makes one, and one that closes one for a reason.

use ralex_api::operators::{DeleteOrg, GRACE_DAYS, ManagedOrg, NewOrg, NewOrgAnswer};
use ralex_kernel::{Email, Name, Slug};
use yew::prelude::*;

use super::teams::name_and_slug;
use crate::api;
use crate::components::{Dialog, Form, TextArea, TextField};
use crate::hooks::input::{count, needed, parses, parses_if_filled};
use crate::hooks::{use_action, use_input};

#[derive(Properties, PartialEq)]
pub struct CreatorProps {
    pub ondone: Callback<NewOrgAnswer>,
    pub onclose: Callback<()>,
}

#[component]
pub fn Creator(props: &CreatorProps) -> Html {
    let create = use_action(props.ondone.clone());
    let (name, slug) = (use_input("", parses::<Name>), use_input("", parses::<Slug>));
    let email = use_input("", parses::<Email>);
    let owner = use_input("", parses_if_filled::<Name>);
    let onsubmit = {
        let (name, slug, email, owner) = (name.clone(), slug.clone(), email.clone(), owner.clone());
        let create = create.clone();
        Callback::from(move |()| {
            let (Some(slug), Some(owner_email)) = (slug.parsed(), email.parsed()) else { return };
            let new = NewOrg { slug, name: name.parsed(), owner_email, owner_name: owner.parsed() };
            create.run(api::operators::create(&new));
        })
    };
    html! {
        <Dialog title="Create organisation" onclose={props.onclose.clone()}>
            <Form inputs={vec![name.clone(), slug.clone(), email.clone(), owner.clone()]} verb="Create organisation" running={create.running()} problem={create.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                { name_and_slug(&name, &slug, "Acme") }
                <TextField label="Owner's e-mail" path="owner_email" kind="email" input={email} placeholder="ann@example.com" />
                <TextField label="Owner's name" path="owner_name" input={owner} hint="Needed only for someone who is new to Ralex." />
            </Form>
        </Dialog>
    }
}

/// How an organisation is closed.
#[derive(Clone, Copy, PartialEq)]
pub enum Ending {
    Suspended,
    Deleted,
}

#[derive(Properties, PartialEq)]
pub struct CloseProps {
    pub org: ManagedOrg,
    pub ending: Ending,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn Close(props: &CloseProps) -> Html {
    let (name, slug) = (props.org.name.to_string(), props.org.slug.to_string());
    let deletes = props.ending == Ending::Deleted;
    let (title, verb, what, said) = if deletes {
        (
            format!("Delete {name}?"),
            "Delete",
            "Another operator who counts has to confirm it; without one it is closed at once. When the time is over all of it is removed, its keys and its audit log too, and nothing brings it back. Until then it can be kept.",
            format!("{name} is closed, and will be deleted. No other operator had to confirm it."),
        )
    } else {
        (
            format!("Suspend {name}?"),
            "Suspend",
            "Nothing in it is open to people and programs within a second. What they hold is kept for when it is opened again.",
            format!("{name} is suspended."),
        )
    };
    let waits =
        format!("Nothing is closed yet: another operator has to confirm that {name} is deleted.");
    let act = use_action(props.ondone.reform(move |org: ManagedOrg| {
        if org.deletion_asked.is_some() && deletes {
            waits.clone().into()
        } else {
            said.clone().into()
        }
    }));
    let reason = use_input("", needed);
    let days = use_input(&GRACE_DAYS.to_string(), count);
    let onsubmit = {
        let (reason, days, act) = (reason.clone(), days.clone(), act.clone());
        Callback::from(move |()| {
            let Some(reason) = reason.filled() else { return };
            act.run(if deletes {
                api::operators::delete(&slug, &DeleteOrg { reason, grace_days: days.parsed() })
            } else {
                api::operators::suspend(&slug, reason)
            });
        })
    };
    let inputs = if deletes { vec![reason.clone(), days.clone()] } else { vec![reason.clone()] };
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form {inputs} {verb} running={act.running()} problem={act.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <p class="prose">{ what }</p>
                <TextArea label="Why" path="reason" input={reason} hint="Everybody in it reads that." />
                if deletes { <TextField label="Days until then" path="grace_days" kind="number" input={days} /> }
            </Form>
        </Dialog>
    }
}
