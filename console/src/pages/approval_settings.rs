//! How approvals work: how long they wait and hold, and what is kept meanwhile.

use ralex_api::approvals::{ApprovalSettings, SetApprovalSettings};
use yew::prelude::*;

use crate::api;
use crate::components::{Check, Dialog, Form, TextField, show, use_toast};
use crate::hooks::input::count;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub onclose: Callback<()>,
}

#[component]
pub fn SettingsDialog(props: &Props) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::approvals::settings(&org));
    html! {
        <Dialog title="How approvals work" onclose={props.onclose.clone()}>
            { show(&load, &again, |settings| html! { <Fields settings={(**settings).clone()} onclose={props.onclose.clone()} /> }) }
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct FieldsProps {
    settings: ApprovalSettings,
    onclose: Callback<()>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let slug = use_org().slug();
    let toast = use_toast();
    let before = &props.settings;
    let pending = use_input(&before.pending_minutes.to_string(), count);
    let approved = use_input(&before.approved_minutes.to_string(), count);
    let denied = use_input(&before.denied_minutes.to_string(), whole);
    let (once, excerpts) = (use_state(|| before.once), use_state(|| before.excerpts));
    let close = props.onclose.clone();
    let save = use_action(Callback::from(move |_: ApprovalSettings| {
        close.emit(());
        toast.emit("Holds for what is asked and decided from now on.".into());
    }));
    let onsubmit = {
        let (save, pending, approved, denied) =
            (save.clone(), pending.clone(), approved.clone(), denied.clone());
        let (once, excerpts) = (*once, *excerpts);
        Callback::from(move |()| {
            let minutes = (pending.parsed(), approved.parsed(), denied.parsed());
            let (Some(pending_minutes), Some(approved_minutes), Some(denied_minutes)) = minutes
            else {
                return;
            };
            let set = SetApprovalSettings {
                pending_minutes,
                approved_minutes,
                denied_minutes,
                once,
                excerpts,
            };
            save.run(api::approvals::set_settings(&slug, set));
        })
    };
    html! {
        <Form inputs={vec![pending.clone(), approved.clone(), denied.clone()]} verb="Save" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
            <TextField label="Minutes to decide" path="pending_minutes" input={pending} hint="Then it has to be asked again." />
            <TextField label="Minutes an approval is good for" path="approved_minutes" input={approved} />
            <Check label="For one call only" on={*once} onchange={keep(&once)} hint="Otherwise for every same call in that time." />
            <TextField label="Minutes a denial holds" path="denied_minutes" input={denied} hint="0: the same may be asked again at once." />
            <Check label="Keep excerpts while it waits" on={*excerpts} onchange={keep(&excerpts)} hint="A few words around what was found, without values, for who decides." />
        </Form>
    }
}

fn whole(text: &str) -> Option<String> {
    let good = text.trim().parse::<u32>().is_ok();
    (!good).then(|| "Enter a whole number.".to_owned())
}
