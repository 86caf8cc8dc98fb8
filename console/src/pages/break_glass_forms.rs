//! Forms of the break-glass access: to arm it, to open it, and to close a review.

use ralex_api::access::RoleName;
use ralex_api::break_glass::{ArmBreakGlass, BreakGlass, BreakGlassOpening};
use yew::prelude::*;

use super::passkeys::{Answering, passkey_button};
use crate::api;
use crate::components::{Check, Dialog, Form, Kind, SelectField, TextArea, TextField, failed};
use crate::hooks::input::{anything, count, needed};
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct ArmProps {
    pub told: BreakGlass,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn ArmForm(props: &ArmProps) -> Html {
    let slug = use_org().slug();
    let armed = props.told.armed.as_ref();
    let people = armed.map(|it| {
        let all: Vec<_> = it.people.iter().map(|person| person.email.clone()).collect();
        all.join("\n")
    });
    let people = use_input(&people.unwrap_or_default(), needed);
    let role = armed.map_or("owner".to_owned(), |it| it.role.to_string());
    let role = use_state(|| role);
    let (load, again) = use_load(slug.clone(), |org| api::identity::roles(&org));
    let mut roles: Vec<(AttrValue, AttrValue)> = Vec::new();
    if let Some(page) = load.ready() {
        // What programs hold at home by themselves is not given.
        let given = page.items.iter().filter(|it| it.name.as_str() != "service");
        roles.extend(given.map(|it| (it.name.to_string().into(), it.title.clone().into())));
    }
    if !roles.iter().any(|(name, _)| **name == *role.as_str()) {
        roles.insert(0, ((*role).clone().into(), (*role).clone().into()));
    }
    let minutes = armed.map_or(60, |it| it.longest_minutes).to_string();
    let minutes = use_input(&minutes, count);
    let save = use_action(props.ondone.reform(|_: BreakGlass| "It is armed.".into()));
    let onsubmit = {
        let (people, role, minutes, save) =
            (people.clone(), role.clone(), minutes.clone(), save.clone());
        Callback::from(move |()| {
            let text = people.text();
            let named = text.split([',', ';', ' ', '\n']).map(str::trim);
            let people = named.filter(|it| !it.is_empty()).map(str::to_owned).collect();
            let role = Some(RoleName((*role).clone()));
            let arm = ArmBreakGlass { people, role, longest_minutes: minutes.parsed() };
            save.run(api::break_glass::arm(&slug, &arm));
        })
    };
    let inputs = vec![people.clone(), minutes.clone()];
    html! {
        <Dialog title="Arm the break-glass access" onclose={props.onclose.clone()}>
            <Form {inputs} verb="Arm" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextArea label="Who may open it" path="people" input={people} hint="2 to 5 members by e-mail address, one a line. Each has a passkey." />
                { failed(&load, &again) }
                <SelectField label="Role" path="role" options={roles} value={(*role).clone()} onchange={keep(&role)} hint="Its permissions are written out now. A later change of the role makes no difference." />
                <TextField label="Longest time in minutes" path="longest_minutes" input={minutes} hint="5 to 60." />
                <p class="note">{ format!("It never gives {}, and nobody becomes an owner by it.", props.told.never.join(", ")) }</p>
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct OpenProps {
    pub longest: u32,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn OpenForm(props: &OpenProps) -> Html {
    let slug = use_org().slug();
    let reason = use_input("", enough);
    let minutes = use_input(&props.longest.to_string(), count);
    let drill = use_state(|| false);
    let open = use_action(props.ondone.reform(|_: BreakGlassOpening| {
        "Asked. Another named person has 15 minutes to confirm it.".into()
    }));
    let ask = {
        let (reason, minutes, drill) = (reason.clone(), minutes.clone(), *drill);
        move || -> Answering<BreakGlassOpening> {
            let (org, minutes) = (slug.clone(), minutes.parsed());
            Box::pin(api::break_glass::open(org, reason.text(), minutes, drill))
        }
    };
    html! {
        <Dialog title="Open the break-glass access" onclose={props.onclose.clone()}>
            <p class="note">{ "The owners and everybody who is named are written to at once. Another named person has to confirm it by a passkey; then both of you hold what it gives." }</p>
            <TextArea label="Reason" path="reason" input={reason} hint="10 to 1,000 characters, for those who confirm and the audit log." />
            <TextField label="Minutes" path="minutes" input={minutes} hint={format!("5 to {}.", props.longest)} />
            <Check label="This is a drill" on={*drill} onchange={keep(&drill)} hint="All the same steps, and it gives nothing." />
            { passkey_button("Ask with a passkey", Kind::Primary, &open, ask) }
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct ReviewProps {
    pub opening: BreakGlassOpening,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn ReviewForm(props: &ReviewProps) -> Html {
    let slug = use_org().slug();
    let note = use_input("", enough);
    let save =
        use_action(props.ondone.reform(|_: BreakGlassOpening| "The review is closed.".into()));
    let onsubmit = {
        let (note, save, id) = (note.clone(), save.clone(), props.opening.id.to_string());
        Callback::from(move |()| save.run(api::break_glass::review(&slug, &id, note.text())))
    };
    html! {
        <Dialog title="Review what was done" onclose={props.onclose.clone()}>
            <p>{ format!("Whatever {} and {} did under it stands in the audit log under their names.", props.opening.asked_by, props.opening.confirmed_by.as_deref().unwrap_or("nobody")) }</p>
            <Form inputs={vec![note.clone()]} verb="Close the review" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextArea label="What came of it" path="note" input={note} hint="10 to 2,000 characters." />
            </Form>
        </Dialog>
    }
}

fn enough(text: &str) -> Option<String> {
    let is_enough = text.trim().chars().count() >= 10;
    if is_enough { anything(text) } else { Some("Write at least 10 characters.".to_owned()) }
}
