//! What takes two people: seen by everybody, decided by owners.

use std::collections::BTreeSet;

use ralex_api::changes::{FourEyes, GuardedAction, SetFourEyes};
use ralex_kernel::Money;
use yew::prelude::*;

use crate::api;
use crate::components::{Check, Dialog, Form, TextField, key_value, show};
use crate::hooks::input::count;
use crate::hooks::{use_action, use_input, use_load};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn ChangeSettings(props: &Props) -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::changes::settings(&org));
    let decides = org.blocked("four_eyes.manage").is_none();
    html! {
        <Dialog title="What takes two people" onclose={props.onclose.clone()}>
            { show(&load, &again, |now| if decides {
                html! { <Fields now={(**now).clone()} ondone={props.ondone.clone()} onclose={props.onclose.clone()} /> }
            } else {
                key_value(&facts(now))
            }) }
        </Dialog>
    }
}

fn facts(now: &FourEyes) -> Vec<(AttrValue, Html)> {
    let takes = |on: bool| if on { "Takes two people" } else { "One person does it" };
    let facts = now.actions.iter().map(|it| (it.does.clone().into(), html! { takes(it.on) }));
    facts.collect()
}

#[derive(Properties, PartialEq)]
struct FieldsProps {
    now: FourEyes,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Fields(props: &FieldsProps) -> Html {
    let slug = use_org().slug();
    let now = &props.now;
    let on = use_state(|| {
        let on = now.actions.iter().filter(|it| it.on).map(|it| it.action);
        on.collect::<BTreeSet<GuardedAction>>()
    });
    let limit = now.budget_limit.map(|limit| limit.to_string()).unwrap_or_default();
    let limit = use_input(&limit, amount);
    let minutes = use_input(&now.pending_minutes.to_string(), count);
    let save =
        use_action(props.ondone.reform(|_: FourEyes| "Holds for what is done from now on.".into()));
    let onsubmit = {
        let (save, on) = (save.clone(), (*on).clone());
        let (limit, minutes) = (limit.clone(), minutes.clone());
        Callback::from(move |()| {
            let Some(pending_minutes) = minutes.parsed() else { return };
            let chosen = on.iter().copied().filter(|it| *it != GuardedAction::FourEyesLoosen);
            let actions = chosen.collect();
            let set = SetFourEyes { actions, budget_limit: limit.parsed(), pending_minutes };
            save.run(api::changes::set_settings(&slug, &set));
        })
    };
    let choices = now.actions.iter().filter(|it| it.action != GuardedAction::FourEyesLoosen);
    let choice = |it: &ralex_api::changes::GuardedActionInfo| {
        let action = it.action;
        let onchange = {
            let on = on.clone();
            Callback::from(move |is_on: bool| {
                let mut now = (*on).clone();
                if is_on {
                    now.insert(action)
                } else {
                    now.remove(&action)
                };
                on.set(now);
            })
        };
        let hint = format!("Both people need {}.", it.permissions.join(" or "));
        html! { <Check label={it.does.clone()} on={on.contains(&action)} {onchange} {hint} /> }
    };
    html! {
        <Form inputs={vec![limit.clone(), minutes.clone()]} verb="Save" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
            { for choices.map(choice) }
            <TextField label="One person raises budgets up to" path="budget_limit" input={limit} hint="In US dollars. Each raise takes two when empty." />
            <TextField label="Minutes to confirm" path="pending_minutes" input={minutes} hint="Then it has to be asked for again. 5 to 10080." />
            <p class="note">{ "To take something out of this, or to raise that limit, takes two people itself." }</p>
        </Form>
    }
}

fn amount(text: &str) -> Option<String> {
    let text = text.trim();
    let good = text.is_empty() || text.parse::<Money>().is_ok_and(Money::is_positive);
    (!good).then(|| "Enter an amount of dollars that is more than 0, or nothing.".to_owned())
}
